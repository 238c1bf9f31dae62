"""An administrator at the machine's root shell gets back in: each way of docs/break-glass.md."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.system.lab import host
from tests.system.lab.host import AUTH_ERR, SUCCESS, UNAVAILABLE
from tests.system.lab.person import Person
from tests.system.lab.phone import PERIOD, Phone, now
from tests.system.lab.product import DATA, Service, ask_pam_totp, pam_totp, policy
from tests.system.lab.wait import wait_for

STACK: Final = "lab-glass"
OFF: Final = "/usr/libexec/pam-totp/stack-off"
KEY: Final = Path("/etc/pam-totp/seal.key")
STEPS: Final = ("authenticate", "acct_mgmt")
DOCUMENT: Final = Path("/usr/share/doc/libpam-totp/docs/break-glass.md")


@pytest.fixture(autouse=True)
def stack(service: Service) -> Iterator[None]:
    """A service that was turned on by the command, for local accounts too; codes are required."""
    path = Path("/etc/pam.d") / STACK
    path.write_text("@include common-auth\n@include common-account\n")
    pam_totp("stack", "enable", STACK, "--local", "--yes")
    with policy("mfa=required"):
        yield
    pam_totp("stack", "disable", STACK)
    path.unlink()


def documented(command: str) -> None:
    """See that the document says to run it."""
    assert f"sudo {command}" in DOCUMENT.read_text().replace("alice", "NAME")


def log_in(name: str, password: str | None, code: str | None) -> str:
    """Log in, and return PAM's answer."""
    return host.login(STACK, name, password=password, code=code).result


def test_a_lost_phone(person: Person) -> None:
    """A recovery code that was made at the root shell lets in."""
    documented("pam-totp recovery-codes NAME --new")
    said = ask_pam_totp("recovery-codes", person.name, "--new", "--yes")
    assert log_in(person.name, person.password, said["recovery_codes"][0]) == SUCCESS


def test_a_lost_password(service: Service) -> None:
    """A local administrator gets another password, for one sign-in, and keeps the phone."""
    add = ["pam-totp", "account", "add", "glass", "--admin"]
    subprocess.run(add, input="the old password\n", text=True, check=True, capture_output=True)
    said = ask_pam_totp("enroll", "glass", "--no-confirm")
    phone = Phone(said["secret"], said["recovery_codes"])
    documented("pam-totp account passwd NAME")
    command = ["pam-totp", "account", "passwd", "glass"]
    subprocess.run(command, input="quite another one\n", text=True, check=True, capture_output=True)
    assert log_in("glass", "the old password", "123456") == AUTH_ERR
    assert log_in("glass", "quite another one", phone.fresh_code()) == SUCCESS
    pam_totp("account", "remove", "glass", "--yes")


def test_a_broken_store(person: Person) -> None:
    """With a half of it lost logins are refused; put together again they go on with the next
    code."""
    (DATA / "secrets" / ".store").unlink()
    assert log_in(person.name, person.password, None) == UNAVAILABLE
    documented("pam-totp store renew")
    pam_totp("store", "renew", "--yes")
    step, _ = now()
    assert log_in(person.name, person.password, person.phone.code(step)) == AUTH_ERR
    assert log_in(person.name, person.password, person.phone.recovery_codes[0]) == AUTH_ERR
    wait_for(lambda: now()[0] > step + 1, "the next code", 3 * PERIOD)
    assert log_in(person.name, person.password, person.phone.code(now()[0])) == SUCCESS


def test_a_lost_key(person: Person, service: Service) -> None:
    """Without a copy of the key one starts over, and enrolls at the root shell."""
    KEY.unlink()
    service.stop()
    assert log_in(person.name, None, None) == UNAVAILABLE
    documented("pam-totp key lost")
    pam_totp("key", "lost", "--yes")
    documented("pam-totp enroll NAME")
    person.enroll()
    assert log_in(person.name, person.password, person.fresh_code()) == SUCCESS


def test_a_wrong_clock(person: Person) -> None:
    """Where every right code is wrong because the machine's clock is, the stack goes off, with
    nothing of this program needed for it, and the password alone lets in."""
    step, _ = now()
    of_the_true_time = person.phone.code(step + 240)  # the machine is two hours slow
    assert log_in(person.name, person.password, of_the_true_time) == AUTH_ERR
    documented(f"{OFF} --all")
    subprocess.run([OFF, STACK], check=True, stdout=subprocess.DEVNULL)
    assert log_in(person.name, person.password, None) == SUCCESS
    pam_totp("stack", "enable", STACK, "--local", "--yes")


def test_each_command_is_one() -> None:
    """What the document tells to run exists."""
    for command in re.findall(r"sudo pam-totp ([a-z-]+(?: [a-z-]+)?)", DOCUMENT.read_text()):
        pam_totp(*(word for word in command.split() if word != "alice"), "--help")
