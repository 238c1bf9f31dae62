"""The messages between the bridge and the service; native/wire.h describes them.

Texts are `str` here: UTF-8, and bytes that are none come through unchanged
(surrogateescape), because names, passwords and terminals are bytes to PAM.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from struct import Struct
from typing import TYPE_CHECKING, Final, cast

from pam_totp.errors import BrokenMessage

if TYPE_CHECKING:
    from collections.abc import Sequence

WIRE_VERSION: Final = 1
WIRE_MAX_MESSAGE: Final = 65536
WIRE_MAX_MESSAGES: Final = 32
WIRE_MAX_REQUESTS: Final = 1000
WIRE_ABSENT: Final = 0xFFFFFFFF
MAX_NUMBER: Final = 0xFFFFFFFF

PAM_CODES: Final = range(32)
"""The return values that libpam has (_PAM_RETURN_VALUES)."""

_HEAD: Final = Struct(">BB")
_HEAD_NUMBER: Final = Struct(">BBI")
_HEAD_NUMBERS: Final = Struct(">BBII")
_NUMBER: Final = Struct(">I")
_ABSENT: Final = _NUMBER.pack(WIRE_ABSENT)


class Function(IntEnum):
    """What libpam called in the bridge."""

    AUTHENTICATE = 1
    ACCT_MGMT = 2


class Type(IntEnum):
    """What a message is."""

    CALL = 1
    REPLY = 2

    CONVERSE = 16
    GET_ITEM = 17
    SET_ITEM = 18
    GET_USER = 19
    GET_AUTHTOK = 20
    GETENV = 21
    PUTENV = 22
    GETENVLIST = 23
    KEEP = 24
    TAKE = 25
    FAIL_DELAY = 26
    FINISH = 32


_FUNCTIONS: Final = {int(function): function for function in Function}


@dataclass(frozen=True, slots=True)
class Call:
    """The first message of a connection: one call of libpam, and the items it came with."""

    function: Function
    flags: int
    argv: list[str]
    service: str | None
    user: str | None
    rhost: str | None
    tty: str | None
    ruser: str | None
    kept: bool
    """whether a value waits for TAKE"""
    caller: int
    """the uid of who started the host"""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a request came to.  The values may be secrets, so they are not shown."""

    code: int
    values: list[str | None] = field(repr=False)


def decode_call(message: bytes) -> Call:
    """Read a CALL; raises BrokenMessage for anything that is not exactly one."""
    kind, flags = _numbers(message, Type.CALL)
    function = _FUNCTIONS.get(kind)
    if function is None:
        raise BrokenMessage("a call of an unknown function")
    argv, at = _texts(message, _HEAD_NUMBERS.size)
    if None in argv:
        raise BrokenMessage("an argument without a value")
    items, at = _run_of_texts(message, at, 5)
    kept, at = _boolean(message, at)
    caller, at = _number_at(message, at)
    _end(message, at)
    service, user, rhost, tty, ruser = items
    whole = cast("list[str]", argv)
    return Call(function, flags, whole, service, user, rhost, tty, ruser, kept, caller)


def decode_reply(message: bytes) -> Reply:
    """Read a REPLY; raises BrokenMessage for anything that is not exactly one."""
    code, count = _numbers(message, Type.REPLY)
    if code not in PAM_CODES:
        raise BrokenMessage("a return code that libpam does not have")
    if code and count:
        raise BrokenMessage("values beside a failure")
    values, at = _texts(message, _HEAD_NUMBERS.size - _NUMBER.size)
    _end(message, at)
    return Reply(code, values)


def encode_converse(messages: Sequence[tuple[int, str]]) -> bytes:
    """CONVERSE: show the (style, text) pairs; one value comes back for each."""
    if not 1 <= len(messages) <= WIRE_MAX_MESSAGES:
        raise BrokenMessage(f"a conversation has 1 to {WIRE_MAX_MESSAGES} messages")
    parts = [_HEAD_NUMBER.pack(WIRE_VERSION, Type.CONVERSE, len(messages))]
    for style, text in messages:
        parts += (_number(style), _text(text))
    return _checked(b"".join(parts))


def encode_get_item(item: int) -> bytes:
    """GET_ITEM: one value comes back."""
    return _HEAD.pack(WIRE_VERSION, Type.GET_ITEM) + _number(item)


def encode_set_item(item: int, value: str | None) -> bytes:
    """SET_ITEM: no value comes back."""
    return _checked(_HEAD.pack(WIRE_VERSION, Type.SET_ITEM) + _number(item) + _text(value))


def encode_text(kind: Type, text: str | None) -> bytes:
    """Encode a request that has one text: GET_USER, GET_AUTHTOK, GETENV, PUTENV or KEEP."""
    return _checked(_HEAD.pack(WIRE_VERSION, kind) + _text(text))


def encode_plain(kind: Type) -> bytes:
    """Encode a request that has no fields: GETENVLIST or TAKE."""
    return _HEAD.pack(WIRE_VERSION, kind)


def encode_fail_delay(microseconds: int) -> bytes:
    """FAIL_DELAY: no value comes back."""
    return _HEAD.pack(WIRE_VERSION, Type.FAIL_DELAY) + _number(microseconds)


def encode_finish(code: int) -> bytes:
    """FINISH: the call returns this PAM code; nothing comes back."""
    return _HEAD_NUMBER.pack(WIRE_VERSION, Type.FINISH, code)


def encode_call(call: Call) -> bytes:
    """CALL, as the bridge sends it: for clients that speak for themselves, and for tests."""
    parts = [_HEAD_NUMBERS.pack(WIRE_VERSION, Type.CALL, call.function, call.flags)]
    parts += (_number(len(call.argv)), *map(_text, call.argv))
    parts += map(_text, (call.service, call.user, call.rhost, call.tty, call.ruser))
    parts += (_number(call.kept), _number(call.caller))
    return _checked(b"".join(parts))


def encode_reply(reply: Reply) -> bytes:
    """REPLY, as the bridge sends it: for clients that speak for themselves, and for tests."""
    head = _HEAD_NUMBERS.pack(WIRE_VERSION, Type.REPLY, reply.code, len(reply.values))
    return _checked(head + b"".join(map(_text, reply.values)))


def _number(value: int) -> bytes:
    if not 0 <= value <= MAX_NUMBER:
        raise BrokenMessage("a number that is no unsigned one of 32 bits")
    return _NUMBER.pack(value)


def _text(value: str | None) -> bytes:
    if value is None:
        return _ABSENT
    try:
        data = value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        # `from None`: the chained error holds the text, which may be a secret.
        raise BrokenMessage("a text that stands for no bytes") from None
    if 0 in data:
        raise BrokenMessage("a text with a NUL byte")
    return _NUMBER.pack(len(data)) + data


def _checked(message: bytes) -> bytes:
    if len(message) > WIRE_MAX_MESSAGE:
        raise BrokenMessage(f"a message of more than {WIRE_MAX_MESSAGE} bytes")
    return message


def _numbers(message: bytes, kind: Type) -> tuple[int, int]:
    """Return the two numbers that a CALL and a REPLY both begin with."""
    if not _HEAD_NUMBERS.size <= len(message) <= WIRE_MAX_MESSAGE:
        raise BrokenMessage("a message that is too short or too long")
    version, found, first, second = _HEAD_NUMBERS.unpack_from(message)
    if version != WIRE_VERSION:
        raise BrokenMessage(f"a message of wire version {version}, not {WIRE_VERSION}")
    if found != kind:
        raise BrokenMessage(f"a message of type {found} where {kind.name} was due")
    return first, second


def _texts(message: bytes, at: int) -> tuple[list[str | None], int]:
    """Read a count and so many texts from `at` on; return them and where they end."""
    count, at = _number_at(message, at)
    return _run_of_texts(message, at, count)


def _run_of_texts(message: bytes, at: int, count: int) -> tuple[list[str | None], int]:
    size = len(message)
    # SECURITY: the count is the peer's; each text takes four bytes at least, so this
    # bounds the loop by what was really sent.
    if count * _NUMBER.size > size - at:
        raise BrokenMessage("a message that ends within a field")
    values: list[str | None] = []
    for _ in range(count):
        start = at + _NUMBER.size
        if start > size:
            raise BrokenMessage("a message that ends within a field")
        (length,) = _NUMBER.unpack_from(message, at)
        if length == WIRE_ABSENT:
            values.append(None)
            at = start
            continue
        at = start + length
        if at > size:
            raise BrokenMessage("a message that ends within a field")
        data = message[start:at]
        if 0 in data:
            raise BrokenMessage("a text with a NUL byte")
        values.append(data.decode("utf-8", "surrogateescape"))
    return values, at


def _boolean(message: bytes, at: int) -> tuple[bool, int]:
    """Read a number that is 0 or 1 from `at` on; return it and where it ends."""
    value, at = _number_at(message, at)
    if value not in (0, 1):
        raise BrokenMessage("a number that is neither 0 nor 1")
    return value == 1, at


def _number_at(message: bytes, at: int) -> tuple[int, int]:
    """Read a number from `at` on; return it and where it ends."""
    if at + _NUMBER.size > len(message):
        raise BrokenMessage("a message that ends within a field")
    (value,) = _NUMBER.unpack_from(message, at)
    return value, at + _NUMBER.size


def _end(message: bytes, at: int) -> None:
    if at != len(message):
        raise BrokenMessage("a message with more than its fields")
