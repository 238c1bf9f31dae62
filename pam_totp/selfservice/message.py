"""What goes over admin.socket: one JSON object a datagram, a request and its answer in turn.

    {"v": 1, "request": "hello", "language": "de_DE.UTF-8"}
    {"v": 1, "done": {"account": "alice", ...}}
    {"v": 1, "error": {"kind": "wrong-code", "message": "...", "hint": "..."}}

After an error of kind "broken", "crowded" or "fault" the connection is over.
"""

from __future__ import annotations

import json
from typing import Any, Final

from pam_totp.errors import BrokenMessage

VERSION: Final = 1
LONGEST: Final = 65_536  # bytes
BROKEN: Final = "broken"  # not understood
CROWDED: Final = "crowded"  # too many connections
FAULT: Final = "fault"  # of the program

Object = dict[str, Any]


def encode(body: Object) -> bytes:
    """Return a message.  Raises BrokenMessage for one that is too long."""
    data = json.dumps({"v": VERSION, **body}).encode()
    if len(data) > LONGEST:
        raise BrokenMessage(f"a message has {LONGEST} bytes at most")
    return data


def decode(data: bytes) -> Object:
    """Return what a message says, its version aside.

    SECURITY: it may hold anything.  Raises BrokenMessage where it is not one of ours, and with
    nothing of it: it may hold a password.
    """
    if len(data) > LONGEST:
        raise BrokenMessage(f"a message has {LONGEST} bytes at most")
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise BrokenMessage("a message is one JSON object, in UTF-8") from None
    if not isinstance(found, dict):
        raise BrokenMessage("a message is one JSON object, in UTF-8")
    version = found.pop("v", None)
    if type(version) is not int or version != VERSION:
        raise BrokenMessage(f'this is version {VERSION}: "v": {VERSION}')
    return found


def done(answer: Object) -> Object:
    """Return the answer to a request that was done."""
    return {"done": answer}


def failed(kind: str, text: str, hint: str = "", **more: Any) -> Object:
    """Return the answer to a request that was not done."""
    return {"error": {"kind": kind, "message": text, "hint": hint, **more}}


def text(request: Object, key: str, default: str | None = None) -> str:
    """Return a text of a request.  Raises BrokenMessage where it is none, or not there and
    without a default."""
    value = request.get(key, default)
    if not isinstance(value, str) or "\0" in value or not _is_unicode(value):
        raise BrokenMessage(f"{key}: expected a text")
    return value


def number(request: Object, key: str, default: int) -> int:
    """Return a whole number of a request.  Raises BrokenMessage where it is none."""
    value = request.get(key, default)
    if type(value) is not int:
        raise BrokenMessage(f"{key}: expected a whole number")
    return value


def _is_unicode(value: str) -> bool:
    """Whether a text can be written down: JSON can spell halves of characters."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
