"""Enrollment within a login: from `ssh host`, or the console, to a shell in one connection.

What a phone's camera sees is read off the screen by zbar, and oathtool is the phone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from tests.system.lab import become, page
from tests.system.lab.person import Person
from tests.system.lab.product import DATA, pam_totp
from tests.system.lab.scan import Ground
from tests.system.lab.screen import LARGE, SMALL, UNICODE, Screen
from tests.system.lab.ssh import INSIDE, Sshd
from tests.system.lab.terminal import CODE

SIZES: Final = pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "200x60"])
GROUNDS: Final = pytest.mark.parametrize("ground", ["dark", "light"])
REFUSED: Final = "Permission denied"


@pytest.fixture(scope="module", autouse=True)
def policy(world: None) -> Iterator[None]:
    """Everybody must use a code, and who has none enrolls in the login."""
    newest = max(v["version"] for v in json.loads(pam_totp("policy", "history", "--json")))
    pam_totp("policy", "set", "mfa=required", "unenrolled=enroll", "--yes", "--force")
    with become.our_line_in("login"):
        yield
    pam_totp("policy", "revert", str(newest), "--yes", "--force")


@pytest.fixture(scope="module")
def sshd(world: None) -> Iterator[Sshd]:
    """Debian's sshd with our line in its stack and our drop-in."""
    with Sshd() as sshd:
        yield sshd


Size = tuple[int, int]
Door = Callable[[Person, Size, dict[str, str]], Screen]


@pytest.fixture(params=["ssh", "login"])
def door(request: pytest.FixtureRequest, sshd: Sshd) -> Door:
    """A way in: a screen on which a person has given name and password."""

    def by_ssh(person: Person, size: Size, environment: dict[str, str]) -> Screen:
        screen = Screen(size, sshd.command(person.name), environment)
        screen.answer("Password:", person.password, hidden=True)
        return screen

    def at_the_console(person: Person, size: Size, environment: dict[str, str]) -> Screen:
        screen = become.console(size, environment)
        screen.answer("login:", person.name)
        screen.answer("Password:", person.password, hidden=True)
        return screen

    return by_ssh if request.param == "ssh" else at_the_console


def has_a_shell(screen: Screen) -> None:
    """The person is inside, and leaves."""
    screen.run(f"echo {INSIDE}; exit")
    assert screen.ends() == 0, screen.text()
    assert f"\n{INSIDE}\n" in screen.transcript()


def logs_in(door: Door, person: Person, code: str) -> None:
    """Password and code let in."""
    with door(person, SMALL, UNICODE) as screen:
        screen.answer(CODE, code)
        has_a_shell(screen)


def traces(person: Person) -> list[str]:
    """Return what the store has of a person's authenticators, apart from events."""
    status = person.status()
    found = [f"{key}: {status[key]}" for key in ("enrolled", "authenticators") if status[key]]
    return found + [file.name for file in (DATA / "secrets").iterdir() if person.name in file.name]


def events(person: Person) -> list[dict[str, Any]]:
    """Return what has happened to a person's account."""
    return [json.loads(line) for line in pam_totp("events", person.name, "--json").splitlines()]


@SIZES
@GROUNDS
def test_by_the_picture(door: Door, newcomer: Person, size: Size, ground: Ground) -> None:
    """Somebody with a password and a phone scans, types the code and keeps the recovery codes,
    and has a shell in that one connection; the next code and a recovery code let in again."""
    with door(newcomer, size, UNICODE) as screen:
        phone = page.scanned(screen, ground)
        assert phone.account == newcomer.name
        page.proves(screen, phone)
        has_a_shell(screen)
    logs_in(door, newcomer, phone.fresh_code())
    logs_in(door, newcomer, phone.recovery_codes[4])
    assert newcomer.status()["recovery_codes"] == 9
