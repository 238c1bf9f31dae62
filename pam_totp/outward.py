"""How a verdict looks from outside: the PAM code, the weight of the log line, and what a
person is told.  The one place that maps them."""

from __future__ import annotations

import syslog
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from pam_totp.decide import HARD_STOP, Decision
from pam_totp.speech import ENGLISH, Speech
from pam_totp.verdict import Verdict
from pam_totp.words import login as words

# linux-pam's _pam_types.h
PAM_SUCCESS: Final = 0
PAM_PERM_DENIED: Final = 6
PAM_AUTH_ERR: Final = 7
PAM_AUTHINFO_UNAVAIL: Final = 9
PAM_USER_UNKNOWN: Final = 10
PAM_IGNORE: Final = 25


@dataclass(frozen=True, slots=True)
class Outward:
    """`pam_code` ends the stack's line; `priority` is syslog's; `delayed` says that the
    refusal takes as long as a wrong password does."""

    pam_code: int
    priority: int
    delayed: bool = True


_REFUSED: Final = Outward(PAM_AUTH_ERR, syslog.LOG_NOTICE)
_TO_LOOK_AT: Final = Outward(PAM_AUTH_ERR, syslog.LOG_WARNING)


def outward(verdict: Verdict) -> Outward:
    """Return how `verdict` looks from outside.

    Every refusal of a person is PAM_AUTH_ERR and delayed the same: locked, unknown and wrong
    must look alike.  PAM_MAXTRIES would say more, and ends sshd's connection.
    """
    match verdict:
        case Verdict.ACCEPTED:
            return Outward(PAM_SUCCESS, syslog.LOG_INFO, delayed=False)
        case Verdict.NOT_NEEDED | Verdict.NOT_NAMED:
            # Not success: a module that has checked nothing must not let anyone in.
            return Outward(PAM_IGNORE, syslog.LOG_INFO, delayed=False)
        case Verdict.INVITED | Verdict.LOCAL:
            # They let nobody in, should they ever be a login's answer.
            return Outward(PAM_AUTH_ERR, syslog.LOG_INFO)
        case Verdict.UNAVAILABLE:
            return Outward(PAM_AUTHINFO_UNAVAIL, syslog.LOG_ERR, delayed=False)
        case (
            Verdict.LOCKED_BY_ADMINISTRATOR
            | Verdict.DISABLED
            | Verdict.OTHER_UID
            | Verdict.NOT_ENROLLED
            | Verdict.UNKNOWN_ACCOUNT
            | Verdict.NOT_ALLOWED
            | Verdict.MALFORMED
        ):
            return _TO_LOOK_AT
        case (
            Verdict.WRONG_CODE
            | Verdict.REPEATED_CODE
            | Verdict.REPLAYED_CODE
            | Verdict.WRONG_PASSWORD
            | Verdict.NO_CODE
            | Verdict.WRONG_INVITATION
            | Verdict.EXPIRED_INVITATION
            | Verdict.LOCKED
            | Verdict.LOCKED_SOURCE
        ):
            return _REFUSED


_DAY: Final = 86_400
LOCKS: Final = "this locks"
LOCKS_ADDRESS: Final = "this locks the address"
LOCKS_FOR_GOOD: Final = "this locks until an administrator unlocks"


def detail_of(made: Decision) -> str:
    """Return what an administrator should know of a decision beyond its verdict."""
    said = [_begun(made)] if made.locks else []
    if made.drift is not None:
        off = "slow" if made.drift < 0 else "fast"
        said.append(f"the phone's clock is {abs(made.drift)} s {off}")
    if made.ahead is not None:
        said.append(f"the token's counter is {made.ahead} ahead: authenticator resync helps")
    return "; ".join(said)


def _begun(made: Decision) -> str:
    if made.locks_address:
        return LOCKS_ADDRESS
    return LOCKS if made.state.lock is None else LOCKS_FOR_GOOD


_TOLD: Final = {
    Verdict.NOT_ENROLLED: words.NOT_ENROLLED,
    Verdict.UNKNOWN_ACCOUNT: words.UNKNOWN_ACCOUNT,
    Verdict.DISABLED: words.DISABLED,
    Verdict.WRONG_CODE: words.WRONG_CODE,
    Verdict.REPEATED_CODE: words.REPEATED_CODE,
    Verdict.REPLAYED_CODE: words.REPLAYED_CODE,
}


def told(verdict: Verdict, made: Decision | None, say: Speech = ENGLISH) -> str | None:
    """Return what a refused person may be told after a right password, None for nothing.

    Never how far a code was off: that would be a hint to whoever guesses.
    """
    if verdict is Verdict.LOCKED_BY_ADMINISTRATOR:
        return say(_locked(made))
    if verdict is Verdict.LOCKED and made is not None:
        return say(words.LOCKED, clock=clock_at(made.state.codes.locked_until))
    if verdict is Verdict.LOCKED_SOURCE and made is not None:
        return say(words.LOCKED_SOURCE, clock=clock_at(made.source.locked_until))
    message = _TOLD.get(verdict)
    return None if message is None else say(message)


def _locked(made: Decision | None) -> str:
    lock = made.state.lock if made is not None else None
    guessed = lock is not None and lock.by == HARD_STOP
    return words.GUESSED if guessed else words.LOCKED_BY_ADMINISTRATOR


def clock_at(at: float, now: float | None = None) -> str:
    """Return a moment (UTC seconds) as this machine's clocks show it, a minute too late rather
    than too early; with its date where it is more than a day after `now`."""
    form = "%Y-%m-%d %H:%M" if now is not None and at - now > _DAY else "%H:%M"
    return f"{datetime.fromtimestamp(at + 59, tz=UTC).astimezone():{form}}"
