"""The threads that take connections in, as many as people are waiting, and no more."""

from __future__ import annotations

import errno
import threading
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final

from pam_totp.bridge import log

if TYPE_CHECKING:
    import socket

    from pam_totp.bridge.listener import Listener

IDLE_THREADS: Final = 4
IDLE_SECONDS: Final = 60.0
THREAD_STACK: Final = 1 << 20
"""Bytes.  Ours needs little, name services and SQLite some; a thousand of the usual
8 MB would be refused on a machine that counts address space."""

_SHORT_OF: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_BREATH: Final = 0.1
"""Seconds to wait when the kernel has no descriptor or memory for another connection."""


class Acceptor(ABC):
    """Accepts the connections of one listener, and lets `_serve` answer them.

    Every thread does both: it accepts, and it answers what it accepted.  The last idle
    one starts another before it turns to its connection, so that somebody always
    accepts; `_serve` bounds how many do so.
    """

    def __init__(self, listener: Listener, idle_threads: int, idle_seconds: float) -> None:
        self._listener = listener
        self._idle_threads = idle_threads
        self._idle_seconds = idle_seconds
        self._state = threading.Condition()
        self._threads = 0
        self._idle = 0
        self._stopping = False
        self._warn = log.Occasional(log.warning)

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

    @abstractmethod
    def _serve(self, connected: socket.socket) -> None:
        """Answer a connection, or refuse it."""

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

    def _turn_back(self) -> None:
        """Be idle again."""
        with self._state:
            self._idle += 1
