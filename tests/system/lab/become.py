"""Becoming somebody at a terminal: login, su and sudo, with our line in their stacks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.system.lab.person import Person
from tests.system.lab.screen import UNICODE, Screen
from tests.system.lab.terminal import Terminal

INSIDE: Final = "you are inside"
STACKS: Final = Path("/etc/pam.d")


@contextmanager
def our_line_in(*names: str) -> Iterator[None]:
    """Put our line into these stacks, as their administrator would, for as long as the block
    runs."""
    before = {name: (STACKS / name).read_text() for name in names}
    for name, text in before.items():
        changed, count = re.subn(r"(?m)^@include common-auth$", "@include pam-totp", text)
        assert count == 1, name
        (STACKS / name).write_text(changed)
    try:
        yield
    finally:
        for name, text in before.items():
            (STACKS / name).write_text(text)


@contextmanager
def sudoer(person: Person) -> Iterator[Person]:
    """Let sudo let a person do everything, with one try at the password."""
    rule = Path("/etc/sudoers.d") / person.name
    rule.write_text(f"{person.name} ALL=(ALL) ALL\nDefaults:{person.name} passwd_tries=1\n")
    rule.chmod(0o440)
    try:
        yield person
    finally:
        rule.unlink()


@contextmanager
def trusted_sudoer(person: Person) -> Iterator[Person]:
    """Let sudo let a person do everything without a question."""
    rule = Path("/etc/sudoers.d") / person.name
    rule.write_text(f"{person.name} ALL=(ALL) NOPASSWD: ALL\n")
    rule.chmod(0o440)
    try:
        yield person
    finally:
        rule.unlink()


def login_at_the_console(person: Person) -> bool:
    """Log in at the console with password and code; tell whether the shell came."""
    with Terminal("login") as console:
        console.answers("login: ", person.name, hidden=False)
        console.gives_password(person.password)
        console.gives_code(person.fresh_code())
        console.sees("$ ")
        console.types(f"echo {INSIDE}; exit")
        console.sees(f"\n{INSIDE}")
        return console.ends() == 0


def console(size: tuple[int, int], environment: Mapping[str, str] = UNICODE) -> Screen:
    """Start the console's login as getty does, in the locale that it has from there."""
    return Screen(size, ["login", "-p"], environment)


@contextmanager
def login_timeout(seconds: int) -> Iterator[None]:
    """Let the console's login wait so long for all its answers together, instead of 60 s."""
    file = Path("/etc/login.defs")
    before = file.read_text()
    changed, count = re.subn(r"(?m)^LOGIN_TIMEOUT\b.*$", f"LOGIN_TIMEOUT {seconds}", before)
    assert count == 1, before
    file.write_text(changed)
    try:
        yield
    finally:
        file.write_text(before)


def su(caller: Person, target: Person) -> Terminal:
    """Let the caller become somebody else with su."""
    command = ("su", "--command", f"echo {INSIDE}", target.name)
    return Terminal("setpriv", *_identity(caller), "--", *command)


def sudo(caller: Person) -> Terminal:
    """Let the caller become root with sudo."""
    return Terminal("setpriv", *_identity(caller), "--", "sudo", "-k", "echo", INSIDE)


def _identity(person: Person) -> tuple[str, ...]:
    """Return setpriv's options for running as a person."""
    return (f"--reuid={person.uid}", f"--regid={person.uid}", "--init-groups", "--reset-env")
