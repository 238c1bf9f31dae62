"""Leavers: people whose account the machine has removed, or given to somebody else."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.system.lab import host, stacks
from tests.system.lab.host import AUTH_ERR, SUCCESS
from tests.system.lab.journal import Journal
from tests.system.lab.person import Person
from tests.system.lab.product import Service, ask_pam_totp, pam_totp

STACK = "lab-leavers"


@pytest.fixture(autouse=True)
def stack(service: Service) -> Iterator[None]:
    """The shipped stack, without the delays of refusals."""
    with stacks.installed(STACK, stacks.without_delay(stacks.shipped("pam-totp"))):
        yield


def log_in(person: Person, code: str | None) -> str:
    """Log in with the right password."""
    return host.login(STACK, person.name, password=person.password, code=code).result


def test_a_name_that_is_used_again(person: Person, journal: Journal) -> None:
    """Whoever has the name next is refused with the old one's code, whatever their password; once
    that is pruned they are somebody who has not enrolled."""
    code = person.fresh_code()
    subprocess.run(["userdel", "--force", person.name], check=True, stderr=subprocess.DEVNULL)
    subprocess.run(["useradd", "--uid", "54321", person.name], check=True)
    person.set_password(person.password)
    assert log_in(person, code) == AUTH_ERR
    assert journal.verdicts(person.name) == ["other-uid"]
    said = ask_pam_totp("prune", "--yes")
    assert {one["account"] for one in said["pruned"]} >= {person.name}
    assert not person.status()["enrolled"]
    assert log_in(person, None) == SUCCESS


def test_a_name_that_is_gone(person: Person) -> None:
    """Nobody logs in by it, and prune removes what is left of it."""
    subprocess.run(["userdel", "--force", person.name], check=True, stderr=subprocess.DEVNULL)
    try:
        said = ask_pam_totp("prune", "--yes", "--force")
        assert person.name in {one["account"] for one in said["pruned"]}
        assert "pruned" in pam_totp("events", person.name, "--json")
    finally:
        subprocess.run(["useradd", person.name], check=True)
