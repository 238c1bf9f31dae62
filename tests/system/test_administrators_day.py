"""What an administrator does from the first day on, in words that `--help` shows, each step
proven by a real login before and after it."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache
from typing import Final

import pytest

from tests.system.lab import become
from tests.system.lab.machine import session, turned_off
from tests.system.lab.person import Person
from tests.system.lab.product import COMMAND, pam_totp
from tests.system.lab.ssh import Sshd, is_in, is_refused
from tests.system.lab.terminal import CODE

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
    with turned_off() as sshd:
        yield sshd


@pytest.fixture
def staff() -> Iterator[str]:
    """A group."""
    subprocess.run(["groupadd", STAFF], check=True)
    yield STAFF
    subprocess.run(["groupdel", STAFF], check=True)


@pytest.fixture
def admin(person: Person) -> Iterator[Person]:
    """Somebody enrolled who may do everything by sudo."""
    subprocess.run(["usermod", "-aG", "sudo", person.name], check=True)
    with become.trusted_sudoer(person):
        yield person


@pytest.fixture
def policy() -> Iterator[None]:
    """The policy as the lab has it, put back afterwards."""
    before = pam_totp("policy", "history", "--json")
    newest = max(int(found) for found in re.findall(r'"version": (\d+)', before))
    yield
    pam_totp("policy", "revert", str(newest), "--yes", "--force")


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


def turns_on_ssh(sshd: Sshd, admin: Person, newcomer: Person) -> None:
    """Turn SSH on with a trial period, and confirm it from a second login."""
    needs_no_code(sshd, admin, "password")
    with session(sshd, admin, code=False) as first:
        first.types(f"sudo {COMMAND} {shlex.join(known('stack enable sshd --try 10m --yes'))}")
        first.sees("on trial until")
        with session(sshd, admin, code=True) as second:
            second.types(f"sudo {COMMAND} {shlex.join(known('stack confirm'))}")
            second.sees("confirmed, and stays")
    is_let_in(sshd, admin)
    needs_no_code(sshd, newcomer)


def requires_codes(sshd: Sshd, newcomer: Person, staff: str) -> None:
    """Require codes of one group, from a date on."""
    today = datetime.now().astimezone().date()
    tomorrow = today + timedelta(days=1)
    does(f"policy set mfa=required mfa-from={tomorrow} --group {staff} --yes")
    needs_no_code(sshd, newcomer)
    assert str(tomorrow) in does(f"policy explain {newcomer.name} --service sshd")
    does(f"policy set mfa-from={today} --group {staff} --yes")
    is_kept_out(sshd, newcomer)


def exempts_a_network(sshd: Sshd, newcomer: Person) -> None:
    """Exempt a network, and take it back."""
    does("policy set mfa=off --from 127.0.0.0/8 --yes")
    needs_no_code(sshd, newcomer)
    does("policy unset --from 127.0.0.0/8 --yes")
    is_kept_out(sshd, newcomer)


def lists_who_is_missing(sshd: Sshd, admin: Person, newcomer: Person, staff: str) -> None:
    """List who must use a code and has none; who then enrolls is missing no more."""
    missing = does(f"status --state pending --group {staff}")
    assert newcomer.name in missing
    assert admin.name not in missing
    newcomer.enroll()
    is_let_in(sshd, newcomer)
    assert newcomer.name not in does(f"status --state pending --group {staff}")


def finds_out_why_and_unlocks(sshd: Sshd, admin: Person, newcomer: Person) -> None:
    """Find out why somebody's logins fail, and unlock that one."""
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


def undoes_all(sshd: Sshd, admin: Person, newcomer: Person, staff: str) -> None:
    """Take back policy, enrollment and stack."""
    does(f"policy unset --group {staff} --yes")
    does(f"reset {newcomer.name} --yes")
    needs_no_code(sshd, newcomer)
    does("stack disable --all")
    needs_no_code(sshd, newcomer, "password")
    needs_no_code(sshd, admin, "password")


def test_an_administrators_day(
    sshd: Sshd, admin: Person, newcomer: Person, staff: str, policy: None
) -> None:
    """SSH is turned on with a trial and confirmed; a group must use codes from a date on; a
    network is exempted; who is missing is listed; why a login failed is found out and one
    person is unlocked; all of it is undone."""
    subprocess.run(["usermod", "-aG", staff, newcomer.name], check=True)
    turns_on_ssh(sshd, admin, newcomer)
    requires_codes(sshd, newcomer, staff)
    exempts_a_network(sshd, newcomer)
    lists_who_is_missing(sshd, admin, newcomer, staff)
    finds_out_why_and_unlocks(sshd, admin, newcomer)
    undoes_all(sshd, admin, newcomer, staff)
