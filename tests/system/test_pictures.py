"""Every picture and every sheet is read back: by zbar, which is none of ours."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from pam_totp import authenticator, picture, sheet
from pam_totp.account import Authenticator
from pam_totp.otp import Parameters
from pam_totp.picture import Drawn
from pam_totp.secret import Secret
from pam_totp.speech import speech
from tests.system.lab import camera

ODD: Final = (
    "alice",
    "jürgen.müller",
    "two words",
    "100%",
    "%41%",
    "a+b=c&secret=A#?",
    'o\'brien "bob"',
    "<b>bold</b><script>document.body.remove()</script>",
    "CORP\\user",
    "user@realm.example.com",
    "名前",
    "😀",
    "\u202ereversed",
    "\udcff",
    "x" * 64,
)
CODES: Final = tuple(f"rc-7k2mq-x9d4w-hn3v{last}" for last in "abcdefghjk")
UNUSUAL: Final = Parameters("SHA256", 8, 60)


class Somebody:
    """One who was given an authenticator."""

    def __init__(self, account: str, issuer: str, parameters: Parameters | None = None) -> None:
        self.account = account
        self.issuer = issuer
        self.parameters = parameters or Parameters()
        secret = Secret(random.Random(repr(account)).randbytes(20))
        self._phone = Authenticator("00", "phone", secret, self.parameters, 0)
        self.key = authenticator.base32(secret)
        self.uri = authenticator.uri(self._phone, account, issuer)
        self.short = authenticator.uri(self._phone, account, issuer, short=True)

    def page(self, codes: tuple[str, ...] = (), invitation: str | None = None) -> sheet.Page:
        """Return what is printed for them."""
        return sheet.Page(
            self.account, self.issuer, self.uri, self.key, self.parameters, codes, invitation
        )


def crowd(number: int) -> list[Somebody]:
    """Return people with odd names, and with names made of their letters."""
    chance = random.Random(number)
    letters = "".join(ODD)
    names = list(ODD)
    while len(names) < number:
        names.append("".join(chance.choices(letters, k=chance.randint(1, 40))))
    return [Somebody(name, chance.choice(("Example", "Müller & Söhne", "100 %"))) for name in names]


@pytest.mark.parametrize("dark_screen", [True, False])
@pytest.mark.parametrize("where", ["terminal", "prompt"])
def test_a_screen_of_characters_is_read(tmp_path: Path, where: str, *, dark_screen: bool) -> None:
    """On a dark screen and on a light one, what is drawn in characters is the URI."""
    draw: dict[str, Callable[[str], Drawn]] = {
        "terminal": picture.terminal,
        "prompt": lambda uri: picture.plain(uri, dark_screen=dark_screen),
    }
    uris = [picture.fitting(who.uri, who.short) for who in crowd(40)]
    shots = [
        camera.screenshot(draw[where](uri).lines, tmp_path / f"{i}.pgm", dark_screen=dark_screen)
        for i, uri in enumerate(uris)
    ]
    assert camera.read(shots) == uris


def test_files_are_read(tmp_path: Path) -> None:
    """PNG and SVG, by itself and from a document, are the URI."""
    for at, who in enumerate(crowd(len(ODD))):
        png = tmp_path / f"{at}.png"
        png.write_bytes(picture.png(who.uri))
        alone, inline = tmp_path / f"{at}-alone.svg", tmp_path / f"{at}-inline.svg"
        alone.write_bytes(picture.svg(who.uri))
        inline.write_text(picture.svg_inline(who.uri).replace("<svg ", '<svg width="400" '))
        made = [png, camera.rendered(alone), camera.rendered(inline)]
        assert camera.read(made) == [who.uri] * 3


@pytest.mark.parametrize("size", ["A4", "letter"])
@pytest.mark.parametrize("language", ["en", "de"])
def test_sheets_are_a_page_each(tmp_path: Path, language: str, size: str) -> None:
    """Printed by a browser, each person has one page, whatever their name, with the QR code of
    their URI, and the key and the recovery codes to be typed."""
    people = crowd(30)
    say = speech(language)
    pages = "".join(sheet.page(who.page(CODES), say) for who in people)
    pdf = printed(tmp_path, sheet.begin("People", say) + pages + sheet.end(), size)
    assert camera.read(camera.pages(pdf)) == [who.uri for who in people]
    texts = camera.texts(pdf)
    assert len(texts) == len(people)
    for who, text in zip(people, texts, strict=True):
        assert authenticator.in_groups(who.key) in text
        assert all(code in text for code in CODES)


@pytest.mark.parametrize("size", ["A4", "letter"])
@pytest.mark.parametrize("language", ["en", "de"])
def test_the_fullest_sheet_is_one_page(tmp_path: Path, language: str, size: str) -> None:
    """With unusual settings, an invitation and recovery codes it is still one page; the sheets
    of codes alone and of an invitation alone are one each."""
    say = speech(language)
    who = Somebody("firstname.lastname@corp.example.com", "Universität Musterstadt", UNUSUAL)
    word = "in-7k2mq-x9d4w-hn3ve"
    recovery = sheet.RecoveryPage(who.account, who.issuer, CODES)
    invited = sheet.InvitationPage(who.account, who.issuer, word, "2027-02-01 14:20", "ssh host")
    document = (
        sheet.begin("All", say)
        + sheet.page(who.page(CODES, word), say)
        + sheet.recovery_page(recovery, say)
        + sheet.invitation_page(invited, say)
        + sheet.end()
    )
    pdf = printed(tmp_path, document, size)
    full, codes, invitation = camera.texts(pdf)
    assert full.startswith({"en": "Hello", "de": "Guten Tag"}[language])
    assert all(code in full and code in codes for code in CODES)
    assert word in full
    assert word in invitation
    assert "ssh host" in invitation
    assert camera.read(camera.pages(pdf)) == [who.uri]


def printed(place: Path, document: str, size: str) -> Path:
    """Return a document printed on paper of that size."""
    file = place / "sheets.html"
    file.write_text(document.replace("@page {", f"@page {{ size: {size};"), encoding="utf-8")
    return camera.printed(file)
