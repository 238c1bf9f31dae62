"""What became of each of many people."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from pam_totp.errors import PamTotpError
from pam_totp.event import Event
from pam_totp.sheet import InvitationPage, Page

BATCH: Final = 250  # accounts that change at once; logins wait for them, some ten milliseconds
HAS_ENROLLED: Final = "has enrolled: nothing was changed"


class Outcome(Enum):
    """What became of somebody."""

    ENROLLED = "enrolled"
    AGAIN = "shown again"
    INVITED = "invited"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one account, why where that is not plain, and what there is to hand out
    to its `owner` (uid, gid)."""

    account: str
    outcome: Outcome
    reason: str = ""
    hint: str = ""
    owner: tuple[int, int] = (-1, -1)
    page: Page | InvitationPage | None = field(default=None, repr=False)
    events: tuple[Event, ...] = ()


def failed(account: str, error: PamTotpError) -> Result:
    """Return the result of somebody for whom it could not be done."""
    return Result(account, Outcome.FAILED, str(error), error.hint or "")


def gone(name: str) -> Result:
    """Return the result of a member of a group whom nobody knows any more."""
    return Result(name, Outcome.FAILED, "the group lists the name, and there is no such account")
