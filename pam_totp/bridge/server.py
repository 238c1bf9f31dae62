"""The threads that take connections in, as many as people are waiting, and no more."""

from __future__ import annotations

import contextlib
import errno
import threading
import time
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Final

from pam_totp.bridge import log, wire
from pam_totp.bridge.connection import WAITS, Connection, Waits
from pam_totp.bridge.guard import REFUSAL, Dispatch, answer
from pam_totp.bridge.peers import ROOT, Admission, Arrivals, Limits, Peer, peer_of

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from pam_totp.bridge.listener import Listener
    from pam_totp.bridge.pamh import PamHandle

IDLE_THREADS: Final = 4
IDLE_SECONDS: Final = 60.0
THREAD_STACK: Final = 1 << 20
"""Bytes.  Ours needs little, name services and SQLite some; a thousand of the usual
8 MB would be refused on a machine that counts address space."""

_SHORT_OF: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_CROWDED: Final = "too many at once"
_BREATH: Final = 0.1
"""Seconds to wait when the kernel has no descriptor or memory for another connection."""


class Server:
    """Answers the connections of one listener.

    Every thread does both: it accepts, and it answers what it accepted.  The last idle
    one starts another before it turns to its connection, so that somebody always
    accepts; that the number of threads is bounded follows from Admission and Arrivals.
    """

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
        self._listener = listener
        self._dispatch = dispatch
        self._waits = waits
        self._admission = Admission(limits or Limits())
        self._arrivals = Arrivals((limits or Limits()).arrivals)
        self._credentials = credentials
        self._idle_threads = idle_threads
        self._idle_seconds = idle_seconds
        self._state = threading.Condition()
        self._threads = 0
        self._idle = 0
        self._stopping = False
        self._warn = log.Occasional(log.warning)
        self._warn_of_people = log.Occasional(log.warning)  # anybody can make that line come

    @property
    def threads(self) -> int:
        """How many threads there are now, idle or not."""
        return self._threads

    def start(self) -> None:
        """Begin to answer."""
        self._listener.wake_every(self._idle_seconds)
        for _ in range(self._idle_threads):
            self._start_thread()

    def stop(self) -> None:
        """Accept no new connection; those queued or under way are answered to the end."""
        self._stopping = True
        self._listener.withdraw()

    def wait(self, seconds: float) -> bool:
        """Wait until all is answered after `stop`; False if that takes longer."""
        with self._state:
            return self._state.wait_for(lambda: self._threads == 0, seconds)

    def _start_thread(self) -> None:
        """Raises RuntimeError where the system allows no more threads."""
        with self._state:
            self._threads += 1
            self._idle += 1
        try:
            threading.Thread(target=self._run, daemon=True).start()
        except BaseException:
            with self._state:
                self._threads -= 1
                self._idle -= 1
            raise

    def _run(self) -> None:
        try:
            while self._serve_next():
                pass
        finally:
            with self._state:
                self._threads -= 1
                self._state.notify_all()

    def _serve_next(self) -> bool:
        """Accept one connection and answer it; False if this thread is to end."""
        try:
            connected, _ = self._listener.socket.accept()
        except BlockingIOError:
            return not self._leave(down_to=self._idle_threads)
        except OSError as error:
            # `accept` hands out what was queued before it fails because of `stop`.
            if self._stopping and error.errno not in _SHORT_OF:
                return not self._leave(down_to=0)
            self._warn(f"no connection could be accepted: {log.describe(error)}")
            time.sleep(_BREATH)
            return True
        try:
            self._serve(connected)
        except Exception as exception:  # noqa: BLE001 -- one bad connection ends no thread
            self._warn(f"a connection was dropped: {log.describe(exception)}")
            connected.close()
        return True

    def _leave(self, down_to: int) -> bool:
        """Stop being idle for good, if more than so many are idle."""
        with self._state:
            leaves = self._idle > down_to
            self._idle -= leaves
            return leaves

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
            with self._state:
                self._idle += 1

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

    def _turn_away_from_accepting(self) -> bool:
        """Leave the idle threads, with at least one other among them; False if it cannot be."""
        with self._state:
            self._idle -= 1
            last = self._idle == 0
        if not last:
            return True
        try:
            self._start_thread()
        except RuntimeError:
            with self._state:
                self._idle += 1
            return False
        return True

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
