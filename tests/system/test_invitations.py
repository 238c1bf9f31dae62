"""Invitations in the login itself: what an administrator hands over, and where it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

import pytest

from tests.system.lab import become, page
from tests.system.lab.doors import (
    Door,
    at_the_console,
    by_ssh,
    events,
    has_a_shell,
    left_nothing,
)
from tests.system.lab.journal import Journal
from tests.system.lab.page import ENGLISH, INVITATION
from tests.system.lab.person import Person
from tests.system.lab.product import ask_pam_totp, pam_totp, policy
from tests.system.lab.screen import SMALL, UNICODE, Screen
from tests.system.lab.ssh import INSIDE, Sshd
from tests.system.lab.terminal import CODE

NOBODYS: Final = "in-22222-33333-44444"
WRONG: Final = "That is not your invitation."
LET_IN: Final = ("invited", "right-invitation", "enrolled", "accepted")


@pytest.fixture(scope="module", autouse=True)
def enrolling(world: None) -> Iterator[None]:
    """Everybody must use a code, and who has none enrolls in the login."""
    with policy("mfa=required", "unenrolled=enroll"), become.our_line_in("login"):
        yield


@pytest.fixture
def required() -> Iterator[None]:
    """Nobody enrolls without an invitation."""
    with policy("invitations=required"):
        yield


@pytest.fixture(scope="module")
def sshd(world: None) -> Iterator[Sshd]:
    """Debian's sshd with our line in its stack and our drop-in."""
    with Sshd() as sshd:
        yield sshd


@pytest.fixture(params=["ssh", "login"])
def door(request: pytest.FixtureRequest, sshd: Sshd) -> Door:
    """A way in: a screen on which a person has given name and password."""
    return partial(by_ssh, sshd) if request.param == "ssh" else at_the_console


def invited(person: Person) -> str:
    """Return the invitation that an administrator gives out."""
    return str(ask_pam_totp("invite", person.name)["invitation"])


def gives(screen: Screen, word: str) -> None:
    """Answer the question for the invitation; nothing that enrolls was shown before it."""
    screen.wait_for_prompt(INVITATION)
    shown = screen.text()
    assert "█" not in shown
    assert "Key" not in shown
    screen.answer(INVITATION, word)


def enrolls(door: Door, person: Person, word: str) -> None:
    """Enroll with an invitation, get a shell, and log in again."""
    with door(person, SMALL, UNICODE) as screen:
        gives(screen, word)
        phone = page.scanned(screen)
        page.proves(screen, phone)
        has_a_shell(screen)
    with door(person, SMALL, UNICODE) as screen:
        screen.answer(CODE, phone.fresh_code())
        has_a_shell(screen)


def is_turned_away(door: Door, person: Person, word: str, why: str) -> None:
    """Give a word that does not let enroll."""
    with door(person, SMALL, UNICODE) as screen:
        gives(screen, word)
        screen.wait_for(why)
        assert ENGLISH.ask not in screen.text()
        assert INSIDE not in screen.transcript()


def refusal(door: Door) -> str:
    """Return how a door says no to everybody."""
    return "Login incorrect" if door is at_the_console else "Permission denied"


def test_invited(door: Door, newcomer: Person, required: None) -> None:
    """Where the policy wants an invitation it is asked for before anything is shown; the right
    one, typed as people type, goes on."""
    word = invited(newcomer)
    enrolls(door, newcomer, f" {word.upper().replace('-', '')} ")
    whats = [what for what, _ in events(newcomer)]
    assert [what for what in whats if what in LET_IN] == [*LET_IN, "accepted"]


def test_not_the_word(door: Door, newcomer: Person, required: None, journal: Journal) -> None:
    """A wrong invitation is refused and counts as a wrong code does, the fifth locks; the right
    one goes on once the lock is lifted."""
    word = invited(newcomer)
    is_turned_away(door, newcomer, NOBODYS, WRONG)
    assert newcomer.failures == 1
    assert journal.wait_for("verdict=wrong-invitation").fields["account"] == newcomer.name
    for last in "5678":
        is_turned_away(door, newcomer, NOBODYS[:-1] + last, refusal(door))
    assert newcomer.status()["locked"] == "until"
    with door(newcomer, SMALL, UNICODE) as screen:
        screen.wait_for(refusal(door))
        assert INVITATION not in screen.text()
    newcomer.unlock()
    enrolls(door, newcomer, word)


def test_no_word(door: Door, newcomer: Person, required: None) -> None:
    """Who has no invitation and presses Enter is refused, and nothing has counted."""
    is_turned_away(door, newcomer, "", refusal(door))
    assert left_nothing(newcomer)
    assert events(newcomer) == [("not-enrolled", "no invitation was given")]


def test_void(sshd: Sshd, newcomer: Person, required: None) -> None:
    """An earlier invitation is void once there is another, and so is one that was withdrawn."""
    ssh = partial(by_ssh, sshd)
    first, second = invited(newcomer), invited(newcomer)
    is_turned_away(ssh, newcomer, first, WRONG)
    pam_totp("invite", newcomer.name, "--withdraw")
    is_turned_away(ssh, newcomer, second, WRONG)
    enrolls(ssh, newcomer, invited(newcomer))


def test_good_until_enrolled(door: Door, newcomer: Person, required: None) -> None:
    """An enrollment that is abandoned uses no invitation up; one that is completed does."""
    word = invited(newcomer)
    with door(newcomer, SMALL, UNICODE) as screen:
        gives(screen, word)
        page.scanned(screen)
    enrolls(door, newcomer, word)
    assert ask_pam_totp("reset", newcomer.name, "--yes")["reset"]
    is_turned_away(door, newcomer, word, WRONG)


def test_two_with_one_word(sshd: Sshd, newcomer: Person, required: None) -> None:
    """One invitation lets enroll once: of two who have given it, the second to type a code is
    refused."""
    word, ssh = invited(newcomer), partial(by_ssh, sshd)
    with ssh(newcomer, SMALL, UNICODE) as first, ssh(newcomer, SMALL, UNICODE) as second:
        phones = []
        for screen in (first, second):
            gives(screen, word)
            phones.append(page.scanned(screen))
        page.proves(first, phones[0])
        has_a_shell(first)
        second.answer(ENGLISH.ask, phones[1].fresh_code())
        second.wait_for(page.OVERTAKEN)
        assert second.ends() == 255


def test_after_a_reset(door: Door, newcomer: Person) -> None:
    """After a reset an invitation is wanted whatever the policy says; the one that `reset` gives
    out lets enroll anew, and after that none is wanted."""
    newcomer.enroll()
    word = ask_pam_totp("reset", newcomer.name, "--yes")["invitation"]
    is_turned_away(door, newcomer, NOBODYS, WRONG)
    enrolls(door, newcomer, word)
    assert "invitation" not in pam_totp("status", newcomer.name)


def test_after_a_reset_without_one(sshd: Sshd, newcomer: Person) -> None:
    """`reset --no-invitation` lets nobody enroll before `invite` has given one out."""
    ssh = partial(by_ssh, sshd)
    newcomer.enroll()
    pam_totp("reset", newcomer.name, "--yes", "--no-invitation")
    is_turned_away(ssh, newcomer, NOBODYS, WRONG)
    enrolls(ssh, newcomer, invited(newcomer))
