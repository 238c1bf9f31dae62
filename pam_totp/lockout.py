"""Counting failures, and the locks that come of them: pure functions over small records.

Time is UTC seconds.  A clock that was set back makes a lock longer, never shorter.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

_DAY: Final = 86_400


class Scope(Enum):
    """Where a wrong password counts: against the account from one source address, so that a
    stranger can lock out an address and not a person; or against the account itself, as
    OpenVPN Access Server does it."""

    ADDRESS = "address"
    ACCOUNT = "account"


@dataclass(frozen=True, slots=True)
class Limits:
    """When an account locks.  Five failures within 900 s lock for 900 s; that alone is no cap,
    since five tries each quarter of an hour for a year find a code with a chance of 41 %, so a
    hundred wrong codes in a row, or more than a hundred in thirty days, lock until an
    administrator acts (NIST SP 800-63B-4, 3.2.2)."""

    failures: int = 5
    period: float = 900.0
    duration: float = 900.0
    in_a_row: int = 100
    in_days: int = 100
    days: int = 30


@dataclass(frozen=True, slots=True)
class Failure:
    """One counted failure: when, and a keyed fingerprint of what was typed ("" for none)."""

    at: float
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Counter:
    """The failures at one door within the period, and the lock they led to."""

    failures: tuple[Failure, ...] = ()
    locked_until: float = 0.0

    def locked(self, now: float) -> bool:
        """Whether the lock holds at `now`."""
        return now < self.locked_until

    def recent(self, now: float, limits: Limits) -> tuple[Failure, ...]:
        """Return the failures that still count at `now`."""
        return tuple(f for f in self.failures if now - f.at < limits.period)

    def knows(self, fingerprint: str, now: float, limits: Limits) -> bool:
        """Whether this very answer was counted within the period; what has no fingerprint is
        never the same."""
        return fingerprint != "" and any(
            f.fingerprint == fingerprint for f in self.recent(now, limits)
        )

    def failed(self, failure: Failure, limits: Limits, *, lockable: bool = True) -> Counter:
        """Return the counter after one more failure; the last one that is allowed locks.

        What is not `lockable` keeps counting instead, up to the limit.
        """
        failures = (*self.recent(failure.at, limits), failure)
        if len(failures) < limits.failures:
            return Counter(failures, self.locked_until)
        if not lockable:
            latest = sorted(failures, key=lambda one: one.at)  # also where a clock was set back
            return Counter(tuple(latest[-limits.failures :]))
        return Counter((), failure.at + limits.duration)

    def full(self, now: float, limits: Limits) -> bool:
        """Whether a counter that cannot lock has reached the limit."""
        return len(self.recent(now, limits)) >= limits.failures


@dataclass(frozen=True, slots=True)
class WrongCodes:
    """The long memory: wrong codes after right passwords, for the hard stop."""

    in_a_row: int = 0
    at: tuple[int, ...] = ()  # seconds, the newest last, only those that can still matter

    def failed(self, now: float, limits: Limits) -> WrongCodes:
        """Return the memory after one more wrong code."""
        since = now - limits.days * _DAY
        kept = tuple(t for t in self.at if t > since)[-limits.in_days :]
        return WrongCodes(self.in_a_row + 1, (*kept, int(now)))

    def succeeded(self) -> WrongCodes:
        """Return the memory after a success, which ends the row and not the thirty days."""
        return replace(self, in_a_row=0) if self.in_a_row else self

    def exhausted(self, now: float, limits: Limits) -> bool:
        """Whether somebody has guessed so often that an administrator must look."""
        since = now - limits.days * _DAY
        many = sum(t > since for t in self.at) > limits.in_days
        return many or self.in_a_row >= limits.in_a_row
