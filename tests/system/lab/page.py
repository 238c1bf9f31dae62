"""The pages of an enrollment within a login, as a person finds their way through them on a
screen.

Prompts are looked for by words that a person would go by; the whole pages stand in
docs/enrollment.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from tests.system.lab.phone import OathPhone
from tests.system.lab.scan import Code, Ground, scan
from tests.system.lab.screen import Screen
from tests.system.lab.wait import wait_for

BAR: Final = "[██████]"


@dataclass(frozen=True)
class Words:
    """What a page is known by, in one language."""

    question: str
    ask: str
    alone: str  # on the page with the key and no picture
    wrong: str
    kept: str
    yes: str


ENGLISH: Final = Words(
    question="type k: you get a key to type into the app.",
    ask="Code that the app shows:",
    alone="Type this key into the app",
    wrong="Type what the app shows now.",
    kept="When you have them, type yes:",
    yes="yes",
)
GERMAN: Final = Words(
    question="Schlüssel zum Abtippen.",
    ask="Code, den die App zeigt:",
    alone="Tippen Sie dies in die App",
    wrong="Tippen Sie, was die App jetzt zeigt.",
    kept="Wenn Sie sie haben, tippen Sie ja:",
    yes="ja",
)
INVITATION: Final = "you need your invitation (in-...):"
GIVEN_UP: Final = "Wrong again: nothing was set up."
OVERTAKEN: Final = "Somebody else has set up this account"

_KEY: Final = re.compile(r"\b(?:[A-Z2-7]{4} ){7}[A-Z2-7]{4}\b")
_RECOVERY_CODE: Final = re.compile(r"\brc(?:-[a-z0-9]{5}){3}\b")


def key_on(screen: Screen) -> str:
    """Return the key that stands on the screen in groups of four."""
    keys = _KEY.findall(screen.text())
    assert keys, f"no key on:\n{screen.text()}"
    return str(keys[-1])


def recovery_codes_on(screen: Screen) -> list[str]:
    """Return the recovery codes on the screen, of which there must be ten."""
    codes = _RECOVERY_CODE.findall(screen.text())
    assert len(codes) == len(set(codes)) == 10, screen.text()
    return codes


def picture_on(screen: Screen, ground: Ground = "dark", words: Words = ENGLISH) -> Code:
    """Turn to the page with the picture, and turn its colours where they are the wrong way
    round; all of it stands on the screen, with the question below it."""
    screen.wait_for_prompt(words.question)
    assert BAR in screen.text()
    screen.press("Enter")
    screen.wait_for_prompt(words.ask)
    (code,) = scan(screen, ground)
    if code.inverted:
        screen.press("Enter")
        code = wait_for(lambda: _upright(screen, ground), "picture in the other colours")
        screen.wait_for_prompt(words.ask)
    assert code.quiet >= 2
    return code


def _upright(screen: Screen, ground: Ground) -> Code | None:
    """Return the code that is dark on light, if there is one: on a large screen the other one
    still stands above it."""
    return next((code for code in scan(screen, ground) if not code.inverted), None)


def scanned(screen: Screen, ground: Ground = "dark", words: Words = ENGLISH) -> OathPhone:
    """Scan the picture, and see that the key beside it is the same."""
    phone = OathPhone.scanned(picture_on(screen, ground, words).uri)
    assert phone.secret == key_on(screen).replace(" ", "")
    return phone


def typed(screen: Screen) -> OathPhone:
    """Turn to the page with the key alone, and type the key into a phone."""
    screen.answer(ENGLISH.question, "k")
    screen.wait_for_prompt(ENGLISH.ask)
    return OathPhone.typed(key_on(screen))


def proves(screen: Screen, phone: OathPhone, words: Words = ENGLISH) -> None:
    """Type the phone's code, and write down the recovery codes that are shown then."""
    screen.answer(words.ask, phone.fresh_code())
    screen.wait_for_prompt(words.kept)
    phone.recovery_codes[:] = recovery_codes_on(screen)
    screen.answer(words.kept, words.yes)
