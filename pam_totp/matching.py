"""What an answer matches: codes of an account's authenticators, or a recovery code.

A step is a period of time (TOTP) or a counter (HOTP).  Every candidate is computed and compared
in constant time, whatever matches first.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pam_totp import recovery
from pam_totp.account import AccountState, Authenticator, AuthenticatorState, Credentials
from pam_totp.answer import Answer
from pam_totp.otp import hotp, step_at

RECOVERY_CODE: Final = "recovery-code"  # in place of an authenticator's name
DRIFT: Final = 20  # steps; the code of a clock that is further off is like any other wrong one
LOOK_AHEAD: Final = 10  # counters; RFC 4226 section 7.4 calls it s
AHEAD: Final = 200  # counters; a token that is further ahead is like any other wrong code


@dataclass(frozen=True, slots=True)
class Match:
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
        """What the log calls it."""
        return RECOVERY_CODE if self.recovery_code is not None else self.steps[0][0].name


@dataclass(frozen=True, slots=True)
class Drift:
    """The authenticator whose clock is off, and by how many seconds (negative: slow)."""

    authenticator: Authenticator
    seconds: int


@dataclass(frozen=True, slots=True)
class Ahead:
    """The token whose counter is ahead, and by how many codes that were never typed here."""

    authenticator: Authenticator
    codes: int


def match(  # noqa: PLR0913, PLR0917 -- whose, what was typed, when, and how far to look
    answer: Answer,
    credentials: Credentials,
    state: AccountState,
    now: float,
    window: int,
    look_ahead: int = LOOK_AHEAD,
) -> Match:
    """Return what the answer matches within `window` steps of each authenticator's own, or
    `look_ahead` counters of its last one: those before it only say that the code was used."""

    def near(authenticator: Authenticator) -> range:
        if authenticator.parameters.type == "hotp":
            last = state.of(authenticator).last_step
            return range(max(0, last - look_ahead + 1), last + look_ahead + 1)
        return _around(authenticator, state, now, window)

    return Match(_matching(answer, credentials, near), _recovery_code(answer, credentials))


def drift(
    answer: Answer, credentials: Credentials, state: AccountState, now: float
) -> Drift | None:
    """Return the clock whose code of another time was typed, None if it is nobody's.

    Used codes and those before them are left out: they say what somebody read and not what a
    clock shows.
    """

    def near(authenticator: Authenticator) -> range:
        if authenticator.parameters.type == "hotp":
            return range(0)
        return _around(authenticator, state, now, DRIFT)

    found = [
        Drift(authenticator, _seconds_off(authenticator, step, now))
        for authenticator, step in _matching(answer, credentials, near)
        if step > state.of(authenticator).last_step
    ]
    return min(found, key=lambda one: abs(one.seconds), default=None)


def ahead(answer: Answer, credentials: Credentials, state: AccountState) -> Ahead | None:
    """Return the token whose code of a counter to come was typed, None if it is nobody's."""

    def coming(authenticator: Authenticator) -> range:
        if authenticator.parameters.type != "hotp":
            return range(0)
        expected = next_counter(state.of(authenticator))
        return range(expected, expected + AHEAD)

    found = [
        Ahead(authenticator, step - next_counter(state.of(authenticator)))
        for authenticator, step in _matching(answer, credentials, coming)
    ]
    return min(found, key=lambda one: one.codes, default=None)


def next_counter(known: AuthenticatorState) -> int:
    """Return the counter that a token's next code is expected to have, as far as is known
    (administration.spend puts the last step ahead of that)."""
    return known.last_step + known.offset + 1


def _seconds_off(authenticator: Authenticator, step: int, now: float) -> int:
    period = authenticator.parameters.period
    return (step - step_at(now, period)) * period


def _matching(
    answer: Answer, credentials: Credentials, candidates: Callable[[Authenticator], range]
) -> tuple[tuple[Authenticator, int], ...]:
    typed = answer.digits or ""
    return tuple(
        (authenticator, step)
        for authenticator in credentials.authenticators
        for step in candidates(authenticator)
        if hmac.compare_digest(hotp(authenticator.secret, step, authenticator.parameters), typed)
    )


def _around(authenticator: Authenticator, state: AccountState, now: float, reach: int) -> range:
    middle = step_at(now, authenticator.parameters.period) + state.of(authenticator).offset
    return range(max(0, middle - reach), middle + reach + 1)


def _recovery_code(answer: Answer, credentials: Credentials) -> str | None:
    if answer.recovery_code is None:
        return None
    digest = recovery.digest(answer.recovery_code, credentials.salt)
    found = None
    for known in credentials.recovery_codes:
        if hmac.compare_digest(known, digest):
            found = known
    return found
