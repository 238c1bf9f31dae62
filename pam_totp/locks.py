"""Locks that hold for a time: which there are, and the log lines of their begin and end."""

from __future__ import annotations

import math
import syslog
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum

from pam_totp import audit
from pam_totp.account import AccountState
from pam_totp.decide import Decision, Subject
from pam_totp.lockout import Counter


class Kind(Enum):
    """What led to a lock.  The values are what log lines call them."""

    CODES = "codes"  # wrong codes, at hosts that are root's
    OWN_CODES = "own-codes"  # wrong codes, at the person's own programs
    PASSWORDS = "passwords"  # wrong passwords, from one address


@dataclass(frozen=True, slots=True)
class TimedLock:
    """One lock of an account; `until` is UTC seconds, `source` is the address for PASSWORDS."""

    account: str
    kind: Kind
    source: str
    until: float


def of_state(account: str, state: AccountState, now: float) -> Iterator[TimedLock]:
    """Yield the locks that an account's state says at `now`."""
    for kind, counter in ((Kind.CODES, state.codes), (Kind.OWN_CODES, state.own_codes)):
        if counter.locked(now):
            yield TimedLock(account, kind, "", counter.locked_until)


def of_source(account: str, source: str, counter: Counter, now: float) -> Iterator[TimedLock]:
    """Yield the lock of one address, if there is one at `now`."""
    if counter.locked(now):
        yield TimedLock(account, Kind.PASSWORDS, source, counter.locked_until)


def begun(account: str, source: str, before: Subject, made: Decision, now: float) -> set[TimedLock]:
    """Return the locks that a decision has begun."""

    def held(state: AccountState, counted: Counter) -> set[TimedLock]:
        return {*of_state(account, state, now), *of_source(account, source, counted, now)}

    return held(made.state, made.source) - held(before.state, before.source)


def announce(
    made: Decision,
    begun: set[TimedLock],
    account: str,
    log: audit.Log,
    tell: Callable[[TimedLock], None],
) -> None:
    """Log the begin of each lock that a decision has begun, and tell of those that will end;
    without an end it is the hard stop's."""
    lock = made.state.lock
    if lock is not None:
        log(syslog.LOG_WARNING, begins_without_end(account, lock.by, lock.reason))
    for timed in begun:
        log(syslog.LOG_NOTICE, begins(timed))
        tell(timed)


def counter(kind: Kind, state: AccountState, source: Counter) -> Counter:
    """Return the counter that this kind of lock comes of."""
    match kind:
        case Kind.CODES:
            return state.codes
        case Kind.OWN_CODES:
            return state.own_codes
        case Kind.PASSWORDS:
            return source


def begins(lock: TimedLock) -> str:
    """Return the log line of a lock's begin."""
    until = datetime.fromtimestamp(math.ceil(lock.until), UTC).isoformat()
    return audit.line({"lock": "begins", **_which(lock), "until": until})


def begins_without_end(account: str, by: str, reason: str) -> str:
    """Return the log line of an administrator's lock, or of the hard stop's."""
    fields = {"account": account, "kind": "administrator", "by": by, "reason": reason}
    return audit.line({"lock": "begins", **fields})


def ends(lock: TimedLock) -> str:
    """Return the log line of a lock whose time is over."""
    return audit.line({"lock": "ends", **_which(lock), "how": "time"})


def lifted(account: str, by: str) -> str:
    """Return the log line of the end of every lock of an account, by somebody's `unlock`."""
    return audit.line({"lock": "ends", "account": account, "how": "unlock", "by": by})


def _which(lock: TimedLock) -> dict[str, str]:
    return {"account": lock.account, "kind": lock.kind.value, "source": lock.source}
