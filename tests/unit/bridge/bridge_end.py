"""The bridge's end of the wire, for tests; it encodes by itself, from native/wire.h alone."""

from __future__ import annotations

import itertools
import os
import socket
import struct
from typing import TYPE_CHECKING

from pam_totp.bridge.connection import Connection, Waits
from pam_totp.bridge.pamh import PamHandle
from pam_totp.bridge.peers import Peer
from pam_totp.bridge.wire import Call, Function

if TYPE_CHECKING:
    from pathlib import Path

Field = int | str | bytes | None | list[str | None]

VERSION = 1
CALL, REPLY = 1, 2
CONVERSE, GET_ITEM, SET_ITEM, GET_USER, GET_AUTHTOK, GETENV = 16, 17, 18, 19, 20, 21
PUTENV, GETENVLIST, KEEP, TAKE, FAIL_DELAY, FINISH = 22, 23, 24, 25, 26, 32
ABSENT = 0xFFFFFFFF

PATIENCE = 20.0
"""Seconds after which a test gives up; nothing here takes a tenth of that."""

_names = itertools.count()


def message(kind: int, *fields: Field, version: int = VERSION) -> bytes:
    """Encode a message: an int is a number, a str or None a text, a list several texts."""
    return bytes([version, kind]) + b"".join(map(_field, fields))


def reply(*values: str | None, code: int = 0) -> bytes:
    """Encode the bridge's answer to a request."""
    return message(REPLY, code, list(values))


def call_message(
    user: str | None = "alice",
    argv: tuple[str, ...] = (),
    function: int = 1,
    *,
    kept: int = 0,
    caller: int = 0,
) -> bytes:
    """Encode a CALL of sshd for this user, or of a program that `caller` started."""
    items = "sshd", user, "192.0.2.7", "ssh", None
    return message(CALL, function, 0, list(argv), *items, kept, caller)


def _field(value: Field) -> bytes:
    if isinstance(value, int):
        return struct.pack(">I", value)
    if isinstance(value, list):
        return struct.pack(">I", len(value)) + b"".join(map(_field, value))
    if value is None:
        return struct.pack(">I", ABSENT)
    data = value if isinstance(value, bytes) else value.encode()
    return struct.pack(">I", len(data)) + data


class Host:
    """A program that logs someone in through the service."""

    def __init__(self, connected: socket.socket) -> None:
        connected.settimeout(PATIENCE)
        self.socket = connected

    @classmethod
    def connect(cls, directory: Path, uid: int | None = None) -> Host:
        """Connect to the service; `uid` is who `named_peer` will take this host for."""
        connected = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        if uid is not None:
            connected.bind(f"\0pam-totp-test.{os.getpid()}.{next(_names)}.{uid}")
        connected.settimeout(PATIENCE)
        connected.connect(os.fspath(directory / "login.socket"))
        return cls(connected)

    def send(self, data: bytes) -> None:
        """Send one message as it is."""
        self.socket.send(data)

    def receive(self) -> bytes:
        """Return the next message of the service, b"" at the end."""
        return self.socket.recv(1 << 17)

    def log_in(self, password: str | None = None, code: str | None = None) -> int:
        """Do what the service asks, as pam_totp.so would; return what the call came to."""
        while (data := self.receive())[1] != FINISH:
            answers = {
                CONVERSE: reply(code),
                GET_AUTHTOK: reply(password) if password else reply(code=19),
                TAKE: reply(None),
            }
            self.send(answers.get(data[1], reply()))
        assert self.receive() == b""
        self.socket.close()
        return data[5]

    def finished(self) -> int:
        """Return the code of the FINISH that must come now, and nothing after it."""
        data = self.receive()
        assert data[:2] == bytes([VERSION, FINISH])
        assert len(data) == 6
        assert self.receive() == b""
        self.socket.close()
        return int(struct.unpack(">I", data[2:])[0])


def named_peer(connected: socket.socket) -> Peer:
    """Take a host for the uid in the name that Host.connect gave it; without one, for root."""
    name = connected.getpeername()
    return Peer(os.getpid(), int(name.rpartition(b".")[2]) if name else 0, 0)


class ScriptedBridge:
    """A pamh object whose bridge has its answers ready before the questions come."""

    def __init__(self, *answers: bytes, user: str | None = "alice", wait: float = PATIENCE) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.host = Host(theirs)
        self.connection = Connection(ours, Waits(host=wait, person=wait))
        items = "sshd", user, "192.0.2.7", "ssh", None
        call = Call(Function.AUTHENTICATE, 0, [], *items, kept=False, caller=0)
        self.pamh = PamHandle(self.connection, call, Peer(4711, 0, 0))
        for answer in answers:
            self.host.send(answer)

    def requests(self) -> list[bytes]:
        """Return what the pamh object has asked so far."""
        self.host.socket.settimeout(0)
        found = []
        try:
            while data := self.host.receive():
                found.append(data)
        except BlockingIOError:
            pass
        return found

    def close(self) -> None:
        """Close both ends."""
        self.connection.close()
        self.host.socket.close()
