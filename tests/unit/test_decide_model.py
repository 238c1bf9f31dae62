"""The decision against a simple model (decision_model.py), over histories that hypothesis
invents: right, wrong, old, future, repeated and recovery codes, wrong passwords, a clock that
is set both ways, locks, unlocks and resets, under numbers that are drawn as well.  Two phones
and two tokens that count, one of them with the secret of a phone and near to its steps.

The store is a real one, so that what is forgotten between two logins is found too."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pam_totp import administration, grace, recovery, resync
from pam_totp.account import AccountState, AuthenticatorState, Person
from pam_totp.decide import Attempt, Decision, Door, Rules, Subject, decide, locked, wrong_password
from pam_totp.lockout import Limits, Scope
from pam_totp.store.protocol import Change, CredentialsChange
from pam_totp.verdict import Verdict
from tests.unit.decision_model import DAY, PERIOD, Model, Numbers, Told
from tests.unit.world import NOON, Phone, Token, World, credentials, totp, typed

SALT = b"salt"
NO_ZERO = str.maketrans("0123456789", "abcdefghjk")  # recovery codes have no 0 and no 1
HOME = "198.51.100.1"
OFFICE = "192.0.2.7"
NUMBERS = st.builds(
    Numbers,
    failures=st.sampled_from([1, 2, 2, 3, 5]),
    period=st.sampled_from([60, 90, 900]),
    duration=st.sampled_from([30, 60, 900]),
    in_a_row=st.integers(3, 10),
    in_days=st.integers(3, 12),
    days=st.integers(1, 3),
    window=st.sampled_from([0, 1, 1, 2]),
    grace=st.sampled_from([0, 60, 3600]),
    look_ahead=st.sampled_from([1, 2, 10]),
    by_account=st.booleans(),
)
# A step, a period, a lock, a day: to the second before it, and to the second itself.
PASSES = st.sampled_from([0, 1, 29, 30, 31, 59, 60, 61, 89, 90, 899, 900, 3600, DAY, 3 * DAY])
SET_BY = st.sampled_from([-1, -30, -45, -90, -900, -7200, -DAY, 40 * DAY, -40 * DAY, 7200])
DOORS = st.sampled_from(["root", "root", "root", "own"])
ADDRESSES = st.sampled_from([OFFICE, OFFICE, OFFICE, HOME, "unknown"])
SERVICES = st.sampled_from(["sshd", "login"])
BESIDE = st.sampled_from([0, 0, 0, 0, -1, 1, 1, -2, 2, 3, -8, 10, 20, -20, 21, -21])
PRESSES = st.sampled_from([0, 0, 0, 0, 1, 2, 3, 9, 10, 30, 199, 200, -1, -2, -3, -11])
TOKENS = st.sampled_from(["phone2", "phone3"])
TIMES = st.integers(1, 4)
SELDOM = st.sampled_from([False, False, False, True])
numbers = itertools.count()


hosts: list[World] = []


@pytest.fixture(autouse=True, scope="module")
def _host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One host for all histories; each is of an account of its own."""
    hosts.append(World(tmp_path_factory.mktemp("decisions") / "data"))
    yield
    hosts.pop().store.close()


class Decisions(RuleBasedStateMachine):
    """What the decision does and what the model does are the same, always."""

    @initialize(drawn=NUMBERS)
    def begin(self, drawn: Numbers) -> None:
        """Somebody has enrolled with two phones and three recovery codes."""
        self.name = f"somebody{next(numbers)}"
        self.store = hosts[-1].store
        self.model = Model(drawn)
        self.now = int(NOON)
        self.enrollments = itertools.count()
        self.said: list[str] = []  # all that was ever typed as a code
        self.accepted: set[tuple[bytes | str, int]] = set()
        self.before = AccountState()
        self.rules = Rules(
            window=drawn.window,
            limits=Limits(
                drawn.failures,
                drawn.period,
                drawn.duration,
                drawn.in_a_row,
                drawn.in_days,
                drawn.days,
            ),
            scope=Scope.ACCOUNT if drawn.by_account else Scope.ADDRESS,
            grace=drawn.grace,
            look_ahead=drawn.look_ahead,
        )
        self.enroll()

    # -- time ---------------------------------------------------------------------------------

    @rule(seconds=PASSES)
    def time_passes(self, seconds: int) -> None:
        """Time goes on."""
        self.now += seconds

    @rule(seconds=SET_BY)
    def the_clock_is_set(self, seconds: int) -> None:
        """Somebody sets the clock."""
        self.now = max(0, self.now + seconds)

    # -- people -------------------------------------------------------------------------------

    @precondition(lambda self: self.model.secrets)
    @rule(which=st.integers(0, 1), beside=BESIDE, door=DOORS, service=SERVICES, address=ADDRESSES)
    def code(self, which: int, beside: int, door: str, service: str, address: str) -> None:
        """Somebody types a code of one of the phones, of now or of another time."""
        step = max(0, self.now // PERIOD + beside)
        self.attempt(totp(self.model.secrets[which], step), door, service, address)

    @precondition(lambda self: self.model.tokens)
    @rule(token=TOKENS, beside=PRESSES, door=DOORS, service=SERVICES, address=ADDRESSES)
    def press(self, token: str, beside: int, door: str, service: str, address: str) -> None:
        """Somebody types a code of a token: the next, one further ahead, or an old one."""
        counter = max(0, self.model.last[token] + 1 + beside)
        self.attempt(totp(self.model.tokens[token], counter), door, service, address)

    @rule(data=st.data(), door=DOORS, service=SERVICES, address=ADDRESSES)
    def again(self, data: st.DataObject, door: str, service: str, address: str) -> None:
        """Somebody types what was typed before, right or wrong."""
        if self.said:
            newest_first = self.said[::-1][:4]
            self.attempt(data.draw(st.sampled_from(newest_first)), door, service, address)

    @precondition(lambda self: self.model.secrets)
    @rule(which=st.integers(0, 1), later=st.sampled_from([0, 1, 30, 60, 900]), times=TIMES)
    def logins(self, which: int, later: int, times: int) -> None:
        """Somebody logs in as most people do, each time a little later."""
        for _ in range(times):
            self.now += later
            code = totp(self.model.secrets[which], self.now // PERIOD)
            self.attempt(code, "root", "sshd", OFFICE)

    @precondition(lambda self: self.accepted)
    @rule(data=st.data(), beside=st.sampled_from([0, 0, -1, 1]), door=DOORS)
    def used(self, data: st.DataObject, beside: int, door: str) -> None:
        """The clock is set to when a code was accepted, and it or its neighbour is typed."""
        device, step = data.draw(st.sampled_from(sorted(self.accepted, key=str)))
        secret = self.model.tokens.get(device) if isinstance(device, str) else device
        self.now = max(0, step + beside) * PERIOD if secret == device else self.now
        if secret is not None:
            self.attempt(totp(secret, max(0, step + beside)), door, "sshd", OFFICE)

    @rule(first=st.integers(0, 50), times=TIMES, later=PASSES, door=DOORS, address=ADDRESSES)
    def guesses(self, first: int, times: int, later: int, door: str, address: str) -> None:
        """Somebody guesses, again and again."""
        for number in range(times):
            self.now += later
            self.attempt(f"{first + number:06}", door, "sshd", address)

    @rule(number=st.integers(0, 3), door=DOORS, address=ADDRESSES)
    def recovery_code(self, number: int, door: str, address: str) -> None:
        """Somebody types a recovery code, one of the account's or an invented one."""
        self.attempt(self.recovery[number], door, "sshd", address)

    @rule(times=TIMES, door=DOORS, address=ADDRESSES)
    def wrong_password(self, times: int, door: str, address: str) -> None:
        """Somebody types wrong passwords."""
        source = "own" if door == "own" else address
        for _ in range(times):
            expected = self.model.wrong_password(self.now, door, source)
            self.compare(expected, self.decided("", door, "sshd", source, wrong_password))

    @rule(now_foreign=SELDOM)
    def the_name_changes_hands(self, now_foreign: bool) -> None:  # noqa: FBT001 -- hypothesis
        """The name is given to somebody else, or back."""
        self.model.foreign = now_foreign

    # -- administrators -----------------------------------------------------------------------

    @rule(really=SELDOM)
    def lock(self, really: bool) -> None:  # noqa: FBT001 -- hypothesis
        """An administrator locks the account."""
        if not really:
            return
        self.model.lock()
        administration.lock(self.store, self.name, self.now, "root")

    @rule()
    def unlock(self) -> None:
        """An administrator lifts every lock."""
        self.model.unlock()
        administration.unlock(self.store, self.name, self.now, "root")

    @precondition(lambda self: self.model.tokens)
    @rule(token=TOKENS, skipped=st.sampled_from([0, 1, 12, 700]))
    def resync(self, token: str, skipped: int) -> None:
        """An administrator types two codes in a row of a token."""
        first = self.model.last[token] + 1 + skipped
        one, two = (totp(self.model.tokens[token], counter) for counter in (first, first + 1))
        if one != two:
            resync.resync(self.store, self.name, token, (one, two), now=self.now, by="root")
            self.model.resync(token, skipped)

    @rule(really=SELDOM)
    def reset(self, really: bool) -> None:  # noqa: FBT001 -- hypothesis
        """An administrator resets the account."""
        if not really:
            return
        self.model.reset()
        administration.reset(self.store, self.name, self.now, "root")
        self.before = AccountState()
        # A token of the same name begins anew, with another secret.
        self.accepted = {one for one in self.accepted if isinstance(one[0], bytes)}

    @precondition(lambda self: not self.model.secrets)
    @rule()
    def enroll(self) -> None:
        """The account enrolls, with secrets that nobody had before."""
        number = next(self.enrollments)  # of this history: one told again is the same
        secrets = [f"{letter}{number:019}".encode() for letter in "ab"]
        word = f"{number:05}".translate(NO_ZERO)
        self.recovery = [f"rc-{a * 5}-{word}-aaaa{a}" for a in "abcd"]
        assert all(map(recovery.normalise, self.recovery))
        normal = [code.replace("-", "") for code in self.recovery[:3]]
        near = self.now // PERIOD + (3 if number % 2 else -3)
        own = f"c{number:019}".encode()
        self.model.enroll(secrets, {"phone2": (own, 0), "phone3": (secrets[0], near)}, normal)
        given = replace(
            credentials(*map(Phone, secrets), Token(own), Token(secrets[0])),
            salt=SALT,
            recovery_codes=tuple(recovery.digest(code, SALT) for code in normal),
        )

        def started(state: AccountState) -> AccountState:
            return state.with_authenticator("id3", AuthenticatorState(near - 1))

        self.store.change_credentials(self.name, lambda _: CredentialsChange(given, started))

    # -- what must hold -----------------------------------------------------------------------

    def attempt(self, text: str, door: str, service: str, address: str) -> None:
        """Type a code at both, and hold the product to what it must never do."""
        source = "own" if door == "own" else address
        answer = typed(text)
        seen = answer.recovery_code or answer.text
        matched = self.model.matched(seen, self.now)
        unused = seen in self.model.recovery
        expected = self.model.code(seen, self.now, door, service, source)
        state = self.state()
        made = self.decided(text, door, service, source, decide)
        self.said.append(text)
        if made.verdict is Verdict.ACCEPTED:
            # Said without the model: nothing twice, and nothing while a lock holds.
            assert unused or set(matched) - self.accepted
            assert locked(state, self.now) is None
            assert door == "root" or not state.own_codes.locked(self.now)
            self.accepted |= set(matched)
        elif made.verdict not in (Verdict.WRONG_CODE, Verdict.REPLAYED_CODE):
            assert made.state == state
        self.compare(expected, made)

    def decided(
        self,
        text: str,
        door: str,
        service: str,
        source: str,
        decision: Callable[[Attempt, Subject, Rules], Decision],
    ) -> Decision:
        """Make one attempt at the product, and return what it came to."""
        answer, person = typed(text), self.person()
        seen = answer.recovery_code or answer.text
        place = grace.place(person, service, source)
        attempt = Attempt(person, answer, seen, self.now, source, Door(door), place)

        def step(subject: Subject) -> tuple[Decision, Change]:
            made = decision(attempt, subject, self.rules)
            return made, Change(made.state, made.source)

        return self.store.step(self.name, source, step)

    def compare(self, expected: Told, made: Decision) -> None:
        """Verdict, lock, delay, drift and what is ahead are the model's."""
        told = {"locks": made.locks, "slow": made.slow, "drift": made.drift, "ahead": made.ahead}
        assert Told(made.verdict.value, **told) == expected

    def person(self) -> Person:
        """Return what the name service says."""
        return Person(self.name, 4711 if self.model.foreign else 1001)

    def state(self) -> AccountState:
        """Return what the store holds."""
        return self.store.look(self.name)

    @invariant()
    def nothing_used_is_forgotten(self) -> None:
        """No last step is ever lowered, and no spent recovery code is forgotten."""
        if not hasattr(self, "name"):
            return
        state = self.state()
        for id_, known in self.before.authenticators.items():
            assert state.authenticators[id_].last_step >= known.last_step
        assert self.before.spent <= state.spent
        self.before = state

    @invariant()
    def locks_are_the_models(self) -> None:
        """What an administrator sees of locks and failures is what the model counts."""
        if not hasattr(self, "name"):
            return
        found = administration.status(self.store, self.name, self.now, self.rules.limits)
        held = self.model.locked(self.now, "root")
        stopped = self.model.stopped
        assert found.locked == ("administrator" if stopped else "until" if held else "no")
        assert found.locked_until == (self.model.until["root"] if held and not stopped else None)
        assert found.enrolled == bool(self.model.secrets)
        assert found.recovery_codes == len(self.model.recovery)

    @invariant()
    def grace_is_the_models(self) -> None:
        """Exactly where the model lets in without a code the product does."""
        if not hasattr(self, "name"):
            return
        state, person, length = self.state(), self.person(), self.model.numbers.grace
        moments = {self.now}
        for at in self.model.trusted.values():
            moments |= {at - 1, at, at + length - 1, at + length}
        places = itertools.product(("sshd", "login"), (OFFICE, HOME, "unknown"), sorted(moments))
        for service, source, now in places:
            place = grace.place(person, service, source)
            free = grace.in_grace(state, place, now, length)
            assert free == self.model.let_in_free(now, service, source)
        owner = Person(self.name, 1001)
        assert set(state.trusted) == {grace.place(owner, *p) for p in self.model.trusted}


Decisions.TestCase.settings = settings(
    max_examples=150,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestDecisions = Decisions.TestCase
