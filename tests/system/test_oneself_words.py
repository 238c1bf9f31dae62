"""What people read who look after their own account, word for word."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from tests.system.lab import page
from tests.system.lab.person import Person
from tests.system.lab.phone import OathPhone, now
from tests.system.lab.product import Service, policy
from tests.system.lab.screen import Screen
from tests.system.test_as_oneself import PASSWORD, PROOF, at, enrolled, plainly, set_up

NOT_YET: Final = "pam-totp: You have not set up a code yet.\nhint: pam-totp enroll\n"
NO_TERMINAL: Final = (
    "pam-totp: there is no terminal to ask on\nhint: run it at a terminal, for instance by ssh -t\n"
)

_CHANGING: Final = {
    r"\brc(?:-[a-z0-9]{5}){3}\b": "rc-xxxxx-xxxxx-xxxxx",
    r"\b(?:[A-Z2-7]{4} ){7}[A-Z2-7]{4}\b": "KEY",
    r"\bperson\d+\b": "alice",
    r"\b\d{4}-\d\d-\d\d \d\d:\d\d\b": "WHEN",
    r"(?<=until )\d\d:\d\d\b": "WHEN",
    r"(?<=: )\d{6}\b": "123456",
    r"(?m)^[█▀▄ ]{20,}\n": "",  # the picture
    r"/tmp/\S+/": "/",
    r"(?m) +$": "",
}


def words(text: str) -> str:
    """Return what was shown, but for what is another each time."""
    for pattern, word in _CHANGING.items():
        text = re.sub(pattern, word, text)
    return text


def shown(screen: Screen) -> str:
    """Return a screen's whole transcript, once its program has ended."""
    screen.ends()
    return words(screen.transcript()).rstrip("\n") + "\n"


def said(person: Person, *command: str) -> str:
    """Run a command where there is no terminal, and return what it printed."""
    done = plainly(person, *command)
    return words(done.stdout + done.stderr)


def recovery_codes_in(text: str) -> list[str]:
    """Return the recovery codes of a text, in their order."""
    return re.findall(r"\brc(?:-[a-z0-9]{5}){3}\b", text)


@pytest.fixture
def phone(newcomer: Person) -> OathPhone:
    """What the newcomer has enrolled as themselves."""
    return enrolled(newcomer)


def test_before(newcomer: Person) -> None:
    """Who has nothing is told how to begin, whatever they ask for, and before they prove
    anything."""
    nothing = "Account: alice\nNo code is set up.\npam-totp: To set up a code: pam-totp enroll\n"
    assert said(newcomer, "status") == nothing
    assert said(newcomer, "authenticator", "list") == nothing
    assert said(newcomer, "recovery-codes") == NOT_YET
    for change in (
        ("recovery-codes", "--new", "--yes"),
        ("authenticator", "rename", "phone", "x"),
        ("authenticator", "remove", "phone", "--yes"),
        ("authenticator", "resync", "phone"),
    ):
        assert said(newcomer, *change) == NOT_YET
    with at(newcomer, "authenticator", "replace", "phone") as screen:
        assert shown(screen) == NOT_YET


def test_enroll(newcomer: Person) -> None:
    """The page of a first enrollment."""
    with at(newcomer, "enroll") as screen:
        screen.answer(PASSWORD, newcomer.password, hidden=True)
        set_up(screen)
        assert (
            shown(screen)
            == """\
Your password:
Scan this with the app, or type the key into it:   (Ctrl-C keeps nothing)
Key: KEY  Account: alice
Code that the app shows: 123456

Right: it is set up.
From now on, type the app's code after the password.
This code is used up: the first login takes the next one.

Recovery codes, each good for one login without the phone.
They are shown only now: write them down, or put them where you keep passwords.

    rc-xxxxx-xxxxx-xxxxx    rc-xxxxx-xxxxx-xxxxx
    rc-xxxxx-xxxxx-xxxxx    rc-xxxxx-xxxxx-xxxxx
    rc-xxxxx-xxxxx-xxxxx    rc-xxxxx-xxxxx-xxxxx
    rc-xxxxx-xxxxx-xxxxx    rc-xxxxx-xxxxx-xxxxx
    rc-xxxxx-xxxxx-xxxxx    rc-xxxxx-xxxxx-xxxxx

For new ones, at any time: pam-totp recovery-codes --new

phone is set up.
"""
        )


def test_afterwards(newcomer: Person, phone: OathPhone) -> None:
    """What there is, and that one more needs a name."""
    there = "Account: alice\n  phone: not used yet\nRecovery codes left: 10\n"
    assert said(newcomer, "status") == there
    assert said(newcomer, "authenticator", "list") == there
    assert said(newcomer, "recovery-codes") == "Recovery codes left: 10\n"
    assert said(newcomer, "recovery-codes", "--json") == '{"account": "alice", "left": 10}\n'
    assert said(newcomer, "recovery-codes", "--new") == NO_TERMINAL
    with at(newcomer, "enroll") as screen:
        more, instead = "enroll --name tablet", "authenticator replace phone"
        assert shown(screen) == (
            "pam-totp: You have an authenticator called phone: add one more, or replace it\n"
            f"hint: for one more: pam-totp {more}; in its place: pam-totp {instead}\n"
        )
    with at(newcomer, "authenticator", "rename", "tablet", "x") as screen:
        screen.answer(PROOF, phone.fresh_code())
        assert (
            shown(screen)
            == """\
A code of your app, or a recovery code: 123456
pam-totp: You have no authenticator called tablet.
"""
        )


def test_the_last_one(newcomer: Person, phone: OathPhone) -> None:
    """The last authenticator stays."""
    with at(newcomer, "authenticator", "remove", "phone") as screen:
        screen.answer(PROOF, phone.fresh_code())
        screen.answer("[y/N]", "y")
        assert (
            shown(screen)
            == """\
A code of your app, or a recovery code: 123456
Remove phone? Its codes count no longer then. [y/N] y
pam-totp: phone is your only authenticator. Replace it by a new one instead.
"""
        )


def test_resync(newcomer: Person, phone: OathPhone) -> None:
    """A phone whose clock is off is in step by two of its codes."""
    step, _ = now()
    with at(newcomer, "authenticator", "resync", "phone") as screen:
        screen.answer(PROOF, phone.recovery_codes[0])
        screen.answer(page.ENGLISH.ask, phone.code(step + 4))
        screen.answer(page.ENGLISH.ask, phone.code(step + 5))
        assert (
            shown(screen)
            == """\
A code of your app, or a recovery code: rc-xxxxx-xxxxx-xxxxx
Code that the app shows: 123456
Wait until it shows the next code.
Code that the app shows: 123456
phone is in step. The next login takes a new code.
"""
        )


def test_new_recovery_codes(newcomer: Person, phone: OathPhone, tmp_path: Path) -> None:
    """On the screen, or on a sheet; the old ones are void."""
    with at(newcomer, "recovery-codes", "--new") as screen:
        screen.answer("[y/N]", "y")
        screen.answer(PROOF, phone.recovery_codes[0])
        screen.wait_for("They are shown only now")
        assert screen.ends() == 0
        codes = recovery_codes_in(screen.transcript())[-10:]
        assert shown(screen).startswith("""\
Make new recovery codes? The 10 that are left become void. [y/N] y
A code of your app, or a recovery code: rc-xxxxx-xxxxx-xxxxx
Recovery codes, each good for one login without the phone.
""")
    tmp_path.chmod(0o777)
    for parent in tmp_path.parents[:2]:
        parent.chmod(0o711)
    sheet = tmp_path / "codes.html"
    with at(newcomer, "recovery-codes", "--new", "--yes", "--sheet", str(sheet)) as screen:
        screen.answer(PROOF, codes[0])
        assert "codes.html is written: a secret that you alone can read" in " ".join(
            shown(screen).split()
        )
    assert sheet.stat().st_mode & 0o777 == 0o600
    assert sheet.owner() == newcomer.name
    printed = recovery_codes_in(sheet.read_text())
    assert len(set(printed)) == 10
    assert not set(printed) & set(codes)
    with at(newcomer, "authenticator", "rename", "phone", "mine") as screen:
        screen.answer(PROOF, printed[0])
        assert shown(screen).endswith("phone is called mine now.\n")


@pytest.mark.parametrize("key", ["C-d", "C-c"])
def test_who_stops(key: str, newcomer: Person) -> None:
    """Ctrl-C and Ctrl-D at any question leave nothing."""
    for stop_at_code in (False, True):
        with at(newcomer, "enroll") as screen:
            screen.wait_for_prompt(PASSWORD)
            if stop_at_code:
                screen.answer(PASSWORD, newcomer.password, hidden=True)
                screen.wait_for_prompt(page.ENGLISH.ask)
            screen.press(key)
            assert screen.ends() != 0
            if key == "C-d":
                assert shown(screen).endswith("pam-totp: no answer; nothing was changed\n")
    assert not newcomer.status()["enrolled"]


def test_the_limit(newcomer: Person, phone: OathPhone) -> None:
    """Where one authenticator is allowed, a second one is refused with what to do."""
    with policy("authenticators=1"), at(newcomer, "enroll", "--name", "tablet") as screen:
        screen.answer(PROOF, phone.fresh_code())
        assert "more than one is not allowed. Replace\nit.\n" in shown(screen)


def test_left_to_administrators(newcomer: Person, phone: OathPhone) -> None:
    """Where the policy says so, nothing is asked."""
    with policy("self-enrollment=off"):
        by_them = "Codes are set up by your administrator here.\n"
        with at(newcomer, "enroll", "--name", "tablet") as screen:
            assert shown(screen) == f"pam-totp: {by_them}"
        assert said(newcomer, "status").endswith(by_them)


def wrong_codes(newcomer: Person, phone: OathPhone) -> str:
    """Type three wrong codes, and return what is shown."""
    with at(newcomer, "enroll", "--name", "tablet") as screen:
        for _ in range(3):
            screen.answer(PROOF, phone.wrong_code())
        return shown(screen)


def test_locked(newcomer: Person, phone: OathPhone) -> None:
    """Three tries, and a lock; who is locked is told so, and not asked."""
    asked = "A code of your app, or a recovery code: 123456\n"
    wrong = f"{asked}Wrong code.\n"
    assert wrong_codes(newcomer, phone) == f"{wrong}{wrong}{asked}pam-totp: Wrong code.\n"
    locked = "Too many wrong answers. Locked until WHEN.\n"
    assert wrong_codes(newcomer, phone) == f"{wrong}{wrong}{asked}pam-totp: {locked}"
    assert said(newcomer, "status").endswith("Locked until WHEN.\n")
    with at(newcomer, "enroll", "--name", "tablet") as screen:
        assert shown(screen) == "pam-totp: Locked until WHEN.\n"
    newcomer.unlock()
    newcomer.lock()
    with at(newcomer, "enroll", "--name", "tablet") as screen:
        assert shown(screen) == "pam-totp: Locked by an administrator.\n"
    assert said(newcomer, "status").endswith("Locked by an administrator.\n")


def test_without_the_service(newcomer: Person, service: Service) -> None:
    """What to do, in one line."""
    service.stop()
    away = (
        "pam-totp: the service pam-totpd does not run\n"
        "hint: sudo systemctl start pam-totpd, or ask your administrator\n"
    )
    assert said(newcomer, "status") == away
    with at(newcomer, "enroll") as screen:
        assert shown(screen) == away
