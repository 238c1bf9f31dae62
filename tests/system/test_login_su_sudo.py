"""The console's login, su and sudo at a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.system.lab import become
from tests.system.lab.become import INSIDE, su, sudo
from tests.system.lab.journal import Journal
from tests.system.lab.person import Person
from tests.system.lab.product import Service
from tests.system.lab.terminal import CODE, Terminal


@pytest.fixture(scope="module", autouse=True)
def stacks(world: None) -> Iterator[None]:
    """Our line in the stacks of login, su and sudo, as their administrator would put it."""
    with become.our_line_in("login", "su", "sudo"):
        yield


@pytest.fixture
def sudoer(person: Person) -> Iterator[Person]:
    """An enrolled person whom sudo lets do everything."""
    with become.sudoer(person):
        yield person


def test_login(person: Person, journal: Journal) -> None:
    """The console's login asks for password and code, and starts the shell."""
    assert become.login_at_the_console(person)
    assert journal.wait_for("verdict=accepted").fields["service"] == "login"
    assert journal.verdicts(person.name) == ["accepted"]


def test_login_at_the_second_try(person: Person, journal: Journal) -> None:
    """At the console a wrong code is refused and counted, and a right one lets in after it."""
    with Terminal("login") as console:
        console.answers("login: ", person.name, hidden=False)
        console.gives_password(person.password)
        console.gives_code(person.wrong_code())
        console.sees("Login incorrect")
        assert person.failures == 1
        console.answers("login: ", person.name, hidden=False)
        console.gives_password(person.password)
        console.gives_code(person.fresh_code())
        console.sees("$ ")
        console.types("exit")
        console.ends()
    assert journal.verdicts(person.name) == ["wrong-code", "accepted"]


def test_login_with_the_service_stopped(person: Person, service: Service, journal: Journal) -> None:
    """With the service stopped the console still lets in with a right code, and only so."""
    service.stop()
    with Terminal("login") as console:
        console.answers("login: ", person.name, hidden=False)
        console.gives_password(person.password)
        console.gives_code(person.wrong_code())
        console.sees("Login incorrect")
        console.answers("login: ", person.name, hidden=False)
        console.gives_password(person.password)
        console.gives_code(person.fresh_code())
        console.sees("$ ")
        console.types("exit")
        console.ends()
    assert journal.verdicts(person.name) == ["wrong-code", "accepted"]


def test_su(people: Callable[[], Person], person: Person, journal: Journal) -> None:
    """Su asks for the password and the code of the account that one becomes."""
    caller = people()
    with su(caller, person) as terminal:
        terminal.gives_password(person.password)
        terminal.gives_code(person.fresh_code())
        terminal.sees(INSIDE)
        assert terminal.ends() == 0
    with su(caller, person) as terminal:
        terminal.gives_password(person.password)
        terminal.gives_code(person.wrong_code())
        terminal.sees("Authentication failure")
        assert terminal.ends() == 1
    assert journal.verdicts(person.name) == ["accepted", "wrong-code"]


def test_su_with_the_service_stopped(
    people: Callable[[], Person], person: Person, service: Service, journal: Journal
) -> None:
    """With the service stopped su is refused, with a line in the log, and nothing is spent."""
    caller = people()
    code = person.fresh_code()
    service.stop()
    with su(caller, person) as terminal:
        terminal.gives_password(person.password)
        terminal.sees("su: ")
        assert terminal.ends() == 1
        assert CODE not in terminal.transcript
    journal.wait_for("pam_totp(su:auth)")
    service.start()
    with su(caller, person) as terminal:
        terminal.gives_password(person.password)
        terminal.gives_code(code)
        terminal.sees(INSIDE)


def test_sudo(sudoer: Person, journal: Journal) -> None:
    """Sudo asks for the caller's own password and code."""
    with sudo(sudoer) as terminal:
        terminal.gives_password(sudoer.password)
        terminal.gives_code(sudoer.fresh_code())
        terminal.sees(INSIDE)
        assert terminal.ends() == 0
    with sudo(sudoer) as terminal:
        terminal.gives_password(sudoer.password)
        terminal.gives_code(sudoer.wrong_code())
        terminal.sees("incorrect password attempt")
        assert terminal.ends() == 1
    assert journal.verdicts(sudoer.name) == ["accepted", "wrong-code"]


def test_sudo_with_the_service_stopped(sudoer: Person, service: Service, journal: Journal) -> None:
    """With the service stopped sudo is refused, with a line in the log, and nothing is
    spent."""
    code = sudoer.fresh_code()
    service.stop()
    with sudo(sudoer) as terminal:
        terminal.gives_password(sudoer.password)
        terminal.sees("sudo: ")
        assert terminal.ends() == 1
        assert CODE not in terminal.transcript
        assert INSIDE not in terminal.transcript
    journal.wait_for("pam_totp(sudo:auth)")
    service.start()
    with sudo(sudoer) as terminal:
        terminal.gives_password(sudoer.password)
        terminal.gives_code(code)
        terminal.sees(INSIDE)
