"""People look after their own account at a terminal, without root: enroll, a second device, a new
phone, other names, new recovery codes; each proved by a real login.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from typing import Final

import pytest

from tests.system.lab import page
from tests.system.lab.page import recovery_codes_on
from tests.system.lab.person import Person
from tests.system.lab.phone import OathPhone
from tests.system.lab.product import COMMAND, pam_totp, policy
from tests.system.lab.scan import scan_only
from tests.system.lab.screen import SMALL, UNICODE, Screen
from tests.system.lab.ssh import Sshd, is_in, is_refused

PASSWORD: Final = "Your password:"
PROOF: Final = "A code of your app, or a recovery code:"
GERMAN: Final = {"LANG": "de_DE.UTF-8", "LC_CTYPE": "C.UTF-8"}


@pytest.fixture(scope="module")
def sshd(world: None) -> Iterator[Sshd]:
    """Debian's sshd with our line in its stack and our drop-in."""
    with Sshd() as sshd:
        yield sshd


def identity(person: Person) -> tuple[str, ...]:
    """Return the words in front of a command that a person runs, in the terminal's locale."""
    return ("setpriv", f"--reuid={person.uid}", f"--regid={person.uid}", "--init-groups", "--")


def gets_in(sshd: Sshd, person: Person, code: str, *, refused: bool = False) -> None:
    """Log in over SSH, or be refused."""
    with sshd.client(person.name) as client:
        client.gives_password(person.password)
        client.gives_code(code)
        is_refused(client) if refused else is_in(client)


def at(person: Person, *words: str, environment: dict[str, str] = UNICODE) -> Screen:
    """Run the command as a person, on a small screen."""
    return Screen(SMALL, [*identity(person), COMMAND, *words], environment)


def plainly(person: Person, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a person where there is no terminal."""
    return subprocess.run(
        [*identity(person), COMMAND, *words],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
        timeout=60,
    )


def set_up(screen: Screen) -> OathPhone:
    """Scan what the screen shows, and type the code of it."""
    screen.wait_for_prompt(page.ENGLISH.ask)
    phone = OathPhone.scanned(scan_only(screen).uri)
    screen.answer(page.ENGLISH.ask, phone.fresh_code())
    return phone


def enrolled(person: Person) -> OathPhone:
    """Enroll as oneself, by password."""
    with at(person, "enroll") as screen:
        screen.answer(PASSWORD, person.password, hidden=True)
        phone = set_up(screen)
        screen.wait_for("phone is set up.")
        phone.recovery_codes[:] = recovery_codes_on(screen)
        assert screen.ends() == 0
    return phone


def test_the_life_of_an_account(newcomer: Person, sshd: Sshd) -> None:
    """Enroll by password, add a tablet, change phones by a recovery code, rename, remove, make
    new recovery codes: after each the right things let in and the old ones do not."""
    phone = enrolled(newcomer)
    gets_in(sshd, newcomer, phone.fresh_code())

    with at(newcomer, "enroll", "--name", "tablet") as screen:
        screen.answer(PROOF, phone.fresh_code())
        tablet = set_up(screen)
        screen.wait_for("tablet is set up.")
        assert screen.ends() == 0
    gets_in(sshd, newcomer, tablet.fresh_code())

    with at(newcomer, "authenticator", "replace", "phone") as screen:
        screen.answer(PROOF, phone.recovery_codes[0])
        new = set_up(screen)
        screen.wait_for("phone is set up, in the place of phone.")
        assert screen.ends() == 0
    gets_in(sshd, newcomer, new.fresh_code())
    gets_in(sshd, newcomer, phone.fresh_code(), refused=True)

    with at(newcomer, "authenticator", "rename", "tablet", "my tablet") as screen:
        screen.answer(PROOF, new.fresh_code())
        screen.wait_for("tablet is called my tablet now.")
    with at(newcomer, "authenticator", "remove", "my tablet", "--yes") as screen:
        screen.answer(PROOF, new.fresh_code())
        screen.wait_for("my tablet is removed.")
    with at(newcomer, "recovery-codes", "--new", "--yes") as screen:
        screen.answer(PROOF, new.fresh_code())
        screen.wait_for("They are shown only now")
        codes = recovery_codes_on(screen)
    gets_in(sshd, newcomer, phone.recovery_codes[1], refused=True)
    gets_in(sshd, newcomer, codes[0])

    done = plainly(newcomer, "status", "--json")
    seen = json.loads(done.stdout)
    assert [one["name"] for one in seen["authenticators"]] == ["phone"]
    assert seen["recovery_codes"] == 9
    events = [json.loads(li) for li in pam_totp("events", newcomer.name, "--json").splitlines()]
    acts = [one["what"] for one in events if one["service"] == "pam-totp"]
    for what in ("enrolled", "authenticator-added", "authenticator-replaced", "recovery-codes"):
        assert what in acts
    assert {one["by"] for one in events} == {""}


def test_what_is_seen(newcomer: Person) -> None:
    """Before and after, people see what they have and what to do, at a terminal or not."""
    before = plainly(newcomer, "status")
    assert before.returncode == 0
    assert "No code is set up." in before.stdout
    assert "pam-totp enroll" in before.stderr
    phone = enrolled(newcomer)
    after = plainly(newcomer, "authenticator", "list")
    assert re.search(r"phone: last used|phone: not used yet", after.stdout)
    assert "Recovery codes left: 10" in plainly(newcomer, "recovery-codes").stdout
    assert phone.secret not in after.stdout


def test_a_wrong_password(newcomer: Person) -> None:
    """It is asked for again, three times, counted, and nothing is set up."""
    with at(newcomer, "enroll") as screen:
        for _ in range(3):
            screen.answer(PASSWORD, "not the password", hidden=True)
        screen.wait_for("Wrong password.")
        assert screen.ends() == 1
    assert not newcomer.status()["enrolled"]


def test_by_invitation(newcomer: Person, sshd: Sshd) -> None:
    """Where the policy wants an invitation it is asked for beside the password."""
    with policy("invitations=required"):
        word = json.loads(pam_totp("invite", newcomer.name, "--json"))["invitation"]
        with at(newcomer, "enroll") as screen:
            screen.answer(PASSWORD, newcomer.password, hidden=True)
            screen.answer("Your invitation (in-...):", "in-22222-22222-2222a")
            screen.wait_for("not your invitation")
            screen.answer("Your invitation (in-...):", word.upper())
            phone = set_up(screen)
            screen.wait_for("phone is set up.")
    gets_in(sshd, newcomer, phone.fresh_code())


def test_somebody_else(newcomer: Person, people: object) -> None:
    """Another's account takes root, and a change without a right code is none."""
    done = plainly(newcomer, "enroll", "root")
    assert done.returncode == 1
    assert "this needs root" in done.stderr
    enrolled(newcomer)
    with at(newcomer, "authenticator", "rename", "phone", "mine") as screen:
        for code in ("111111", "222222", "333333"):
            screen.answer(PROOF, code)
        assert screen.ends() == 1
    assert newcomer.status()["authenticators"] == ["phone"]


def test_in_german(newcomer: Person) -> None:
    """The page speaks the language of the terminal."""
    with at(newcomer, "enroll", environment=GERMAN) as screen:
        screen.answer("Ihr Passwort:", newcomer.password, hidden=True)
        screen.wait_for("Code, den die App zeigt:")


def test_without_a_terminal(newcomer: Person) -> None:
    """Where nobody can be asked, it says so, and how."""
    done = plainly(newcomer, "enroll")
    assert done.returncode == 1
    assert "there is no terminal to ask on" in done.stderr
    assert "ssh -t" in done.stderr
