"""`pam-totp policy`, and what the next login makes of it."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from typing import Final

import pytest

from tests.system.lab import become, host
from tests.system.lab.host import AUTH_ERR, SUCCESS
from tests.system.lab.journal import Journal
from tests.system.lab.machine import run
from tests.system.lab.person import Person
from tests.system.lab.product import COMMAND, DATA, Service, ask_pam_totp, pam_totp
from tests.system.lab.ssh import Sshd
from tests.system.lab.stacks import installed, shipped

STACK: Final = "policy-lab"


@pytest.fixture(scope="module", autouse=True)
def stack(world: None) -> Iterator[None]:
    """A service of our own with the shipped stack."""
    with installed(STACK, shipped("pam-totp")):
        yield


@pytest.fixture(autouse=True)
def policy(service: Service) -> Iterator[None]:
    """The policy as the lab has it, put back afterwards."""
    before = ask_pam_totp("policy", "history")[0]["version"]
    yield
    pam_totp("policy", "revert", str(before), "--yes", "--force")


def is_let_in(person: Person, *options: str, code: bool = False) -> None:
    """The password lets in, and if need be the code."""
    given = person.fresh_code() if code else None
    ended = host.login(STACK, person.name, *options, password=person.password, code=given)
    assert ended.result == SUCCESS
    assert ended.asked_for_code is code


def is_refused(person: Person, *options: str) -> None:
    """A right password and any code are refused."""
    ended = host.login(STACK, person.name, *options, password=person.password, code="123456")
    assert ended.result == AUTH_ERR


def explained(person: Person, *words: str) -> str:
    """Return what `explain` says becomes of a login."""
    standing = ask_pam_totp("policy", "explain", person.name, "--service", STACK, *words)[
        "standing"
    ]
    assert isinstance(standing, str)
    return standing


def test_the_next_login_goes_by_it(newcomer: Person, service: Service, journal: Journal) -> None:
    """A change counts from the next login on, in a service that runs and without it; before it
    is made it says who would be refused, and afterwards the log says who made it."""
    is_let_in(newcomer)
    shown = pam_totp("policy", "set", "mfa=required", "--user", newcomer.name, "--yes")
    assert f"{STACK}, sshd: would be refused: {newcomer.name}" in shown
    line = journal.wait_for("act=policy")
    assert line.fields["by"] == "root"
    is_refused(newcomer)
    assert explained(newcomer) == "refused"
    service.stop()
    is_refused(newcomer)
    pam_totp("policy", "unset", "--user", newcomer.name, "--yes")
    is_let_in(newcomer)
    service.start()
    is_let_in(newcomer)
    assert explained(newcomer) == "not asked"


def test_a_network_is_exempted(person: Person) -> None:
    """From an exempted network no code is asked, and from anywhere else, or from nowhere, it is."""
    office, elsewhere = "--rhost=192.0.2.7", "--rhost=198.51.100.7"
    shown = pam_totp("policy", "set", "mfa=off", "--from", "192.0.2.0/24", "--yes")
    assert "from 192.0.2.0/24: no longer asked for a code: " in shown
    is_let_in(person, office)
    is_let_in(person, elsewhere, code=True)
    is_let_in(person, "--rhost=office.example", code=True)
    is_let_in(person, code=True)
    assert explained(person, "--from", "192.0.2.7") == "not asked"
    assert explained(person, "--from", "198.51.100.7") == "asked"


def test_a_group_must(newcomer: Person, people: Callable[[], Person]) -> None:
    """A group's members must use a code, the rest need not; who is missing is listed."""
    other = people()
    subprocess.run(["groupadd", "policy-lab"], check=True)
    subprocess.run(["usermod", "-aG", "policy-lab", newcomer.name], check=True)
    try:
        pam_totp("policy", "set", "mfa=required", "--group", "policy-lab", "--yes")
        is_refused(newcomer)
        is_let_in(other)
        missing = ask_pam_totp("status", "--state", "pending")
        assert [one["account"] for one in missing] == [newcomer.name]
        newcomer.enroll()
        is_let_in(newcomer, code=True)
        assert ask_pam_totp("status", "--state", "pending") == []
    finally:
        pam_totp("policy", "unset", "--group", "policy-lab", "--yes")
        subprocess.run(["groupdel", "policy-lab"], check=True)


def test_from_an_ssh_session(person: Person, newcomer: Person) -> None:
    """An administrator who comes by SSH and sudo is kept from locking himself out, and what he
    does is kept with his name and address."""
    line = f"policy set mfa=required --user {newcomer.name} --yes"
    with (
        become.trusted_sudoer(newcomer),
        Sshd() as sshd,
        sshd.client(newcomer.name, command="echo ready; exec sh") as client,
    ):
        client.gives_password(newcomer.password)
        client.sees("ready")
        client.types(f"sudo {COMMAND} {line}")
        client.sees(f"this would refuse you, {newcomer.name}, at ")
        client.sees("or, all the same, with --force")
        is_let_in(newcomer)
        client.types(f"sudo {COMMAND} {line} --force --note exercise")
        client.sees("in force from the next login on")
    is_refused(newcomer)
    newest = ask_pam_totp("policy", "history")[0]
    assert (newest["actor"], newest["origin"]) == (newcomer.name, "127.0.0.1")
    assert newest["note"] == "exercise"
    assert newest["changed"] == [f"mfa=required for user {newcomer.name}"]


def test_a_broken_policy_widens_nothing(newcomer: Person, journal: Journal) -> None:
    """A newest version that cannot be used leaves the last good one in force, and each login
    says so, with the line that puts it right."""
    pam_totp("policy", "set", "mfa=required", "--user", newcomer.name, "--yes")
    good = ask_pam_totp("policy", "history")[0]["version"]
    with sqlite3.connect(DATA / "state.db") as database:
        database.execute(
            "INSERT INTO policy (at, actor, origin, note, document) VALUES (1, 'root', '', '', ?)",
            (json.dumps([{"mfa": "sometimes"}]),),
        )
    database.close()
    is_refused(newcomer)
    line = journal.wait_for("policy=broken")
    assert line.fields["in-force"] == str(good)
    checked = run(COMMAND, "policy", "check")
    assert checked.returncode == 1
    assert "mfa: expected one of off, optional, required, found 'sometimes'" in checked.stderr
    words = checked.stderr.splitlines()[-1].removeprefix("hint: ").split()
    assert run(*words, "--yes").returncode == 0
    assert run(COMMAND, "policy", "check").returncode == 0
    is_refused(newcomer)
