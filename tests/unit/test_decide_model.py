"""The decision against a model of it that shares no line with it."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from pam_totp import recovery
from pam_totp.account import AccountState
from pam_totp.decide import Door, Rules
from pam_totp.lockout import Limits
from tests.unit.world import NOON, Account, Phone, credentials, totp

DAY = 86_400
SALT = b"salt"
SMALL = Limits(failures=3, period=90, duration=60, in_a_row=7, in_days=9, days=1)
SECRETS = [b"a" * 20, b"b" * 20]
CODES = [f"rc-{letter * 5}-{letter * 5}-{letter * 5}" for letter in "abc"]


class Model:
    """The rules of the decision, as one reads them in the documents."""

    def __init__(self) -> None:
        self.last = [-1, -1]
        self.spent: set[str] = set()
        self.failed: dict[str, list[tuple[float, str]]] = {"root": [], "own": []}
        self.until = {"root": 0.0, "own": 0.0}
        self.row = 0
        self.history: list[float] = []
        self.stopped = False

    def verdict(self, text: str, now: float, door: str) -> str:
        """Return what an attempt comes to."""
        if self.stopped:
            return "locked-by-administrator"
        if now < self.until["root"] or now < self.until[door]:
            return "locked"
        recent = [(at, said) for at, said in self.failed[door] if now - at < 90]
        if text in [said for _, said in recent]:
            return "repeated-code"
        steps = self._steps(text, now)
        known = text in CODES
        fresh = (known and text not in self.spent) or any(s > self.last[i] for i, s in steps)
        if not fresh:
            self._fail(recent, text, now, door, guess=not steps and not known)
            return "replayed-code" if steps or known else "wrong-code"
        self.spent |= {text} & set(CODES)
        for index, step in steps:
            self.last[index] = max(self.last[index], step)
        self.failed[door], self.until[door] = [], 0.0
        self.row = 0 if door == "root" else self.row
        return "accepted"

    def _steps(self, text: str, now: float) -> list[tuple[int, int]]:
        near = range(max(0, int(now // 30) - 1), int(now // 30) + 2)
        return [(i, s) for i, key in enumerate(SECRETS) for s in near if totp(key, s) == text]

    def _fail(
        self, recent: list[tuple[float, str]], text: str, now: float, door: str, *, guess: bool
    ) -> None:
        self.failed[door] = [*recent, (now, text)]
        if len(self.failed[door]) == 3:
            self.failed[door], self.until[door] = [], now + 60
        if door == "root" and guess:
            self.row += 1
            self.history = [at for at in self.history if at > now - DAY] + [now]
            self.stopped = self.row >= 7 or len(self.history) > 9


class Decisions(RuleBasedStateMachine):
    """Attempts in any order, at any distance, at both doors: the decision does as the model."""

    @initialize()
    def begin(self) -> None:
        """Somebody has enrolled with two authenticators and three recovery codes."""
        normal = [code.replace("-", "") for code in CODES]
        hashes = tuple(recovery.digest(code, SALT) for code in normal)
        given = credentials(*(Phone(secret) for secret in SECRETS))
        given = replace(given, salt=SALT, recovery_codes=hashes)
        self.account = Account(given, rules=Rules(limits=SMALL))
        self.model = Model()
        self.now = int(NOON)
        self.steps = AccountState()

    def attempt(self, text: str, door: str) -> None:
        """Make one attempt at both."""
        before = self.account.state
        expected = self.model.verdict(text, self.now, door)
        made = self.account.tries(text, self.now, door=Door(door))
        assert made.verdict.value == expected
        if expected in ("locked", "repeated-code", "locked-by-administrator"):
            assert made.state == before

    @rule(seconds=st.sampled_from([0, 1, 29, 30, 31, 59, 60, 61, 90, 300, DAY // 2, DAY, -45]))
    def time_passes(self, seconds: int) -> None:
        """Time goes on, or the clock is set back a little."""
        self.now += seconds

    @rule(
        which=st.integers(0, 1),
        beside=st.sampled_from([0, 0, 0, -1, 1, -2, 2, 3]),
        door=st.sampled_from(["root", "root", "root", "own"]),
    )
    def code(self, which: int, beside: int, door: str) -> None:
        """Somebody types a code of one of the phones."""
        self.attempt(totp(SECRETS[which], self.now // 30 + beside), door)

    @rule(number=st.integers(0, 20), door=st.sampled_from(["root", "root", "root", "own"]))
    def guess(self, number: int, door: str) -> None:
        """Somebody guesses."""
        self.attempt(f"{number:06}", door)

    @rule(
        code=st.sampled_from([*CODES, "rc-ddddd-ddddd-ddddd"]),
        door=st.sampled_from(["root", "own"]),
    )
    def recovery_code(self, code: str, door: str) -> None:
        """Somebody types a recovery code, right or invented."""
        self.attempt(code, door)

    @invariant()
    def steps_only_rise(self) -> None:
        """No last step is ever lowered, and no spent recovery code is forgotten."""
        if not hasattr(self, "account"):
            return
        for id_, known in self.steps.authenticators.items():
            assert self.account.state.authenticators[id_].last_step >= known.last_step
        assert self.steps.spent <= self.account.state.spent
        self.steps = self.account.state


Decisions.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestDecisions = Decisions.TestCase
