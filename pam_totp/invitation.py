"""Invitations: a word, given to somebody in person, that lets them enroll once.

A password alone trusts whoever comes first.  The word reads `in-7k2mq-x9d4w-hn3ve`; its
salted hash lies in the account's state until something is enrolled, it is withdrawn, or
another is given out.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from pam_totp import paperword
from pam_totp.account import AccountState, Invitation
from pam_totp.paperword import Choose
from pam_totp.policy.values import Invitations

VALID: Final = 72 * 3_600  # seconds, unless told otherwise
LONGEST: Final = 90 * 86_400
_KIND: Final = paperword.Kind("in")


def new(
    now: float, by: str, choose: Choose, salt: bytes, valid: int = VALID
) -> tuple[str, Invitation]:
    """Return a new word in its printed form, and what is kept of it; `valid` is seconds,
    `choose` is `secrets.choice`, `salt` 16 random bytes."""
    word = _KIND.generate(choose)
    normal = normalise(word) or ""
    kept = Invitation(_digest(normal, salt.hex()), salt.hex(), int(now), int(now) + valid, by)
    return word, kept


def normalise(typed: str) -> str | None:
    """Return the word that `typed` spells, or None if it has not the shape of one."""
    return _KIND.normalise(typed)


def wanted(state: AccountState, policy: Invitations) -> bool:
    """Whether the next enrollment of the account wants a word."""
    return state.only_invited or policy is Invitations.REQUIRED


def matches(kept: Invitation | None, typed: str) -> bool:
    """Whether that is the word, its time aside; compared in constant time."""
    digest, salt = (kept.digest, kept.salt) if kept else ("", "")
    return hmac.compare_digest(_digest(normalise(typed) or "", salt), digest)


def _digest(normalised: str, salt: str) -> str:
    text = b"pam-totp invitation 1\0" + salt.encode() + normalised.encode()
    return hashlib.sha256(text).hexdigest()
