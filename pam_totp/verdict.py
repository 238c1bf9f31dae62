"""Every answer that a login can get.  The enum is closed; anything but ACCEPTED refuses,
or in the case of NOT_NEEDED and NOT_NAMED leaves the login to the other modules of the stack."""

from __future__ import annotations

from enum import Enum


class Verdict(Enum):
    """The values are what log lines and events call them."""

    ACCEPTED = "accepted"
    NOT_NEEDED = "not-needed"
    NOT_NAMED = "not-named"  # the policy does not name the service: the module has no say

    LOCAL = "local-account"  # right as far as this line sees; the next one lets in, or refuses

    WRONG_CODE = "wrong-code"  # counted
    REPEATED_CODE = "repeated-code"  # the same code again: was counted when it first came
    REPLAYED_CODE = "replayed-code"  # a right code whose time step is spent; counted
    WRONG_PASSWORD = "wrong-password"  # what the stacked module said; counted by address
    NO_CODE = "no-code"  # none given, or the prompt could not be shown; not counted

    INVITED = "right-invitation"  # enrollment goes on, and nobody is let in by it
    WRONG_INVITATION = "wrong-invitation"  # counted as a wrong code is
    EXPIRED_INVITATION = "expired-invitation"  # not counted

    LOCKED = "locked"  # for a time, after wrong codes
    LOCKED_SOURCE = "locked-address"  # for a time, after wrong passwords from this address
    LOCKED_BY_ADMINISTRATOR = "locked-by-administrator"  # until an administrator acts

    DISABLED = "disabled"  # by an administrator, at every service, until enabled

    NOT_ENROLLED = "not-enrolled"  # a code was needed and there is nothing to check it with
    UNKNOWN_ACCOUNT = "unknown-account"  # neither NSS nor the store knows the name
    OTHER_UID = "other-uid"  # the name now belongs to somebody else, or to nobody
    NOT_ALLOWED = "not-allowed"  # a host that is not root asked for another's account
    MALFORMED = "malformed"  # what the client sent cannot be taken apart

    UNAVAILABLE = "unavailable"  # could not check
