"""What a check finds, and what a check is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from pam_totp.errors import PamTotpError

if TYPE_CHECKING:
    from pam_totp.doctor.machine import Machine


class Level(StrEnum):
    """How bad it is.

    An error refuses right logins or lets wrong ones in; a warning will do one of them some day,
    or leaves a way in that asks for no code.
    """

    ERROR = "error"
    WARNING = "warning"
    OK = "ok"
    UNCHECKED = "unchecked"  # rests on something that another check reports


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found: `found` in one sentence, never a secret, and in `do` the line
    to run or to change.  `check` and `subject` name the check that found it."""

    level: Level
    found: str
    do: str = ""
    check: str = ""
    subject: str = ""


Look = Callable[["Machine"], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Check:
    """A check: its stable name, what is true where it finds nothing, and how it looks."""

    name: str
    claim: str
    look: Look


@dataclass(frozen=True, slots=True)
class Subject:
    """Checks of one subject, in the order in which they are reported."""

    name: str
    checks: tuple[Check, ...]


class Unchecked(PamTotpError):
    """What a check rests on is broken; the check of that thing says how."""


def error(found: str, do: str | None) -> Finding:
    """Return a finding that refuses right logins or lets wrong ones in."""
    return Finding(Level.ERROR, found, do or "")


def warning(found: str, do: str | None) -> Finding:
    """Return a finding that will hurt some day."""
    return Finding(Level.WARNING, found, do or "")


def note(found: str) -> Finding:
    """Return something worth knowing and nothing to act on."""
    return Finding(Level.OK, found)
