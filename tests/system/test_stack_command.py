"""`pam-totp stack`: turned on and off by the command, each followed by real logins."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.lab import debian
from tests.system.lab.person import Person
from tests.system.lab.product import pam_totp
from tests.system.lab.ssh import Sshd, is_in, is_refused
from tests.system.lab.terminal import CODE
from tests.system.lab.wait import DEADLINE

DROP_IN = Path("/etc/ssh/sshd_config.d/50-pam-totp.conf")
STACK = Path("/etc/pam.d/sshd")
OFF = "/usr/libexec/pam-totp/stack-off"
ENABLE = ("stack", "enable", "sshd", "--yes")


@pytest.fixture(params=debian.RELEASES)
def release(request: pytest.FixtureRequest, off: None) -> str:
    """Each release of Debian, whose stacks are the machine's."""
    name: str = request.param
    debian.put(name, "unix")
    return name


@pytest.fixture
def off(service: object) -> Iterator[None]:
    """A machine whose sshd asks for no code."""
    subprocess.run(["ssh-keygen", "-A"], check=True, stdout=subprocess.DEVNULL)
    with debian.kept():
        pam_totp("stack", "disable", "--all")
        yield
        subprocess.run([OFF, "--all"], check=True, stdout=subprocess.DEVNULL)


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a program that may fail."""
    return subprocess.run(
        words,
        check=False,
        text=True,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=DEADLINE,
    )


def asks_for_a_code(person: Person) -> None:
    """Password and code let in by SSH, a wrong code does not, and a wrong password does not."""
    with Sshd() as sshd:
        with sshd.client(person.name) as client:
            client.gives_password(person.password)
            client.gives_code(person.fresh_code())
            is_in(client)
        with sshd.client(person.name) as client:
            client.gives_password(person.password)
            client.gives_code(person.wrong_code())
            is_refused(client)
        with sshd.client(person.name) as client:
            client.gives_password("wrong")
            client.gives_code(person.fresh_code())
            is_refused(client)


def asks_for_no_code(person: Person) -> None:
    """The password alone lets in by SSH, a wrong one does not."""
    with Sshd() as sshd:
        with sshd.client(person.name, methods="password") as client:
            client.gives_password(person.password)
            is_in(client)
            assert CODE not in client.transcript
        with sshd.client(person.name, methods="password") as client:
            client.gives_password("wrong")
            is_refused(client)


def test_on_and_off(release: str, person: Person) -> None:
    """Turned on, SSH asks for the code; turned off, it does not, and every byte is as before."""
    before = STACK.read_bytes()
    asks_for_no_code(person)
    assert "turned on" in pam_totp(*ENABLE)
    asks_for_a_code(person)
    pam_totp("stack", "disable", "sshd")
    asks_for_no_code(person)
    assert STACK.read_bytes() == before
    assert not DROP_IN.exists()


def test_twice(off: None) -> None:
    """Turning on twice, and off twice, is no error and changes nothing."""
    pam_totp(*ENABLE)
    on = STACK.read_bytes()
    assert "nothing to change" in pam_totp(*ENABLE)
    assert STACK.read_bytes() == on
    pam_totp("stack", "disable", "sshd")
    assert "nothing to change" in pam_totp("stack", "disable", "sshd")
    assert "nothing to change" in pam_totp("stack", "disable", "--all")
