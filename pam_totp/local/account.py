"""A local account: a name, a password's verifier, and what may be done with it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from pam_totp.account import Person
from pam_totp.errors import PamTotpError
from pam_totp.local.password import Verifier

UID: Final = 0xFFFF_FFFF
"""What stands where a uid stands: (uid_t)-1, which no account of a name service can have."""

_NAME: Final = re.compile(r"[a-z_][a-z0-9._-]{0,31}")


class BadName(PamTotpError):
    """A name that no local account can have."""


@dataclass(frozen=True, slots=True)
class LocalAccount:
    """An account of our own.  Times are UTC seconds.

    `first` says that somebody else has made the password: the next sign-in sets an own one and
    enrolls before anything else.  `administrator` is whether it may administer.
    """

    name: str
    verifier: Verifier
    administrator: bool = False
    first: bool = False
    created: int = 0
    changed: int = 0  # when the password was set

    @property
    def person(self) -> Person:
        """Who it is to the decision and the store."""
        return Person(self.name, UID)


def is_local(person: Person | None) -> bool:
    """Whether a person is one of ours."""
    return person is not None and person.uid == UID


def check_name(name: str) -> None:
    """Raise BadName unless a local account may be called so, wherever names are used."""
    if _NAME.fullmatch(name) is None:
        raise BadName(
            f"{name!r} cannot be an account's name",
            hint="1 to 32 of a-z, 0-9, `.`, `_` and `-`, a letter or `_` first",
        )
