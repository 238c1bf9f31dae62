"""The decision: one pure function from what was offered and what is known to a verdict and
what is to be remembered.  No clock, no file, no randomness.

Acceptance is produced in exactly one place, `_accepted`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from pam_totp import grace, invitation, matching
from pam_totp.account import (
    AccountState,
    AdministratorLock,
    AuthenticatorState,
    Credentials,
    Person,
)
from pam_totp.answer import Answer
from pam_totp.lockout import Counter, Failure, Limits, Scope
from pam_totp.matching import LOOK_AHEAD, Ahead, Drift, Match
from pam_totp.source import UNKNOWN
from pam_totp.verdict import Verdict

WINDOW: Final = 1  # steps
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
    the lockout's limits, where wrong passwords count, for how many seconds an accepted code
    lets in at its place without another (0: not at all), and how many counters after the last
    one are looked at (RFC 4226 7.4)."""

    window: int = WINDOW
    limits: Limits = Limits()
    scope: Scope = Scope.ADDRESS
    grace: float = 0.0
    look_ahead: int = LOOK_AHEAD


@dataclass(frozen=True, slots=True)
class Attempt:
    """One answer to "Verification code: ".  `person` is what NSS says of the name right now,
    None if NSS does not know it; `fingerprint` is a keyed hash of the answer; `place` is
    where it has grace if it is right, "" nowhere (grace.place)."""

    person: Person | None
    answer: Answer
    fingerprint: str
    now: float
    source: str
    door: Door = Door.ROOT
    place: str = ""


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
    says that this attempt has begun a lock, and `locks_address` that it is one of the address
    and not of the account; `slow` asks for a longer delay; `drift` is by how many seconds the
    clock is off whose code was refused for that alone (negative: slow),
    `ahead` by how many codes the token's counter is ahead whose code was."""

    verdict: Verdict
    state: AccountState
    source: Counter
    authenticator: str | None = None
    locks: bool = False
    locks_address: bool = False
    slow: bool = False
    drift: int | None = None
    ahead: int | None = None


def decide(attempt: Attempt, subject: Subject, rules: Rules) -> Decision:
    """Return the verdict on a code and the state after it.

    Everything is compared before anything is answered: how long a refusal takes does not say
    whether the code was right, on a locked account as little as where it was spent.
    """
    answer, state, now = attempt.answer, subject.state, attempt.now
    credentials = subject.credentials or _NO_CREDENTIALS
    match = matching.match(answer, credentials, state, now, rules.window, rules.look_ahead)
    standing = _standing(attempt, subject)
    if standing is not None:
        return Decision(standing, state, subject.source)
    if _counter(state, attempt.door).knows(attempt.fingerprint, now, rules.limits):
        # What was refused stays refused for the period: a client that repeats itself is not
        # counted again, and whoever repeats one guess gets no new chance with each step.
        return Decision(Verdict.REPEATED_CODE, state, subject.source)
    if match.fresh(state):
        return _accepted(match, attempt, subject, rules)
    drift = matching.drift(answer, credentials, state, now)
    ahead = matching.ahead(answer, credentials, state)
    if match:
        made = _failed(Verdict.REPLAYED_CODE, attempt, subject, rules)
        return replace(made, authenticator=match.name)
    return _told(_failed(Verdict.WRONG_CODE, attempt, subject, rules), drift, ahead)


def unknown_account(attempt: Attempt, subject: Subject, rules: Rules) -> Decision:
    """Return the refusal of a name that nobody has, after all that a wrong code takes."""
    return replace(decide(attempt, subject, rules), verdict=Verdict.UNKNOWN_ACCOUNT)


def invited(attempt: Attempt, subject: Subject, rules: Rules) -> Decision:
    """Return whether that is the account's invitation, and what to remember: a wrong one counts
    as a wrong code does, but not towards the hard stop.

    A right one stays as it is: enrollment spends it, in the step that keeps what was enrolled.
    """
    state, kept = subject.state, subject.state.invitation
    right = invitation.matches(kept, attempt.answer.text)
    locked_by = standing(attempt, subject)
    if locked_by is not None:
        return Decision(locked_by, state, subject.source)
    if right and kept is not None:
        over = attempt.now >= kept.until
        verdict = Verdict.EXPIRED_INVITATION if over else Verdict.INVITED
        return Decision(verdict, state, subject.source)
    if _counter(state, attempt.door).knows(attempt.fingerprint, attempt.now, rules.limits):
        return Decision(Verdict.WRONG_INVITATION, state, subject.source)
    return _failed(Verdict.WRONG_INVITATION, attempt, subject, rules)


def standing(attempt: Attempt, subject: Subject) -> Verdict | None:
    """Return the lock that refuses this attempt whatever else is right, if any."""
    barred = barring(subject.state)
    if barred is not None:
        return barred
    if _held(subject.state, attempt):
        return Verdict.LOCKED
    return Verdict.LOCKED_SOURCE if subject.source.locked(attempt.now) else None


def wrong_password(attempt: Attempt, subject: Subject, rules: Rules) -> Decision:
    """Return what to remember of a wrong password: it counts as `rules.scope` says, never
    towards the hard stop, and ends the grace of its address.  The code is not looked at."""
    state = grace.ended_from(subject.state, attempt.source)
    if rules.scope is Scope.ACCOUNT and attempt.person is not None:
        if _held(state, attempt):
            return Decision(Verdict.WRONG_PASSWORD, state, subject.source)
        return _failed(Verdict.WRONG_PASSWORD, attempt, subject, rules)
    source, lockable = subject.source, attempt.source != UNKNOWN
    if source.locked(attempt.now):
        return Decision(Verdict.WRONG_PASSWORD, state, source)
    source = source.failed(Failure(attempt.now), rules.limits, lockable=lockable)
    locks = source.locked(attempt.now)
    return Decision(
        Verdict.WRONG_PASSWORD,
        state,
        source,
        locks=locks,
        locks_address=locks,
        slow=not lockable and source.full(attempt.now, rules.limits),
    )


def locked(state: AccountState, now: float) -> Verdict | None:
    """Return the lock that the account is under for every root host, if any."""
    return barring(state) or (Verdict.LOCKED if state.codes.locked(now) else None)


def barring(state: AccountState) -> Verdict | None:
    """Return what refuses the account until an administrator acts, if anything."""
    if state.disabled is not None:
        return Verdict.DISABLED
    return None if state.lock is None else Verdict.LOCKED_BY_ADMINISTRATOR


def _held(state: AccountState, attempt: Attempt) -> bool:
    """Whether the account is locked for this attempt's door."""
    return locked(state, attempt.now) is not None or _counter(state, attempt.door).locked(
        attempt.now
    )


def _standing(attempt: Attempt, subject: Subject) -> Verdict | None:
    """Return the reason to refuse whatever the code may be."""
    state = subject.state
    barred = barring(state)
    if barred is not None:
        return barred
    if state.enrolled is None or subject.credentials is None:
        return Verdict.NOT_ENROLLED
    if attempt.person is None or attempt.person.uid != subject.credentials.uid:
        return Verdict.OTHER_UID
    return standing(attempt, subject)


def _told(made: Decision, drift: Drift | None, ahead: Ahead | None) -> Decision:
    """Return the refusal with what is known of the clock or the counter: for the log and for
    administrators, never for whoever typed the code."""
    if drift is None:
        if ahead is None:
            return made
        return replace(made, authenticator=ahead.authenticator.name, ahead=ahead.codes)
    authenticator = drift.authenticator
    known = replace(made.state.of(authenticator), drift=drift.seconds)
    state = made.state.with_authenticator(authenticator.id, known)
    return replace(made, state=state, authenticator=authenticator.name, drift=drift.seconds)


def _counter(state: AccountState, door: Door) -> Counter:
    return state.codes if door is Door.ROOT else state.own_codes


def _failed(verdict: Verdict, attempt: Attempt, subject: Subject, rules: Rules) -> Decision:
    """Count a failure; at the root's door a wrong code counts towards the hard stop too.

    A replayed code does not: it is no guess, and a client that reconnects with an old code
    every day must not lock its owner out for good.  A failure ends the grace of its address,
    a lock that begins ends all of it.
    """
    state = _counted(verdict, attempt, grace.ended_from(subject.state, attempt.source), rules)
    locks = _held(state, attempt)
    return Decision(verdict, grace.ended(state) if locks else state, subject.source, locks=locks)


def _counted(verdict: Verdict, attempt: Attempt, state: AccountState, rules: Rules) -> AccountState:
    now, limits = attempt.now, rules.limits
    counter = _counter(state, attempt.door).failed(Failure(now, attempt.fingerprint), limits)
    if attempt.door is Door.OWN:
        state = replace(state, own_codes=counter)
        return _own_hard_stop(state, now, limits) if verdict is Verdict.WRONG_CODE else state
    state = replace(state, codes=counter)
    if verdict is not Verdict.WRONG_CODE:
        return state
    return _hard_stop(replace(state, wrong=state.wrong.failed(now, limits)), now, rules)


def _hard_stop(state: AccountState, now: float, rules: Rules) -> AccountState:
    if not state.wrong.exhausted(now, rules.limits):
        return state
    reason = (
        f"{state.wrong.in_a_row} wrong codes in a row, {len(state.wrong.at)} in "
        f"{rules.limits.days} days, each after the right password: somebody knows the password"
    )
    return replace(state, lock=AdministratorLock(int(now), HARD_STOP, reason))


def _own_hard_stop(state: AccountState, now: float, limits: Limits) -> AccountState:
    """Count a guess of the person's own programs: as many as are too many for the account close
    their door alone, for as long as they are remembered.

    SECURITY: a guess that is right there gives other authenticators to whoever has no password.
    """
    wrong = state.own_wrong.failed(now, limits)
    if not wrong.exhausted(now, limits):
        return replace(state, own_wrong=wrong)
    closed = Counter((), now + limits.days * 86_400)
    return replace(state, own_wrong=wrong, own_codes=closed)


def _accepted(match: Match, attempt: Attempt, subject: Subject, rules: Rules) -> Decision:
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
        if attempt.place and rules.grace > 0:
            state = grace.begun(state, attempt.place, attempt.now, rules.grace)
    else:
        state = replace(state, own_codes=Counter(), own_wrong=state.own_wrong.succeeded())
    return Decision(Verdict.ACCEPTED, state, Counter(), authenticator=match.name)
