"""People who wait in crowds: what they can keep from others, which is nothing."""

from __future__ import annotations

import resource
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Final

import pytest

from tests.system.lab import become, host, stacks
from tests.system.lab.become import INSIDE, su, sudo
from tests.system.lab.host import AUTH_ERR, SUCCESS
from tests.system.lab.journal import Journal
from tests.system.lab.person import Person
from tests.system.lab.product import LOGIN_SOCKET
from tests.system.lab.terminal import CODE, Terminal
from tests.system.lab.wait import wait_for

STACK: Final = "lab-crowd"
AT_ONCE: Final = 16  # logins that one person may have waiting in su and sudo
PLACES: Final = 1000  # logins of root's programs
LINES: Final = 20  # log lines of a person's own programs at once


@pytest.fixture(scope="module", autouse=True)
def stack(world: None) -> Iterator[None]:
    """Our line in the stacks of login, su and sudo, and one that asks for the code alone."""
    installed = stacks.installed(STACK, stacks.shipped(stacks.CODE_ALONE))
    with become.our_line_in("login", "su", "sudo"), installed:
        yield


def waits(terminal: Terminal, password: str) -> Terminal:
    """Give the password, and leave the question for the code unanswered."""
    terminal.gives_password(password)
    terminal.sees(CODE)
    return terminal


def is_refused(terminal: Terminal, password: str) -> bool:
    """Give the password, and tell whether no code is asked for."""
    with terminal:
        terminal.gives_password(password)
        return terminal.sees(CODE, "su: ", "sudo: ") > 0


def test_a_crowd_of_su(people: Callable[[], Person], person: Person, journal: Journal) -> None:
    """Who has sixteen su and sudo waiting has no further one, and the log names them; the
    console, SSH's stack and other people's su ask and let in as ever; and with one of the
    sixteen ended there is room again."""
    crowd, other = people(), people()
    crowd.enroll()
    with ExitStack() as ending, become.sudoer(crowd):
        for _ in range(AT_ONCE - 1):
            waits(ending.enter_context(su(crowd, person)), person.password)
        last = waits(ending.enter_context(sudo(crowd)), crowd.password)
        assert is_refused(su(crowd, person), person.password)
        assert is_refused(sudo(crowd), crowd.password)
        line = journal.wait_for("too many at once")
        assert f"uid=0, started by uid={crowd.uid})" in line
        assert become.login_at_the_console(person)
        assert host.login(STACK, person.name, code=person.fresh_code()).result == SUCCESS
        with waits(su(other, person), person.password) as terminal:
            terminal.types(person.fresh_code())
            terminal.sees(INSIDE)
        last.close()
        wait_for(lambda: not is_refused(su(crowd, person), person.password), "room for one more")
    assert person.failures == 0


@pytest.fixture
def descriptors() -> Iterator[None]:
    """Room in this process for more connections than the service has places."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (4 * PLACES, max(4 * PLACES, before[1])))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_crowd_that_says_nothing(person: Person, descriptors: None) -> None:
    """With more of root's programs connected than there are places, stopped before they said
    who started them, a login is answered."""
    with ExitStack() as ending:
        for _ in range(PLACES + 100):
            silent = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            ending.enter_context(silent).connect(str(LOGIN_SOCKET))
        assert host.login(STACK, person.name, code=person.fresh_code()).result == SUCCESS


def test_a_program_that_asks_in_a_loop(
    people: Callable[[], Person], person: Person, journal: Journal
) -> None:
    """A person's own program that asks two hundred times about somebody else makes few lines,
    and the ones of root's programs about the same account are all there."""
    other = people()
    host.login(STACK, person.name, f"--uid={other.uid}", "--repeat=200")
    assert host.login(STACK, person.name, code=person.wrong_code()).result == AUTH_ERR
    verdicts = journal.verdicts(person.name)
    assert verdicts[-1] == "wrong-code"
    assert 0 < verdicts.count("not-allowed") <= LINES + 2
