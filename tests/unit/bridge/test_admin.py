"""admin.socket's transport: places, forms, faults and ends, whatever is asked over it."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bridge_end import PATIENCE, named_peer

from pam_totp.bridge.admin import AdminServer, Bounds
from pam_totp.bridge.listener import Listener
from pam_totp.bridge.peers import Peer
from pam_totp.errors import BrokenMessage
from pam_totp.selfservice import message
from pam_totp.selfservice.message import Object

Serving = Callable[..., AdminServer]
Until = Callable[[Callable[[], bool]], None]


class Echo:
    """Answers who has connected, and fails as it is told."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    def answer(self, request: Object) -> Object:
        if request["request"] == "unknown":
            raise BrokenMessage("request: expected one of hello")
        if request["request"] == "fault":
            raise RuntimeError(request["secret"])
        return message.done({"uid": self._peer.uid})


class Client:
    """Somebody's connection."""

    def __init__(self, directory: Path, uid: int) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.bind(f"\0pam-totp-test.{os.getpid()}.{id(self)}.{uid}")
        self.socket.settimeout(PATIENCE)
        self.socket.connect(os.fspath(directory / "admin.socket"))

    def sends(self, data: bytes) -> None:
        """Send a datagram; the service may have ended the connection already."""
        try:
            self.socket.send(data)
        except (BrokenPipeError, ConnectionResetError):
            return

    def hears(self) -> dict[str, Any]:
        """Return the next message."""
        found = json.loads(self.socket.recv(1 << 17))
        assert isinstance(found, dict)
        return found

    def asks(self, request: str = "hello", **values: Any) -> dict[str, Any]:
        """Ask for something, and return the answer."""
        self.sends(message.encode({"request": request, **values}))
        return self.hears()

    @property
    def is_over(self) -> bool:
        """Whether the service has ended the connection."""
        return self.socket.recv(1) == b""


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    """Start a service on admin.socket in tmp_path."""
    holder = Listener.open(tmp_path / "run")
    running: list[tuple[AdminServer, Listener]] = []

    def start(**bounds: Any) -> AdminServer:
        listener = holder.beside("admin.socket")
        server = AdminServer(listener, Echo, Bounds(**bounds), named_peer)
        running.append((server, listener))
        server.start()
        return server

    yield start
    for server, listener in running:
        server.stop()
        assert server.wait(PATIENCE)
        listener.close()
    holder.close()


@pytest.fixture
def comes(tmp_path: Path) -> Iterator[Callable[..., Client]]:
    """Let somebody connect."""
    clients: list[Client] = []

    def connect(uid: int = 1001) -> Client:
        clients.append(Client(tmp_path / "run", uid))
        return clients[-1]

    yield connect
    for client in clients:
        client.socket.close()


def test_requests_follow_each_other(serving: Serving, comes: Callable[..., Client]) -> None:
    """A connection has many requests, and each is answered for who has connected."""
    serving()
    alice, bob = comes(1001), comes(1002)
    for _ in range(20):
        assert alice.asks()["done"] == {"uid": 1001}
        assert bob.asks()["done"] == {"uid": 1002}


@pytest.mark.parametrize(
    "data",
    [b"nonsense", b"[]", b'{"v": 9}', b"\xff", b"[" * 50_000, b"x" * 65_537],
    ids=["text", "list", "version", "bytes", "deep", "long"],
)
def test_what_is_no_message(data: bytes, serving: Serving, comes: Callable[..., Client]) -> None:
    """It is answered with a sentence, and the connection is over; the service goes on."""
    serving()
    client = comes()
    client.sends(data)
    error = client.hears()["error"]
    assert error["kind"] == "broken"
    assert error["message"]
    assert client.is_over
    assert "done" in comes().asks()


def test_what_the_session_does_not_understand(
    serving: Serving, comes: Callable[..., Client]
) -> None:
    """It ends the connection too."""
    serving()
    client = comes()
    assert client.asks("unknown")["error"]["kind"] == "broken"
    assert client.is_over


def test_a_fault(serving: Serving, comes: Callable[..., Client], log_lines: list[str]) -> None:
    """A fault of ours ends that conversation alone; it is logged, and nothing of it is told."""
    serving()
    client, other = comes(), comes()
    assert "done" in other.asks()
    error = client.asks("fault", secret="hunter2")["error"]
    assert error["kind"] == "fault"
    assert "hunter2" not in json.dumps(error)
    assert client.is_over
    assert "done" in other.asks()
    assert [line for line in log_lines if "RuntimeError" in line and "uid=1001" in line]


def test_places(serving: Serving, comes: Callable[..., Client], until: Until) -> None:
    """Each uid has so many, and who has none is told; a place that is given back is free."""
    serving(connections=3, each=2)
    first, second = comes(1001), comes(1001)
    assert "done" in first.asks()
    assert "done" in second.asks()
    third = comes(1001)
    assert third.asks()["error"]["kind"] == "crowded"
    assert third.is_over
    assert comes(1002).asks()["done"] == {"uid": 1002}
    assert comes(1003).asks()["error"]["kind"] == "crowded", "all together"
    first.socket.close()
    until(lambda: "done" in comes(1001).asks())


def test_a_number_of_requests(serving: Serving, comes: Callable[..., Client]) -> None:
    """A connection that asks for ever is ended."""
    serving(requests=3)
    client = comes()
    for _ in range(3):
        assert "done" in client.asks()
    assert client.asks()["error"] == {
        "kind": "broken",
        "message": "a connection has 3 requests at most",
        "hint": "",
    }
    assert client.is_over


def test_silence(serving: Serving, comes: Callable[..., Client]) -> None:
    """Who says nothing for too long loses the connection, before a request or after."""
    serving(idle=0.05)
    silent, spoken = comes(), comes()
    assert "done" in spoken.asks()
    assert silent.is_over
    assert spoken.is_over


def test_the_end(serving: Serving, comes: Callable[..., Client]) -> None:
    """A service that stops ends the conversations, and its threads with them."""
    server = serving()
    client = comes()
    assert "done" in client.asks()
    server.stop()
    assert client.is_over
    assert server.wait(PATIENCE)


def test_half_a_connection(serving: Serving, comes: Callable[..., Client]) -> None:
    """Who will ask nothing more has what was asked answered, and that is the end."""
    serving()
    client = comes()
    client.sends(message.encode({"request": "hello"}))
    client.socket.shutdown(socket.SHUT_WR)
    assert "done" in client.hears()
    assert client.is_over


def test_who_does_not_listen(serving: Serving, comes: Callable[..., Client], until: Until) -> None:
    """Who asks and asks and never reads an answer is given up as the silent are, and the place is
    free again."""
    serving(idle=0.05, each=1, requests=1_000_000)
    deaf, request = comes(), message.encode({"request": "hello"})
    deaf.socket.settimeout(0)

    def given_up() -> bool:
        try:
            while True:
                deaf.socket.send(request)
        except BlockingIOError:
            return False
        except (BrokenPipeError, ConnectionResetError):
            return True

    until(given_up)
    until(lambda: "done" in comes().asks())
