"""The values that policy keys take: from the words that people write, and back."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import Enum
from typing import Any, Final

ALL_SERVICES: Final = "all"
# SECURITY: what `su -` and `sudo -i` call themselves.  Who names su and sudo means these too.
LOGIN_SHELLS: Final = {"su-l": "su", "sudo-i": "sudo"}
# The service by which pam-totpd itself asks for passwords (etc/pam.d/pam-totp-password).
OWN_SERVICE: Final = "pam-totp-password"

_FIRST_YEAR: Final = 1970  # of an earlier one the moment need not be a number
_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_DURATION: Final = re.compile(r"(\d{1,9})\s*([smhd]?)")
_SERVICE: Final = re.compile(r"[a-z0-9_][a-z0-9._+-]{0,63}")


class Mfa(Enum):
    """Whether a code is needed."""

    OFF = "off"
    OPTIONAL = "optional"
    REQUIRED = "required"


class Unenrolled(Enum):
    """What becomes of somebody who must use a code and has none."""

    ENROLL = "enroll"
    REFUSE = "refuse"


class Invitations(Enum):
    """Whether enrollment wants an invitation beside the password."""

    OPTIONAL = "optional"
    REQUIRED = "required"


class SelfEnrollment(Enum):
    """Whether people may enroll and change their own authenticators."""

    ON = "on"
    OFF = "off"


class Messages(Enum):
    """How much a refused person is told, after a right password."""

    PLAIN = "plain"
    HELPFUL = "helpful"


@dataclass(frozen=True, slots=True)
class Kind:
    """How one kind of value is read and written.  `parse` raises ValueError; `form` says what
    is expected."""

    parse: Callable[[str], Any]
    text: Callable[[Any], str]
    form: str


def choice(kind: type[Enum]) -> Kind:
    """Return the kind of one word out of an enumeration."""
    words = [str(member.value) for member in kind]
    return Kind(kind, lambda value: str(value.value), f"one of {', '.join(words)}")


def number(least: int, most: int) -> Kind:
    """Return the kind of a whole number within bounds."""

    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit()) or not least <= int(text) <= most:
            raise ValueError
        return int(text)

    return Kind(parse, str, f"a whole number, {least} to {most}")


def duration(least: int, most: int) -> Kind:
    """Return the kind of a duration in seconds, written `90`, `15m`, `12h`, `30d`."""

    def parse(text: str) -> int:
        found = _DURATION.fullmatch(text)
        if found is None or not text.isascii():
            raise ValueError
        seconds = int(found[1]) * _UNITS[found[2] or "s"]
        if not least <= seconds <= most:
            raise ValueError
        return seconds

    form = f"a duration like 90s, 15m, 12h or 30d, from {say_duration(least)}"
    return Kind(parse, say_duration, f"{form} to {say_duration(most)}")


def say_duration(seconds: int) -> str:
    """Return a duration in the largest unit that says it exactly: `15m`; `0` for none."""
    if seconds == 0:
        return "0"
    unit = next(u for u in ("d", "h", "m", "s") if seconds % _UNITS[u] == 0)
    return f"{seconds // _UNITS[unit]}{unit}"


def _service_names(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(word.strip().lower() for word in text.split(",")))
    if not all(map(is_service, names)):
        raise ValueError
    return names


def is_service(name: str) -> bool:
    """Whether this is a PAM service's name; libpam makes them lower case."""
    return _SERVICE.fullmatch(name) is not None


SERVICES: Final = Kind(
    _service_names,
    ",".join,
    "names of PAM services like sshd,login, or all",
)


def _date(text: str) -> date:
    found = date.fromisoformat(text)
    if found.year < _FIRST_YEAR:
        raise ValueError
    return found


DATE: Final = Kind(_date, date.isoformat, f"a date like 2027-02-01, from {_FIRST_YEAR} on")


def midnight(day: date) -> float:
    """Return the moment (UTC seconds) at which `day` begins in this machine's time zone."""
    return datetime.combine(day, time()).timestamp()
