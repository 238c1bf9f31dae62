"""The decision: one pure function from what was offered and what is known to a verdict and
what is to be remembered.  No clock, no file, no randomness.

Acceptance is produced in exactly one place, `_accepted`.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from pam_totp import recovery
from pam_totp.account import (
    AccountState,
    AdministratorLock,
    Authenticator,
    AuthenticatorState,
    Credentials,
    Person,
)
from pam_totp.answer import Answer
from pam_totp.lockout import Counter, Failure, Limits
from pam_totp.otp import hotp, step_at
from pam_totp.source import UNKNOWN
from pam_totp.verdict import Verdict

HARD_STOP: Final = "pam-totp"  # who locked, where it was the hundred wrong codes
_NO_CREDENTIALS: Final = Credentials(-1, ())


class Door(Enum):
    """Through which host a login comes: one that is root's, whose stack has checked the
    password, or the person's own program, whose failures lock only that door."""

    ROOT = "root"
    OWN = "own"


@dataclass(frozen=True, slots=True)
class Rules:
    """What the decision goes by: `window`, the steps beside the current one (RFC 6238 5.2),
    and the lockout's limits."""

    window: int = 1
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True)
class Attempt:
    """One answer to "Verification code: ".  `person` is what NSS says of the name right now,
    None if NSS does not know it; `fingerprint` is a keyed hash of the answer."""

    person: Person | None
    answer: Answer
    fingerprint: str
    now: float
    source: str
    door: Door = Door.ROOT


@dataclass(frozen=True, slots=True)
class Subject:
    """What the store knows of an account, as of one moment; `source` counts the wrong
    passwords for it from the attempt's address."""

    credentials: Credentials | None
    state: AccountState
    source: Counter


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict, and what to remember.  `authenticator` names what was matched; `locks`
    says that this attempt has begun a lock; `slow` asks for a longer delay."""

    verdict: Verdict
    state: AccountState
    source: Counter
    authenticator: str | None = None
    locks: bool = False
    slow: bool = False


@dataclass(frozen=True, slots=True)
class _Match:
    """Everything that an answer matched: (authenticator, step) pairs, or a recovery code."""

    steps: tuple[tuple[Authenticator, int], ...] = ()
    recovery_code: str | None = None

    def fresh(self, state: AccountState) -> bool:
        """Whether any of it has not been used yet."""
        if self.recovery_code is not None:
            return self.recovery_code not in state.spent
        return any(step > state.of(a).last_step for a, step in self.steps)

    def __bool__(self) -> bool:
        return bool(self.steps) or self.recovery_code is not None

    @property
    def name(self) -> str:
        return "recovery-code" if self.recovery_code is not None else self.steps[0][0].name


def decide(attempt: Attempt, subject: Subject, rules: Rules) -> Decision:
    """Return the verdict on a code and the state after it.

    Everything is compared before anything is answered, so that a locked account, a wrong code
    and a spent one take the same time.
    """
    match = _match(attempt, subject.credentials or _NO_CREDENTIALS, subject.state, rules)
    standing = _standing(attempt, subject)
    counter = _counter(subject.state, attempt.door)
    if standing is not None:
        return Decision(standing, subject.state, subject.source)
    if counter.knows(attempt.fingerprint, attempt.now, rules.limits):
        # What was refused stays refused for the period: a client that repeats itself is not
        # counted again, and whoever repeats one guess gets no new chance with each step.
        return Decision(Verdict.REPEATED_CODE, subject.state, subject.source)
    if not match:
        return _failed(Verdict.WRONG_CODE, attempt, subject, rules)
    if not match.fresh(subject.state):
        return replace(
            _failed(Verdict.REPLAYED_CODE, attempt, subject, rules), authenticator=match.name
        )
    return _accepted(match, attempt, subject)


def wrong_password(attempt: Attempt, subject: Subject, rules: Rules) -> Decision:
    """Return what to remember of a wrong password: it counts by account and address, so that
    a stranger can lock out an address and not a person.  The code is not looked at."""
    source, lockable = subject.source, attempt.source != UNKNOWN
    if source.locked(attempt.now):
        return Decision(Verdict.WRONG_PASSWORD, subject.state, source)
    source = source.failed(Failure(attempt.now), rules.limits, lockable=lockable)
    return Decision(
        Verdict.WRONG_PASSWORD,
        subject.state,
        source,
        locks=source.locked(attempt.now),
        slow=not lockable and source.full(attempt.now, rules.limits),
    )


def locked(state: AccountState, now: float) -> Verdict | None:
    """Return the lock that the account is under for every root host, if any."""
    if state.lock is not None:
        return Verdict.LOCKED_BY_ADMINISTRATOR
    return Verdict.LOCKED if state.codes.locked(now) else None


def _standing(attempt: Attempt, subject: Subject) -> Verdict | None:
    """Return the reason to refuse whatever the code may be."""
    state, now = subject.state, attempt.now
    if state.lock is not None:
        return Verdict.LOCKED_BY_ADMINISTRATOR
    if state.enrolled is None or subject.credentials is None:
        return Verdict.NOT_ENROLLED
    if attempt.person is None or attempt.person.uid != subject.credentials.uid:
        return Verdict.OTHER_UID
    if locked(state, now) or _counter(state, attempt.door).locked(now):
        return Verdict.LOCKED
    return Verdict.LOCKED_SOURCE if subject.source.locked(now) else None


def _match(attempt: Attempt, credentials: Credentials, state: AccountState, rules: Rules) -> _Match:
    """Compare the answer with every candidate, in constant time, whatever matches first."""
    typed = attempt.answer.digits or ""
    steps = tuple(
        (authenticator, step)
        for authenticator in credentials.authenticators
        for step in _steps(attempt.now, authenticator, state, rules)
        if hmac.compare_digest(hotp(authenticator.secret, step, authenticator.parameters), typed)
    )
    return _Match(steps, _recovery_code(attempt.answer, credentials))


def _steps(now: float, authenticator: Authenticator, state: AccountState, rules: Rules) -> range:
    middle = step_at(now, authenticator.parameters.period) + state.of(authenticator).offset
    return range(max(0, middle - rules.window), middle + rules.window + 1)


def _recovery_code(answer: Answer, credentials: Credentials) -> str | None:
    if answer.recovery_code is None:
        return None
    digest = recovery.digest(answer.recovery_code, credentials.salt)
    found = None
    for known in credentials.recovery_codes:
        if hmac.compare_digest(known, digest):
            found = known
    return found


def _counter(state: AccountState, door: Door) -> Counter:
    return state.codes if door is Door.ROOT else state.own_codes


def _failed(verdict: Verdict, attempt: Attempt, subject: Subject, rules: Rules) -> Decision:
    """Count a failure; at the root's door a wrong code counts towards the hard stop too.

    A replayed code does not: it is no guess, and a client that reconnects with an old code
    every day must not lock its owner out for good.
    """
    state, now = subject.state, attempt.now
    failure = Failure(now, attempt.fingerprint)
    counter = _counter(state, attempt.door).failed(failure, rules.limits)
    if attempt.door is Door.OWN:
        state = replace(state, own_codes=counter)
        return Decision(verdict, state, subject.source, locks=counter.locked(now))
    state = replace(state, codes=counter)
    if verdict is Verdict.WRONG_CODE:
        state = _hard_stop(replace(state, wrong=state.wrong.failed(now, rules.limits)), now, rules)
    return Decision(verdict, state, subject.source, locks=locked(state, now) is not None)


def _hard_stop(state: AccountState, now: float, rules: Rules) -> AccountState:
    if not state.wrong.exhausted(now, rules.limits):
        return state
    reason = (
        f"{state.wrong.in_a_row} wrong codes in a row, {len(state.wrong.at)} in "
        f"{rules.limits.days} days, each after the right password: somebody knows the password"
    )
    return replace(state, lock=AdministratorLock(int(now), HARD_STOP, reason))


def _accepted(match: _Match, attempt: Attempt, subject: Subject) -> Decision:
    """Accept: spend what was matched, everywhere it matched, and clear the failures."""
    state = subject.state
    if match.recovery_code is not None:
        state = replace(state, spent=state.spent | {match.recovery_code})
    for authenticator, step in match.steps:
        known = state.of(authenticator)
        spent = AuthenticatorState(
            max(known.last_step, step), known.offset, last_used=int(attempt.now)
        )
        state = state.with_authenticator(authenticator.id, spent)
    if attempt.door is Door.ROOT:
        state = replace(state, codes=Counter(), wrong=state.wrong.succeeded())
    else:
        state = replace(state, own_codes=Counter())
    return Decision(Verdict.ACCEPTED, state, Counter(), authenticator=match.name)
