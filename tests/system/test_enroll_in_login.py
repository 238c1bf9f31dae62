"""Enrollment within a login: from `ssh host`, or the console, to a shell in one connection.

What a phone's camera sees is read off the screen by zbar, and oathtool is the phone.
"""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from tests.system.lab import become, openvpn, page
from tests.system.lab.doors import (
    Door,
    Size,
    at_the_console,
    by_ssh,
    events,
    has_a_shell,
    left_nothing,
)
from tests.system.lab.journal import Journal
from tests.system.lab.page import ENGLISH, GERMAN
from tests.system.lab.person import Person
from tests.system.lab.product import Service, configure, pam_totp, policy
from tests.system.lab.scan import Ground
from tests.system.lab.screen import LARGE, PLAIN, SMALL, UNICODE, Screen
from tests.system.lab.ssh import INSIDE, Sshd, is_refused, stack_with
from tests.system.lab.terminal import CODE
from tests.system.test_ssh_variants import give_key

SIZES: Final = pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "200x60"])
GROUNDS: Final = pytest.mark.parametrize("ground", ["dark", "light"])


@pytest.fixture(scope="module", autouse=True)
def enrolling(world: None) -> Iterator[None]:
    """Everybody must use a code, and who has none enrolls in the login."""
    with policy("mfa=required", "unenrolled=enroll"), become.our_line_in("login"):
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


@pytest.fixture
def issuer(service: Service) -> Iterator[str]:
    """The long name of a place, in the configuration."""
    configure("issuer", name := "Example Corporation")
    service.restart()
    yield name
    configure("issuer", "lab")
    service.restart()


@contextmanager
def someone(name: str) -> Iterator[Person]:
    """Somebody of that name, who has not enrolled."""
    person = Person(name)
    try:
        yield person
    finally:
        person.remove()


@pytest.fixture
def german(service: Service) -> Iterator[None]:
    """A host whose people are spoken to in German."""
    configure("language", "de")
    service.restart()
    yield
    configure("language", "en")
    service.restart()


def logs_in(door: Door, person: Person, code: str) -> None:
    """Password and code let in."""
    with door(person, SMALL, UNICODE) as screen:
        screen.answer(CODE, code)
        has_a_shell(screen)


def begins_again(door: Door, person: Person) -> None:
    """The next login begins with the question again."""
    with door(person, SMALL, UNICODE) as screen:
        screen.wait_for_prompt(ENGLISH.question)


@SIZES
@GROUNDS
def test_by_the_picture(door: Door, newcomer: Person, size: Size, ground: Ground) -> None:
    """Somebody with a password and a phone scans, types the code and keeps the recovery codes,
    and has a shell in that one connection; the next code and a recovery code let in again."""
    with door(newcomer, size, UNICODE) as screen:
        phone = page.scanned(screen, ground)
        assert phone.account == newcomer.name
        page.proves(screen, phone)
        assert screen.broken_lines() == []
        has_a_shell(screen)
    logs_in(door, newcomer, phone.fresh_code())
    logs_in(door, newcomer, phone.recovery_codes[4])
    assert newcomer.status()["recovery_codes"] == 9


def test_by_the_key(door: Door, newcomer: Person) -> None:
    """Under LC_ALL=C, where nobody sees a bar in the question, the key alone is shown: typed into
    the phone it does the same."""
    with door(newcomer, SMALL, PLAIN) as screen:
        phone = page.typed(screen)
        page.proves(screen, phone)
        has_a_shell(screen)
    logs_in(door, newcomer, phone.fresh_code())


def test_without_the_characters(sshd: Sshd, newcomer: Person) -> None:
    """The ssh client under LC_ALL=C shows no bar and no block, but numbers; who presses Enter all
    the same still finds key and question at the bottom, and can have the page without."""
    with by_ssh(sshd, newcomer, SMALL, PLAIN) as screen:
        assert page.BAR not in screen.wait_for_prompt(ENGLISH.question)
        screen.press("Enter")
        screen.wait_for_prompt(ENGLISH.ask)
        key = page.key_on(screen)
        screen.answer(ENGLISH.ask, "k")
        screen.wait_for(ENGLISH.alone)
        screen.wait_for_prompt(ENGLISH.ask)
        assert page.key_on(screen) == key


@GROUNDS
def test_long_names(sshd: Sshd, issuer: str, ground: Ground) -> None:
    """A long name of somebody at a place with a long name still has a picture that fits a small
    screen, with key and question, and the phone shows both names."""
    with (
        someone(f"maximiliane.mustermann-{ground}") as person,
        by_ssh(sshd, person, SMALL, UNICODE) as screen,
    ):
        phone = page.scanned(screen, ground)
        assert (phone.account, phone.issuer) == (person.name, issuer)
        page.proves(screen, phone)
        has_a_shell(screen)


def test_wrong_codes(door: Door, newcomer: Person, journal: Journal) -> None:
    """A wrong code asks again, and the picture still stands above it; the third is refused.
    Nothing is there at any time, nothing has counted against the account, and the next login
    begins anew."""
    with door(newcomer, SMALL, UNICODE) as screen:
        phone = page.scanned(screen)
        for _ in range(2):
            screen.answer(ENGLISH.ask, phone.wrong_code())
            screen.wait_for(ENGLISH.wrong)
            screen.wait_for_prompt(ENGLISH.ask)
            assert left_nothing(newcomer)
        screen.answer(ENGLISH.ask, phone.wrong_code())
        screen.wait_for(page.GIVEN_UP)
    journal.wait_for("verdict=not-enrolled")
    assert left_nothing(newcomer)
    assert events(newcomer) == [("not-enrolled", "3 wrong codes, nothing was enrolled")]
    begins_again(door, newcomer)


def test_right_at_the_third_try(door: Door, newcomer: Person) -> None:
    """Two wrong codes do no harm to a right one."""
    with door(newcomer, SMALL, UNICODE) as screen:
        phone = page.typed(screen)
        for code in (phone.wrong_code(), phone.wrong_code()):
            screen.answer(ENGLISH.ask, code)
            screen.wait_for(code)
            screen.wait_for_prompt(ENGLISH.ask)
        page.proves(screen, phone)
        has_a_shell(screen)
    assert newcomer.failures == 0


HANG_UP: Final[tuple[str, ...]] = ()


@pytest.mark.parametrize("keys", [("C-c",), HANG_UP], ids=["Ctrl-C", "closed window"])
@pytest.mark.parametrize("where", ["question", "picture", "wrong code"])
def test_abandoned(
    door: Door, newcomer: Person, journal: Journal, where: str, keys: tuple[str, ...]
) -> None:
    """Who goes away in the middle, by Ctrl-C or by closing the window, leaves no more than
    an event."""
    with door(newcomer, SMALL, UNICODE) as screen:
        screen.wait_for_prompt(ENGLISH.question)
        if where != "question":
            phone = page.scanned(screen)
        if where == "wrong code":
            screen.answer(ENGLISH.ask, phone.wrong_code())
            screen.wait_for(ENGLISH.wrong)
        if keys:
            screen.press(*keys)
            screen.ends()
    was_given_up(newcomer, journal)
    begins_again(door, newcomer)


def was_given_up(person: Person, journal: Journal) -> None:
    """The log has a line on it, and the store nothing, but an event where the application lived
    long enough to say that the person had gone."""
    line = journal.wait_for(f"account={person.name}")
    assert line.fields["verdict"] in ("not-enrolled", "unavailable")
    assert left_nothing(person)
    assert {what for what, _ in events(person)} <= {"not-enrolled"}


def test_time_is_up_at_the_console(newcomer: Person, journal: Journal) -> None:
    """When the console's login ends for want of an answer, nothing is left."""
    with (
        become.login_timeout(3),
        at_the_console(newcomer, SMALL, UNICODE) as screen,
    ):
        page.picture_on(screen)
        screen.wait_for("Login timed out")
    was_given_up(newcomer, journal)


def test_time_is_up_for_sshd(newcomer: Person, journal: Journal) -> None:
    """When sshd ends a connection whose login takes too long, nothing is left."""
    with (
        Sshd("sshd", None, "LoginGraceTime=4") as sshd,
        by_ssh(sshd, newcomer, SMALL, UNICODE) as screen,
    ):
        phone = page.scanned(screen)
        was_given_up(newcomer, journal)
        screen.answer(ENGLISH.ask, phone.fresh_code())
        screen.wait_for("Connection closed")
        assert screen.ends() == 255
    assert left_nothing(newcomer)


def test_gone_at_the_recovery_codes(door: Door, newcomer: Person, journal: Journal) -> None:
    """Who goes away before having the recovery codes is enrolled: the phone works."""
    with door(newcomer, SMALL, UNICODE) as screen:
        phone = page.typed(screen)
        screen.answer(ENGLISH.ask, phone.fresh_code())
        screen.wait_for_prompt(ENGLISH.kept)
    journal.wait_for("verdict=accepted")
    logs_in(door, newcomer, phone.fresh_code())


def test_two_at_once(sshd: Sshd, newcomer: Person, journal: Journal) -> None:
    """Of two who enroll one account at the same time, the first to type a right code wins; the
    other is told, and refused; only the first one's phone lets in."""
    with (
        by_ssh(sshd, newcomer, SMALL, UNICODE) as first,
        by_ssh(sshd, newcomer, SMALL, UNICODE) as second,
    ):
        winner, other = page.scanned(first), page.scanned(second)
        assert winner.secret != other.secret
        screen_code = other.fresh_code()
        page.proves(first, winner)
        has_a_shell(first)
        second.answer(ENGLISH.ask, screen_code)
        second.wait_for(page.OVERTAKEN)
        assert second.ends() == 255
        assert INSIDE not in second.transcript()
    assert journal.verdicts(newcomer.name) == ["accepted", "not-enrolled"]
    assert newcomer.status()["authenticators"] == ["phone"]
    with sshd.client(newcomer.name) as client:
        client.gives_password(newcomer.password)
        client.gives_code(other.fresh_code())
        is_refused(client)
    logs_in(partial(by_ssh, sshd), newcomer, winner.fresh_code())


def test_locked_in_the_middle(sshd: Sshd, newcomer: Person) -> None:
    """An administrator's lock that comes while somebody enrolls refuses the right code as well,
    and nothing is enrolled."""
    with by_ssh(sshd, newcomer, SMALL, UNICODE) as screen:
        phone = page.scanned(screen)
        newcomer.lock()
        screen.answer(ENGLISH.ask, phone.fresh_code())
        assert screen.ends() == 255
        assert INSIDE not in screen.transcript()
    assert left_nothing(newcomer)


def test_enrolled_by_an_administrator_in_the_middle(sshd: Sshd, newcomer: Person) -> None:
    """Whom an administrator enrolls meanwhile is told, and the administrator's phone counts."""
    with by_ssh(sshd, newcomer, SMALL, UNICODE) as screen:
        phone = page.scanned(screen)
        newcomer.enroll()
        screen.answer(ENGLISH.ask, phone.fresh_code())
        screen.wait_for(page.OVERTAKEN)
        assert screen.ends() == 255
    logs_in(partial(by_ssh, sshd), newcomer, newcomer.fresh_code())


def test_without_the_service(
    door: Door, newcomer: Person, service: Service, journal: Journal
) -> None:
    """With the service dead people enroll all the same; who is in the middle when it dies is
    refused, and nothing is left."""
    with door(newcomer, SMALL, UNICODE) as screen:
        phone = page.scanned(screen)
        service.stop(signal.SIGKILL)
        screen.answer(ENGLISH.ask, phone.fresh_code())
        screen.wait_for("Permission denied" if door is not at_the_console else "Login incorrect")
    assert left_nothing(newcomer)
    with door(newcomer, SMALL, UNICODE) as screen:
        phone = page.scanned(screen)
        page.proves(screen, phone)
        has_a_shell(screen)
    service.start()
    logs_in(door, newcomer, phone.fresh_code())


KEY_AND_CODE: Final = "publickey,keyboard-interactive"


def test_key_and_code(newcomer: Person, tmp_path: Path) -> None:
    """Where sshd wants a key and the code, who comes by the key enrolls."""
    stack = stack_with("@include pam-totp-code")
    key = give_key(newcomer, tmp_path)
    with (
        Sshd("sshd-code", stack, f"AuthenticationMethods={KEY_AND_CODE}:pam") as sshd,
        Screen(
            SMALL, sshd.command(newcomer.name, f"IdentityFile={key}", methods=KEY_AND_CODE)
        ) as screen,
    ):
        page.proves(screen, page.scanned(screen))
        has_a_shell(screen)


def test_where_nothing_can_be_shown(newcomer: Person, journal: Journal) -> None:
    """Sshd's method `password` shows no questions: it refuses, and log and status say why."""
    with (
        Sshd("sshd", None, "PasswordAuthentication=yes") as sshd,
        sshd.client(newcomer.name, methods="password") as client,
    ):
        client.gives_password(newcomer.password)
        is_refused(client)
    is_told_why(newcomer, journal)


def is_told_why(person: Person, journal: Journal) -> None:
    """Log, events and status say that the application shows nothing, and where to enroll."""
    line = journal.wait_for("verdict=not-enrolled")
    assert line.fields["account"] == person.name
    assert "cannot show a QR code" in line
    assert events(person)[-1][0] == "not-enrolled"
    assert left_nothing(person)
    assert "cannot show a QR code" in pam_totp("status", person.name)


def test_openvpn(newcomer: Person, journal: Journal, tmp_path: Path) -> None:
    """OpenVPN shows no questions: it refuses with every client, and log and status say why."""
    tmp_path.chmod(0o755)
    with openvpn.network():
        openvpn.install(tmp_path)
        with openvpn.Server(tmp_path, "server.conf"):
            with openvpn.Client(tmp_path) as client:
                client.gives_password(newcomer.name, newcomer.password)
                client.gives_code("123456")
                client.is_refused()
            is_told_why(newcomer, journal)
            assert not openvpn.log_in(tmp_path, newcomer.name, newcomer.password)


@SIZES
def test_in_german(door: Door, newcomer: Person, german: None, size: Size) -> None:
    """Where the host speaks German the whole way is German, a wrong code included, and no line is
    broken in the middle of a word."""
    with door(newcomer, size, UNICODE) as screen:
        phone = page.scanned(screen, "light", GERMAN)
        screen.answer(GERMAN.ask, phone.wrong_code())
        screen.wait_for(GERMAN.wrong)
        page.proves(screen, phone, GERMAN)
        assert screen.broken_lines() == []
        has_a_shell(screen)


DOCUMENTED: Final = Path(__file__).parents[2] / "docs" / "enrollment.md"
# What is another one each time, and the greeting of the machine.
VARYING: Final = (
    (r"(?s)\nLinux .*?\n(?=alice@)", "\n"),
    (r"rc(-[a-z0-9]{5}){3}", "rc"),
    (r"([A-Z2-7]{4} ){7}[A-Z2-7]{4}", "KEY"),
    (r"\b\d{6}\b", "CODE"),
    (r"(?m)(^[ ▀▄█]{37}\n){19}", "\n        (the QR code, 19 lines)\n\n"),
    (r"(?m) +$", ""),
)


def constant(text: str) -> str:
    """Return a transcript without what varies."""
    for pattern, instead in VARYING:
        text = re.sub(pattern, instead, text)
    return text


def test_as_documented(service: Service) -> None:
    """The whole way from `ssh host` to a shell looks as docs/enrollment.md shows it."""
    example = re.search(r"(?s)```\n(\$ ssh alice@host\n.*?)\n```", DOCUMENTED.read_text())
    assert example
    with someone("alice") as alice, Sshd() as sshd:
        subprocess.run(["usermod", "--shell", "/bin/bash", alice.name], check=True)
        with by_ssh(sshd, alice, SMALL, UNICODE, host="lab") as screen:
            page.proves(screen, page.scanned(screen))
            screen.wait_for_prompt(":~$")
            shown = f"$ ssh alice@host\n{screen.transcript()}".strip()
    assert constant(shown).replace("@lab", "@host") == constant(example[1])
