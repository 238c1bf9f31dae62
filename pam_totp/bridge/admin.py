"""The service's end of admin.socket: people ask for what concerns their own accounts.

Who asks is what the kernel says of whoever opened the connection (SO_PEERCRED), and root is one
of many here.  Its threads and places are apart from those of login.socket, whatever happens here.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from pam_totp.bridge import log
from pam_totp.bridge.acceptor import IDLE_SECONDS, Acceptor
from pam_totp.bridge.listener import Listener
from pam_totp.bridge.peers import Peer, Places, peer_of
from pam_totp.errors import BrokenMessage
from pam_totp.selfservice import message
from pam_totp.selfservice.message import Object

IDLE_THREADS: Final = 1


class Session(Protocol):
    """One connection's conversation."""

    def answer(self, request: Object) -> Object:
        """Do what is asked, and return the answer.  Raises BrokenMessage for what cannot be
        understood, which ends the conversation."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much there may be of what: connections, of each uid and of all of them together,
    requests in one connection, and seconds between two of them."""

    connections: int = 64
    each: int = 4
    requests: int = 200
    idle: float = 600.0


class AdminServer(Acceptor):
    """Answers people's connections; `begin` makes a session for who has connected."""

    def __init__(
        self,
        listener: Listener,
        begin: Callable[[Peer], Session],
        bounds: Bounds,
        credentials: Callable[[socket.socket], Peer] = peer_of,
    ) -> None:
        super().__init__(listener, IDLE_THREADS, IDLE_SECONDS)
        self._begin = begin
        self._bounds = bounds
        self._places = Places(bounds.connections, bounds.each)
        self._credentials = credentials
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()

    def stop(self) -> None:
        """Accept no new connection, answer the requests that have come, and end all
        conversations: what is only shown is kept nowhere else and is lost."""
        super().stop()
        with self._lock:
            for connected in self._open:
                _hear_no_more(connected)

    def _serve(self, connected: socket.socket) -> None:
        peer = self._credentials(connected)
        if not self._places.take(peer.uid):
            self._refuse(connected, peer, "too many connections at once")
            return
        try:
            self._talk(connected, peer)
        finally:
            self._places.give_back(peer.uid)

    def _talk(self, connected: socket.socket, peer: Peer) -> None:
        if not self._turn_away_from_accepting():
            self._refuse(connected, peer, "the system allows no more threads")
            return
        try:
            with connected, self._known(connected):
                self._converse(connected, self._begin(peer), peer)
        finally:
            self._turn_back()

    @contextlib.contextmanager
    def _known(self, connected: socket.socket) -> Iterator[None]:
        """Let `stop` find the connection."""
        with self._lock:
            self._open.add(connected)
            if self._stopping:
                _hear_no_more(connected)
        try:
            yield
        finally:
            with self._lock:
                self._open.discard(connected)

    def _converse(self, connected: socket.socket, session: Session, peer: Peer) -> None:
        """Answer requests until the client is gone, silent for too long, or breaks the form."""
        connected.settimeout(self._bounds.idle)
        left = self._bounds.requests
        with contextlib.suppress(OSError):  # gone or silent: nobody is left to be answered
            # One byte more than a message may have: what fills it was too long.
            while data := connected.recv(message.LONGEST + 1):
                left -= 1
                answer, goes_on = self._answered(session, data, peer, left)
                connected.send(answer)
                if not goes_on:
                    return

    def _answered(self, session: Session, data: bytes, peer: Peer, left: int) -> tuple[bytes, bool]:
        """Return the answer to a request, and whether another one may come.  Raises nothing."""
        if left < 0:
            most = f"a connection has {self._bounds.requests} requests at most"
            return message.encode(message.failed(message.BROKEN, most)), False
        try:
            return message.encode(session.answer(message.decode(data))), True
        except BrokenMessage as error:
            return message.encode(message.failed(message.BROKEN, str(error))), False
        except Exception as exception:  # noqa: BLE001 -- a fault ends this conversation alone
            self._warn(f"a request failed: {log.describe(exception)} (uid={peer.uid})")
            fault = message.failed(message.FAULT, "the service has failed at this")
            return message.encode(fault), False

    def _refuse(self, connected: socket.socket, peer: Peer, why: str) -> None:
        self._warn(f"a request was refused: {why} (pid={peer.pid} uid={peer.uid})")
        with connected, contextlib.suppress(OSError):
            connected.settimeout(0)
            connected.send(message.encode(message.failed(message.CROWDED, why)))
            # A request that is left unread would reach the client as a reset.
            connected.recv(message.LONGEST)


def _hear_no_more(connected: socket.socket) -> None:
    """Let the wait for a request end, once those that have come are read."""
    with contextlib.suppress(OSError):
        connected.shutdown(socket.SHUT_RD)
