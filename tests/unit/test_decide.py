"""The decision: one pure function from an answer and what is known to a verdict."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pam_totp import recovery
from pam_totp.account import (
    AccountState,
    AdministratorLock,
    AuthenticatorState,
    Person,
)
from pam_totp.decide import (
    HARD_STOP,
    Door,
    Rules,
    locked,
)
from pam_totp.lockout import Counter, Scope
from pam_totp.otp import Parameters
from pam_totp.source import OWN_DOOR, UNKNOWN
from pam_totp.verdict import Verdict
from tests.unit.world import NOON, OFFICE, Account, Phone, credentials

RECOVERY = "rc-7k2mq-x9d4w-hn3ve"
SALT = b"salt"
PHONE = Phone(b"p" * 20)
TABLET = Phone(b"t" * 20, Parameters("SHA256", 8, 60))
DAY = 86_400


@pytest.fixture(name="alice")
def alice_fixture() -> Account:
    """Somebody with one phone and one recovery code."""
    normal = recovery.normalise(RECOVERY)
    assert normal is not None
    hashes = (recovery.digest(normal, SALT),)
    return Account(replace(credentials(PHONE), salt=SALT, recovery_codes=hashes))


def lock_out(account: Account, now: float, phone: Phone = PHONE) -> None:
    """Let somebody type five wrong codes."""
    for number, code in enumerate(phone.wrong(now, 5)):
        made = account.tries(code, now)
        assert made.verdict is Verdict.WRONG_CODE
        assert made.locks == (number == 4)


# -- which codes are accepted ---------------------------------------------------------------


@pytest.mark.parametrize(("beside", "right"), [(-2, 0), (-1, 1), (0, 1), (1, 1), (2, 0)])
@pytest.mark.parametrize("within", [0.0, 15.0, 29.999])
def test_the_window(alice: Account, beside: int, right: int, within: float) -> None:
    """The code of the current step and of one step beside it is right, at every moment of the
    step; two steps beside it is wrong."""
    found = alice.verdict(PHONE.code(NOON, beside), NOON + within)
    assert found is (Verdict.ACCEPTED if right else Verdict.WRONG_CODE)


@pytest.mark.parametrize("window", [0, 1, 3])
def test_other_windows(alice: Account, window: int) -> None:
    """The window is as wide as the rules say."""
    for beside in range(-4, 5):
        fresh = replace(alice, rules=Rules(window=window))
        right = fresh.verdict(PHONE.code(NOON, beside), NOON) is Verdict.ACCEPTED
        assert right == (abs(beside) <= window)


@pytest.mark.parametrize("period", [15, 30, 60, 119, 120])
@pytest.mark.parametrize("digits", [6, 7, 8])
@pytest.mark.parametrize("algorithm", ["SHA1", "SHA256", "SHA512"])
def test_all_parameters(algorithm: str, digits: int, period: int) -> None:
    """Codes of every hash, length and period are accepted in their step, and in no other
    length."""
    phone = Phone(b"s" * 32, Parameters(algorithm, digits, period))
    account = Account(credentials(phone))
    code = phone.code(NOON)
    for other in (code[1:], code + "0", "0" + code):
        assert account.verdict(other, NOON) is Verdict.WRONG_CODE
    assert account.verdict(code, NOON + period - 1) is Verdict.ACCEPTED


def test_an_offset_shifts_the_window(alice: Account) -> None:
    """The window lies around the step that the authenticator's own clock shows."""
    alice.state = alice.state.with_authenticator("id0", AuthenticatorState(offset=-4))
    for beside, expected in [(0, Verdict.WRONG_CODE), (-4, Verdict.ACCEPTED)]:
        assert alice.verdict(PHONE.code(NOON, beside), NOON) is expected
    assert alice.state.authenticators["id0"].offset == -4


def test_an_offset_is_one_authenticators_own() -> None:
    """One authenticator's offset does not move another's window."""
    other = Phone(b"o" * 20)
    account = Account(credentials(PHONE, other))
    account.state = account.state.with_authenticator("id0", AuthenticatorState(offset=10))
    assert account.verdict(other.code(NOON), NOON) is Verdict.ACCEPTED
    assert account.verdict(PHONE.code(NOON, 10), NOON) is Verdict.ACCEPTED
    assert account.verdict(PHONE.code(NOON), NOON) is Verdict.WRONG_CODE


@pytest.mark.parametrize("now", [0.0, 29.9, 30.0])
def test_the_first_steps_of_all(now: float, alice: Account) -> None:
    """At the beginning of time there is no step before the first."""
    assert alice.verdict(PHONE.code(now), now) is Verdict.ACCEPTED


@pytest.mark.parametrize(
    "text",
    ["", "12345\u0666", "\uff11\uff12\uff13\uff14\uff15\uff16", "1" * 10_000, "\0", "\udcff"],
)
def test_strange_answers(alice: Account, text: str) -> None:
    """What is no code is a wrong code, counted like one."""
    assert alice.verdict(text, NOON) is Verdict.WRONG_CODE
    assert len(alice.state.codes.failures) == 1


# -- single use -------------------------------------------------------------------------------


def test_a_code_works_once(alice: Account) -> None:
    """An accepted code is never accepted again, typed whichever way."""
    code = PHONE.code(NOON)
    assert alice.verdict(code, NOON) is Verdict.ACCEPTED
    assert alice.verdict(code, NOON + 1) is Verdict.REPLAYED_CODE
    assert alice.verdict(f"{code[:3]} {code[3:]}", NOON + 2) is Verdict.REPLAYED_CODE
    assert alice.verdict(code, NOON + 2000) is Verdict.WRONG_CODE


def test_no_earlier_code_after_a_later_one(alice: Account) -> None:
    """After the next step's code the current one's is spent too."""
    assert alice.verdict(PHONE.code(NOON, 1), NOON) is Verdict.ACCEPTED
    assert alice.verdict(PHONE.code(NOON), NOON) is Verdict.REPLAYED_CODE
    assert alice.verdict(PHONE.code(NOON, -1), NOON) is Verdict.REPLAYED_CODE
    assert alice.verdict(PHONE.code(NOON, 2), NOON + 30) is Verdict.ACCEPTED


def test_a_clock_set_back_gives_no_code_a_second_chance(alice: Account) -> None:
    """With the clock set back an hour, what was accepted stays spent, and so do the codes
    before it."""
    assert alice.verdict(PHONE.code(NOON), NOON) is Verdict.ACCEPTED
    early = NOON - 3600
    assert alice.verdict(PHONE.code(early), early) is Verdict.REPLAYED_CODE
    assert alice.verdict(PHONE.code(NOON), NOON) is Verdict.REPLAYED_CODE
    assert alice.state.authenticators["id0"].last_step == NOON // 30


def test_every_authenticator_that_matches_is_advanced() -> None:
    """Where one code is right for two authenticators it is spent for both."""
    account = Account(credentials(PHONE, Phone(PHONE.secret)))
    assert account.verdict(PHONE.code(NOON), NOON) is Verdict.ACCEPTED
    assert {id_: s.last_step for id_, s in account.state.authenticators.items()} == {
        "id0": NOON // 30,
        "id1": NOON // 30,
    }
    assert account.verdict(PHONE.code(NOON), NOON) is Verdict.REPLAYED_CODE


def test_one_of_two_has_used_it() -> None:
    """A code that is fresh for one authenticator is accepted, and lowers no other's last step."""
    account = Account(credentials(PHONE, Phone(PHONE.secret)))
    later = int(NOON // 30) + 50
    account.state = account.state.with_authenticator("id0", AuthenticatorState(last_step=later))
    assert account.verdict(PHONE.code(NOON), NOON) is Verdict.ACCEPTED
    assert account.state.authenticators["id0"].last_step == later
    assert account.state.authenticators["id1"].last_step == NOON // 30


def test_authenticators_of_different_kinds() -> None:
    """Each authenticator is checked by its own parameters, and named by the decision."""
    account = Account(credentials(PHONE, TABLET))
    assert account.tries(TABLET.code(NOON), NOON).authenticator == "phone1"
    assert account.tries(PHONE.code(NOON), NOON).authenticator == "phone0"
    assert account.state.authenticators["id1"].last_used == int(NOON)


# -- recovery codes ---------------------------------------------------------------------------


@pytest.mark.parametrize("again", [RECOVERY, RECOVERY.upper(), RECOVERY.replace("-", " ")])
def test_a_recovery_code_works_once(alice: Account, again: str) -> None:
    """A recovery code gets in once; another typing of it is no second chance."""
    made = alice.tries(f" {RECOVERY.upper()} ", NOON)
    assert made.verdict is Verdict.ACCEPTED
    assert made.authenticator == "recovery-code"
    assert alice.verdict(again, NOON + 1) is Verdict.REPLAYED_CODE
    assert alice.verdict(PHONE.code(NOON), NOON + 2) is Verdict.ACCEPTED


def test_another_recovery_code(alice: Account) -> None:
    """One that is not the account's is a wrong code."""
    assert alice.verdict(RECOVERY[:-1] + "f", NOON) is Verdict.WRONG_CODE
    assert not alice.state.spent


# -- lockout ----------------------------------------------------------------------------------


def test_five_wrong_codes_lock(alice: Account) -> None:
    """The fifth wrong code locks for 900 seconds; then the right code is refused as well,
    costs nothing, and works when the lock has ended."""
    lock_out(alice, NOON)
    state, late = alice.state, NOON + 899
    assert alice.verdict(PHONE.code(late), late) is Verdict.LOCKED
    assert alice.verdict(PHONE.wrong(late)[0], late) is Verdict.LOCKED
    assert alice.verdict(RECOVERY, late) is Verdict.LOCKED
    assert alice.state == state
    assert locked(state, late) is Verdict.LOCKED
    assert alice.verdict(PHONE.code(late), NOON + 900) is Verdict.ACCEPTED


def test_a_success_clears(alice: Account) -> None:
    """After a right code four more wrong ones do not lock."""
    for start in (NOON, NOON + 60):
        for code in PHONE.wrong(start, 4):
            assert alice.verdict(code, start) is Verdict.WRONG_CODE
        assert alice.verdict(PHONE.code(start), start) is Verdict.ACCEPTED
    assert alice.state.codes == Counter()


def test_slow_failures_do_not_lock(alice: Account) -> None:
    """Wrong codes that are further apart than the period allows lock nobody."""
    for number, code in enumerate(PHONE.wrong(NOON, 20)):
        assert not alice.tries(code, NOON + 225 * number).locks


def test_the_same_wrong_code_counts_once(alice: Account) -> None:
    """A client that repeats itself a hundred times is counted once."""
    wrong = PHONE.wrong(NOON)[0]
    assert alice.verdict(wrong, NOON) is Verdict.WRONG_CODE
    for at in range(100):
        assert alice.verdict(wrong, NOON + at) is Verdict.REPEATED_CODE
    assert alice.verdict(PHONE.code(NOON + 100), NOON + 100) is Verdict.ACCEPTED


def test_a_refused_code_stays_refused(alice: Account) -> None:
    """A guess that becomes right by waiting stays refused for the period."""
    later = PHONE.code(NOON, 10)
    assert alice.verdict(later, NOON) is Verdict.WRONG_CODE
    assert alice.verdict(later, NOON + 300) is Verdict.REPEATED_CODE


def test_a_replay_counts_once_and_not_towards_the_hard_stop(alice: Account) -> None:
    """A spent code counts as a failure, once, and is no guess."""
    code = PHONE.code(NOON)
    alice.verdict(code, NOON)
    assert alice.tries(code, NOON + 1).authenticator == "phone0"
    assert alice.verdict(code, NOON + 2) is Verdict.REPEATED_CODE
    assert len(alice.state.codes.failures) == 1
    assert alice.state.wrong.in_a_row == 0
    assert alice.state.wrong.at == ()


def test_replays_lock_too(alice: Account) -> None:
    """Five different spent codes lock for a time."""
    alice.state = alice.state.with_authenticator("id0", AuthenticatorState(int(NOON // 30) + 9))
    verdicts = [alice.verdict(PHONE.code(NOON, b), NOON + 30 * b) for b in range(6)]
    assert verdicts == [Verdict.REPLAYED_CODE] * 5 + [Verdict.LOCKED]


def test_a_clock_set_back_keeps_the_lock(alice: Account) -> None:
    """A lock is longer, never shorter, for a clock that was set back."""
    lock_out(alice, NOON)
    early = NOON - 7200
    assert alice.verdict(PHONE.code(early), early) is Verdict.LOCKED


# -- the hard stop ----------------------------------------------------------------------------


def guess(alice: Account, now: float, how_many: int) -> float:
    """Guess wrong as fast as the lock allows; return when it ended."""
    for number, code in enumerate(PHONE.wrong(now, how_many)):
        now += 900 if number and number % 5 == 0 else 1
        assert alice.verdict(code, now) is Verdict.WRONG_CODE
    return now


def test_a_hundred_wrong_codes_stop(alice: Account) -> None:
    """The hundredth wrong code in a row locks until an administrator acts; no time ends it,
    and the reason says that somebody knows the password."""
    now = guess(alice, NOON, 99)
    assert alice.state.lock is None
    made = alice.tries(PHONE.wrong(NOON, 100)[99], now + 900)
    assert made.locks
    assert made.state.lock is not None
    assert made.state.lock.by == HARD_STOP
    assert "somebody knows the password" in made.state.lock.reason
    late = now + 400 * DAY
    assert alice.verdict(PHONE.code(late), late) is Verdict.LOCKED_BY_ADMINISTRATOR
    assert alice.verdict(RECOVERY, late) is Verdict.LOCKED_BY_ADMINISTRATOR
    assert locked(alice.state, late) is Verdict.LOCKED_BY_ADMINISTRATOR


def test_a_success_ends_the_row(alice: Account) -> None:
    """Ninety-nine wrong codes, a right one, and a wrong one do not stop an account."""
    now = guess(alice, NOON, 99) + 900
    assert alice.verdict(PHONE.code(now), now) is Verdict.ACCEPTED
    assert alice.verdict(PHONE.wrong(now, 100)[99], now) is Verdict.WRONG_CODE
    assert alice.state.lock is None
    assert alice.state.wrong.in_a_row == 1


def test_more_than_a_hundred_in_thirty_days_stop(alice: Account) -> None:
    """Whatever succeeds between them, the hundred-and-first wrong code in thirty days locks
    until an administrator acts."""
    for number, wrong in enumerate(PHONE.wrong(NOON, 100)):
        now = NOON + number * DAY / 4
        assert alice.verdict(wrong, now) is Verdict.WRONG_CODE
        assert alice.verdict(PHONE.code(now), now) is Verdict.ACCEPTED
    assert alice.state.lock is None
    last = NOON + 29 * DAY
    assert alice.verdict(PHONE.wrong(last, 101)[100], last) is Verdict.WRONG_CODE
    assert alice.verdict(PHONE.code(last), last) is Verdict.LOCKED_BY_ADMINISTRATOR


def test_a_hundred_in_more_than_thirty_days(alice: Account) -> None:
    """Three wrong codes a day between right ones, for a year, stop nobody."""
    wrong = PHONE.wrong(NOON, 3)
    for day in range(365):
        now = NOON + day * DAY
        assert [alice.verdict(code, now) for code in wrong] == [Verdict.WRONG_CODE] * 3
        assert alice.verdict(PHONE.code(now), now) is Verdict.ACCEPTED


# -- who it is --------------------------------------------------------------------------------


@pytest.mark.parametrize("person", [None, Person("alice", 4711), Person("alice", 0)])
def test_the_uid_has_changed(alice: Account, person: Person | None) -> None:
    """A name that is somebody else's now, or nobody's, inherits nothing; nothing is spent or
    counted."""
    alice.person, state = person, alice.state
    for answer in (PHONE.code(NOON), RECOVERY, PHONE.wrong(NOON)[0]):
        assert alice.verdict(answer, NOON) is Verdict.OTHER_UID
    assert alice.state == state


def test_not_enrolled() -> None:
    """There is no code for an account that has not enrolled, whatever its state says."""
    for given, state in [
        (None, AccountState()),
        (None, AccountState(enrolled=1)),
        (credentials(PHONE), AccountState()),
    ]:
        account = Account(given, state)
        assert account.verdict(PHONE.code(NOON), NOON) is Verdict.NOT_ENROLLED
        assert account.state == state


def test_no_authenticators_at_all() -> None:
    """With no authenticator and no recovery code every answer is wrong, the empty one too."""
    account = Account(credentials())
    for answer in ("", "000000", RECOVERY):
        assert account.verdict(answer, NOON) is Verdict.WRONG_CODE


def test_an_administrators_lock(alice: Account) -> None:
    """An administrator's lock refuses everything at every door, and stays."""
    alice.state = replace(alice.state, lock=AdministratorLock(0, "root"))
    for door in Door:
        assert alice.verdict(PHONE.code(NOON), NOON, door=door) is Verdict.LOCKED_BY_ADMINISTRATOR
    assert alice.state.lock == AdministratorLock(0, "root")


# -- a clock that is off ----------------------------------------------------------------------


@pytest.mark.parametrize("beside", [-20, -8, -2, 2, 20])
def test_a_code_of_a_clock_that_is_off(alice: Account, beside: int) -> None:
    """A right code of up to twenty steps away is a wrong one, counted and not spent; the
    decision says whose clock it is and by how many seconds it is off."""
    made = alice.tries(PHONE.code(NOON, beside), NOON)
    assert (made.verdict, made.authenticator) == (Verdict.WRONG_CODE, "phone0")
    assert made.drift == 30 * beside
    assert alice.state.authenticators["id0"] == AuthenticatorState(drift=30 * beside)
    assert len(alice.state.codes.failures) == 1
    assert alice.state.wrong.in_a_row == 1


@pytest.mark.parametrize("beside", [-21, -1, 0, 1, 21])
def test_no_drift(alice: Account, beside: int) -> None:
    """What is accepted, and what is further away, says nothing of a clock."""
    assert alice.tries(PHONE.code(NOON, beside), NOON).drift is None
    assert alice.state.authenticators.get("id0", AuthenticatorState()).drift is None


def test_a_future_code_is_no_gift(alice: Account) -> None:
    """A code of the future that was refused is accepted no earlier than any other."""
    code = PHONE.code(NOON, 10)
    assert alice.tries(code, NOON).drift == 300
    assert alice.verdict(code, NOON + 1) is Verdict.REPEATED_CODE
    assert alice.verdict(PHONE.code(NOON, 1), NOON + 2) is Verdict.ACCEPTED
    assert alice.verdict(code, NOON + 3) is Verdict.WRONG_CODE


def test_a_right_code_clears_the_drift(alice: Account) -> None:
    """What is remembered of a clock is forgotten when its code is accepted."""
    alice.tries(PHONE.code(NOON, -8), NOON)
    assert alice.verdict(RECOVERY, NOON) is Verdict.ACCEPTED
    assert alice.state.authenticators["id0"].drift == -240
    assert alice.verdict(PHONE.code(NOON), NOON) is Verdict.ACCEPTED
    assert alice.state.authenticators["id0"].drift is None


def test_a_used_code_is_no_clock(alice: Account) -> None:
    """The code of five minutes ago after it was used says nothing of the phone's clock."""
    code = PHONE.code(NOON)
    assert alice.verdict(code, NOON) is Verdict.ACCEPTED
    made = alice.tries(code, NOON + 300)
    assert (made.verdict, made.drift, made.authenticator) == (Verdict.WRONG_CODE, None, None)


def test_drift_beside_an_offset(alice: Account) -> None:
    """Around an offset twenty steps are searched, and the drift is from this machine's clock."""
    alice.state = alice.state.with_authenticator("id0", AuthenticatorState(offset=100))
    assert alice.tries(PHONE.code(NOON, 120), NOON).drift == 3600
    assert alice.tries(PHONE.code(NOON, 80), NOON).drift == 2400
    assert alice.tries(PHONE.code(NOON, 0), NOON).drift is None
    assert alice.state.authenticators["id0"].offset == 100


def test_drift_of_one_among_several() -> None:
    """The drift is that of the authenticator whose code it is, in its own steps."""
    account = Account(credentials(PHONE, TABLET))
    made = account.tries(TABLET.code(NOON, -3), NOON)
    assert (made.drift, made.authenticator) == (-180, "phone1")
    assert account.state.authenticators == {"id1": AuthenticatorState(drift=-180)}


def test_no_drift_while_locked(alice: Account) -> None:
    """A locked account says nothing of any code, to the log neither."""
    lock_out(alice, NOON)
    made = alice.tries(PHONE.code(NOON, 8), NOON)
    assert (made.verdict, made.drift, made.authenticator) == (Verdict.LOCKED, None, None)


# -- doors ------------------------------------------------------------------------------------


def test_the_own_door_locks_itself_alone(alice: Account) -> None:
    """Failures at a program of the person's own lock that door and no other, and never until
    an administrator acts."""
    now = guess_at_own_door(alice, 95)
    assert alice.verdict(PHONE.code(now), now, source=OWN_DOOR, door=Door.OWN) is Verdict.LOCKED
    assert locked(alice.state, now) is None
    assert alice.state.wrong.in_a_row == 0
    assert alice.verdict(PHONE.code(now), now) is Verdict.ACCEPTED


def guess_at_own_door(alice: Account, how_many: int) -> float:
    """Guess wrong as fast as the lock allows; return when it ended."""
    now = NOON
    for number, code in enumerate(PHONE.wrong(NOON, how_many)):
        now += 900 if number and number % 5 == 0 else 1
        made = alice.tries(code, now, source=OWN_DOOR, door=Door.OWN)
        assert made.verdict is Verdict.WRONG_CODE
    assert made.locks
    return now


def test_the_own_door_has_a_hard_stop(alice: Account) -> None:
    """The hundredth guess in a row closes the door of the person's own programs for thirty days,
    and after them the next one does; the account goes on."""
    now = guess_at_own_door(alice, 100)
    for later in (now + 900, now + 30 * DAY - 1):
        code = PHONE.code(later)
        assert alice.verdict(code, later, source=OWN_DOOR, door=Door.OWN) is Verdict.LOCKED
        assert locked(alice.state, later) is None
        assert alice.verdict(code, later) is Verdict.ACCEPTED
    now += 30 * DAY
    wrong = PHONE.wrong(now)[0]
    assert alice.verdict(wrong, now, source=OWN_DOOR, door=Door.OWN) is Verdict.WRONG_CODE
    now += DAY
    assert alice.verdict(PHONE.code(now), now, source=OWN_DOOR, door=Door.OWN) is Verdict.LOCKED
    assert alice.state.lock is None


def test_a_success_at_the_own_door_ends_its_row(alice: Account) -> None:
    """A right code there ends the row of the own door and leaves that of the account."""
    alice.verdict(PHONE.wrong(NOON)[0], NOON)
    now = guess_at_own_door(alice, 95) + 900
    assert alice.verdict(PHONE.code(now), now, source=OWN_DOOR, door=Door.OWN) is Verdict.ACCEPTED
    assert alice.state.own_wrong.in_a_row == 0
    assert alice.state.wrong.in_a_row == 1


def test_the_roots_lock_holds_at_the_own_door(alice: Account) -> None:
    """An account that is locked is locked for its own programs too."""
    lock_out(alice, NOON)
    found = alice.verdict(PHONE.code(NOON), NOON, source=OWN_DOOR, door=Door.OWN)
    assert found is Verdict.LOCKED


def test_the_own_door_clears_nothing_of_the_roots(alice: Account) -> None:
    """A success at the own door spends the code everywhere and clears its own failures alone."""
    wrong = PHONE.wrong(NOON, 4)
    for code in wrong:
        alice.tries(code, NOON)
    before = alice.state
    assert alice.verdict(PHONE.code(NOON), NOON, door=Door.OWN) is Verdict.ACCEPTED
    assert alice.state.codes == before.codes
    assert alice.state.wrong == before.wrong
    assert alice.verdict(PHONE.code(NOON), NOON) is Verdict.REPLAYED_CODE


# -- wrong passwords --------------------------------------------------------------------------


def test_wrong_passwords_lock_an_address(alice: Account) -> None:
    """Five wrong passwords lock the address and not the person; elsewhere the right code gets
    in."""
    state = alice.state
    assert [alice.wrong_password(NOON).locks for _ in range(6)] == [False] * 4 + [True, False]
    assert alice.state == state
    assert alice.verdict(PHONE.code(NOON), NOON) is Verdict.LOCKED_SOURCE
    assert alice.verdict(PHONE.code(NOON), NOON, source="198.51.100.1") is Verdict.ACCEPTED
    assert alice.verdict(PHONE.code(NOON, 30), NOON + 900) is Verdict.ACCEPTED


def test_wrong_passwords_do_not_make_a_lock_longer(alice: Account) -> None:
    """An address that goes on while it is locked is free when the lock ends."""
    for at in range(0, 900, 10):
        alice.wrong_password(NOON + at)
    free = NOON + 900 + 40
    assert alice.verdict(PHONE.code(free), free) is Verdict.ACCEPTED


def test_an_unknown_source_is_slow_and_never_locked(alice: Account) -> None:
    """Wrong passwords from a source that has no address make it slow, and lock nobody out."""
    made = [alice.wrong_password(NOON, UNKNOWN) for _ in range(10)]
    assert [m.slow for m in made] == [False] * 4 + [True] * 6
    assert not any(m.locks for m in made)
    assert alice.verdict(PHONE.code(NOON), NOON, source=UNKNOWN) is Verdict.ACCEPTED
    assert not alice.wrong_password(NOON, UNKNOWN).slow


def test_wrong_passwords_against_the_account(alice: Account) -> None:
    """Where the rules say so, wrong passwords from anywhere and wrong codes together lock the
    account for everybody, for the same time, and never for good."""
    alice.rules = Rules(scope=Scope.ACCOUNT)
    sources = [OFFICE, UNKNOWN, "198.51.100.1", "198.51.100.2"]
    assert [alice.wrong_password(NOON, source).locks for source in sources] == [False] * 4
    assert alice.tries(PHONE.wrong(NOON)[0], NOON).locks
    assert alice.verdict(PHONE.code(NOON), NOON) is Verdict.LOCKED
    assert not any(alice.wrong_password(NOON + at).locks for at in range(0, 900, 90))
    assert alice.state.wrong.in_a_row == 1
    assert set(alice.sources.values()) == {Counter()}
    assert alice.verdict(PHONE.code(NOON, 30), NOON + 900) is Verdict.ACCEPTED


def test_wrong_passwords_at_the_own_door_lock_that_door(alice: Account) -> None:
    """A person's own program locks its own door alone, by wrong passwords too."""
    alice.rules = Rules(scope=Scope.ACCOUNT)
    made = [alice.wrong_password(NOON, OWN_DOOR, Door.OWN) for _ in range(5)]
    assert made[-1].locks
    assert alice.verdict(PHONE.code(NOON), NOON, source=OWN_DOOR, door=Door.OWN) is Verdict.LOCKED
    assert alice.verdict(PHONE.code(NOON), NOON) is Verdict.ACCEPTED


def test_wrong_passwords_for_nobody_count_by_address(alice: Account) -> None:
    """Names that nobody has lock an address and leave no account locked, whatever the rules."""
    alice.rules, alice.person, state = Rules(scope=Scope.ACCOUNT), None, alice.state
    assert [alice.wrong_password(NOON).locks for _ in range(5)] == [False] * 4 + [True]
    assert alice.state == state


def test_a_wrong_password_is_no_answer_that_repeats(alice: Account) -> None:
    """What was not typed is never "the same again"."""
    alice.rules = Rules(scope=Scope.ACCOUNT)
    alice.wrong_password(NOON)
    assert alice.verdict("", NOON) is Verdict.WRONG_CODE


def test_a_wrong_password_is_told_whatever_the_account(alice: Account) -> None:
    """A wrong password has one verdict, locked, reset or foreign as the account may be."""
    alice.state = replace(alice.state, lock=AdministratorLock(0, "root"))
    alice.person = None
    assert alice.wrong_password(NOON).verdict is Verdict.WRONG_PASSWORD
    assert Account(None, AccountState()).wrong_password(NOON).verdict is Verdict.WRONG_PASSWORD
