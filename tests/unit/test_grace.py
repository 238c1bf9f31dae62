"""Grace: no new code for a time, for the same account, service and address."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pam_totp import administration, grace
from pam_totp.account import AccountState, AdministratorLock, Person
from pam_totp.decide import Door, Rules
from pam_totp.lockout import Counter, Scope
from pam_totp.source import OWN_DOOR, UNKNOWN, source_of
from pam_totp.store.protocol import Change
from pam_totp.verdict import Verdict
from tests.unit.world import ALICE, BOB, NOON, OFFICE, Account, Phone, World, credentials

PHONE = Phone(b"p" * 20)
HOUR = 3600.0
HOME = "198.51.100.1"
DAY = 86_400


@pytest.fixture(name="alice")
def alice_fixture() -> Account:
    """Somebody whose accepted code lets in for an hour."""
    return Account(credentials(PHONE), rules=Rules(grace=HOUR))


def free(account: Account, now: float, source: str = OFFICE, service: str = "sshd") -> bool:
    """Whether the account is let in there without a code."""
    place = grace.place(account.person, service, source)
    return grace.in_grace(account.state, place, now, HOUR)


def let_in(account: Account, now: float, source: str = OFFICE, service: str = "sshd") -> None:
    """Let the account give a right code."""
    found = account.verdict(PHONE.code(now), now, source=source, service=service)
    assert found is Verdict.ACCEPTED


# -- when it holds ----------------------------------------------------------------------------


def test_for_a_time_after_a_right_code(alice: Account) -> None:
    """Grace begins with the accepted code and ends when the time is over, to the second."""
    assert not free(alice, NOON)
    let_in(alice, NOON)
    assert free(alice, NOON)
    assert free(alice, NOON + HOUR - 0.001)
    assert not free(alice, NOON + HOUR)


def test_at_that_service_and_from_that_address_alone(alice: Account) -> None:
    """Another service, another address and another person have none of it."""
    let_in(alice, NOON)
    assert not free(alice, NOON, service="login")
    assert not free(alice, NOON, HOME)
    alice.person = BOB
    assert not free(alice, NOON)


def test_a_name_that_is_used_again_inherits_none(alice: Account) -> None:
    """Whoever has the name now under another uid is asked for a code."""
    let_in(alice, NOON)
    alice.person = Person("alice", 4711)
    assert not free(alice, NOON)


def test_none_where_the_rules_give_none(alice: Account) -> None:
    """With grace at zero nothing is remembered, and what was remembered does not count."""
    let_in(alice, NOON)
    place = grace.place(ALICE, "sshd", OFFICE)
    assert not grace.in_grace(alice.state, place, NOON, 0)
    alice.rules, before = Rules(), alice.state.trusted
    let_in(alice, NOON + 60, HOME)
    assert alice.state.trusted == before


@pytest.mark.parametrize(
    ("person", "source"), [(None, OFFICE), (ALICE, UNKNOWN), (ALICE, OWN_DOOR)]
)
def test_no_place(person: Person | None, source: str) -> None:
    """Nobody, no address and a door of the person's own are no place, and "" never has grace."""
    assert grace.place(person, "sshd", source) == ""
    assert not grace.in_grace(AccountState(trusted={"": NOON}), "x", NOON, HOUR)


def test_a_door_of_ones_own_gives_none(alice: Account) -> None:
    """A code that is accepted by a program of the person's own lets nobody in elsewhere."""
    alice.tries(PHONE.code(NOON), NOON, door=Door.OWN)
    assert not alice.state.trusted


def test_it_is_not_made_longer_by_a_clock(alice: Account) -> None:
    """What was accepted in the future, by a clock that was set back, gives no grace."""
    let_in(alice, NOON)
    assert not free(alice, NOON - 1)


def test_addresses_that_are_one(alice: Account) -> None:
    """Where failures count for one address, grace does too: an IPv6 /64, a mapped IPv4."""
    let_in(alice, NOON, source_of("2001:db8::1"))
    assert free(alice, NOON, source_of("2001:db8::ffff"))
    assert not free(alice, NOON, source_of("2001:db8:0:1::1"))


# -- what ends it -----------------------------------------------------------------------------


def test_a_failure_ends_that_address(alice: Account) -> None:
    """A wrong code, a replay and a wrong password end the grace of their address at every
    service, and no other's."""
    for number, failure in enumerate((PHONE.wrong(NOON)[0], "replay", "password")):
        now = NOON + 300 * number
        let_in(alice, now)
        let_in(alice, now + 60, service="login")
        let_in(alice, now + 120, HOME)
        if failure == "password":
            alice.wrong_password(now + 130)
        else:
            text = PHONE.code(now + 120) if failure == "replay" else failure
            assert alice.verdict(text, now + 130, service="cups") is not Verdict.ACCEPTED
        assert not free(alice, now + 130)
        assert not free(alice, now + 130, service="login")
        assert free(alice, now + 130, HOME)


def test_wrong_passwords_elsewhere_end_nothing(alice: Account) -> None:
    """A stranger's wrong passwords, and the lock of the stranger's address, leave the person
    in peace."""
    let_in(alice, NOON)
    for _ in range(10):
        alice.wrong_password(NOON, HOME)
    assert free(alice, NOON)


@pytest.mark.parametrize("door", Door)
def test_a_lock_ends_all_of_it(alice: Account, door: Door) -> None:
    """A lock that begins ends every place's grace, and it does not come back with its end."""
    let_in(alice, NOON)
    let_in(alice, NOON + 60, HOME)
    source = OFFICE if door is Door.ROOT else OWN_DOOR
    for code in PHONE.wrong(NOON, 5):
        alice.tries(code, NOON + 61, source=source, door=door)
    assert not alice.state.trusted
    assert not free(alice, NOON + 61 + 900, HOME)


def test_a_wrong_passwords_lock_of_the_account_ends_all_of_it(alice: Account) -> None:
    """Where wrong passwords count against the account, the lock that they begin ends all."""
    alice.rules = replace(alice.rules, scope=Scope.ACCOUNT)
    let_in(alice, NOON)
    for _ in range(5):
        alice.wrong_password(NOON, HOME)
    assert not alice.state.trusted


@pytest.mark.parametrize(
    "change",
    [
        {"lock": AdministratorLock(0, "root")},
        {"codes": Counter((), NOON + 1)},
        {"own_codes": Counter((), NOON + 1)},
    ],
)
def test_never_while_a_lock_holds(alice: Account, change: dict[str, object]) -> None:
    """However a lock came about, while it holds there is no grace."""
    let_in(alice, NOON)
    alice.state = replace(alice.state, **change)
    assert not free(alice, NOON)


@pytest.mark.parametrize("act", ["lock", "unlock", "reset"])
def test_what_administrators_do_ends_it(world: World, act: str) -> None:
    """Lock, unlock and reset end all grace of the account, durably."""
    phone = world.enroll()
    state = grace.begun(world.store.look("alice"), "sshd 1001 192.0.2.7", NOON, HOUR)
    world.store.step("alice", "", lambda s: (None, Change(state, s.source)))
    assert world.store.look("alice").trusted == {"sshd 1001 192.0.2.7": NOON}
    getattr(administration, act)(world.store, "alice", NOON, "root")
    assert world.store.look("alice").trusted == {}
    assert phone.secret


# -- how much is kept -------------------------------------------------------------------------


PLACES = st.integers(0, 60).map(lambda number: f"sshd 1001 192.0.2.{number}")


@given(st.lists(st.tuples(PLACES, st.floats(0, 90 * DAY)), max_size=80))
def test_the_newest_places_are_kept(accepted: list[tuple[str, float]]) -> None:
    """However many there are, at most twenty places are kept, the newest among them, and each
    says when its last code was accepted."""
    state, last = AccountState(), dict[str, float]()
    now = 0.0
    for place, later in accepted:
        now += later / 90
        state = grace.begun(state, place, now, HOUR)
        last.pop(place, None)
        last[place] = now
    assert dict(state.trusted) == dict(
        [one for one in list(last.items())[-20:] if now - one[1] < 30 * DAY]
    )


@given(
    st.lists(st.tuples(PLACES, st.floats(0, 2 * HOUR)), max_size=30),
    PLACES,
    st.floats(-HOUR, 3 * HOUR),
    st.floats(0, 2 * HOUR),
)
def test_only_where_a_code_was_accepted_within_the_time(
    accepted: list[tuple[str, float]], place: str, now: float, length: float
) -> None:
    """There is grace at a place only if its last accepted code is at most so old, whatever the
    order in which a moving clock saw them."""
    state, last = AccountState(), dict[str, float]()
    for where, at in accepted:
        state = grace.begun(state, where, at, length)
        last[where] = at
    if grace.in_grace(state, place, now, length):
        assert 0 <= now - last[place] < length


@given(st.lists(PLACES, max_size=20), st.text(max_size=5), st.integers(0, 60))
def test_ending_ends_that_address_alone(places: list[str], service: str, number: int) -> None:
    """Ending an address's grace ends it at every service, also one whose name has blanks."""
    source = f"192.0.2.{number}"
    odd = grace.place(ALICE, service + " x", source)
    state = AccountState(trusted=dict.fromkeys([*places, odd], NOON))
    left = grace.ended_from(state, source).trusted
    assert set(left) == {p for p in places if not p.endswith(f" {source}")}
