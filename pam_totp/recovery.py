"""Recovery codes: ten words for the day when the phone is gone, each good for one login.

A salted SHA-256 is what is kept of a code, and that lies sealed: who wants to search the 2**73
needs the store and the key first, and then has the secrets as well.
"""

from __future__ import annotations

import hashlib
from typing import Final

from pam_totp import paperword
from pam_totp.paperword import Choose

HOW_MANY: Final = 10
FEW: Final = 3  # left: time for new ones
_KIND: Final = paperword.Kind("rc")


def generate(choose: Choose) -> str:
    """Return a new code in its printed form; `choose` is `secrets.choice`."""
    return _KIND.generate(choose)


def normalise(typed: str) -> str | None:
    """Return the code that `typed` spells, or None if it has not a code's shape.

    Case, blanks and dashes do not matter.
    """
    return _KIND.normalise(typed)


def printed_at_end(text: str) -> str | None:
    """Return the code in exactly its printed form that ends `text`, or None.

    Only the printed form, so that cutting it off a password is never ambiguous.
    """
    return _KIND.printed_at_end(text)


def digest(normalised: str, salt: bytes) -> str:
    """Return the hash under which a code is stored, as hex."""
    return hashlib.sha256(b"pam-totp recovery code 1\0" + salt + normalised.encode()).hexdigest()


def hashes(codes: tuple[str, ...], salt: bytes) -> tuple[str, ...]:
    """Return the hashes of codes in their printed form."""
    return tuple(digest(code, salt) for code in filter(None, map(normalise, codes)))


def in_columns(codes: tuple[str, ...]) -> str:
    """Return recovery codes in two columns."""
    half = (len(codes) + 1) // 2
    pairs = zip(codes[:half], (*codes[half:], "")[:half], strict=True)
    return "\n".join(f"    {left}    {right}".rstrip() for left, right in pairs)
