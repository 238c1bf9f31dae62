"""`collect`: password and code out of what clients send, and what is handed on."""

from __future__ import annotations

import base64

import pytest

from pam_totp import administration
from pam_totp.otp import Parameters
from pam_totp.verdict import Verdict
from tests.unit.world import (
    ALICE,
    BOB,
    CODE_PROMPT,
    NOON,
    PASSWORD_PROMPT,
    Phone,
    Talk,
    World,
)

PASSWORD = "correct horse 123456"


@pytest.fixture(name="phone")
def phone_fixture(world: World) -> Phone:
    """Alice has enrolled."""
    return world.enroll()


def field(text: str | None, *answers: str | None, name: str = "alice") -> Talk:
    """Return the conversation of a client that sends a password field, and answers the code's
    prompt so often."""
    return Talk(name, [(PASSWORD_PROMPT, text), *((CODE_PROMPT, a) for a in answers)])


def scrv1(password: str, code: str) -> str:
    """Return a static challenge's field."""
    return ":".join(["SCRV1", *(base64.b64encode(p.encode()).decode() for p in (password, code))])


def test_an_answer_to_the_prompt(world: World, phone: Phone) -> None:
    """The answer to the code's prompt is the code; the password is handed on as it came, with
    its own digits at the end."""
    talk = field(PASSWORD, phone.code(NOON))
    assert world.through_field(talk, password=PASSWORD) is Verdict.ACCEPTED
    assert talk.authtok == PASSWORD


@pytest.mark.parametrize("answer", [None, "", "  ", "itself", "alice"])
def test_a_code_behind_the_password(world: World, phone: Phone, answer: str | None) -> None:
    """Where the answer is empty, repeats the password or the name, or the prompt could not be
    shown, the code is the end of the password field."""
    text = PASSWORD + phone.code(NOON)
    talk = field(text, text if answer == "itself" else answer)
    assert world.through_field(talk, password=PASSWORD) is Verdict.ACCEPTED


def test_a_wrong_code_behind_the_password(world: World, phone: Phone) -> None:
    """A wrong code there is a wrong code."""
    talk = field(PASSWORD + phone.wrong(NOON)[0], "")
    assert world.through_field(talk, password=PASSWORD) is Verdict.WRONG_CODE


def test_a_wrong_password_in_front_of_a_right_code(world: World, phone: Phone) -> None:
    """A wrong password is counted by address; the code behind it is not spent."""
    before = world.store.look("alice")
    talk = field("wrong" + phone.code(NOON), "")
    assert world.through_field(talk, password=PASSWORD) is Verdict.WRONG_PASSWORD
    assert world.store.look("alice") == before
    talk = field(PASSWORD + phone.code(NOON), "")
    assert world.through_field(talk, password=PASSWORD) is Verdict.ACCEPTED


def test_a_password_alone(world: World, phone: Phone) -> None:
    """A right password without any code is refused, and nothing is counted."""
    before = world.store.look("alice")
    assert world.through_field(field("hunter", ""), password="hunter") is Verdict.NO_CODE
    assert world.store.look("alice") == before


@pytest.mark.parametrize("digits", [6, 7, 8])
def test_cut_by_the_accounts_own_number(world: World, digits: int) -> None:
    """So many digits are cut off as the account's own codes have."""
    phone = world.enroll(parameters=Parameters(digits=digits))
    talk = field(PASSWORD + phone.code(NOON), "")
    assert world.through_field(talk, password=PASSWORD) is Verdict.ACCEPTED


def test_authenticators_that_disagree(world: World, phone: Phone) -> None:
    """Where the account's authenticators have codes of different lengths no digits are cut:
    the whole field is the password."""
    world.enroll(name="tablet", parameters=Parameters(digits=8))
    whole = PASSWORD + phone.code(NOON)
    talk = field(whole, "")
    assert world.through_field(talk, password=whole) is Verdict.NO_CODE
    assert talk.authtok == whole
    code = phone.code(NOON)
    assert world.through_field(field(PASSWORD, code), password=PASSWORD) is Verdict.ACCEPTED
    printed = field(PASSWORD + phone.recovery_codes[0], "")
    assert world.through_field(printed, password=PASSWORD) is Verdict.ACCEPTED


def test_a_recovery_code_in_its_printed_form(world: World, phone: Phone) -> None:
    """A recovery code behind the password works once, in its printed form."""
    text = PASSWORD + phone.recovery_codes[0]
    assert world.through_field(field(text, ""), password=PASSWORD) is Verdict.ACCEPTED
    assert world.through_field(field(text, ""), password=PASSWORD) is Verdict.REPLAYED_CODE


@pytest.mark.parametrize("typed", [str.upper, lambda code: code.replace("-", "")])
def test_a_recovery_code_in_another_form(world: World, phone: Phone, typed: object) -> None:
    """In any other form it is part of the password, so that no cut is ambiguous."""
    assert callable(typed)
    whole = PASSWORD + typed(phone.recovery_codes[0])
    talk = field(whole, "")
    assert world.through_field(talk, password=whole) is Verdict.NO_CODE
    assert talk.authtok == whole


def test_a_recovery_code_at_the_prompt(world: World, phone: Phone) -> None:
    """At the prompt a recovery code is taken in any typing."""
    talk = field(PASSWORD, phone.recovery_codes[0].upper())
    assert world.through_field(talk, password=PASSWORD) is Verdict.ACCEPTED


@pytest.mark.parametrize("what", ["code", "recovery code", "nothing", "empty challenge"])
def test_an_empty_remainder(world: World, phone: Phone, what: str) -> None:
    """A field that holds no password is refused before any module sees it, and not counted."""
    texts: dict[str, str | None] = {
        "code": phone.code(NOON),
        "recovery code": phone.recovery_codes[0],
        "nothing": "",
        "empty challenge": scrv1("", phone.code(NOON)),
    }
    prompts = [""] if what.endswith("code") else []
    talk = field(texts[what], *prompts)
    assert world.login(talk).collect() is Verdict.NO_CODE
    assert not talk.script
    assert talk.kept is None
    assert world.check(phone.code(NOON)) is Verdict.ACCEPTED


def test_a_password_that_could_not_be_asked_for(world: World, phone: Phone) -> None:
    """Where the password's prompt cannot be shown nobody gets in, and nothing is counted."""
    assert world.login(field(None)).collect() is Verdict.NO_CODE


def test_a_static_challenge(world: World, phone: Phone) -> None:
    """A static challenge that the application did not take apart is taken apart here, and no
    code is asked for."""
    talk = field(scrv1(PASSWORD, phone.code(NOON)))
    assert world.through_field(talk, password=PASSWORD) is Verdict.ACCEPTED
    assert talk.authtok == PASSWORD


def test_a_static_challenge_without_a_code(world: World, phone: Phone) -> None:
    """A static challenge whose response is empty has no code."""
    talk = field(scrv1(PASSWORD, ""))
    assert world.through_field(talk, password=PASSWORD) is Verdict.NO_CODE


@pytest.mark.parametrize("name", ["alice", "bob"])
@pytest.mark.parametrize("text", ["SCRV1:", "SCRV1:aHVudGVyMg==", "SCRV1:hunter2:123456"])
def test_a_malformed_static_challenge(world: World, phone: Phone, name: str, text: str) -> None:
    """A malformed one is refused and never handed on, whoever it is."""
    talk = field(text, name=name)
    assert world.login(talk).collect() is Verdict.MALFORMED
    assert not talk.script
    assert talk.kept is None
    assert "hunter2" not in "".join(world.lines)


def test_an_account_that_needs_no_code(world: World, phone: Phone) -> None:
    """Whoever has not enrolled is asked for no code and keeps the password whole, whatever it
    ends in."""
    for text in (PASSWORD, "123456", phone.recovery_codes[0], "x" + phone.recovery_codes[0]):
        talk = field(text, name="bob")
        assert world.through_field(talk, password=text) is Verdict.NOT_NEEDED
        assert talk.authtok == text
    talk = field(scrv1(PASSWORD, "123456"), name="bob")
    assert world.through_field(talk, password=PASSWORD) is Verdict.NOT_NEEDED
    assert talk.authtok == PASSWORD


def test_what_is_kept_gets_only_stricter(world: World) -> None:
    """Whoever enrolls between the two lines needs a code; whoever is reset between them is
    not let in for the code that was collected."""
    talk = field(PASSWORD, name="bob")
    assert world.login(talk).collect() is Verdict.NOT_NEEDED
    phone = world.enroll(BOB)
    assert world.login(talk).check() is Verdict.NO_CODE
    talk = field(PASSWORD, phone.code(NOON), name="bob")
    assert world.login(talk).collect() is Verdict.NOT_NEEDED
    administration.reset(world.store, "bob", NOON, "root")
    assert world.login(talk).check() is Verdict.NOT_ENROLLED
    talk = field(PASSWORD, name="bob")
    assert world.login(talk).collect() is Verdict.NOT_NEEDED
    administration.lock(world.store, "bob", NOON, "root")
    assert world.login(talk).check() is Verdict.LOCKED_BY_ADMINISTRATOR


@pytest.mark.parametrize(
    "kept", ["", "free", "none", "accepted", "0", "code:", "code", "x", "CODE:1"]
)
def test_no_kept_value_lets_anyone_in(world: World, phone: Phone, kept: str) -> None:
    """Whatever a host has put there, a value that is no right code lets nobody in who has
    enrolled, and nothing is asked."""
    talk = Talk("alice", kept=kept)
    assert world.login(talk).check() is Verdict.NO_CODE
    assert talk.kept is None


def test_a_kept_code_is_checked_once(world: World, phone: Phone) -> None:
    """A collected code is gone when it was checked; the next call asks."""
    talk = field(PASSWORD, phone.code(NOON), phone.code(NOON, 1))
    assert world.login(talk).collect() is Verdict.NOT_NEEDED
    assert world.login(talk).check() is Verdict.ACCEPTED
    assert world.login(talk).check() is Verdict.ACCEPTED
    assert not talk.script


def test_collect_says_nothing(world: World, phone: Phone) -> None:
    """`collect` leaves the log line to the line that checks, and delays nothing."""
    world.lines.clear()
    talk = field(PASSWORD, phone.code(NOON))
    world.login(talk).collect()
    assert world.lines == []
    assert talk.delays == []


def test_a_collected_answer_that_repeats_the_name(world: World, phone: Phone) -> None:
    """A name given as a code counts as none, at a program that answers by rote."""
    talk = field(PASSWORD[:-7], "alice")
    assert world.through_field(talk, password=PASSWORD[:-7]) is Verdict.NO_CODE


def test_the_own_door(world: World, phone: Phone) -> None:
    """At a program of the person's own the same fields are understood."""
    talk = field(PASSWORD + phone.code(NOON), "")
    talk.host_uid = ALICE.uid
    assert world.through_field(talk, password=PASSWORD) is Verdict.ACCEPTED
