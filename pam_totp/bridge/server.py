"""The service's end of login.socket: who is let in, how many, and what the others are told."""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Final

from pam_totp.bridge import log, wire
from pam_totp.bridge.acceptor import IDLE_SECONDS, IDLE_THREADS, Acceptor
from pam_totp.bridge.connection import WAITS, Connection, Waits
from pam_totp.bridge.guard import REFUSAL, Dispatch, answer
from pam_totp.bridge.peers import ROOT, Admission, Arrivals, Limits, Peer, peer_of

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from pam_totp.bridge.listener import Listener
    from pam_totp.bridge.pamh import PamHandle

_CROWDED: Final = "too many at once"


class Server(Acceptor):
    """Answers the logins of one listener.  That the number of threads is bounded follows from
    Admission and Arrivals."""

    def __init__(  # noqa: PLR0913 -- what a test varies, each with its usual value
        self,
        listener: Listener,
        dispatch: Dispatch,
        *,
        waits: Waits = WAITS,
        limits: Limits | None = None,
        credentials: Callable[[socket.socket], Peer] = peer_of,
        idle_threads: int = IDLE_THREADS,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        super().__init__(listener, idle_threads, idle_seconds)
        self._dispatch = dispatch
        self._waits = waits
        self._admission = Admission(limits or Limits())
        self._arrivals = Arrivals((limits or Limits()).arrivals)
        self._credentials = credentials
        self._warn_of_people = log.Occasional(log.warning)  # anybody can make that line come

    def _serve(self, connected: socket.socket) -> None:
        peer = self._credentials(connected)
        if peer.uid == ROOT:
            self._talk(connected, peer, self._admitted, self._arrivals.waiting(connected))
            return
        if not self._admission.admit(peer.uid):
            self._refuse(connected, peer, _CROWDED)
            return
        try:
            self._talk(connected, peer, self._dispatch)
        finally:
            self._admission.release(peer.uid)

    def _talk(
        self,
        connected: socket.socket,
        peer: Peer,
        dispatch: Dispatch,
        waiting: AbstractContextManager[None] | None = None,
    ) -> None:
        if not self._turn_away_from_accepting():
            self._refuse(connected, peer, "the system allows no more threads")
            return
        try:
            answer(Connection(connected, self._waits), peer, dispatch, waiting)
        finally:
            self._turn_back()

    def _admitted(
        self, pamh: PamHandle, function: wire.Function, flags: int, argv: list[str]
    ) -> int:
        """Dispatch a call of root's program if who started it may have one more."""
        caller = pamh.caller
        if not self._admission.admit(ROOT, caller):
            self._warn_of(pamh.peer, _CROWDED, caller)
            return REFUSAL
        try:
            return self._dispatch(pamh, function, flags, argv)
        finally:
            self._admission.release(ROOT, caller)

    def _refuse(self, connected: socket.socket, peer: Peer, why: str) -> None:
        """Say FINISH at once, whatever the host has sent by now."""
        self._warn_of(peer, why)
        with connected, contextlib.suppress(OSError):
            connected.settimeout(0)
            connected.send(wire.encode_finish(REFUSAL))
            # A CALL that is left unread would reach the host as a reset, not as FINISH.
            connected.recv(wire.WIRE_MAX_MESSAGE)

    def _warn_of(self, peer: Peer, why: str, caller: int = ROOT) -> None:
        by = "" if caller == ROOT else f", started by uid={caller}"
        warn = self._warn if peer.uid == caller == ROOT else self._warn_of_people
        warn(f"a login was refused: {why} (host pid={peer.pid} uid={peer.uid}{by})")
