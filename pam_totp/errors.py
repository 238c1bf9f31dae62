"""What can go wrong, as one tree.

"Wrong" is a verdict (pam_totp.verdict) and never an exception; an exception means
"could not check" or "could not do", and in a login each of them is a refusal.
"""

from __future__ import annotations


class PamTotpError(Exception):
    """The root.  `hint` is what to do next, a command where there is one."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class ConfigError(PamTotpError):
    """A configuration cannot be used; names the file, the key and the expected form."""


class PolicyError(PamTotpError):
    """A policy cannot be used or made; names the rule, the key and the expected form."""


class NameServiceError(PamTotpError):
    """NSS could not say whether a name exists.  It is not the same as "no such name"."""


class StoreError(PamTotpError):
    """The store could not read or write: disk full, locked, read-only, not set up."""


class StoreReadOnly(StoreError):
    """The store cannot be written: its file system is mounted read-only."""


class StoreDamaged(StoreError):
    """What the store holds is not what it wrote: missing, altered, exchanged or untrusted."""


class SealError(StoreDamaged):
    """A sealed record does not open: another key, another place, or altered."""


class UnknownKey(SealError):
    """A sealed record was sealed under a key that is not in the key file."""


class EnrollmentError(PamTotpError):
    """An enrollment cannot be made as asked."""


class InvitationGone(EnrollmentError):
    """The invitation that was presented is good no more."""


class UnknownAccount(PamTotpError):
    """Neither NSS nor the store knows the name."""


class TwoAccounts(PamTotpError):
    """A name is that of a local account and of an account of the machine."""


class UnknownAuthenticator(PamTotpError):
    """The account has no authenticator of that name."""


class ResyncError(PamTotpError):
    """Two codes do not say what a device's clock shows; nothing was changed."""


class BrokenMessage(PamTotpError):
    """A message does not follow the wire's form (native/wire.h)."""
