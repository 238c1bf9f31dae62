"""Log lines: one a verdict and one an act, `key=value`, in syslog's authpriv.

SECURITY: names and addresses are what a client sent.  A value that is not plain is quoted and
escaped byte by byte, so that nothing can forge or split a line.  A code, password or secret is
never part of one.
"""

from __future__ import annotations

import re
import syslog
from collections.abc import Callable, Mapping
from typing import Final

from pam_totp.event import Event

_PLAIN: Final = re.compile(r"[A-Za-z0-9._:/@%+-]+")
_LONGEST: Final = 400

Log = Callable[[int, str], None]  # syslog's priority, the line


def line(fields: Mapping[str, str]) -> str:
    """Return the fields as one line; empty ones are left out."""
    return " ".join(f"{key}={_value(text)}" for key, text in fields.items() if text)


def act(event: Event) -> str:
    """Return the line of what an administrator has done."""
    return line(
        {
            "act": event.what,
            "account": event.account,
            "by": event.actor,
            "service": event.service,
            "from": event.rhost,
            "tty": event.tty,
            "authenticator": event.authenticator,
            "reason": event.detail,
        }
    )


def to_syslog(priority: int, text: str) -> None:
    """Write one line to authpriv."""
    syslog.syslog(syslog.LOG_AUTHPRIV | priority, text)


def _value(text: str) -> str:
    if _PLAIN.fullmatch(text) and len(text) <= _LONGEST:
        return text
    raw = text.encode("utf-8", "surrogateescape")
    escaped = "".join(map(_byte, raw[:_LONGEST]))
    return f'"{escaped}{"..." if len(raw) > _LONGEST else ""}"'


def _byte(byte: int) -> str:
    if byte in b'"\\':
        return f"\\{byte:c}"
    return chr(byte) if ord(" ") <= byte <= ord("~") else f"\\x{byte:02x}"
