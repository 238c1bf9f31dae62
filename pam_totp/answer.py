"""What people type when they are asked for a code."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field

from pam_totp import recovery

_SCRV1 = "SCRV1:"


@dataclass(frozen=True, slots=True)
class Answer:
    """A typed answer: `digits` if it is ASCII digits, `recovery_code` if it has that shape
    (normalised), neither if it can only be wrong.  `text` is what was typed, without blanks.
    """

    text: str = field(repr=False)
    digits: str | None = field(default=None, repr=False)
    recovery_code: str | None = field(default=None, repr=False)


def parse(typed: str | None) -> Answer | None:
    """Return what was typed, taken as people type it (`123 456`, blanks around), or None if
    nothing was typed.

    SECURITY: any string can come here; `isdigit` alone would take digits of every script.
    """
    text = "".join((typed or "").split())
    if not text:
        return None
    if text.isascii() and text.isdigit():
        return Answer(text, digits=text)
    return Answer(text, recovery_code=recovery.normalise(text))


@dataclass(frozen=True, slots=True)
class Field:
    """A password field taken apart: the password for the stacked module, and the code as it
    was typed, None if there is none."""

    password: str = field(repr=False)
    code: str | None = field(default=None, repr=False)


class Malformed(ValueError):
    """A field that begins like a static challenge response and is none."""


def is_static_challenge(text: str) -> bool:
    """Whether the field is an OpenVPN static challenge response, SCRV1:<base64>:<base64>."""
    return text.startswith(_SCRV1)


def split_static_challenge(text: str) -> Field:
    """Return password and code of an SCRV1 field.

    Raises Malformed; such a field is never handed on as a password.
    """
    parts = text.removeprefix(_SCRV1).split(":")
    try:
        password, code = (base64.b64decode(part, validate=True).decode() for part in parts)
    except ValueError as error:
        raise Malformed("SCRV1 wants two base64 parts") from error
    if "\0" in password or "\0" in code:
        raise Malformed("SCRV1 holds a NUL")
    return Field(password, code)


def split_code_from_end(text: str, digits: int | None) -> Field:
    """Return password and code of a field that may end in a code.

    `digits` is how many digits the account's codes have; None, where its authenticators do
    not agree, cuts no digits.  A recovery code is cut off only in its printed form, which
    ends in a letter, so that no cut is ever ambiguous.
    """
    printed = recovery.printed_at_end(text)
    if printed:
        return Field(text[: -len(printed)], printed)
    if digits is not None and len(text) >= digits:
        end = text[-digits:]
        if end.isascii() and end.isdigit():
            return Field(text[:-digits], end)
    return Field(text)
