"""Says in the log when a lock is over: at that moment, and not at the next attempt.

A login that begins a lock leaves it here; what began before the service was started, or in a
one-shot, is found in the store at the start.  What the log says is what the store says then.
"""

from __future__ import annotations

import heapq
import itertools
import syslog
import threading
from dataclasses import dataclass, replace
from typing import Final

from pam_totp import locks
from pam_totp.bridge import log
from pam_totp.context import Context
from pam_totp.errors import PamTotpError
from pam_totp.locks import TimedLock

LONGEST: Final = 10.0  # seconds without a look at the clock, which somebody may set; and until
# the next try after a failure
_SOON: Final = 0.01
_EVENTS: Final = 1_000  # in which an `unlock` is looked for


@dataclass(frozen=True, slots=True)
class _Watched:
    """A lock, and the moment (UTC seconds) from which on an `unlock` was meant for it."""

    lock: TimedLock
    since: float


class LockWatch:
    """The locks that hold for a time, and the thread that waits for the end of each."""

    def __init__(self, context: Context, *, longest: float = LONGEST) -> None:
        self._context = context
        self._longest = longest
        self._changed = threading.Condition()
        self._order = itertools.count()
        self._queue: list[tuple[float, int, _Watched]] = []  # a heap, by the locks' ends
        self._known: set[TimedLock] = set()
        self._warn = log.Occasional(log.warning, interval=600.0)

    def start(self) -> None:
        """Begin to watch, in a thread that ends with the process."""
        threading.Thread(target=self._run, name="lockwatch", daemon=True).start()

    def add(self, lock: TimedLock) -> None:
        """Watch a lock that has just begun."""
        with self._changed:
            if lock not in self._known:
                self._push(_Watched(lock, self._context.now()))
                self._changed.notify()

    def find(self) -> None:
        """Watch every lock that the store knows.  Raises StoreError."""
        for lock in self._context.store.timed_locks(self._context.now()):
            self.add(lock)

    def look(self) -> None:
        """Log the locks that are over by now.  Raises StoreError; the one that could not be
        looked at then stays watched."""
        while (watched := self._pop()) is not None:
            try:
                self._look_at(watched)
            except BaseException:
                with self._changed:
                    self._push(watched)
                raise

    def _look_at(self, watched: _Watched) -> None:
        store, lock = self._context.store, watched.lock
        until = store.locked_until(lock)
        if until > self._context.now():
            self.add(replace(lock, until=until))  # another one, of which nobody has told us
        elif until == lock.until or not self._was_lifted(watched):
            self._context.log(syslog.LOG_NOTICE, locks.ends(lock))

    def _was_lifted(self, watched: _Watched) -> bool:
        """Whether somebody unlocked the account, which that command has logged.  A login that
        came in right after the lock's end leaves the same state."""
        events = self._context.store.events(watched.lock.account, _EVENTS, since=watched.since)
        return any(event.what == "unlock" for event in events)

    def _push(self, watched: _Watched) -> None:
        self._known.add(watched.lock)
        heapq.heappush(self._queue, (watched.lock.until, next(self._order), watched))

    def _pop(self) -> _Watched | None:
        """Return a lock that should be over by now."""
        with self._changed:
            if self._left() > 0:
                return None
            _, _, watched = heapq.heappop(self._queue)
            self._known.discard(watched.lock)
            return watched

    def _left(self) -> float:
        """Return the seconds until the next end, as many as there may be where there is none."""
        return self._queue[0][0] - self._context.now() if self._queue else self._longest

    def _run(self) -> None:
        complete = False
        while True:
            try:
                if not complete:
                    self.find()
                    complete = True
                self.look()
            except PamTotpError as error:
                self._pause(log.with_hint(error))
            except Exception as exception:  # noqa: BLE001 -- the next lock is watched all the same
                self._pause(log.describe(exception))
            else:
                with self._changed:
                    self._changed.wait(min(max(self._left(), _SOON), self._longest))

    def _pause(self, why: str) -> None:
        self._warn(f"the ends of locks cannot be logged now: {why}")
        with self._changed:
            self._changed.wait(self._longest)
