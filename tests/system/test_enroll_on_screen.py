"""`pam-totp enroll` as a person sees it: the code is read off the screen by zbar, the key by eye,
and oathtool is the phone.
"""

from __future__ import annotations

import pytest

from tests.system.lab.page import key_on, recovery_codes_on
from tests.system.lab.person import Person
from tests.system.lab.phone import OathPhone
from tests.system.lab.product import COMMAND
from tests.system.lab.scan import Ground, scan_only
from tests.system.lab.screen import LARGE, PLAIN, SMALL, Screen

PROMPT = "Code that the app shows: "


def proves(screen: Screen, person: Person, phone: OathPhone) -> None:
    """Type the phone's code; the account is enrolled then, and ten recovery codes are shown."""
    screen.answer(PROMPT, phone.fresh_code())
    assert screen.ends() == 0, screen.text()
    assert recovery_codes_on(screen)
    assert person.status()["authenticators"]


@pytest.mark.parametrize("ground", ["dark", "light"])
@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "200x60"])
def test_by_the_picture(newcomer: Person, size: tuple[int, int], ground: Ground) -> None:
    """Picture, key and prompt stand on one screen; who scans the one has what who types the
    other has."""
    with Screen(size, [COMMAND, "enroll", newcomer.name]) as screen:
        screen.wait_for_prompt(PROMPT)
        code = scan_only(screen, ground)
        assert code.quiet >= 2
        assert not code.inverted
        phone = OathPhone.scanned(code.uri)
        assert phone.account == newcomer.name
        assert phone.secret == key_on(screen).replace(" ", "")
        proves(screen, newcomer, phone)


def test_by_the_key(newcomer: Person) -> None:
    """Where the locale has no characters for the picture there is the key alone."""
    with Screen(SMALL, [COMMAND, "enroll", newcomer.name], PLAIN) as screen:
        shown = screen.wait_for_prompt(PROMPT)
        assert shown.isascii()
        proves(screen, newcomer, OathPhone.typed(key_on(screen)))
