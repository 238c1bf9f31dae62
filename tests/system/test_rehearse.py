"""`pam-totp test`: a real login by a person at a terminal."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.system.lab import host, records, stacks
from tests.system.lab.journal import Journal
from tests.system.lab.person import Person
from tests.system.lab.product import COMMAND, Service, pam_totp
from tests.system.lab.terminal import Terminal

STACK: Final = "lab-rehearsal"
PASSWORD: Final = "Password: "
CODE: Final = "Verification code: "
PASSED: Final = "authenticate  Success\r\naccount       Success\r\n"
FAILED: Final = "authenticate  Authentication failure\r\n"
NOLOGIN: Final = Path("/run/nologin")

FUNCTION: Final = """
import sys
from pam_totp.cli.rehearse import rehearse
sys.exit(7 if rehearse(sys.argv[1], sys.argv[2], rhost="192.0.2.9") else 8)
"""


@pytest.fixture(autouse=True)
def stack(service: Service) -> Iterator[None]:
    """The shipped stack, without the delays of refusals."""
    with stacks.installed(STACK, stacks.without_delay(stacks.shipped("pam-totp"))):
        yield


@contextmanager
def rehearsal(*words: str, environment: dict[str, str] | None = None) -> Iterator[Terminal]:
    """Begin a rehearsal at a terminal."""
    with Terminal(COMMAND, "test", *words, environment=environment) as terminal:
        yield terminal


def test_let_in(person: Person, journal: Journal) -> None:
    """Each prompt is shown as it would be, hidden or not; libpam's words and ours say what came
    of it; the status is 0, and the code is used up by it."""
    code = person.fresh_code()
    with rehearsal(STACK, person.name) as terminal:
        terminal.sees(f"A real login to {STACK} as {person.name}:")
        terminal.sees("a right code is used up")
        terminal.answers(PASSWORD, person.password, hidden=True)
        terminal.answers(CODE, code, hidden=False)
        assert terminal.ends() == 0, terminal.transcript
    said = f"{PASSED}{person.name}: let in: accepted by authenticator phone\r\n"
    assert terminal.transcript.endswith(said)
    assert person.password not in terminal.transcript
    assert (
        host.login(STACK, person.name, password=person.password, code=code).result != "PAM_SUCCESS"
    )
    assert journal.verdicts(person.name) == ["accepted", "replayed-code"]


def refused(person: Person, password: str, code: str, *words: str) -> str:
    """Rehearse a login that is refused, and return what is said of it."""
    with rehearsal(STACK, person.name, *words) as terminal:
        terminal.answers(PASSWORD, password, hidden=True)
        terminal.answers(CODE, code, hidden=False)
        assert terminal.ends() == 1, terminal.transcript
    _, _, said = terminal.transcript.partition(FAILED)
    return said.replace("\r\n", "\n")


def test_wrong_code(person: Person) -> None:
    """A wrong code is refused with the reason, the next step and status 1, and counts; the
    fifth locks, and then the way out is named."""
    said = refused(person, person.password, person.wrong_code())
    assert said.startswith(f"{person.name}: refused: wrong code, counted\nhint: date, ")
    assert person.failures == 1
    for _ in range(4):
        said = refused(person, person.password, person.wrong_code())
    assert f"{person.name}: refused: wrong code, counted; this locks" in said
    said = refused(person, person.password, person.fresh_code())
    assert said.startswith(f"{person.name}: refused: locked for a time, after wrong codes\n")
    assert f"hint: pam-totp unlock {person.name}\n" in said


def test_wrong_password(person: Person, journal: Journal) -> None:
    """A wrong password is refused as that and counts for the address that was named; address
    and terminal are what the log says."""
    options = ("--rhost", "192.0.2.7", "--tty", "pts/7")
    said = refused(person, "wrong", person.fresh_code(), *options)
    assert said.startswith(f"{person.name}: refused: wrong password\n")
    assert f"hint: pam-totp events {person.name}; journalctl" in said
    assert records.wrong_passwords(person.name) == {"192.0.2.7": 1}
    fields = journal.wait_for("verdict=wrong-password").fields
    assert (fields["rhost"], fields["tty"]) == ("192.0.2.7", "pts/7")


def test_replayed_by_recovery_code(person: Person) -> None:
    """A recovery code is called one, and its second use is told from a wrong code."""
    code = person.phone.recovery_codes[0]
    with rehearsal(STACK, person.name) as terminal:
        terminal.gives_password(person.password)
        terminal.gives_code(code)
        terminal.sees("let in: accepted by a recovery code")
        assert terminal.ends() == 0
    assert "a recovery code that was used before" in refused(person, person.password, code)


def test_who_called_sudo(newcomer: Person) -> None:
    """Without a name it is the one who called sudo; who has not enrolled is let in with the
    password, and that is said."""
    with rehearsal(STACK, environment={"SUDO_USER": newcomer.name}) as terminal:
        terminal.sees(f"as {newcomer.name}:")
        terminal.gives_password(newcomer.password)
        assert terminal.ends() == 0
    assert f"{newcomer.name}: let in: no code was needed" in terminal.transcript


def test_password_with_blanks(newcomer: Person) -> None:
    """What is typed reaches libpam whole: blanks at its ends and letters of any script."""
    newcomer.set_password("  p\u00e4ss w\u00f6rd \u2603 ")
    with rehearsal(STACK, newcomer.name) as terminal:
        terminal.answers(PASSWORD, "  p\u00e4ss w\u00f6rd \u2603 ", hidden=True)
        assert terminal.ends() == 0, terminal.transcript


def test_messages(newcomer: Person, tmp_path: Path) -> None:
    """Information and errors of the stack are shown as what they are, in their order."""
    (tmp_path / "welcome").write_text("Two lines\nof welcome")
    text = f"auth optional pam_echo.so file={tmp_path}/welcome\nauth requisite pam_nologin.so\n"
    NOLOGIN.write_text("Closed for today")
    try:
        with stacks.installed("lab-says", text), rehearsal("lab-says", newcomer.name) as terminal:
            terminal.sees("[information] Two lines\r\nof welcome")
            terminal.sees("[error] Closed for today")
            assert terminal.ends() == 1
    finally:
        NOLOGIN.unlink()
    assert "lab-says does not ask pam_totp" in terminal.transcript


def test_a_service_that_the_policy_does_not_name(person: Person) -> None:
    """Where the stack asks pam_totp and the policy gives it no say, that is what is said."""
    pam_totp("policy", "set", "services=sshd", "--yes", "--force")
    try:
        with rehearsal(STACK, person.name) as terminal:
            terminal.gives_password(person.password)
            assert terminal.ends() == 0
    finally:
        pam_totp("policy", "set", "services=all", "--yes", "--force")
    assert f"the policy does not name {STACK}" in terminal.transcript


def test_refused_by_the_account_line(person: Person) -> None:
    """A right code and an expired account: both are said, and whose line it was."""
    person.expire()
    with rehearsal(STACK, person.name) as terminal:
        terminal.gives_password(person.password)
        terminal.gives_code(person.fresh_code())
        assert terminal.ends() == 1
    shown = terminal.transcript
    assert "authenticate  Success\r\naccount       User account has expired\r\n" in shown
    assert "refused: accepted by authenticator phone, and then refused by the account" in shown
    assert "hint: look at the account lines" in shown


@pytest.mark.parametrize(("key", "status"), [("\x03", 130), ("\x04", 1)])
@pytest.mark.parametrize("hidden", [True, False])
def test_giving_up(person: Person, key: str, status: int, hidden: bool) -> None:  # noqa: FBT001
    """Ctrl-C and Ctrl-D at a prompt end it, count nothing, and leave a terminal that shows what
    is typed."""
    with rehearsal(STACK, person.name) as terminal:
        if hidden:
            terminal.answers(PASSWORD, "", hidden=True) if key == "" else terminal.sees(PASSWORD)
        else:
            terminal.gives_password(person.password)
            terminal.sees(CODE)
        terminal._child.send(key)
        assert terminal.ends() == status, terminal.transcript
    assert person.failures == 0
    assert records.wrong_passwords(person.name) in ({}, {"unknown": 1})


def test_no_terminal(person: Person) -> None:
    """Where nobody can be asked it fails and says so."""
    done = subprocess.run(
        [COMMAND, "test", STACK, person.name],
        check=False,
        capture_output=True,
        text=True,
        start_new_session=True,
        stdin=subprocess.DEVNULL,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no terminal to ask on\nhint: pam-totp test" in done.stderr


def test_no_such_service(person: Person) -> None:
    """A service without a stack, which libpam would refuse without a reason, is an error."""
    with rehearsal("no-such-service", person.name) as terminal:
        terminal.sees("there is no stack for 'no-such-service'")
        terminal.sees("hint: ls /etc/pam.d")
        assert terminal.ends() == 1


def test_as_a_function(person: Person) -> None:
    """What turns a stack on can call it, and hears whether the person was let in."""
    for code, status in ((person.fresh_code(), 7), (person.wrong_code(), 8)):
        command = ("/usr/bin/python3", "-c", FUNCTION, STACK, person.name)
        with Terminal(*command) as terminal:
            terminal.sees(f"as {person.name} from 192.0.2.9:")
            terminal.gives_password(person.password)
            terminal.gives_code(code)
            assert terminal.ends() == status, terminal.transcript
