"""Tells people what the events say, one notice after the other, and remembers how far it got.

A try is written down before it is made, and that it succeeded after it: whatever is cut short
between the two is sent again.  So a notice can come twice, and none is lost but those that are
given up, each with a log line: after `TRIES` tries, and where nobody was there for a day.
"""

from __future__ import annotations

import syslog
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pam_totp import audit
from pam_totp.bridge.log import describe
from pam_totp.errors import StoreDamaged, StoreError
from pam_totp.event import Event
from pam_totp.notices import progress
from pam_totp.notices.channel import Channel
from pam_totp.notices.follow import Follower
from pam_totp.notices.kind import kind_of
from pam_totp.notices.message import Message
from pam_totp.notices.outbox import Outbox, Waiting
from pam_totp.notices.progress import Progress
from pam_totp.notices.run import NotSent
from pam_totp.store.protocol import Store

STALE: Final = 86_400.0  # seconds after which an event is news to nobody
FULL: Final = 200  # notices that wait; more are left where they are, in the store
SAVED_EVERY: Final = 60.0  # seconds, where nothing has happened but logins


class Clerk:
    """The one who reads, sends and remembers.  Times are UTC seconds."""

    def __init__(  # noqa: PLR0913 -- what it works with
        self,
        store: Store,
        directory: Path,
        *,
        channel: Channel,
        compose: Callable[[Waiting], Message],
        log: audit.Log,
        now: float,
    ) -> None:
        """Go on where the last one stopped; the very first begins with what comes next.

        Raises StoreError.
        """
        self._directory = directory
        self._channel = channel
        self._compose = compose
        self._log = log
        saved = self._loaded()
        self._follower = (
            Follower(store, saved.after, saved.at) if saved else Follower.at_newest(store)
        )
        waiting = saved.waiting if saved else ()
        self._outbox = Outbox(one for one in waiting if not _stale(one.event, now))
        self._tell_of_stale([one.event for one in waiting if _stale(one.event, now)])
        self._saved_at = now
        self.save(now)

    def work(self, now: float) -> bool:
        """Read on and send one notice at most; return whether there may be more to do at once.

        Raises StoreError.
        """
        more = self._read(now) if len(self._outbox.waiting) < FULL else False
        one = self._outbox.next(now)
        if one is None:
            return more
        self._send(one, now)
        return True

    def save(self, now: float) -> None:
        """Write down how far it is.  Raises StoreError."""
        after, at = self._follower.after, self._follower.at
        progress.save(self._directory, Progress(after, at, tuple(self._outbox.waiting)))
        self._saved_at = now

    def _loaded(self) -> Progress | None:
        try:
            return progress.load(self._directory)
        except StoreDamaged as error:
            what = "begun anew with what happens from now on"
            self._log(syslog.LOG_ERR, audit.line({"notices": what, "detail": str(error)}))
            return None

    def _read(self, now: float) -> bool:
        before = self._follower.after
        events = self._follower.read()
        told = [(kind, event) for event in events if (kind := kind_of(event)) and event.account]
        for kind, event in told:
            if not _stale(event, now):
                self._outbox.add(kind, event, now)
        self._tell_of_stale([event for _, event in told if _stale(event, now)])
        moved = self._follower.after != before
        if told or (moved and not 0 <= now - self._saved_at < SAVED_EVERY):
            self.save(now)
        return moved

    def _send(self, one: Waiting, now: float) -> None:
        begun = self._outbox.begin(one, now)
        try:
            self.save(now)
        except StoreError:
            self._outbox.take_back(begun, one)  # what cannot be remembered is not sent
            raise
        error = self._error(begun)
        if error is None:
            self._outbox.succeeded(begun, now)
            self._log(syslog.LOG_INFO, _line("sent", begun))
        elif self._outbox.failed(begun, final=error.final):
            self._log(syslog.LOG_ERR, _line("given up", begun, error))
        else:
            self._log(syslog.LOG_WARNING, _line("failed, is tried again", begun, error))
        self.save(now)

    def _error(self, begun: Waiting) -> NotSent | None:
        """Make the try; return why it failed, None if it did not."""
        try:
            self._channel(self._compose(begun))
        except NotSent as error:
            return error
        except Exception as fault:  # noqa: BLE001 -- the next notice is sent all the same
            what = f"a fault of the program: {describe(fault)}"
            return NotSent(what, hint="please report this line")
        return None

    def _tell_of_stale(self, events: list[Event]) -> None:
        if events:
            fields = {"notices": "too old to be sent", "count": str(len(events))}
            self._log(syslog.LOG_WARNING, audit.line(fields))


def _stale(event: Event, now: float) -> bool:
    return now - event.at > STALE


def _line(what: str, one: Waiting, error: NotSent | None = None) -> str:
    fields = {"notice": what, "account": one.event.account, "what": one.kind.value}
    if one.times > 1:
        fields["times"] = str(one.times)
    if error is not None:
        fields |= {"detail": str(error), "hint": error.hint or ""}
    return audit.line(fields)
