"""Which event is told to its person, and as what.

The table is closed: every verdict and every act either has a kind or stands in `SILENT`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final

from pam_totp.event import Event
from pam_totp.matching import RECOVERY_CODE
from pam_totp.outward import LOCKS, LOCKS_FOR_GOOD
from pam_totp.verdict import Verdict


class Kind(Enum):
    """What a notice is about.  The values are what a notice's command gets."""

    ENROLLED = "enrolled"
    ADDED = "authenticator-added"
    REPLACED = "authenticator-replaced"
    REMOVED = "authenticator-removed"
    RECOVERY_CODES = "recovery-codes"
    RECOVERY_CODE_USED = "recovery-code-used"
    RESET = "reset"
    LOCKED = "locked"  # for a time, after wrong codes or passwords
    LOCKED_OWN = "locked-own-programs"  # for a time, and only the door of the person's programs
    LOCKED_FOR_GOOD = "locked-for-good"  # by the hard stop
    LOCKED_BY_ADMINISTRATOR = "locked-by-administrator"


ACTS: Final[Mapping[str, Kind]] = {
    "enrolled": Kind.ENROLLED,
    "authenticator-added": Kind.ADDED,
    "authenticator-replaced": Kind.REPLACED,
    "authenticator-removed": Kind.REMOVED,
    "recovery-codes": Kind.RECOVERY_CODES,
    "reset": Kind.RESET,
    "lock": Kind.LOCKED_BY_ADMINISTRATOR,
    "disable": Kind.LOCKED_BY_ADMINISTRATOR,
}

# What can begin a lock.  Not `unknown-account`: there is nobody to tell.
LOCKING: Final = frozenset({"wrong-code", "replayed-code", "wrong-password", "wrong-invitation"})

SILENT: Final = frozenset(
    {
        # A person is there, or should have been: the login itself says what there is to say.
        *("not-needed", "not-named", "repeated-code", "no-code", "locked", "locked-address"),
        *("locked-by-administrator", "disabled", "not-enrolled", "not-allowed"),
        *("malformed", "unavailable"),
        *("right-invitation", "expired-invitation"),
        # Nobody, or nobody's any more.
        *("unknown-account", "other-uid", "pruned"),
        # Acts that take nothing away and let nobody in.
        *("authenticator-renamed", "shown", "invited", "uninvited", "resync", "unlock", "enable"),
        # Of accounts that are nobody's on this machine, and have no mailbox on it.
        *("local-account", "account-added", "account-removed", "password-set"),
        *("admin-granted", "admin-revoked"),
        # Of no account.
        *("policy", "renew", "key-rotated", "key-exported", "key-imported"),
        "key-lost",
    }
)

_OWN: Final = "host uid:"


def kind_of(event: Event) -> Kind | None:
    """Return as what an event is told; None if it is not."""
    if event.what == Verdict.ACCEPTED.value:
        return Kind.RECOVERY_CODE_USED if event.authenticator == RECOVERY_CODE else None
    return _lock(event) if event.what in LOCKING else ACTS.get(event.what)


def _lock(event: Event) -> Kind | None:
    """Return which lock of the account a failure has begun, if any.

    One of an address is told to nobody: it locks no person, and any stranger on the network
    can have one begin.
    """
    said = event.detail.split("; ")
    if LOCKS_FOR_GOOD in said:
        return Kind.LOCKED_FOR_GOOD
    if LOCKS not in said:
        return None
    return Kind.LOCKED_OWN if said[0].startswith(_OWN) else Kind.LOCKED
