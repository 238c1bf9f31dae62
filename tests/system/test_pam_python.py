"""The handler under Debian's pam_python.so, in a program that forks for each login: the same
table through both modules, with the same results."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.system.lab import host, records, stacks
from tests.system.lab.host import AUTH_ERR, SUCCESS
from tests.system.lab.journal import Journal
from tests.system.lab.person import Person
from tests.system.lab.product import Service
from tests.system.lab.terminal import CODE

HANDLER: Final = Path("/usr/lib/python3/dist-packages/pam_totp/handler.py")
PAM_PYTHON: Final = f"/lib/security/pam_python.so {HANDLER}"
FORK: Final = "--fork-each"
PHASES: Final = ("authenticate", "acct_mgmt", "setcred:0x2")


@pytest.fixture(params=["pam_totp.so", "pam_python.so"])
def module(request: pytest.FixtureRequest, service: Service) -> str:
    """The module that a stack's lines name; behind pam_python.so there is no service."""
    if request.param == "pam_totp.so":
        return "pam_totp.so"
    service.stop()
    return PAM_PYTHON


def verdicts(journal: Journal, account: str, *logins: host.Ended) -> list[str]:
    """Return the verdicts on an account; under pam_python.so the application logs them."""
    found = (
        re.search(rf"verdict=(\S+) account={account}\b", line)
        for ended in logins
        for line in ended.log
    )
    return [match[1] for match in found if match] or journal.verdicts(account)


def through(module: str, stack: str) -> str:
    """Return a shipped stack with the module's name replaced, pam_unix without its delay."""
    text = re.sub(r"(?m)^(\w+\s+(?:\[[^]]*\]|\w+)\s+)pam_totp\.so", rf"\1{module}", stack)
    return stacks.without_delay(text)


@pytest.fixture
def plain(module: str) -> Iterator[str]:
    """The plain stack through the module."""
    with stacks.installed("lab-plain", through(module, stacks.shipped("pam-totp"))) as name:
        yield name


@pytest.fixture
def collect(module: str) -> Iterator[str]:
    """The stack with `collect` through the module."""
    text = through(module, stacks.shipped("pam-totp-openvpn"))
    with stacks.installed("lab-collect", text) as name:
        yield name


def test_plain(plain: str, person: Person, journal: Journal) -> None:
    """Wrong, right and reused codes: refused, accepted in all phases, refused."""
    code = person.fresh_code()

    def log_in(code: str) -> host.Ended:
        return host.login(
            plain, person.name, FORK, password=person.password, code=code, steps=PHASES
        )

    wrong = log_in(person.wrong_code())
    assert (wrong.result, person.failures) == (AUTH_ERR, 1)
    right = log_in(f" {code[:3]} {code[3:]} ")
    phases = ("authenticate", "acct_mgmt", "setcred")
    assert [right.results(phase) for phase in phases] == [[SUCCESS]] * 3
    again = log_in(code)
    assert again.result == AUTH_ERR
    said = verdicts(journal, person.name, wrong, right, again)
    assert said == ["wrong-code", "accepted", "replayed-code"]


def test_many_in_one_program(plain: str, person: Person, journal: Journal) -> None:
    """A program that forks for each login serves any number of them."""
    ended = host.login(
        plain, person.name, FORK, "--repeat=3", password=person.password, code=person.fresh_code()
    )
    assert ended.results() == [SUCCESS, AUTH_ERR, AUTH_ERR]
    said = verdicts(journal, person.name, ended)
    assert said == ["accepted", "replayed-code", "repeated-code"]


def test_without_authenticator(plain: str, newcomer: Person) -> None:
    """Who has not enrolled is let in by the password alone, and not by a wrong one."""
    right = host.login(plain, newcomer.name, FORK, password=newcomer.password, steps=PHASES)
    assert (right.result, right.asked_for_code, right.status) == (SUCCESS, False, 0)
    assert host.login(plain, newcomer.name, FORK, password="wrong").result == AUTH_ERR


def test_wrong_password(plain: str, person: Person, journal: Journal) -> None:
    """On `authfail` the code is asked for and not spent, and the password counts by address."""
    code = person.fresh_code()
    options = (FORK, "--rhost=192.0.2.200")
    wrong = host.login(plain, person.name, *options, password="wrong", code=code)
    assert (wrong.result, wrong.asked_for_code) == (AUTH_ERR, True)
    assert records.wrong_passwords(person.name) == {"192.0.2.200": 1}
    right = host.login(plain, person.name, FORK, password=person.password, code=code)
    assert right.result == SUCCESS
    assert verdicts(journal, person.name, wrong, right) == ["wrong-password", "accepted"]


def test_code_behind_the_password(collect: str, person: Person, journal: Journal) -> None:
    """`collect` cuts the code off the password's end where its own question is not answered,
    hands the password on, and the checking line uses the code."""

    def log_in(field: str) -> host.Ended:
        given = (f"--answer={host.PASSWORD}={field}", f"--answer={CODE}!NOTHING")
        return host.login(collect, person.name, FORK, *given)

    code, password = person.fresh_code(), person.password
    fields = (password + person.wrong_code(), f"wrong{code}", password, password + code)
    logins = [log_in(field) for field in (*fields, password + code)]
    assert [ended.result for ended in logins] == [AUTH_ERR] * 3 + [SUCCESS, AUTH_ERR]
    said = ["wrong-code", "wrong-password", "no-code", "accepted", "replayed-code"]
    assert verdicts(journal, person.name, *logins) == said


def test_two_fields(collect: str, person: Person) -> None:
    """`collect` takes the code from the answer to its question."""
    ended = host.login(
        collect, person.name, FORK, password=person.password, code=person.fresh_code()
    )
    assert ended.result == SUCCESS


def test_collect_without_authenticator(collect: str, newcomer: Person) -> None:
    """Who has not enrolled keeps the password whole, and no code is asked for."""
    ended = host.login(collect, newcomer.name, FORK, password=newcomer.password)
    assert (ended.result, ended.asked_for_code) == (SUCCESS, False)


def test_administrators_lock(plain: str, person: Person) -> None:
    """Who is locked by an administrator is refused in both phases."""
    person.lock()
    ended = host.login(
        plain,
        person.name,
        FORK,
        password=person.password,
        code=person.fresh_code(),
        steps=PHASES[:2],
    )
    assert (ended.result, ended.results("acct_mgmt")) == (AUTH_ERR, ["PAM_PERM_DENIED"])


@pytest.mark.parametrize("line", ["auth", "account"])
def test_unknown_argument(line: str, module: str, newcomer: Person) -> None:
    """An argument that is not known lets nobody in."""
    step = {"auth": "authenticate", "account": "acct_mgmt"}[line]
    text = f"{line} required {module} something\n{line} required pam_permit.so\n"
    with stacks.installed("lab-argument", text) as name:
        ended = host.login(name, newcomer.name, FORK, steps=[step])
    assert ended.results(step) != [SUCCESS]
