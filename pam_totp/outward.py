"""How a verdict looks from outside: the PAM code, the weight of the log line, and what a
person is told.  The one place that maps them."""

from __future__ import annotations

import syslog
from dataclasses import dataclass
from typing import Final

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
        case Verdict.NOT_NEEDED:
            # Not success: a module that has checked nothing must not let anyone in.
            return Outward(PAM_IGNORE, syslog.LOG_INFO, delayed=False)
        case Verdict.UNAVAILABLE:
            return Outward(PAM_AUTHINFO_UNAVAIL, syslog.LOG_ERR, delayed=False)
        case Verdict.LOCKED_BY_ADMINISTRATOR | Verdict.OTHER_UID | Verdict.NOT_ENROLLED:
            return _TO_LOOK_AT
        case Verdict.UNKNOWN_ACCOUNT | Verdict.NOT_ALLOWED | Verdict.MALFORMED:
            return _TO_LOOK_AT
        case (
            Verdict.WRONG_CODE
            | Verdict.REPEATED_CODE
            | Verdict.REPLAYED_CODE
            | Verdict.WRONG_PASSWORD
            | Verdict.NO_CODE
            | Verdict.LOCKED
            | Verdict.LOCKED_SOURCE
        ):
            return _REFUSED
