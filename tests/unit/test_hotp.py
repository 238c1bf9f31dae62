"""Tokens that count (RFC 4226): the look-ahead, used codes, and what stands in the log."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pam_totp import administration, enrollment, matching
from pam_totp.account import NOBODY, AccountState, AuthenticatorState
from pam_totp.decide import Rules
from pam_totp.errors import EnrollmentError
from pam_totp.lockout import Limits
from pam_totp.matching import AHEAD, LOOK_AHEAD
from pam_totp.otp import ALGORITHMS, COUNTERS, DIGITS, Parameters
from pam_totp.outward import detail_of
from pam_totp.secret import Secret
from pam_totp.verdict import Verdict
from tests.unit.world import ALICE, NOON, Account, Phone, Token, World, credentials, typed

SECRET = b"12345678901234567890"  # RFC 4226 appendix D
VECTORS = Path(__file__).parents[1] / "vectors/rfc4226-appendix-d.txt"
ROWS = [row.split() for row in VECTORS.read_text(encoding="ascii").splitlines() if row]
RFC = [row[-1] for row in ROWS if row[0] != "#"]
MANY = Rules(limits=Limits(failures=100))
PHONE = Phone(b"p" * 20)


def account(*devices: Phone | Token, last: int = -1, rules: Rules = MANY) -> Account:
    """Return an account whose every device stands after the counter `last`."""
    known = credentials(*devices)
    states = {one.id: AuthenticatorState(last) for one in known.authenticators}
    return Account(known, AccountState(1, 1, authenticators=states), rules=rules)


def last_of(alice: Account, id_: str = "id0") -> int:
    """Return the last counter of a device."""
    return alice.state.authenticators[id_].last_step


# -- what counts ------------------------------------------------------------------------------


def test_the_rfcs_codes_in_order() -> None:
    """The ten codes of RFC 4226 appendix D log in one after the other, each once, whatever
    the clock does meanwhile."""
    alice = account(Token(SECRET))
    for number, code in enumerate(RFC):
        assert alice.verdict(code, NOON - 1000 * number) is Verdict.ACCEPTED
        assert last_of(alice) == number
    for number, code in enumerate(RFC):
        assert alice.verdict(code, NOON + 1000 * number) is Verdict.REPLAYED_CODE
    assert last_of(alice) == 9


@pytest.mark.parametrize("look_ahead", [1, 2, 10, 100])
@pytest.mark.parametrize("last", [-1, 0, 5, 2**40])
def test_the_look_ahead(look_ahead: int, last: int) -> None:
    """The codes of exactly so many counters after the last one get in, and each takes the
    counter to its own."""
    token = Token(b"t" * 20, digits=8)
    for beside in range(1, look_ahead + 3):
        alice = account(token, last=last, rules=replace(MANY, look_ahead=look_ahead))
        found = alice.verdict(token.code(last + beside), NOON)
        assert found is (Verdict.ACCEPTED if beside <= look_ahead else Verdict.WRONG_CODE)
        assert last_of(alice) == (last + beside if beside <= look_ahead else last)


@pytest.mark.parametrize("look_ahead", [1, 10])
def test_used_codes(look_ahead: int) -> None:
    """The codes of as many counters up to the last one are replayed and no guess; older ones
    are like any other wrong code; neither moves the counter."""
    token = Token(b"t" * 20, digits=8)
    alice = account(token, last=50, rules=replace(MANY, look_ahead=look_ahead))
    for counter in range(51 - look_ahead, 51):
        assert alice.verdict(token.code(counter), NOON) is Verdict.REPLAYED_CODE
    assert alice.state.wrong.in_a_row == 0
    assert alice.verdict(token.code(50 - look_ahead), NOON) is Verdict.WRONG_CODE
    assert (alice.state.wrong.in_a_row, last_of(alice)) == (1, 50)


def test_what_was_passed_over() -> None:
    """Codes that were passed over are used with the one that was typed."""
    token = Token(SECRET)
    alice = account(token)
    assert alice.verdict(token.code(5), NOON) is Verdict.ACCEPTED
    for counter in range(6):
        assert alice.verdict(token.code(counter), NOON) is Verdict.REPLAYED_CODE
    assert alice.verdict(token.code(6), NOON) is Verdict.ACCEPTED


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("digits", DIGITS)
def test_every_kind(algorithm: str, digits: int) -> None:
    """Tokens of every hash and length log in, and none has a clock."""
    token = Token(b"k" * 32, 3, digits, algorithm)
    alice = account(token, last=2)
    assert alice.verdict(token.press(), NOON) is Verdict.ACCEPTED
    assert alice.verdict(token.press(), NOON + 10**8) is Verdict.ACCEPTED
    assert alice.verdict(token.code(5)[:-1], NOON) is Verdict.WRONG_CODE
    assert alice.state.authenticators["id0"].drift is None


def test_several_devices() -> None:
    """A code advances every device that it matches, of time and of counters: one secret in
    three of them is used up in all by one login."""
    step = int(NOON // 30)
    phone, token = Phone(SECRET), Token(SECRET)
    alice = account(phone, token, token, last=step - 2)
    assert alice.verdict(phone.code(NOON), NOON) is Verdict.ACCEPTED
    assert [last_of(alice, f"id{number}") for number in range(3)] == [step] * 3
    assert alice.verdict(token.code(step), NOON) is Verdict.REPLAYED_CODE
    assert alice.verdict(token.code(step + 3), NOON) is Verdict.ACCEPTED
    assert [last_of(alice, f"id{number}") for number in range(3)] == [step, step + 3, step + 3]


def test_used_for_one_and_new_for_another() -> None:
    """A code that a token has used is accepted where another device has not, and takes no
    counter back."""
    token = Token(SECRET)
    alice = account(token, token)
    states = {"id0": AuthenticatorState(7), "id1": AuthenticatorState(1)}
    alice.state = replace(alice.state, authenticators=states)
    assert alice.verdict(token.code(3), NOON) is Verdict.ACCEPTED
    assert (last_of(alice, "id0"), last_of(alice, "id1")) == (7, 3)
    assert alice.verdict(token.code(3), NOON) is Verdict.REPLAYED_CODE


def test_every_candidate_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """A right code, a used one and a wrong one cost as many comparisons when they are matched,
    and both refusals as many altogether."""
    token, compared = Token(b"t" * 20), []
    original = matching.hmac.compare_digest

    def counting(one: str, other: str) -> bool:
        compared.append(one)
        return original(one, other)

    monkeypatch.setattr(matching.hmac, "compare_digest", counting)
    matched, refused = set(), set()
    for code in (token.code(51), token.code(60), token.code(50), "000000", token.code(61), ""):
        compared.clear()
        alice = account(token, PHONE, last=50)
        matching.match(typed(code), credentials(token, PHONE), alice.state, NOON, 1)
        matched.add(len(compared))
        compared.clear()
        if alice.verdict(code, NOON) is not Verdict.ACCEPTED:
            refused.add(len(compared))
    assert matched == {2 * LOOK_AHEAD + 3}
    assert refused == {2 * LOOK_AHEAD + 3 + AHEAD + 41}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-12, 30), max_size=25), st.integers(1, 20))
def test_no_counter_twice(presses: list[int], look_ahead: int) -> None:
    """Whatever codes are typed in whatever order: the counter never goes down, and none is
    accepted that is not after it."""
    token = Token(b"h" * 20, digits=8)
    alice = account(token, rules=replace(MANY, look_ahead=look_ahead))
    for number, beside in enumerate(presses):
        before = last_of(alice)
        counter = max(0, before + beside)
        found = alice.verdict(token.code(counter), NOON + 1000 * number)
        assert (found is Verdict.ACCEPTED) == (before < counter <= before + look_ahead)
        assert last_of(alice) == (counter if found is Verdict.ACCEPTED else before)


# -- a token that is ahead --------------------------------------------------------------------


@pytest.mark.parametrize("skipped", [LOOK_AHEAD, 57, AHEAD - 1])
def test_a_token_that_is_ahead(skipped: int) -> None:
    """A code further ahead is refused and counted as any wrong one; the log says how far ahead
    the token is and what helps, and whoever typed it is told nothing."""
    token = Token(b"t" * 20, digits=8)
    alice = account(token, last=4)
    made = alice.tries(token.code(5 + skipped), NOON)
    assert (made.verdict, made.ahead, made.drift) == (Verdict.WRONG_CODE, skipped, None)
    assert made.authenticator == "phone0"
    assert detail_of(made) == (
        f"the token's counter is {skipped} ahead: authenticator resync helps"
    )
    assert last_of(alice) == 4
    assert alice.state.wrong.in_a_row == 1


def test_a_token_that_is_too_far_ahead() -> None:
    """Beyond the reach nothing is said: it may be anybody's guess."""
    token = Token(b"t" * 20, digits=8)
    alice = account(token, last=4)
    made = alice.tries(token.code(5 + AHEAD), NOON)
    assert (made.verdict, made.ahead, made.authenticator) == (Verdict.WRONG_CODE, None, None)


def test_a_token_has_no_clock() -> None:
    """Codes of a token say nothing of a clock, and those of a phone nothing of a counter."""
    step = int(NOON // 30)
    token, phone = Token(b"t" * 20, digits=8), Phone(b"q" * 20, Parameters(digits=8))
    alice = account(token, phone, last=step - 100)
    made = alice.tries(token.code(step - 40), NOON)
    assert (made.drift, made.ahead) == (None, 59)
    made = alice.tries(phone.code(NOON, 5), NOON)
    assert (made.drift, made.ahead) == (150, None)


# -- the policy -------------------------------------------------------------------------------


def test_the_policys_look_ahead(world: World) -> None:
    """The policy's number holds for whom it is set, and between two groups the smaller."""
    token = Token(b"t" * 20, digits=8)
    world.enroll_token(token)
    world.sets("hotp-look-ahead=3")
    assert world.check(token.code(3)) is Verdict.WRONG_CODE
    assert world.check(token.code(2)) is Verdict.ACCEPTED
    world.groups |= {"staff": True, "guests": True}
    world.sets("hotp-look-ahead=50", group="staff")
    assert world.check(token.code(52)) is Verdict.ACCEPTED
    world.sets("hotp-look-ahead=2", group="guests")
    assert world.check(token.code(55)) is Verdict.WRONG_CODE
    assert world.check(token.code(54)) is Verdict.ACCEPTED


def test_a_login_says_what_it_saw(world: World) -> None:
    """The event and the log line of a login name the token that is ahead."""
    token = Token(b"t" * 20, digits=8)
    world.enroll_token(token)
    assert world.check(token.code(40)) is Verdict.WRONG_CODE
    event = world.events()[-1]
    assert (event.what, event.authenticator) == ("wrong-code", "token")
    assert event.detail == "the token's counter is 40 ahead: authenticator resync helps"
    assert event.detail in world.lines[-1]
    assert token.code(40) not in world.lines[-1]


# -- enrolling one ----------------------------------------------------------------------------


def draft_of(world: World, token: Token, counter: int) -> enrollment.Draft:
    """Return the draft of a token."""
    wanted = enrollment.Wanted(token.parameters, Secret(token.secret), counter)
    return enrollment.draft(world.store, ALICE, "token", NOON, wanted)


@pytest.mark.parametrize("counter", [0, 5, 1000])
def test_what_proves_a_token(world: World, counter: int) -> None:
    """The codes from the given counter on prove a token, those before it never do."""
    token = Token(b"t" * 20, digits=8)
    drafted = draft_of(world, token, counter)
    for beside in range(LOOK_AHEAD):
        found = enrollment.proves(drafted, token.code(counter + beside), NOON)
        assert found == counter + beside
    assert enrollment.proves(drafted, token.code(counter + LOOK_AHEAD), NOON) is None
    wider = LOOK_AHEAD + 1
    assert enrollment.proves(drafted, token.code(counter + LOOK_AHEAD), NOON, look_ahead=wider)
    for before in range(max(0, counter - 12), counter):
        assert enrollment.proves(drafted, token.code(before), NOON) is None
    assert enrollment.drift(drafted, token.code(counter + LOOK_AHEAD), NOON) is None


def test_the_proving_code_is_spent(world: World) -> None:
    """The code that proved a token lets nobody in; the next one does."""
    token = Token(b"t" * 20, 5, digits=8)
    drafted = draft_of(world, token, 5)
    step = enrollment.proves(drafted, token.press(), NOON)
    enrollment.keep(world.store, drafted, NOON, "root", step)
    assert world.check(token.code(5)) is Verdict.REPLAYED_CODE
    assert world.check(token.code(4)) is Verdict.REPLAYED_CODE
    assert world.check(token.press()) is Verdict.ACCEPTED


@pytest.mark.parametrize("counter", [-1, COUNTERS[-1] + 1, 2**64])
def test_what_is_no_counter(counter: int) -> None:
    """A counter is a whole number that every reader of the records can hold."""
    with pytest.raises(EnrollmentError, match="is no counter: a whole number, 0 to") as caught:
        enrollment.Wanted(counter=counter)
    assert caught.value.hint


def test_the_last_counter() -> None:
    """At the end of all counters a code is still computed."""
    token = Token(b"t" * 20, digits=8)
    alice = account(token, last=COUNTERS[-1])
    assert alice.verdict(token.code(COUNTERS[-1] + 1), NOON) is Verdict.ACCEPTED


# -- after a store was put together again -----------------------------------------------------


def test_after_a_renewal() -> None:
    """Where the store was renewed, no code of a token counts, used or to come: it may have
    been used since the counter that is known.  The log says that resync helps, doing it twice
    changes nothing more, and a phone beside it goes on."""
    token = Token(b"t" * 20, digits=8)
    alice = account(token, PHONE, last=40)
    assert alice.credentials is not None
    once = administration.spend(alice.credentials, alice.state, NOON, MANY)
    assert administration.spend(alice.credentials, once, NOON, MANY) == once
    alice.state = once
    for number, counter in enumerate(range(30, 110)):
        assert alice.verdict(token.code(counter), NOON + 1000 * number) is Verdict.WRONG_CODE
    made = alice.tries(token.code(60), NOON + 10**6)
    assert detail_of(made) == "the token's counter is 19 ahead: authenticator resync helps"
    assert last_of(alice) > 40
    assert alice.verdict(PHONE.code(NOON, 2), NOON + 60) is Verdict.ACCEPTED


def test_after_the_state_was_lost() -> None:
    """Where nothing is known of a token any more, no code of it counts either."""
    token = Token(b"t" * 20, digits=8)
    known = credentials(token)
    state = administration.spend(known, replace(NOBODY, enrolled=1), NOON, MANY)
    alice = Account(known, state, rules=MANY)
    for counter in range(50):
        assert alice.verdict(token.code(counter), NOON) is Verdict.WRONG_CODE
