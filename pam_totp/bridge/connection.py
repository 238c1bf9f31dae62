"""One connection from a bridge: messages in and out, with their time limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pam_totp.bridge import wire
from pam_totp.errors import BrokenMessage, PamTotpError

if TYPE_CHECKING:
    import socket


class ConnectionLost(PamTotpError):
    """The host went away or was silent for too long; nobody is left to be answered."""


@dataclass(frozen=True, slots=True)
class Waits:
    """How long to wait for the bridge, in seconds."""

    host: float = 15.0
    """where libpam answers by itself; the bridge waits for the service as long"""

    person: float = 600.0
    """where someone may have to type first"""


WAITS: Final = Waits()


class Connection:
    """A connected SOCK_SEQPACKET socket, which this object owns from then on."""

    __slots__ = ("_requests", "_socket", "_waits")

    def __init__(self, connected: socket.socket, waits: Waits = WAITS) -> None:
        self._socket = connected
        self._waits = waits
        self._requests = 0
        connected.settimeout(waits.host)

    def receive_call(self) -> wire.Call:
        """Wait for the CALL.  Raises BrokenMessage or ConnectionLost."""
        return wire.decode_call(self._receive())

    def ask(self, request: bytes, *, person: bool = False) -> wire.Reply:
        """Send a request and wait for its REPLY, with `person` for as long as people take.

        Raises BrokenMessage, also for more requests than a call may have, or
        ConnectionLost.
        """
        self._requests += 1
        if self._requests > wire.WIRE_MAX_REQUESTS:
            raise BrokenMessage(f"more than {wire.WIRE_MAX_REQUESTS} requests in one call")
        self._send(request)
        if not person:
            return wire.decode_reply(self._receive())
        self._socket.settimeout(self._waits.person)
        message = self._receive()
        self._socket.settimeout(self._waits.host)
        return wire.decode_reply(message)

    def finish(self, code: int) -> None:
        """Tell the bridge what the call returns.  Raises ConnectionLost."""
        self._send(wire.encode_finish(code))

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _send(self, message: bytes) -> None:
        try:
            self._socket.send(message)
        except OSError as error:
            raise ConnectionLost("the host closed the connection") from error

    def _receive(self) -> bytes:
        try:
            # One byte more than a message may have: what fills it was too long, and the
            # kernel has dropped the rest.
            message = self._socket.recv(wire.WIRE_MAX_MESSAGE + 1)
        except TimeoutError as error:
            raise ConnectionLost("the host did not answer in time") from error
        except OSError as error:
            raise ConnectionLost("the host closed the connection") from error
        if not message:
            # Also what an empty message looks like; either way nothing more can come of it.
            raise ConnectionLost("the host closed the connection")
        return message
