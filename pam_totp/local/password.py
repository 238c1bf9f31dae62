"""Passwords of local accounts: what may be one, and how it is kept.

Kept is an scrypt hash (RFC 7914) with its own salt and the parameters that it was made with; one
that was made with less than is usual now is made anew when the password is next given.  What
may be a password follows NIST SP 800-63B-4, 3.1.1.2: long, not the name, not a common one, no
rules of composition.
"""

from __future__ import annotations

import hmac
import itertools
import os
import re
import threading
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Final

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from pam_totp.errors import PamTotpError
from pam_totp.speech import ENGLISH
from pam_totp.words import local as words

LEAST: Final = 15  # characters
MOST: Final = 128  # bytes: what OpenVPN's field holds
_N, _R, _P = 2**15, 8, 1
_SALT_BYTES: Final = 16
_DIGEST_BYTES: Final = 32
_FEWEST: Final = 5  # different characters

# Each takes 32 MB and a twentieth of a second: a crowd must not take all there is.
_AT_ONCE: Final = threading.BoundedSemaphore(2)

Random = Callable[[int], bytes]


class PasswordRefused(PamTotpError):
    """That cannot be a password; `message` with its `values` says why, in any language."""

    def __init__(self, message: str, **values: object) -> None:
        super().__init__(ENGLISH(message, **values))
        self.message = message
        self.values = values


@dataclass(frozen=True, slots=True)
class Verifier:
    """What tells whether a password is right, and does not tell the password."""

    salt: bytes = field(repr=False)
    digest: bytes = field(repr=False)
    n: int = _N
    r: int = _R
    p: int = _P

    @property
    def outdated(self) -> bool:
        """Whether it was made with less than is usual now."""
        return (self.n, self.r, self.p) < (_N, _R, _P)

    def matches(self, password: str) -> bool:
        """Whether that is the password."""
        made = _scrypt(password, self.salt, self.n, self.r, self.p)
        return hmac.compare_digest(made, self.digest)


def verifier(password: str, random: Random = os.urandom) -> Verifier:
    """Return what is kept of a password."""
    salt = random(_SALT_BYTES)
    return Verifier(salt, _scrypt(password, salt, _N, _R, _P))


def check(password: str, name: str) -> None:
    """Raise PasswordRefused unless it may be the password of the account called `name`."""
    spelled = _spelled(password)
    if len(spelled) < LEAST:
        raise PasswordRefused(words.TOO_SHORT, least=LEAST)
    if len(spelled.encode()) > MOST:
        raise PasswordRefused(words.TOO_LONG, most=MOST)
    if not spelled.isprintable():
        raise PasswordRefused(words.CONTROL)
    bare = _bare(spelled)
    if bare.strip("0123456789") in _common() or bare in _common() or _is_simple(bare):
        raise PasswordRefused(words.COMMON)
    if _without(bare, _bare(name)) < LEAST - 3:
        raise PasswordRefused(words.NAME)


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    given = _spelled(password).encode("utf-8", "surrogateescape")
    with _AT_ONCE:
        return Scrypt(salt=salt, length=_DIGEST_BYTES, n=n, r=r, p=p).derive(given)


def _spelled(password: str) -> str:
    """Return one spelling of what keyboards send in several."""
    return unicodedata.normalize("NFKC", password)


def _bare(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.casefold())


def _without(password: str, name: str) -> int:
    """Return how many characters are left of a password without the account's name."""
    return len(password.replace(name, "")) if name else len(password)


def _is_simple(bare: str) -> bool:
    """Whether it is few characters again and again, a word again and again, or a row of the
    alphabet or of digits."""
    if len(set(bare)) < _FEWEST or re.fullmatch(r"(.{1,8}?)\1+.{0,7}", bare):
        return True
    steps = {ord(b) - ord(a) for a, b in itertools.pairwise(bare)}
    return steps <= {1, -9} or steps <= {-1, 9}  # 0 comes after 9


@cache
def _common() -> frozenset[str]:
    text = resources.files("pam_totp.local").joinpath("common.txt").read_text("utf-8")
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#"))
