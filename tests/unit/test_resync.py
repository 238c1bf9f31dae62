"""Resynchronisation: two codes in a row say what a device's clock shows."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pam_totp import administration
from pam_totp.account import Authenticator, AuthenticatorState
from pam_totp.decide import Rules
from pam_totp.errors import ResyncError, UnknownAuthenticator
from pam_totp.otp import Parameters
from pam_totp.resync import (
    REACH,
    REACH_AHEAD,
    Resynced,
    resync,
    second_counter,
    second_step,
)
from pam_totp.secret import Secret
from pam_totp.store.protocol import Change
from pam_totp.verdict import Verdict
from tests.unit.world import NOON, Phone, Token, World

YEARS = 3 * 365 * 86_400


def resynced(world: World, phone: Phone, beside: int, name: str = "phone") -> tuple[int, bool]:
    """Resynchronise with the code of so many steps away and the one before it; return the
    seconds that its clock is off, and whether used steps are open again."""
    now = world.clock.now
    codes = (phone.code(now, beside - 1), phone.code(now, beside))
    done = resync(world.store, "alice", name, codes, now=now, by="root")
    return done.drift, done.reopened


def state_of(world: World) -> AuthenticatorState:
    """Return the state of alice's only authenticator."""
    (state,) = world.store.look("alice").authenticators.values()
    return state


# -- a device whose clock is off --------------------------------------------------------------


@pytest.mark.parametrize("beside", [-2879, -120, -2, 2, 8, 2880])
def test_a_device_whose_clock_is_off(world: World, beside: int) -> None:
    """After two codes in a row, however far off within a day, the device's next code gets in
    and both are spent; the true time's does not."""
    phone = world.enroll()
    assert world.check(phone.code(NOON, beside)) is Verdict.WRONG_CODE
    assert resynced(world, phone, beside) == (30 * beside, False)
    assert state_of(world).offset == beside
    for spent in (beside - 1, beside):
        world.clock.now += 1000  # nothing is repeated, and nothing locks
        now = world.clock.now
        at = int(NOON - now) // 30 + spent  # the spent code, seen from now
        verdict = world.check(phone.code(now, at))
        assert verdict in (Verdict.REPLAYED_CODE, Verdict.WRONG_CODE)
    now = world.clock.now
    assert world.check(phone.code(now, beside)) is Verdict.ACCEPTED
    assert world.check(phone.code(now, beside + 1)) is Verdict.ACCEPTED
    assert world.check(phone.code(now, beside + 2)) is Verdict.WRONG_CODE
    assert state_of(world).offset == beside


@pytest.mark.parametrize("spent", [-1, 0])
def test_both_codes_are_spent(world: World, spent: int) -> None:
    """In the very moment after it neither of the two codes gets in."""
    phone = world.enroll()
    resynced(world, phone, 8)
    assert world.check(phone.code(NOON, 8 + spent)) is Verdict.REPLAYED_CODE
    assert world.check(phone.code(NOON, 9)) is Verdict.ACCEPTED


@pytest.mark.parametrize("beside", [-1, 0, 1])
def test_a_device_whose_clock_is_right(world: World, beside: int) -> None:
    """What the usual window reaches is the time it takes to type: nothing is set off, and what
    was set off before is not any more."""
    phone = world.enroll()
    resynced(world, phone, 50)
    assert resynced(world, phone, beside) == (0, True)
    assert state_of(world) == AuthenticatorState(int(NOON // 30) + beside)


def test_it_clears_the_drift_and_keeps_the_last_use(world: World) -> None:
    """What was seen of the clock is dealt with; when the device was last used stays."""
    phone = world.enroll()
    world.check(phone.code(NOON))
    world.check(phone.code(NOON, 5))
    assert (state_of(world).drift, state_of(world).last_used) == (150, int(NOON))
    resynced(world, phone, 5)
    assert (state_of(world).drift, state_of(world).last_used) == (None, int(NOON))


# -- after this machine's clock was ahead -----------------------------------------------------


def test_after_the_clock_was_years_ahead(world: World) -> None:
    """A login while the clock was years ahead leaves every code used for years, under any
    clock; two codes in a row end that, and say that steps are open again."""
    phone = world.enroll()
    world.clock.now += YEARS
    assert world.check(phone.code(NOON + YEARS)) is Verdict.ACCEPTED
    world.clock.now = NOON
    assert world.check(phone.code(NOON)) is Verdict.REPLAYED_CODE
    assert resynced(world, phone, 1) == (0, True)
    assert world.check(phone.code(NOON, 1)) is Verdict.REPLAYED_CODE
    world.clock.now += 30
    assert world.check(phone.code(NOON, 2)) is Verdict.ACCEPTED


def test_a_lock_stays(world: World) -> None:
    """It is not an unlock: a lock holds on, and failures still count."""
    phone = world.enroll()
    for code in phone.wrong(NOON, 5):
        world.check(code)
    before = world.store.look("alice").codes
    resynced(world, phone, 3)
    assert world.store.look("alice").codes == before
    assert world.check(phone.code(NOON, 4)) is Verdict.LOCKED


def test_the_record(world: World) -> None:
    """The events say whose authenticator it was, who did it and what came of it."""
    phone = world.enroll()
    resynced(world, phone, -8)
    event = world.events()[-1]
    assert (event.what, event.authenticator, event.at) == ("resync", "phone", NOON)
    assert (event.actor, event.detail) == ("root", "4 minutes slow")


def test_only_the_one_that_was_named(world: World) -> None:
    """Another authenticator of the account is left as it is, and its codes are of no use."""
    phone = world.enroll()
    tablet = world.enroll(name="tablet", parameters=Parameters("SHA256", 8, 60))
    before = dict(world.store.look("alice").authenticators)
    with pytest.raises(ResyncError):
        resynced(world, phone, 3, name="tablet")
    assert world.store.look("alice").authenticators == before
    assert resynced(world, tablet, 60, name="tablet") == (3600, False)
    changed = world.store.look("alice").authenticators
    assert sum(changed[id_] != before[id_] for id_ in before) == 1


# -- what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (7, 8, None),
        (8, 7, "the wrong way round"),
        (7, 7, "one code twice"),
        (7, 9, "not one right after the other"),
        (9, 5, "not one right after the other"),
        (7, "wrong", "one of them is not a code of phone within a day"),
        ("wrong", 8, "one of them is not a code of phone within a day"),
        ("wrong", "other", "neither is a code of phone within a day"),
        (2881, 2882, "neither is a code"),
        (-2883, -2882, "neither is a code"),
        (7, "12345", "has 6 digits"),
        (7, "1234567", "has 6 digits"),
        ("", 7, "has 6 digits"),
        (7, "rc-7k2mq-x9d4w-hn3ve", "has 6 digits"),
    ],
)
def test_what_says_nothing_of_a_clock(
    world: World, first: int | str, second: int | str, words: str | None
) -> None:
    """Codes that are wrong, too old, the same, not in a row or the wrong way round are refused,
    each in words of its own, and change nothing."""
    phone = world.enroll()
    wrong, other = phone_wrong_everywhere(phone)
    named = {"wrong": wrong, "other": other}
    one, two = (
        phone.code(NOON, c) if isinstance(c, int) else named.get(c, c) for c in (first, second)
    )
    before, events = world.store.look("alice"), world.events()

    def act() -> None:
        resync(
            world.store,
            "alice",
            "phone",
            (one, two),
            now=NOON,
            by="root",
        )

    if words is None:
        act()
        return
    with pytest.raises(ResyncError, match=words) as caught:
        act()
    assert caught.value.hint
    assert (world.store.look("alice"), world.events()) == (before, events)


def phone_wrong_everywhere(phone: Phone) -> tuple[str, str]:
    """Return two codes that are right at no time within a day."""
    near = {phone.code(NOON, beside) for beside in range(-2900, 2901)}
    found = (code for code in (f"{number:06}" for number in range(10**6)) if code not in near)
    return next(found), next(found)


@pytest.mark.parametrize("name", ["tablet", "", "Phone"])
def test_no_such_authenticator(world: World, name: str) -> None:
    """A name that the account's authenticators do not have is said so, with where to look."""
    phone = world.enroll()
    with pytest.raises(UnknownAuthenticator, match="alice has no authenticator called") as caught:
        resynced(world, phone, 3, name=name)
    assert caught.value.hint == "pam-totp authenticator list alice"


def test_not_enrolled(world: World) -> None:
    """For an account that has not enrolled there is nothing to resynchronise."""
    with pytest.raises(UnknownAuthenticator, match="alice has not enrolled"):
        resynced(world, Phone(b"p" * 20), 3)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(-REACH, REACH),
    st.sampled_from([15, 30, 60, 120]),
    st.floats(0, 119.9),
    st.binary(min_size=20, max_size=20),
)
def test_the_second_codes_step_is_found(
    off: int, period: int, within: float, secret: bytes
) -> None:
    """Wherever within a day a device's clock is, its two codes in a row say where, whatever
    the moment at which they are typed."""
    phone = Phone(secret, Parameters(digits=8, period=period))
    device = Authenticator("id", "phone", Secret(secret), phone.parameters)
    now = NOON + within
    beside = max(-(REACH // period) + 1, min(REACH // period, off // period))
    codes = (phone.code(now, beside - 1), phone.code(now, beside))
    assert second_step(device, codes, now) == int(now // period) + beside


# -- what is seen -----------------------------------------------------------------------------


def test_what_is_seen(world: World) -> None:
    """An administrator sees each authenticator with its parameters, its use and its clock, the
    offset in seconds."""
    phone = world.enroll()
    world.enroll(name="tablet", parameters=Parameters("SHA256", 8, 60))
    world.check(phone.code(NOON))
    world.check(phone.code(NOON, 10))
    first, second = administration.authenticators(world.store, "alice")
    assert (first.name, first.parameters, first.created) == ("phone", Parameters(), int(NOON))
    assert (first.last_used, first.offset, first.drift) == (int(NOON), 0, 300)
    assert (second.last_used, second.offset, second.drift) == (None, 0, None)
    state = world.store.look("alice")
    shifted = state.with_authenticator(second.id, AuthenticatorState(offset=-3, confirmed=False))
    world.store.step("alice", "", lambda s: (None, Change(shifted, s.source)))
    assert administration.authenticators(world.store, "alice")[1] == replace(second, offset=-180)
    assert (first.confirmed, second.confirmed) == (True, False)
    assert administration.authenticators(world.store, "bob") == []


# -- tokens that count ------------------------------------------------------------------------


def counted(world: World, first: str, second: str) -> Resynced:
    """Resynchronise alice's token."""
    return resync(world.store, "alice", "token", (first, second), now=world.clock.now, by="root")


@pytest.fixture(name="token")
def token_fixture(world: World) -> Token:
    """A token of alice's that was used up to counter 4."""
    token = Token(b"t" * 20, 5, digits=8)
    world.enroll_token(token, counter=4)
    assert world.check(token.code(4)) is Verdict.ACCEPTED
    return token


@pytest.mark.parametrize("skipped", [0, 1, 9, 10, 57, 500, REACH_AHEAD - 1])
def test_a_token_that_was_pressed(world: World, token: Token, skipped: int) -> None:
    """Two codes in a row, however far ahead within a thousand, set the counter; both are spent
    and what lies before them too, and the next one gets in."""
    token.counter += skipped
    first, second = token.press(), token.press()
    done = counted(world, first, second)
    assert (done.ahead, done.drift, done.reopened) == (skipped, 0, False)
    assert state_of(world).last_step == 6 + skipped
    for used in (first, second):
        assert world.check(used) is Verdict.REPLAYED_CODE
        world.clock.now += 1000
    assert world.check(token.press()) is Verdict.ACCEPTED
    event = next(e for e in world.events() if e.what == "resync")
    said = f"its counter was {skipped} ahead" if skipped else "its counter is right"
    assert (event.authenticator, event.actor, event.detail) == ("token", "root", said)


def test_no_clock_matters_to_a_token(world: World, token: Token) -> None:
    """Whatever the clock does, a token's two codes say the same."""
    world.clock.now -= YEARS
    assert counted(world, token.press(), token.press()).ahead == 0
    world.clock.now += 2 * YEARS
    assert counted(world, token.press(), token.press()).ahead == 0


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (8, 7, "the wrong way round"),
        (7, 7, "one code twice"),
        (7, 9, "not one right after the other"),
        (900, 8, "not one right after the other"),
        (4, 5, "one of them is an old code of token: a counter is never set back"),
        (0, 1, "an old code of token"),
        (3, 4, "an old code of token"),
        (7, "wrong", "one of them is not a code of token among the next 1000 of its counter"),
        ("wrong", 8, "one of them is not a code of token"),
        ("wrong", "other", "neither is a code of token among the next 1000"),
        (5 + REACH_AHEAD, 6 + REACH_AHEAD, "one of them is not"),
        (6 + REACH_AHEAD, 7 + REACH_AHEAD, "neither is a code"),
        (7, "123456", "a code of token has 8 digits"),
        ("rc-7k2mq-x9d4w-hn3ve", 7, "a code of token has 8 digits"),
    ],
)
def test_what_says_nothing_of_a_counter(
    world: World, token: Token, first: int | str, second: int | str, words: str
) -> None:
    """Codes that are wrong, used, too far ahead, the same, not in a row or the wrong way round
    are refused, each in words of its own, and change nothing."""
    near = {token.code(counter) for counter in range(2100)}
    wrong = [code for code in (f"{n:08}" for n in range(5000)) if code not in near]
    named = {"wrong": wrong[0], "other": wrong[1]}
    one, two = (token.code(c) if isinstance(c, int) else named.get(c, c) for c in (first, second))
    before, events = world.store.look("alice"), world.events()
    with pytest.raises(ResyncError, match=words) as caught:
        counted(world, one, two)
    assert caught.value.hint
    assert (world.store.look("alice"), world.events()) == (before, events)


def test_a_counter_never_goes_down(world: World, token: Token) -> None:
    """After a resynchronisation far ahead no two codes from before it are of any use."""
    token.counter = 300
    counted(world, token.press(), token.press())
    for counter in (0, 5, 200, 299, 300, 301):
        with pytest.raises(ResyncError, match="never set back"):
            counted(world, token.code(counter), token.code(counter + 1))
    assert state_of(world).last_step == 301


@settings(max_examples=30, deadline=None)
@given(st.integers(-1, 2**40), st.integers(0, REACH_AHEAD - 1), st.binary(min_size=16, max_size=64))
def test_the_second_codes_counter_is_found(last: int, skipped: int, secret: bytes) -> None:
    """Wherever within a thousand a token's counter is, its two codes in a row say where."""
    token = Token(secret, last + 1 + skipped, digits=8)
    device = Authenticator("id", "token", Secret(secret), token.parameters)
    codes = (token.press(), token.press())
    if codes[0] != codes[1]:
        found = second_counter(device, AuthenticatorState(last), codes)
        assert found == last + 2 + skipped


@pytest.mark.parametrize("used", [0, 3, 400])
def test_after_a_renewal(world: World, token: Token, used: int) -> None:
    """A token whose store was renewed is out of step whatever was used since; two codes in a
    row bring it back from where it was known to be, and it counts on."""
    state, known = world.store.look("alice"), world.store.credentials("alice")
    assert known is not None
    spent = administration.spend(known, state, NOON, Rules())
    world.store.step("alice", "", lambda s: (None, Change(spent, s.source)))
    (seen,) = administration.authenticators(world.store, "alice")
    assert (seen.counter, seen.out_of_step) == (5, True)
    found = administration.status(world.store, "alice", NOON, Rules().limits)
    assert found.out_of_step == ("token",)
    token.counter += used
    assert world.check(token.press()) is Verdict.WRONG_CODE
    assert counted(world, token.press(), token.press()).ahead == used + 1
    (seen,) = administration.authenticators(world.store, "alice")
    assert (seen.counter, seen.out_of_step) == (token.counter, False)
    assert world.check(token.press()) is Verdict.ACCEPTED


@pytest.mark.parametrize("device", ["phone", "token"])
def test_two_codes_confirm(world: World, device: str) -> None:
    """Whoever typed two codes in a row has the device: its secret is not shown again."""
    if device == "phone":
        phone = world.enroll()
        resynced(world, phone, 3)
    else:
        token = Token(b"t" * 20)
        world.enroll_token(token)
        counted(world, token.press(), token.press())
    assert state_of(world).confirmed


def test_what_is_seen_of_a_token(world: World, token: Token) -> None:
    """An administrator sees the counter that is expected next, and no clock."""
    (seen,) = administration.authenticators(world.store, "alice")
    assert (seen.counter, seen.out_of_step) == (5, False)
    assert (seen.offset, seen.drift, seen.last_used) == (0, None, int(NOON))
    assert seen.parameters == token.parameters
