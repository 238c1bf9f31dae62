"""Local accounts through the real libpam, a real OpenVPN and a real sshd, beside people of the
machine; and accounts that are disabled.
"""

from __future__ import annotations

import itertools
import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.system.lab import host, openvpn, page
from tests.system.lab.host import AUTH_ERR, SUCCESS, Ended
from tests.system.lab.journal import Journal
from tests.system.lab.openvpn import Client, Server, ping
from tests.system.lab.person import Person
from tests.system.lab.phone import OathPhone, Phone
from tests.system.lab.product import COMMAND, Service, ask_pam_totp, pam_totp, policy
from tests.system.lab.screen import SMALL, Screen
from tests.system.lab.ssh import Sshd, is_in, is_refused
from tests.system.test_ssh_variants import give_key

STACK: Final = "lab-local"
PLAIN: Final = "@include common-auth\n@include common-account\n"
STEPS: Final = ("authenticate", "acct_mgmt")
_names = (f"guest{number}" for number in itertools.count(1))


@dataclass
class Guest:
    """Somebody with a local account."""

    name: str
    password: str
    phone: Phone | None = None

    def enroll(self) -> Phone:
        """Enroll as a script does."""
        said = ask_pam_totp("enroll", self.name, "--no-confirm")
        self.phone = Phone(said["secret"], said["recovery_codes"])
        return self.phone


@pytest.fixture(scope="module", autouse=True)
def stack(world: None) -> Iterator[None]:
    """A service of the machine, turned on for local accounts by the command."""
    path = Path("/etc/pam.d") / STACK
    path.write_text(PLAIN)
    pam_totp("stack", "enable", STACK, "--local", "--yes")
    yield
    pam_totp("stack", "disable", STACK)
    assert path.read_text() == PLAIN
    path.unlink()


@pytest.fixture
def guest(service: Service) -> Iterator[Guest]:
    """Somebody with a local account, who has not enrolled."""
    guest = Guest(next(_names), "seven green bicycles")
    add(guest.name, f"{guest.password}\n")
    yield guest
    pam_totp("account", "remove", guest.name, "--yes")


def add(name: str, typed: str, *options: str) -> str:
    """Make a local account; the password comes from standard input."""
    command = [COMMAND, "account", "add", name, *options]
    done = subprocess.run(command, input=typed, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def log_in(name: str, password: str | None, code: str | None) -> Ended:
    """Log in at the service, its account phase included."""
    rhost = "--rhost=192.0.2.1"
    return host.login(STACK, name, rhost, password=password, code=code, steps=STEPS)


def is_let_in(ended: Ended) -> bool:
    """Whether both phases came through."""
    return (ended.results(), ended.results("acct_mgmt")) == ([SUCCESS], [SUCCESS])


def test_password_and_code(guest: Guest, journal: Journal) -> None:
    """A right password and a right code let in; either of them wrong does not, and looks the
    same."""
    phone = guest.enroll()
    assert is_let_in(log_in(guest.name, guest.password, phone.fresh_code()))
    wrong_code = log_in(guest.name, guest.password, phone.wrong_code())
    wrong_password = log_in(guest.name, "not the password", phone.fresh_code())
    assert wrong_code.results() == wrong_password.results() == [AUTH_ERR]
    assert journal.verdicts(guest.name) == ["accepted", "wrong-code", "wrong-password"]
    spent = log_in(guest.name, guest.password, phone.recovery_codes[0])
    assert is_let_in(spent)
    assert log_in(guest.name, guest.password, phone.recovery_codes[0]).results() == [AUTH_ERR]


def test_without_a_code(guest: Guest) -> None:
    """As the policy has it: optional lets in who has none, required does not."""
    assert is_let_in(log_in(guest.name, guest.password, None))
    with policy("mfa=required"):
        assert log_in(guest.name, guest.password, "123456").results() == [AUTH_ERR]


def test_people_of_the_machine(person: Person, newcomer: Person) -> None:
    """They log in there as before, with their own passwords alone."""
    assert is_let_in(log_in(person.name, person.password, person.fresh_code()))
    assert log_in(person.name, "not the password", "123456").results() == [AUTH_ERR]
    assert is_let_in(log_in(newcomer.name, newcomer.password, None))


def test_locked(guest: Guest) -> None:
    """Five wrong codes lock it, and an administrator does."""
    phone = guest.enroll()
    for _ in range(5):
        assert log_in(guest.name, guest.password, phone.wrong_code()).results() == [AUTH_ERR]
    assert log_in(guest.name, guest.password, phone.fresh_code()).results() == [AUTH_ERR]
    pam_totp("unlock", guest.name)
    assert is_let_in(log_in(guest.name, guest.password, phone.fresh_code()))


def test_without_the_service(guest: Guest, service: Service) -> None:
    """The one-shot knows local accounts too."""
    phone = guest.enroll()
    service.stop()
    assert is_let_in(log_in(guest.name, guest.password, phone.fresh_code()))
    assert log_in(guest.name, "not the password", "123456").results() == [AUTH_ERR]


@contextmanager
def unix_account(name: str) -> Iterator[None]:
    """Give the machine an account of that name."""
    subprocess.run(["useradd", name], check=True)
    line = f"{name}:a unix password here\n"
    subprocess.run(["chpasswd"], input=line, text=True, check=True)
    try:
        yield
    finally:
        subprocess.run(["userdel", "--force", name], check=True, stderr=subprocess.DEVNULL)


def test_a_name_that_the_machine_gains(guest: Guest, journal: Journal) -> None:
    """Then neither password lets in, the log says what to do, and so does doctor."""
    with unix_account(guest.name):
        for password in (guest.password, "a unix password here"):
            ended = log_in(guest.name, password, None)
            assert ended.results() != [SUCCESS]
        line = journal.wait_for("is a local account and an account of this machine too")
        assert f"pam-totp account remove {guest.name}" in line
        found = subprocess.run(
            [COMMAND, "doctor", "accounts", "--json"], capture_output=True, text=True, check=False
        )
        checks = [one for one in json.loads(found.stdout) if one["level"] == "error"]
        assert [one["check"] for one in checks] == ["local-names"]
    assert is_let_in(log_in(guest.name, guest.password, None))


# -- real applications ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def vpn(world: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The shipped server, its PAM service composed for local accounts."""
    with openvpn.network():
        directory = tmp_path_factory.mktemp("openvpn")
        openvpn.install(directory)
        stack = Path("/etc/pam.d/openvpn")
        shipped = stack.read_text()
        stack.unlink()
        pam_totp("stack", "enable", "openvpn", "--local", "--yes")
        with Server(directory, "server.conf"):
            yield directory
        stack.write_text(shipped)


def test_at_the_vpn(vpn: Path, guest: Guest, person: Person) -> None:
    """A local account opens a tunnel, with the code at its own question and behind the password;
    people of the machine do as before."""
    phone = guest.enroll()
    with Client(vpn) as client:
        client.gives_password(guest.name, guest.password)
        client.gives_code(phone.fresh_code())
        client.is_connected()
        assert ping()
    with Client(vpn, "client-one-field.conf") as client:
        client.gives_password(guest.name, guest.password + phone.recovery_codes[0])
        client.is_connected()
    with Client(vpn) as client:
        client.gives_password(guest.name, "not the password")
        client.gives_code(phone.fresh_code())
        client.is_refused()
    with Client(vpn) as client:
        client.gives_password(person.name, person.password)
        client.gives_code(person.fresh_code())
        client.is_connected()


def test_sshd_wants_an_account_of_the_machine(guest: Guest, journal: Journal) -> None:
    """Sshd looks for the name itself, before PAM and whatever that says: a local account does
    not get in there, with a right password and a right code."""
    phone = guest.enroll()
    stack = Path("/etc/pam.d", STACK).read_text()
    with Sshd("sshd-local", stack) as sshd, sshd.client(guest.name) as client:
        client.gives_password(guest.password)
        while client.sees("Verification code: ", "assword", "denied", "closed") < 2:
            client.types(phone.fresh_code())
    journal.wait_for(f"Invalid user {guest.name}")


# -- disabled ---------------------------------------------------------------------------------


def test_disabled_local_account(guest: Guest) -> None:
    """It is refused until it is enabled."""
    phone = guest.enroll()
    pam_totp("account", "disable", guest.name, "--yes")
    assert log_in(guest.name, guest.password, phone.fresh_code()).results() == [AUTH_ERR]
    pam_totp("account", "enable", guest.name)
    assert is_let_in(log_in(guest.name, guest.password, phone.fresh_code()))


def test_disabled_account_of_the_machine(person: Person, tmp_path: Path) -> None:
    """With a password and a code, with an SSH key, and at services where no code is asked for:
    refused, until enabled."""
    key = give_key(person, tmp_path)
    with Sshd() as sshd, policy("services=openvpn"):
        with sshd.client(person.name, f"IdentityFile={key}", methods="publickey") as client:
            is_in(client)
        pam_totp("account", "disable", person.name, "--reason", "has left", "--yes")
        with sshd.client(person.name, f"IdentityFile={key}", methods="publickey") as client:
            assert client.ends() == 255
        with sshd.client(person.name) as client:
            client.gives_password(person.password)
            is_refused(client)
        assert log_in(person.name, person.password, None).results() == [AUTH_ERR]
        pam_totp("account", "enable", person.name)
        with sshd.client(person.name, f"IdentityFile={key}", methods="publickey") as client:
            is_in(client)


# -- the first sign-in ------------------------------------------------------------------------


def test_the_first_sign_in(service: Service) -> None:
    """With the password that was handed over: an enrollment by a picture, a password of one's
    own, and in; then the old password is void and the new one lets in with a code."""
    name = next(_names)
    given = re.search(r"^    (\S+)$", add(name, "", "--admin", "--one-time"), re.MULTILINE)
    assert given
    own = "eight blue bicycles"
    with Screen((80, 60), [COMMAND, "test", STACK, name]) as screen:
        screen.answer("Password:", given[1], hidden=True)
        phone = OathPhone.scanned(page.picture_on(screen).uri)
        page.proves(screen, phone)
        screen.answer("New password:", "short", hidden=True)
        screen.wait_for("at least 15 characters")
        screen.answer("New password:", own, hidden=True)
        screen.answer("The same again:", own, hidden=True)
        screen.wait_for("Your new password counts from now on.")
        assert screen.ends() == 0
        assert own not in screen.transcript()
    assert log_in(name, given[1], phone.fresh_code()).results() == [AUTH_ERR]
    assert is_let_in(log_in(name, own, phone.fresh_code()))
    (listed,) = (one for one in ask_pam_totp("account", "list") if one["account"] == name)
    assert (listed["first"], listed["administrator"], listed["enrolled"]) == (False, True, True)
    pam_totp("account", "remove", name, "--yes", "--force")


def test_the_first_sign_in_given_up(service: Service) -> None:
    """Who sets no password is not in, and begins again with a code."""
    name = next(_names)
    given = re.search(r"^    (\S+)$", add(name, "", "--one-time"), re.MULTILINE)
    assert given
    with Screen(SMALL, [COMMAND, "test", STACK, name]) as screen:
        screen.answer("Password:", given[1], hidden=True)
        phone = OathPhone.scanned(page.picture_on(screen).uri)
        page.proves(screen, phone)
        screen.wait_for_prompt("New password:")
        screen.press("Enter")
        assert screen.ends() == 1
    (listed,) = (one for one in ask_pam_totp("account", "list") if one["account"] == name)
    assert listed["first"]
    with Screen(SMALL, [COMMAND, "test", STACK, name]) as screen:
        screen.answer("Password:", given[1], hidden=True)
        screen.answer("Verification code:", phone.fresh_code())
        screen.wait_for_prompt("New password:")
    pam_totp("account", "remove", name, "--yes")
