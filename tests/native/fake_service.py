"""A service that says what a test wants, byte by byte: an own reading of native/wire.h."""

from __future__ import annotations

import os
import select
import socket
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Self

ABSENT = 0xFFFFFFFF
LARGEST = 65536
PATIENCE = 60.0  # seconds; the sanitizers and valgrind are slow, a hung test is slower


class Type(IntEnum):
    """The types of messages."""

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


class Style(IntEnum):
    """PAM's styles of messages."""

    ECHO_OFF = 1
    ECHO_ON = 2
    ERROR = 3
    INFO = 4


class Item(IntEnum):
    """PAM's items, as Linux-PAM numbers them."""

    SERVICE = 1
    USER = 2
    TTY = 3
    RHOST = 4
    CONV = 5
    AUTHTOK = 6
    OLDAUTHTOK = 7
    RUSER = 8
    USER_PROMPT = 9
    FAIL_DELAY = 10
    XDISPLAY = 11
    XAUTHDATA = 12
    AUTHTOK_TYPE = 13


def number(value: int) -> bytes:
    """Encode a number."""
    return struct.pack(">I", value)


def text(value: str | bytes | None) -> bytes:
    """Encode a text, or that there is none."""
    if value is None:
        return number(ABSENT)
    raw = value.encode() if isinstance(value, str) else value
    return number(len(raw)) + raw


def message(kind: int, *fields: bytes, version: int = 1) -> bytes:
    """Encode a message."""
    return bytes([version, kind]) + b"".join(fields)


def prompts(*pairs: tuple[int, str | None]) -> bytes:
    """Encode the request to show these styles and texts."""
    shown = [number(style) + text(shown_text) for style, shown_text in pairs]
    return message(Type.CONVERSE, number(len(pairs)), *shown)


@dataclass(frozen=True)
class Call:
    """What the bridge says first."""

    function: int
    flags: int
    argv: tuple[str | None, ...]
    service: str | None
    user: str | None
    rhost: str | None
    tty: str | None
    ruser: str | None
    kept: int
    caller: int


@dataclass(frozen=True)
class Reply:
    """What the bridge answers."""

    code: int
    values: tuple[str | None, ...]


class Fields:
    """The fields of one message, read in order."""

    def __init__(self, raw: bytes, kind: Type) -> None:
        assert raw[:2] == bytes([1, kind]), raw[:80]
        self._raw = raw
        self._at = 2

    def number(self) -> int:
        """Read a number."""
        (value,) = struct.unpack_from(">I", self._raw, self._at)
        self._at += 4
        return int(value)

    def text(self) -> str | None:
        """Read a text."""
        length = self.number()
        if length == ABSENT:
            return None
        value = self._raw[self._at : self._at + length]
        assert len(value) == length
        self._at += length
        return value.decode()

    def texts(self) -> tuple[str | None, ...]:
        """Read a counted list of texts."""
        return tuple(self.text() for _ in range(self.number()))

    def end(self) -> None:
        """Check that nothing is left over."""
        assert self._at == len(self._raw)


class Peer:
    """One connection, as the service sees it."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection

    def receive(self) -> bytes:
        """Receive a message; empty when the bridge has closed."""
        return self.connection.recv(LARGEST + 1)

    def send(self, raw: bytes) -> None:
        """Send any bytes as one message."""
        self.connection.send(raw)

    def call(self) -> Call:
        """Receive the call."""
        fields = Fields(self.receive(), Type.CALL)
        call = Call(
            fields.number(),
            fields.number(),
            fields.texts(),
            fields.text(),
            fields.text(),
            fields.text(),
            fields.text(),
            fields.text(),
            fields.number(),
            fields.number(),
        )
        fields.end()
        return call

    def ask(self, kind: int, *encoded: bytes) -> Reply:
        """Send a request and receive the reply."""
        return self.ask_raw(message(kind, *encoded))

    def ask_raw(self, raw: bytes) -> Reply:
        """Send a request that is encoded already and receive the reply."""
        self.send(raw)
        fields = Fields(self.receive(), Type.REPLY)
        reply = Reply(fields.number(), fields.texts())
        fields.end()
        return reply

    def finish(self, code: int = 0) -> None:
        """End the call with a PAM code, and see the bridge close."""
        self.send(message(Type.FINISH, number(code)))
        assert self.receive() == b""


Script = Callable[[Peer], None]


class FakeService:
    """Listens at `path` and answers each connection by the next script.

    On exit it raises what a script raised, or that one was never used.
    """

    def __init__(self, path: Path, scripts: Iterable[Script], *, workers: int = 1) -> None:
        self._path = path
        self._scripts: Iterator[Script] = iter(scripts)
        self._lock = threading.Lock()
        self._errors: list[BaseException] = []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.setblocking(False)  # noqa: FBT003 - the name of the argument says no more
        self._end, self._stop = os.pipe()  # closing the second one ends the workers
        self._threads = [threading.Thread(target=self._work) for _ in range(workers)]

    def __enter__(self) -> Self:
        self._listener.bind(str(self._path))
        self._path.chmod(0o666)
        self._listener.listen(128)
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        os.close(self._stop)
        for thread in self._threads:
            thread.join(PATIENCE)
        self._listener.close()
        self._path.unlink()
        os.close(self._end)
        if self._errors:
            raise self._errors[0]
        unused = sum(1 for _ in self._scripts)
        assert kind is not None or unused == 0, f"{unused} connections were never made"

    def _work(self) -> None:
        while True:
            ready, _, _ = select.select([self._listener.fileno(), self._end], [], [])
            if self._end in ready:
                return
            try:
                connection, _ = self._listener.accept()
            except BlockingIOError:  # another worker was quicker
                continue
            with connection:
                connection.settimeout(PATIENCE)
                self._serve(Peer(connection))

    def _serve(self, peer: Peer) -> None:
        with self._lock:
            script = next(self._scripts, None)
        try:
            assert script is not None, "a connection too many"
            script(peer)
        except (AssertionError, OSError, ValueError, struct.error) as error:
            self._errors.append(error)
