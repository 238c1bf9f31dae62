"""Other people's PAM clients: pamtester, pamela and python-pam."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from typing import Final

import pytest

from tests.system.lab import stacks
from tests.system.lab.journal import Journal
from tests.system.lab.person import Person
from tests.system.lab.terminal import CODE, Terminal
from tests.system.lab.wait import DEADLINE

Client = Callable[[str, str, str], bool]

# Each says "in" or "refused" of the account and the password field that stand on its input.
_PAMELA: Final = """
import sys, pamela
account, field = sys.stdin.read().splitlines()
try:
    pamela.authenticate(account, field, service=sys.argv[1])
    pamela.check_account(account, service=sys.argv[1])
    print("in")
except pamela.PAMError as error:
    print("refused", error)
"""
_PYTHON_PAM: Final = """
import sys, pam
account, field = sys.stdin.read().splitlines()
client = pam.pam()
print("in" if client.authenticate(account, field, service=sys.argv[1]) else "refused")
"""

pytestmark = pytest.mark.usefixtures("service")


def python_client(program: str) -> Client:
    """Return a client out of a Python program that gives one password field."""

    def log_in(service: str, account: str, field: str) -> bool:
        done = subprocess.run(
            ["/usr/bin/python3", "-I", "-c", program, service],
            input=f"{account}\n{field}\n",
            capture_output=True,
            text=True,
            check=True,
            env={"PATH": os.defpath},
            timeout=DEADLINE,
        )
        assert done.stdout.startswith(("in", "refused")), done
        return done.stdout.startswith("in")

    return log_in


@pytest.fixture
def fields() -> Iterator[str]:
    """The shipped stack for who has one field, under a service of its own."""
    text = stacks.without_delay(stacks.shipped("pam-totp-openvpn"))
    with stacks.installed("lab-fields", text) as name:
        yield name


@pytest.fixture
def plain() -> Iterator[str]:
    """The shipped stack for who can ask two questions."""
    text = stacks.without_delay(stacks.shipped("pam-totp"))
    with stacks.installed("lab-plain", text) as name:
        yield name


@pytest.mark.parametrize("program", [_PAMELA, _PYTHON_PAM], ids=["pamela", "python-pam"])
def test_one_field(program: str, fields: str, person: Person, journal: Journal) -> None:
    """With password and code in its one field a client is let in once; a wrong code, the same
    code again and the password alone are refused."""
    client, code = python_client(program), person.fresh_code()
    assert not client(fields, person.name, person.password + person.wrong_code())
    assert client(fields, person.name, person.password + code)
    assert not client(fields, person.name, person.password + code)
    assert not client(fields, person.name, person.password)
    assert not client(fields, person.name, f"wrong{person.fresh_code()}")
    verdicts = ["wrong-code", "accepted", "replayed-code", "no-code", "wrong-password"]
    assert journal.verdicts(person.name) == verdicts


@pytest.mark.parametrize("program", [_PAMELA, _PYTHON_PAM], ids=["pamela", "python-pam"])
def test_recovery_code_in_the_field(program: str, fields: str, person: Person) -> None:
    """A recovery code in its printed form behind the password lets in once."""
    client = python_client(program)
    field = person.password + person.phone.recovery_codes[0]
    assert client(fields, person.name, field)
    assert not client(fields, person.name, field)


@pytest.mark.parametrize("program", [_PAMELA, _PYTHON_PAM], ids=["pamela", "python-pam"])
def test_one_field_on_the_plain_stack(
    program: str, plain: str, person: Person, newcomer: Person
) -> None:
    """On the plain stack a client that cannot answer the second question is refused and not
    counted; who has no authenticator logs in as before."""
    client = python_client(program)
    assert not client(plain, person.name, person.password)
    assert not client(plain, person.name, person.password + person.fresh_code())
    assert person.failures == 0
    assert client(plain, newcomer.name, newcomer.password)


def pamtester(service: str, account: str, password: str, code: str) -> bool:
    """Log in with pamtester at a terminal: all phases in one handle."""
    steps = ("authenticate", "acct_mgmt", "setcred")
    with Terminal("pamtester", service, account, *steps) as terminal:
        terminal.gives_password(password)
        terminal.gives_code(code)
        status = terminal.ends()
        assert terminal.times_shown(CODE) == 1
        return status == 0


@pytest.mark.parametrize("stack", ["plain", "fields"])
def test_pamtester(
    stack: str, request: pytest.FixtureRequest, person: Person, journal: Journal
) -> None:
    """A client that asks both questions is let in by a right password and a right code, once."""
    service, code = request.getfixturevalue(stack), person.fresh_code()
    assert not pamtester(service, person.name, person.password, person.wrong_code())
    assert not pamtester(service, person.name, "wrong", code)
    assert pamtester(service, person.name, person.password, code)
    assert not pamtester(service, person.name, person.password, code)
    verdicts = ["wrong-code", "wrong-password", "accepted", "replayed-code"]
    assert journal.verdicts(person.name) == verdicts
