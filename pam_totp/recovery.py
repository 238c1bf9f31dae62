"""Recovery codes: ten words for the day when the phone is gone, each good for one login.

A code reads `rc-7k2mq-x9d4w-hn3ve`: fourteen characters of 31 that nobody confuses and a
letter at the end, 73 bits.  A salted SHA-256 is what is kept of it, and that lies sealed: who
wants to search the 2**73 needs the store and the key first, and then has the secrets as well.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Final

PREFIX: Final = "rc-"
HOW_MANY: Final = 10
_LETTERS: Final = "abcdefghjkmnpqrstuvwxyz"  # no i, l, o
_ALPHABET: Final = "23456789" + _LETTERS  # no 0, 1
_GROUPS: Final = 3
_GROUP: Final = 5
_LENGTH: Final = _GROUPS * _GROUP
_TYPED: Final = re.compile(rf"rc[{_ALPHABET}]{{{_LENGTH - 1}}}[{_LETTERS}]")
_PRINTED_END: Final = re.compile(
    rf"rc-[{_ALPHABET}]{{5}}-[{_ALPHABET}]{{5}}-[{_ALPHABET}]{{4}}[{_LETTERS}]\Z"
)

Choose = Callable[[str], str]


def generate(choose: Choose) -> str:
    """Return a new code in its printed form; `choose` is `secrets.choice`."""
    body = "".join(choose(_ALPHABET) for _ in range(_LENGTH - 1)) + choose(_LETTERS)
    groups = (body[at : at + _GROUP] for at in range(0, _LENGTH, _GROUP))
    return PREFIX + "-".join(groups)


def normalise(typed: str) -> str | None:
    """Return the code that `typed` spells, or None if it has not a code's shape.

    Case, blanks and dashes do not matter.
    """
    plain = "".join(typed.split()).replace("-", "").lower()
    return plain if _TYPED.fullmatch(plain) else None


def printed_at_end(text: str) -> str | None:
    """Return the code in exactly its printed form that ends `text`, or None.

    Only the printed form, so that cutting it off a password is never ambiguous.
    """
    found = _PRINTED_END.search(text)
    return found.group() if found else None


def digest(normalised: str, salt: bytes) -> str:
    """Return the hash under which a code is stored, as hex."""
    return hashlib.sha256(b"pam-totp recovery code 1\0" + salt + normalised.encode()).hexdigest()
