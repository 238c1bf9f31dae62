"""What is known of one account: its credentials, which are secret and change by enrollment,
and its state, which each login changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pam_totp.lockout import Counter, WrongCodes
from pam_totp.otp import Parameters
from pam_totp.secret import Secret


@dataclass(frozen=True, slots=True)
class Person:
    """An account as NSS names it: `pw_name`, never what was typed."""

    name: str
    uid: int
    gid: int = field(default=-1, compare=False)  # the primary group


@dataclass(frozen=True, slots=True)
class Authenticator:
    """One app or token that makes codes.  `id` stays when `name` changes."""

    id: str
    name: str
    secret: Secret
    parameters: Parameters = Parameters()
    created: int = 0


@dataclass(frozen=True, slots=True)
class Credentials:
    """An account's authenticators and the hashes of its recovery codes.

    `uid` is whose they are: a name that is used again for somebody else inherits nothing.
    `version` counts the changes, so that an older copy put back is noticed; the store sets it.
    """

    uid: int
    authenticators: tuple[Authenticator, ...]
    salt: bytes = b""
    recovery_codes: tuple[str, ...] = ()
    version: int = 0

    def named(self, name: str) -> Authenticator | None:
        """Return the authenticator called `name`."""
        return next((a for a in self.authenticators if a.name == name), None)

    @property
    def digits(self) -> int | None:
        """The number of digits that all authenticators agree on, else None."""
        numbers = {a.parameters.digits for a in self.authenticators}
        return numbers.pop() if len(numbers) == 1 else None


@dataclass(frozen=True, slots=True)
class AuthenticatorState:
    """What logins leave behind: the last accepted step (RFC 6238 5.2: a code is accepted
    once), by how many steps an administrator has set its window off (`resync`), when it was
    last used, and `drift`: how many seconds off the device's clock was when its code was last
    refused for that alone (negative: slow).

    For HOTP the step is the counter, and `offset` by how far it was put ahead of what is known
    (administration.spend; negative), 0 after `resync`.  `confirmed` is False from an
    enrollment without a code until a code is accepted; only then may the secret be shown again.
    """

    last_step: int = -1
    offset: int = 0
    last_used: int | None = None
    drift: int | None = None
    confirmed: bool = True


@dataclass(frozen=True, slots=True)
class Invitation:
    """A word that lets somebody enroll once: its salted hash, when and by whom it was given
    out, and until when it is good (UTC seconds)."""

    digest: str
    salt: str
    at: int
    until: int
    by: str


@dataclass(frozen=True, slots=True)
class AdministratorLock:
    """A lock without an end: by an administrator, or by the hard stop (`by` is "pam-totp")."""

    at: int
    by: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class AccountState:
    """What each login may change.

    `enrolled` is the version of the credentials that count, None while nobody has enrolled:
    enrollment is this fact and not the presence of a file.  `version` is the last one given
    out; where it is above `enrolled`, an enrollment is under way or was cut short.
    `only_invited` says that the next enrollment wants an invitation whatever the policy says.
    """

    enrolled: int | None = None
    version: int = 0
    uid: int | None = None  # for whom it was enrolled, as the credentials say under seal
    authenticators: Mapping[str, AuthenticatorState] = field(default_factory=dict)
    spent: frozenset[str] = frozenset()  # hashes of used recovery codes
    codes: Counter = Counter()  # wrong codes, from hosts that are root's
    own_codes: Counter = Counter()  # wrong codes, from the person's own programs
    wrong: WrongCodes = WrongCodes()
    own_wrong: WrongCodes = WrongCodes()  # the same, of the person's own programs
    lock: AdministratorLock | None = None
    # Where a code was accepted, in UTC seconds (pam_totp.grace)
    trusted: Mapping[str, float] = field(default_factory=dict)
    invitation: Invitation | None = None
    only_invited: bool = False
    disabled: AdministratorLock | None = None  # for every service; `unlock` leaves it

    @property
    def barred(self) -> AdministratorLock | None:
        """What refuses the account until an administrator acts, if anything."""
        return self.disabled or self.lock

    @property
    def last_used(self) -> int | None:
        """When the code of any of its authenticators was last accepted."""
        used = (a.last_used for a in self.authenticators.values() if a.last_used is not None)
        return max(used, default=None)

    def of(self, authenticator: Authenticator) -> AuthenticatorState:
        """Return the state of one authenticator; a fresh one if it was never used."""
        return self.authenticators.get(authenticator.id, AuthenticatorState())

    def with_authenticator(self, id_: str, state: AuthenticatorState) -> AccountState:
        """Return the state with one authenticator's changed."""
        return replace(self, authenticators={**self.authenticators, id_: state})


NOBODY = AccountState()
