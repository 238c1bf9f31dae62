"""What `sshd -T` says, and what of it is wrong where sshd's stack asks for a code."""

from __future__ import annotations

import os
import pwd
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest

from pam_totp.doctor import sshd
from pam_totp.doctor.machine import Ran
from pam_totp.stack.sshd import TEMPLATE

from .conftest import REPOSITORY, SSHD

if TYPE_CHECKING:
    from .conftest import Patient

DROP_IN = "/etc/ssh/sshd_config.d/50-pam-totp.conf"
_WORSE = ("passwordauthentication no", "passwordauthentication yes")
ANYONES = "authenticationmethods keyboard-interactive:pam"


def says(patient: Patient, old: str, new: str) -> None:
    """Let sshd say something else of one setting."""
    assert old in SSHD
    patient.programs["sshd"] = Ran(0, SSHD.replace(old, new), "")


def configured(patient: Patient, main: str = "", drop_in: str | None = None) -> None:
    """Give sshd files."""
    patient.file("/etc/ssh/sshd_config", f"Include /etc/ssh/sshd_config.d/*.conf\n{main}")
    shipped = (REPOSITORY / "etc/ssh/50-pam-totp.conf").read_text()
    patient.file(DROP_IN, shipped if drop_in is None else drop_in)


@pytest.mark.parametrize(
    ("old", "new", "check", "level"),
    [
        ("usepam yes", "usepam no", "ssh-pam", "error"),
        (
            "kbdinteractiveauthentication yes",
            "kbdinteractiveauthentication no",
            "ssh-keyboard",
            "error",
        ),
        ("passwordauthentication no", "passwordauthentication yes", "ssh-password", "warning"),
        (ANYONES, "authenticationmethods any", "ssh-keys", "warning"),
        (ANYONES, "authenticationmethods publickey", "ssh-keys", "warning"),
        (
            ANYONES,
            f"{ANYONES} publickey,password",
            "ssh-keys",
            "warning",
        ),
        (ANYONES, "authenticationmethods password", "ssh-methods", "error"),
        ("permitrootlogin no", "permitrootlogin without-password", "ssh-root", "warning"),
    ],
)
def test_settings(patient: Patient, old: str, new: str, check: str, level: str) -> None:
    """Each setting that is wrong is found alone, with what to write and where."""
    configured(patient)
    says(patient, old, new)
    finding = patient.only("ssh")
    assert (finding.check, finding.level) == (check, level)
    assert DROP_IN in finding.do


@pytest.mark.parametrize(
    "methods",
    [
        "keyboard-interactive",
        "publickey,keyboard-interactive:pam",
        "publickey,keyboard-interactive",
    ],
)
def test_methods_that_ask(patient: Patient, methods: str) -> None:
    """Ways in that all ask for a code are in order."""
    configured(patient)
    says(patient, ANYONES, f"authenticationmethods {methods}")
    assert patient.found("ssh") == []


def test_without_the_drop_in(patient: Patient) -> None:
    """Where the shipped settings are not there, the line installs them."""
    patient.file("/etc/ssh/sshd_config", "KbdInteractiveAuthentication no\n")
    says(patient, "kbdinteractiveauthentication yes", "kbdinteractiveauthentication no")
    finding = patient.only("ssh")
    assert finding.do.startswith(f"install -m 644 {TEMPLATE} {DROP_IN}")
    assert "systemctl" not in finding.do
    (patient.root / "run/systemd/system").mkdir(parents=True)
    assert patient.only("ssh").do.endswith(" && systemctl reload ssh")


def test_the_line_that_counts(patient: Patient) -> None:
    """The first line that sshd reads is the one to change, in whichever file it stands."""
    configured(patient, "KbdInteractiveAuthentication yes\n")
    first = patient.file("/etc/ssh/sshd_config.d/10-x.conf", "\n kbdInteractiveAuthentication=no\n")
    says(patient, "kbdinteractiveauthentication yes", "kbdinteractiveauthentication no")
    assert patient.only("ssh").do == f"{first}:2: KbdInteractiveAuthentication yes"


def test_not_turned_on(patient: Patient) -> None:
    """Where sshd's stack does not ask, its settings are nobody's business."""
    patient.file("/etc/pam.d/sshd", "auth required pam_unix.so\n")
    says(patient, "usepam yes", "usepam no")
    assert patient.found("ssh") == []


def test_a_configuration_that_is_not_accepted(patient: Patient) -> None:
    """The words of sshd are the finding, once."""
    patient.programs["sshd"] = Ran(255, "", "/etc/ssh/sshd_config: line 3: Bad option: Usepma\n")
    finding = patient.only("ssh")
    assert finding.check == "ssh-config"
    assert "line 3: Bad option: Usepma" in finding.found
    assert finding.do == "sshd -t"


def test_match_blocks(patient: Patient) -> None:
    """A block that changes a setting for the worse is found by an example that it is about,
    and named; one that nothing is known of is left out."""
    me = pwd.getpwuid(os.geteuid()).pw_name
    configured(
        patient,
        f"Match User {me}\n  PasswordAuthentication yes\n"
        "Match User *,!root\n  PasswordAuthentication yes\n",
    )
    asked: list[str] = []

    def answer(command: Sequence[str]) -> Ran:
        connection = command[3] if len(command) > 2 else ""
        asked.append(connection)
        inside = connection.startswith(f"user={me},") and "addr=" in connection
        return Ran(0, SSHD.replace(*_WORSE) if inside else SSHD, "")

    patient.programs["sshd"] = answer
    finding = patient.only("ssh-password")
    assert f"in `Match User {me}`" in finding.found
    assert finding.do == f"{patient.root}/etc/ssh/sshd_config:3: PasswordAuthentication no"
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ("User alice,bob", {"user": "alice"}),
        ("Address 10.1.0.0/16", {"addr": "10.1.0.0"}),
        ('User "alice" LocalPort 2222', {"user": "alice", "lport": "2222"}),
        ("User=alice", {"user": "alice"}),
        ("Group root", {"user": "root"}),
        ("User !alice", None),
        ("Host *.example.org", None),
        ("Group no-such-group", None),
        ("Exec true", None),
    ],
)
def test_examples(match: str, expected: dict[str, str] | None) -> None:
    """An example of a block is a connection that its first names and addresses are about."""
    found = sshd.example(match)
    if expected is None:
        assert found is None
    else:
        assert found is not None
        assert found | expected == found
        assert set(found) == {"user", "host", "addr", "laddr", "lport"}


def test_the_code_alone(patient: Patient) -> None:
    """Where the stack asks for no password, every way in must want a key first."""
    configured(patient)
    patient.file("/etc/pam.d/sshd", "@include pam-totp-code\n")
    finding = patient.only("ssh")
    assert (finding.check, finding.level) == ("ssh-first", "error")
    says(patient, ANYONES, "authenticationmethods publickey,keyboard-interactive:pam")
    assert patient.found("ssh") == []
