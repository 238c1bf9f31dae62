"""What an administrator does from the first day on, in words that `--help` shows, each step
proven by a real login before and after it."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from tests.system.lab import debian
from tests.system.lab.machine import OFF, RELOADED
from tests.system.lab.person import Person
from tests.system.lab.product import COMMAND, pam_totp
from tests.system.lab.ssh import Sshd, is_in, is_refused
from tests.system.lab.terminal import CODE, Terminal

STAFF: Final = "staff-of-the-lab"


@cache
def help_of(*commands: str) -> str:
    """Return what `pam-totp ... --help` shows."""
    shown = subprocess.run(
        [COMMAND, *commands, "--help"], check=True, capture_output=True, text=True
    )
    return shown.stdout


def is_a_command(commands: list[str], word: str) -> bool:
    """Whether the help of a group lists a command."""
    _, _, listed = help_of(*commands).partition("\nCommands:\n")
    return re.search(rf"^  {re.escape(word)}\b", listed, re.MULTILINE) is not None


def known(line: str) -> list[str]:
    """Return the words of a command line, all of which `--help` shows but for the values."""
    words = shlex.split(line)
    commands: list[str] = []
    while len(commands) < len(words) and is_a_command(commands, words[len(commands)]):
        commands.append(words[len(commands)])
    assert commands, line
    shown = help_of(*commands)
    for word in words[len(commands) :]:
        if word.startswith("--"):
            assert re.search(rf"{re.escape(word)}\b", shown), f"{word} of {line!r} is not shown"
        key, is_setting, _ = word.partition("=")
        if is_setting:
            assert re.search(rf"(?m)^ +{re.escape(key)}\b", shown), f"{key} is not shown"
    return words


def does(line: str) -> str:
    """Run a command as root at the machine."""
    return pam_totp(*known(line))


@pytest.fixture
def sshd(service: object) -> Iterator[Sshd]:
    """An sshd that asks for no code, and reads its settings anew when told."""
    subprocess.run(["ssh-keygen", "-A"], check=True, stdout=subprocess.DEVNULL)
    with debian.kept():
        pam_totp("stack", "disable", "--all")
        with Sshd("sshd", None, RELOADED) as sshd:
            yield sshd
        subprocess.run([OFF, "--all"], check=True, stdout=subprocess.DEVNULL)


@pytest.fixture
def staff() -> Iterator[str]:
    """A group."""
    subprocess.run(["groupadd", STAFF], check=True)
    yield STAFF
    subprocess.run(["groupdel", STAFF], check=True)


@pytest.fixture
def admin(person: Person) -> Iterator[Person]:
    """Somebody enrolled who may do everything by sudo."""
    rule = Path("/etc/sudoers.d/lab")
    rule.write_text(f"{person.name} ALL=(ALL) NOPASSWD: ALL\n")
    rule.chmod(0o440)
    subprocess.run(["usermod", "-aG", "sudo", person.name], check=True)
    yield person
    rule.unlink()


@pytest.fixture
def policy() -> Iterator[None]:
    """The policy as the lab has it, put back afterwards."""
    before = pam_totp("policy", "history", "--json")
    newest = max(int(found) for found in re.findall(r'"version": (\d+)', before))
    yield
    pam_totp("policy", "revert", str(newest), "--yes", "--force")


def session(sshd: Sshd, person: Person, *, code: bool) -> Terminal:
    """Open a session that stays."""
    methods = "keyboard-interactive" if code else "password"
    terminal = sshd.client(person.name, methods=methods, command="echo ready; exec sh")
    terminal.gives_password(person.password)
    if code:
        terminal.gives_code(person.fresh_code())
    terminal.sees("ready")
    return terminal


def needs_no_code(sshd: Sshd, person: Person, methods: str = "keyboard-interactive") -> None:
    """The password lets in alone."""
    with sshd.client(person.name, methods=methods) as client:
        client.gives_password(person.password)
        is_in(client)
        assert CODE not in client.transcript


def is_let_in(sshd: Sshd, person: Person) -> None:
    """Password and code let in."""
    with sshd.client(person.name) as client:
        client.gives_password(person.password)
        client.gives_code(person.fresh_code())
        is_in(client)


def is_kept_out(sshd: Sshd, person: Person, code: str = "123456") -> None:
    """The password does not let in, and a code that cannot be right does not either."""
    with sshd.client(person.name) as client:
        client.gives_password(person.password)
        client.gives_code(code)
        is_refused(client)


def test_an_administrators_day(
    sshd: Sshd, admin: Person, newcomer: Person, staff: str, policy: None
) -> None:
    """SSH is turned on with a trial and confirmed; a group must use codes from a date on; a
    network is exempted; who is missing is listed; one person is unlocked; why a login failed
    is found out; all of it is undone."""
    subprocess.run(["usermod", "-aG", staff, newcomer.name], check=True)
    today = datetime.now().astimezone().date()
    tomorrow = today + timedelta(days=1)

    # Turn on SSH with a trial period, and confirm it from a second login.
    needs_no_code(sshd, admin, "password")
    with session(sshd, admin, code=False) as first:
        first.types(f"sudo {COMMAND} {shlex.join(known('stack enable sshd --try 10m --yes'))}")
        first.sees("on trial until")
        with session(sshd, admin, code=True) as second:
            second.types(f"sudo {COMMAND} {shlex.join(known('stack confirm'))}")
            second.sees("confirmed, and stays")
    is_let_in(sshd, admin)
    needs_no_code(sshd, newcomer)

    # Require codes of one group, from a date on.
    does(f"policy set mfa=required mfa-from={tomorrow} --group {staff} --yes")
    needs_no_code(sshd, newcomer)
    assert str(tomorrow) in does(f"policy explain {newcomer.name} --service sshd")
    does(f"policy set mfa-from={today} --group {staff} --yes")
    is_kept_out(sshd, newcomer)

    # Exempt a network.
    does("policy set mfa=off --from 127.0.0.0/8 --yes")
    needs_no_code(sshd, newcomer)
    does("policy unset --from 127.0.0.0/8 --yes")
    is_kept_out(sshd, newcomer)

    # List who is missing.
    missing = does(f"status --state pending --group {staff}")
    assert newcomer.name in missing
    assert admin.name not in missing
    newcomer.enroll()
    is_let_in(sshd, newcomer)
    assert newcomer.name not in does(f"status --state pending --group {staff}")

    # Somebody is locked out: why, and unlock that one.
    for _ in range(5):
        is_kept_out(sshd, newcomer, newcomer.wrong_code())
    is_kept_out(sshd, newcomer, newcomer.fresh_code())
    assert "until" in does(f"status {newcomer.name}")
    why = does(f"events {newcomer.name}")
    assert why.count("wrong code, counted") == 5
    assert "locked" in why.splitlines()[-1]
    assert "127.0.0.1" in why
    does(f"unlock {newcomer.name}")
    is_let_in(sshd, newcomer)
    is_let_in(sshd, admin)

    # Undo all of it.
    does(f"policy unset --group {staff} --yes")
    does(f"reset {newcomer.name} --yes")
    needs_no_code(sshd, newcomer)
    does("stack disable --all")
    needs_no_code(sshd, newcomer, "password")
    needs_no_code(sshd, admin, "password")
