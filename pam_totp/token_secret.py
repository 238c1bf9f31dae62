"""A token's own secret, as its papers print it and people type it: base32 or hex.

    JBSWY3DP EHPK3PXP JBSWY3DP EHPK3PXP     base32: blanks, dashes, case and = do not matter
    48:65:6c:6c:6f:…, 0x48656c6c6f…         hex: blanks, dashes, colons and case do not matter
    base32:…, hex:…                         which of them it is, where it could be both

Base32 has no 0, 1 and 8, so that who reads them has misread O, L and B (RFC 4648 section 6 has
the alphabet, section 3.4 the decoder that maps look-alikes).  Text of hex digits alone is hex as
soon as it has one of 0, 1, 8 and 9, none of which a program prints in base32.

SECURITY: no error holds any part of what was typed, and it may be anything.
"""

from __future__ import annotations

import base64
from string import ascii_lowercase, ascii_uppercase
from typing import Final

from pam_totp.errors import EnrollmentError
from pam_totp.secret import Secret

LEAST_BITS: Final = 128  # RFC 4226 section 4, R6
MOST_BYTES: Final = 512
FORM: Final = "26 characters of base32 or 32 hex digits at least"

_BASE32: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
_HEX: Final = frozenset("0123456789ABCDEF")
_LOOK_ALIKES: Final = str.maketrans("018", "OLB")
# ASCII letters alone: `upper` makes two S out of a sharp s.  Dashes are as papers print them.
_PLAIN: Final = str.maketrans(ascii_lowercase, ascii_uppercase, "-\u2010\u2011\u2013")
_CUT_SHORT: Final = (1, 3, 6)  # characters over a multiple of 8 that no number of bytes makes


def parse(text: str) -> Secret:
    """Return the secret that `text` spells, of 128 bits to 512 bytes.

    Bits that base32 has left over at its end are ignored, as apps ignore them.
    Raises EnrollmentError with what is wrong, and with nothing of the text.
    """
    form, typed = _form("".join(text.translate(_PLAIN).split()))
    if not typed:
        raise EnrollmentError("no secret was given", hint=f"type the token's own: {FORM}")
    return checked(Secret(_from_hex(typed) if form == "hex" else _from_base32(typed)))


def checked(secret: Secret) -> Secret:
    """Return a secret that is long enough and not too long.  Raises EnrollmentError."""
    length = len(secret.reveal())
    if length * 8 < LEAST_BITS:
        raise EnrollmentError(
            f"the secret has {length * 8} bits, and {LEAST_BITS} are the least (RFC 4226): {FORM}",
            hint="set the token up with a longer secret, or leave the secret out for a new one",
        )
    if length > MOST_BYTES:
        raise EnrollmentError(
            f"the secret has {length} bytes, and {MOST_BYTES} are the most",
            hint="a token's secret has 20 to 64 bytes: look whether that is one",
        )
    return secret


def _form(typed: str) -> tuple[str, str]:
    """Return which form it is in, "base32" or "hex", and the text without what only says so."""
    for form in ("base32", "hex"):
        if typed.startswith(f"{form.upper()}:"):
            said = typed[len(form) + 1 :]
            return form, _hex_digits(said) if form == "hex" else said
    digits = _hex_digits(typed)
    if digits != typed and _HEX.issuperset(digits):
        return "hex", digits
    if not _HEX.issuperset(typed):
        return ("hex", digits) if typed[2:3] == ":" else ("base32", typed)
    return ("hex" if _certainly_hex(typed) else "base32"), typed


def _hex_digits(typed: str) -> str:
    return typed.removeprefix("0X").replace(":", "")


def _certainly_hex(digits: str) -> bool:
    """Whether hex digits are not base32 as well.  Raises EnrollmentError where they may be."""
    if not _BASE32.issuperset(digits):
        return True
    may_be_hex, may_be_base32 = len(digits) % 2 == 0, len(digits) % 8 not in _CUT_SHORT
    if may_be_hex and may_be_base32 and digits:
        raise EnrollmentError(
            "the secret can be read as base32 and as hex",
            hint="write base32: or hex: in front of it, as the token's papers say",
        )
    return may_be_hex


def _from_hex(digits: str) -> bytes:
    _check_alphabet(digits, _HEX, "hex digit (0 to 9, A to F)")
    if len(digits) % 2:
        raise EnrollmentError(
            f"the secret has {len(digits)} hex digits, and bytes have two each: one is missing "
            "or one too many",
            hint="compare it with the token's papers",
        )
    return bytes.fromhex(digits)


def _from_base32(typed: str) -> bytes:
    letters = typed.rstrip("=").translate(_LOOK_ALIKES)
    _check_alphabet(letters, _BASE32, "character of base32 (A to Z, 2 to 7)")
    if len(letters) % 8 in _CUT_SHORT:
        raise EnrollmentError(
            f"the secret has {len(letters)} characters, which is no length of base32: some are "
            "missing or too many",
            hint="compare it with the token's papers",
        )
    return base64.b32decode(letters + "=" * (-len(letters) % 8))


def _check_alphabet(typed: str, alphabet: frozenset[str], what: str) -> None:
    for number, character in enumerate(typed, 1):
        if character not in alphabet:
            raise EnrollmentError(
                f"character {number} of the secret is no {what}; blanks, dashes and what says "
                "the form are not counted",
                hint=f"compare it with the token's papers: {FORM}",
            )
