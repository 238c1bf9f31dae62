"""What administrators do about enrollments, at real terminals and proved by real logins: zbar is
the camera, oathtool is phone and token.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.system.lab import page
from tests.system.lab.camera import read
from tests.system.lab.page import recovery_codes_on
from tests.system.lab.person import Person
from tests.system.lab.phone import OathPhone
from tests.system.lab.product import COMMAND, ask_pam_totp, pam_totp, policy
from tests.system.lab.scan import scan_only
from tests.system.lab.screen import SMALL, UNICODE, Screen
from tests.system.lab.ssh import Sshd, is_in, is_refused
from tests.system.lab.token import OathToken

GERMAN: Final = {"LANG": "de_DE.UTF-8", "LC_CTYPE": "C.UTF-8"}
KEY: Final = "31 32 33 34 35 36 37 38 39 30 31 32 33 34 35 36 37 38 39 30"  # as papers have it
_WORD: Final = re.compile(r"\bin(?:-[a-z0-9]{5}){3}\b")


@pytest.fixture(scope="module")
def sshd(world: None) -> Iterator[Sshd]:
    """Debian's sshd with our line in its stack and our drop-in."""
    with Sshd() as sshd:
        yield sshd


def gets_in(sshd: Sshd, person: Person, code: str) -> None:
    """Log in over SSH."""
    with sshd.client(person.name) as client:
        client.gives_password(person.password)
        client.gives_code(code)
        is_in(client)


def is_kept_out(sshd: Sshd, person: Person, code: str) -> None:
    """Be refused over SSH."""
    with sshd.client(person.name) as client:
        client.gives_password(person.password)
        client.gives_code(code)
        is_refused(client)


def at_screen(*words: str, environment: dict[str, str] = UNICODE) -> Screen:
    """Run the command on a small screen."""
    return Screen(SMALL, [COMMAND, *words], environment)


def proves(screen: Screen, words: page.Words = page.ENGLISH) -> OathPhone:
    """Scan what the screen shows, and type the code of it."""
    screen.wait_for_prompt(words.ask)
    phone = OathPhone.scanned(scan_only(screen).uri)
    screen.answer(words.ask, phone.fresh_code())
    return phone


def events(person: Person, what: str) -> list[str]:
    """Return the authenticators of the person's events of a kind."""
    found = pam_totp("events", person.name, "--json").splitlines()
    pattern = re.compile(rf'"what": "{what}".*"authenticator": "([^"]*)"')
    return [match[1] for match in map(pattern.search, found) if match]


def test_from_a_file(newcomer: Person, sshd: Sshd, tmp_path: Path) -> None:
    """Who scans the picture in the file, and not the screen's, is enrolled all the same."""
    drawn = tmp_path / "code.png"
    with at_screen("enroll", newcomer.name, "--qr", str(drawn), "--no-qr") as screen:
        screen.wait_for_prompt(page.ENGLISH.ask)
        (uri,) = read([drawn])
        phone = OathPhone.scanned(uri)
        screen.answer(page.ENGLISH.ask, phone.fresh_code())
        assert screen.ends() == 0, screen.text()
        codes = recovery_codes_on(screen)
    gets_in(sshd, newcomer, phone.fresh_code())
    gets_in(sshd, newcomer, codes[0])


def test_a_token(newcomer: Person, sshd: Sshd) -> None:
    """A token's key is typed from its papers, its code proves it, and the next one lets in."""
    token = OathToken(KEY.replace(" ", ""), counter=20)
    words = ("--type", "hotp", "--with-secret", "--counter", "20")
    with at_screen("enroll", newcomer.name, *words) as screen:
        screen.answer("(base32 or hex, Ctrl-C keeps nothing): ", KEY)
        screen.answer("Code that the token shows: ", token.press())
        assert screen.ends() == 0, screen.text()
    gets_in(sshd, newcomer, token.press())
    assert events(newcomer, "accepted") == ["token"]


def test_a_new_phone(person: Person, sshd: Sshd) -> None:
    """Replaced in one step: the old phone's codes let in until the new one is proved, and no
    more after; the recovery codes stay."""
    old = person.phone
    with at_screen("authenticator", "replace", person.name, "phone") as screen:
        screen.wait_for_prompt(page.ENGLISH.ask)
        gets_in(sshd, person, old.fresh_code())
        new = proves(screen)
        assert screen.ends() == 0, screen.text()
    is_kept_out(sshd, person, old.fresh_code())
    gets_in(sshd, person, new.fresh_code())
    gets_in(sshd, person, old.recovery_codes[0])
    assert person.status()["authenticators"] == ["phone"]
    assert events(person, "authenticator-replaced") == ["phone"]


def test_a_tablet_comes_and_goes(person: Person, sshd: Sshd) -> None:
    """A second one lets in, under the name that events then have; removed, it does not."""
    with at_screen("enroll", person.name, "--name", "tablet") as screen:
        tablet = proves(screen)
        assert screen.ends() == 0, screen.text()
    gets_in(sshd, person, tablet.fresh_code())
    pam_totp("authenticator", "rename", person.name, "tablet", "old tablet")
    gets_in(sshd, person, tablet.fresh_code())
    gets_in(sshd, person, person.fresh_code())
    assert events(person, "accepted") == ["tablet", "old tablet", "phone"]
    with at_screen("authenticator", "remove", person.name, "old tablet") as screen:
        screen.answer("[y/N] ", "y")
        assert screen.ends() == 0, screen.text()
    is_kept_out(sshd, person, tablet.fresh_code())


def test_recovery_codes_anew(person: Person, sshd: Sshd) -> None:
    """The old ones let nobody in, the new ones do, each once; their number is told."""
    with at_screen("recovery-codes", person.name, "--new") as screen:
        screen.answer("[y/N] ", "y")
        assert screen.ends() == 0, screen.text()
        codes = recovery_codes_on(screen)
    is_kept_out(sshd, person, person.phone.recovery_codes[0])
    gets_in(sshd, person, codes[0])
    is_kept_out(sshd, person, codes[0])
    assert ask_pam_totp("recovery-codes", person.name)["left"] == 9


def test_reset_and_invited(person: Person, sshd: Sshd) -> None:
    """After a reset the person enrolls in the login with the word that the administrator was
    shown, and with no other; it is good once."""
    with at_screen("reset", person.name) as screen:
        screen.answer("[y/N] ", "y")
        assert screen.ends() == 0, screen.text()
        (word,) = _WORD.findall(screen.text())
    with policy("mfa=required", "unenrolled=enroll"):
        assert person.status()["invited_until"] is not None
        with Screen(SMALL, sshd.command(person.name), UNICODE) as screen:
            screen.answer("Password:", person.password, hidden=True)
            screen.answer(page.INVITATION, "in-22222-33333-44444")
            screen.wait_for("That is not your invitation.")
        with Screen(SMALL, sshd.command(person.name), UNICODE) as screen:
            screen.answer("Password:", person.password, hidden=True)
            screen.answer(page.INVITATION, word.upper())
            phone = page.scanned(screen)
            page.proves(screen, phone)
            screen.run("exit")
            assert screen.ends() == 0, screen.text()
        assert person.status()["invited_until"] is None
        gets_in(sshd, person, phone.fresh_code())


def test_in_german(newcomer: Person) -> None:
    """Who works in German enrolls people in German, with what the package brings."""
    with at_screen("enroll", newcomer.name, environment=GERMAN) as screen:
        proves(screen, page.GERMAN)
        assert screen.ends() == 0, screen.text()
        shown = screen.text()
    assert "Wiederherstellungscodes, jeder gut für eine Anmeldung" in shown
    assert "Recovery codes" not in shown


def test_nothing_is_broken_at_80_columns(person: Person) -> None:
    """No sentence of these pages is cut within a word, whatever its values."""
    pages: Final = (
        ("invite", "nobody", "--valid", "90d"),
        ("recovery-codes", person.name, "--new"),
        ("reset", person.name),
    )
    for words in pages:
        with at_screen(*words) as screen:
            if words[0] != "invite":
                screen.answer("[y/N] ", "y")
            assert screen.ends() == 0, screen.text()
            lines = screen.transcript().splitlines()
        assert [line for line in lines if len(line) > SMALL[0]] == [], words
    pam_totp("invite", "nobody", "--withdraw")
