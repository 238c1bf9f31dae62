"""How a verdict looks from outside: the PAM code, the weight of the log line, and what a
person is told.  The one place that maps them."""

from __future__ import annotations

import syslog
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from pam_totp.decide import HARD_STOP, Decision
from pam_totp.verdict import Verdict

# linux-pam's _pam_types.h
PAM_SUCCESS: Final = 0
PAM_PERM_DENIED: Final = 6
PAM_AUTH_ERR: Final = 7
PAM_AUTHINFO_UNAVAIL: Final = 9
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
        case Verdict.INVITED:
            # It lets nobody in, should it ever be a login's answer.
            return Outward(PAM_AUTH_ERR, syslog.LOG_INFO)
        case Verdict.UNAVAILABLE:
            return Outward(PAM_AUTHINFO_UNAVAIL, syslog.LOG_ERR, delayed=False)
        case (
            Verdict.LOCKED_BY_ADMINISTRATOR
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


def detail_of(made: Decision) -> str:
    """Return what an administrator should know of a decision beyond its verdict."""
    said = ["this locks"] if made.locks else []
    if made.drift is not None:
        off = "slow" if made.drift < 0 else "fast"
        said.append(f"the phone's clock is {abs(made.drift)} s {off}")
    return "; ".join(said)


_TOLD: Final = {
    Verdict.NOT_ENROLLED: "You need a code here and have not set one up. Ask your administrator.",
    Verdict.UNKNOWN_ACCOUNT: "This account has no code to check. Ask your administrator.",
    Verdict.WRONG_CODE: "Wrong code.",
    Verdict.REPEATED_CODE: "This code was refused already. Wait for the next one.",
    Verdict.REPLAYED_CODE: "This code was used already. Wait for the next one.",
}


def told(verdict: Verdict, made: Decision | None) -> str | None:
    """Return what a refused person may be told after a right password, None for nothing.

    Never how far a code was off: that would be a hint to whoever guesses.
    """
    if verdict is Verdict.LOCKED_BY_ADMINISTRATOR:
        return _locked(made)
    if verdict is Verdict.LOCKED and made is not None:
        return f"Too many wrong codes. Locked until {_clock(made.state.codes.locked_until)}."
    if verdict is Verdict.LOCKED_SOURCE and made is not None:
        return f"Too many wrong passwords. Locked until {_clock(made.source.locked_until)}."
    return _TOLD.get(verdict)


def _locked(made: Decision | None) -> str:
    lock = made.state.lock if made is not None else None
    if lock is not None and lock.by == HARD_STOP:
        return (
            "Locked after many wrong codes, each with your right password: somebody knows it. "
            "Ask your administrator, and change the password."
        )
    return "Locked by an administrator."


def _clock(at: float) -> str:
    """Return a moment (UTC seconds) as this machine's clocks show it, a minute too late rather
    than too early."""
    return f"{datetime.fromtimestamp(at + 59, tz=UTC).astimezone():%H:%M}"
