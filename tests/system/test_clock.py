"""A phone whose clock is off: refused as a wrong code, seen by the administrator, set right."""

from __future__ import annotations

import json
import time

from tests.system.lab import host
from tests.system.lab.host import AUTH_ERR, SUCCESS
from tests.system.lab.journal import Journal
from tests.system.lab.person import Person
from tests.system.lab.phone import PERIOD
from tests.system.lab.product import COMMAND, ask_pam_totp, pam_totp
from tests.system.lab.terminal import Terminal

SLOW = 8  # steps: four minutes
HOURS = 2 * 3600


def step() -> int:
    """Return the time step of now."""
    return int(time.time()) // PERIOD


def log_in(person: Person, code: str) -> host.Ended:
    """Log in with the right password and a code."""
    return host.login("sshd", person.name, password=person.password, code=code)


def test_a_slow_phone(person: Person, journal: Journal) -> None:
    """The code of a phone that is four minutes slow is refused in the words of a wrong one;
    log, events and status say what it was, and the next right code clears it."""
    slow, wrong = (
        log_in(person, code) for code in (person.phone.code(step() - SLOW), person.wrong_code())
    )
    assert slow.result == wrong.result == AUTH_ERR
    assert slow.events == tuple(event.replace(wrong.result, slow.result) for event in wrong.events)
    fields = journal.wait_for("the phone's clock is").fields
    assert (fields["verdict"], fields["authenticator"]) == ("wrong-code", "phone")
    assert fields["detail"] in {f'"the phone\'s clock is {s} s slow"' for s in (240, 270)}
    assert person.failures == 2
    (one,) = ask_pam_totp("authenticator", "list", person.name)
    assert one["drift"] in (-240, -270)
    assert "4 minutes slow" in pam_totp("authenticator", "list", person.name)
    assert log_in(person, person.fresh_code()).result == SUCCESS
    (one,) = ask_pam_totp("authenticator", "list", person.name)
    assert one["drift"] is None


def test_a_phone_that_cannot_be_set(person: Person, journal: Journal) -> None:
    """Two codes in a row of a phone that is two hours slow, typed by the administrator at a
    terminal: its codes get in from then on, once each, and it is recorded who did it."""
    code, then = person.phone.code, step() - HOURS // PERIOD
    assert log_in(person, code(then)).result == AUTH_ERR
    with Terminal(COMMAND, "authenticator", "resync", person.name, "phone") as administrator:
        administrator.answers("Code: ", code(then), hidden=False)
        administrator.answers("Next code: ", code(then + 1), hidden=False)
        administrator.sees("its clock is")
        assert administrator.ends() == 0
    act = journal.wait_for("act=resync").fields
    assert (act["account"], act["by"], act["authenticator"]) == (person.name, "root", "phone")
    assert log_in(person, code(then + 1)).result == AUTH_ERR
    assert log_in(person, code(then + 2)).result == SUCCESS
    assert log_in(person, code(then + 2)).result == AUTH_ERR
    assert "replayed-code" in journal.verdicts(person.name)


def test_codes_of_the_true_time_after_that(person: Person) -> None:
    """Where the window lies around a slow clock, the codes of the true time are wrong ones; two
    of them in a row bring it back, and say that it was set back."""
    now = step()
    for first in (now - HOURS // PERIOD, now):
        with Terminal(COMMAND, "authenticator", "resync", person.name, "phone") as administrator:
            administrator.answers("Code: ", person.phone.code(first), hidden=False)
            administrator.answers("Next code: ", person.phone.code(first + 1), hidden=False)
            administrator.sees("is in step")
            assert administrator.ends() == 0
    (one,) = json.loads(pam_totp("authenticator", "list", person.name, "--json"))
    assert one["offset"] == 0
    assert log_in(person, person.phone.code(now + 1)).result == AUTH_ERR  # used up by it
