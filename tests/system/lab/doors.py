"""Ways in that people take on a screen, and what is found of them afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TypeAlias

from tests.system.lab import become
from tests.system.lab.person import Person
from tests.system.lab.product import DATA, pam_totp
from tests.system.lab.screen import Screen
from tests.system.lab.ssh import INSIDE, Sshd

Size: TypeAlias = tuple[int, int]
Door: TypeAlias = Callable[[Person, Size, dict[str, str]], Screen]


def by_ssh(
    sshd: Sshd,
    person: Person,
    size: Size,
    environment: dict[str, str],
    host: str = "127.0.0.1",
) -> Screen:
    """Give the password to the ssh client."""
    command = sshd.command(person.name)
    command[-1] = f"{person.name}@{host}"
    screen = Screen(size, command, environment)
    screen.answer("Password:", person.password, hidden=True)
    return screen


def at_the_console(person: Person, size: Size, environment: dict[str, str]) -> Screen:
    """Give name and password to the console's login."""
    screen = become.console(size, environment)
    screen.answer("login:", person.name)
    screen.answer("Password:", person.password, hidden=True)
    return screen


def has_a_shell(screen: Screen) -> None:
    """The person is inside, and leaves."""
    screen.run(f"echo {INSIDE}; exit")
    assert screen.ends() == 0, screen.text()
    assert f"\n{INSIDE}\n" in screen.transcript()


def left_nothing(person: Person) -> bool:
    """Whether the store has nothing of a person but events."""
    status = person.status()
    files = [file.name for file in (DATA / "secrets").iterdir() if person.name in file.name]
    return not (status["enrolled"] or status["authenticators"] or status["failures"] or files)


def events(person: Person) -> list[tuple[str, str]]:
    """Return what has happened to a person's account, each with its detail."""
    lines = pam_totp("events", person.name, "--json").splitlines()
    return [(event["what"], event["detail"]) for event in map(json.loads, lines)]
