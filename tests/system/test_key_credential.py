"""The sealing key as a systemd credential: the shipped unit under systemd itself."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.system.lab import host, stacks, systemd
from tests.system.lab.host import UNAVAILABLE
from tests.system.lab.journal import Journal
from tests.system.lab.person import Person
from tests.system.lab.product import COMMAND, CONFIGURATION, Service, configure
from tests.system.lab.systemd import Machine

STACK: Final = "lab-credential"
KEY: Final = Path("/etc/pam-totp/seal.key")
KEPT: Final = Path("/root/kept.key")
DROP_IN: Final = Path("/etc/systemd/system/pam-totpd.service.d/key.conf")
ENCRYPTED: Final = Path("/etc/credstore.encrypted/seal.key")
# The machine has a /tmp of its own.
PAMHOST: Final = Path("/var/tmp/pamhost")
ANSWER: Final = "authenticate -> PAM_SUCCESS (0)"


@pytest.fixture(autouse=True)
def stack(world: None) -> Iterator[None]:
    """The shipped stack that asks for the code alone."""
    with stacks.installed(STACK, stacks.shipped(stacks.CODE_ALONE)):
        yield


@pytest.fixture
def member(person: Person, service: Service) -> Iterator[Person]:
    """Somebody who has enrolled; after that the key is a credential, and no service runs."""
    service.stop()
    before = CONFIGURATION.read_text()
    shutil.copy(host.program(), PAMHOST)
    KEY.rename(KEPT)
    configure("key-file", "credential:seal.key")
    loaded_by(f"LoadCredential=seal.key:{KEPT}")
    yield person
    shutil.rmtree(DROP_IN.parent)
    CONFIGURATION.write_text(before)
    KEPT.rename(KEY)
    PAMHOST.unlink()
    service.start()


def loaded_by(line: str) -> None:
    """Let the unit have its credential."""
    DROP_IN.parent.mkdir(exist_ok=True)
    DROP_IN.write_text(f"[Service]\n{line}\n")


def log_in(machine: Machine, person: Person) -> str:
    """Log in on the machine, and return what came of it."""
    answers = host.answers(None, person.fresh_code())
    return machine.run(str(PAMHOST), *answers, STACK, person.name, "authenticate").stdout


def does(machine: Machine, *words: str) -> str:
    """Run a command there that must succeed."""
    done = machine.run(*words)
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout


def keys(machine: Machine) -> list[str]:
    """Return how the keys stand, and see that all secrets open."""
    assert not [
        one for one in json.loads(does(machine, COMMAND, "status", "--json")) if one["damage"]
    ]
    return [one["is"] for one in json.loads(does(machine, COMMAND, "key", "list", "--json"))]


def hand_over(machine: Machine, file: str) -> None:
    """Give the service the keys that a rotation has written."""
    does(machine, "mv", file, str(KEPT))
    does(machine, "systemctl", "restart", "pam-totpd")


def test_without_the_service(member: Person, journal: Journal) -> None:
    """The one-shot refuses, with a line that says to start the service; so does the command."""
    assert host.login(STACK, member.name).result == UNAVAILABLE
    line = journal.wait_for("verdict=unavailable").fields
    assert "the service does not run, or was not given it" in line["detail"]
    assert "systemctl start pam-totpd" in line["hint"]
    done = subprocess.run([COMMAND, "status"], check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert "hint: systemctl start pam-totpd" in done.stderr


def test_given_by_systemd(member: Person) -> None:
    """With it people log in and root administers; a rotation goes by way of a file that the
    service is given; and no key lies in /etc/pam-totp."""
    with systemd.booted() as machine:
        does(machine, "systemctl", "start", "pam-totpd")
        assert ANSWER in log_in(machine, member)
        assert keys(machine) == ["current"]
        assert (
            does(machine, COMMAND, "doctor", "-v", "key", "key-mode", "one-shot").count("ok") >= 2
        )
        refused = machine.run(COMMAND, "key", "rotate")
        assert "hint: pam-totp key rotate --to FILE" in refused.stderr
        does(machine, COMMAND, "key", "rotate", "--to", "/root/two")
        hand_over(machine, "/root/two")
        assert keys(machine) == ["current", "old"]
        assert ANSWER in log_in(machine, member)
        does(machine, COMMAND, "key", "rotate", "--to", "/root/one")
        hand_over(machine, "/root/one")
        assert keys(machine) == ["current"]
        assert ANSWER in log_in(machine, member)
        does(machine, "systemctl", "stop", "pam-totpd")
    assert not KEY.exists()


def test_encrypted(member: Person) -> None:
    """An encrypted credential does as well: the key is nowhere on the disk in clear."""
    with systemd.booted() as machine:
        ENCRYPTED.parent.mkdir(mode=0o700, exist_ok=True)
        encrypt = ("systemd-creds", "encrypt", "--with-key=host", "--name=seal.key")
        does(machine, *encrypt, str(KEPT), str(ENCRYPTED))
        loaded_by(f"LoadCredentialEncrypted=seal.key:{ENCRYPTED}")
        does(machine, "systemctl", "daemon-reload")
        does(machine, "systemctl", "start", "pam-totpd")
        assert ANSWER in log_in(machine, member)
        assert keys(machine) == ["current"]
        does(machine, "systemctl", "stop", "pam-totpd")
    ENCRYPTED.unlink()
