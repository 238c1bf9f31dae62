"""Reads the events as they come, each once, whoever keeps them: the service, a one-shot or an
administrator's command.

A look is one small query on SQLite's primary key, which waits for no login and lets none wait.
"""

from __future__ import annotations

from typing import Final

from pam_totp.event import Event
from pam_totp.store.protocol import Store

AT_ONCE: Final = 100  # events of one look


class Follower:
    """The place in the events up to which they were read: `after` is the last one's id, `at`
    its time (UTC seconds)."""

    def __init__(self, store: Store, after: int, at: float) -> None:
        self._store = store
        self.after = after
        self.at = at

    @classmethod
    def at_newest(cls, store: Store) -> Follower:
        """Begin at what comes next.  Raises StoreError."""
        newest = _newest(store)
        return cls(store, newest.id, newest.at)

    def read(self) -> list[Event]:
        """Return the next events, the oldest first; [] if there is none.  Raises StoreError."""
        newest = _newest(self._store)
        if newest.id < self.after:  # the store was put back to what it was earlier
            found = self._store.events(limit=AT_ONCE, since=self.at)
            self.after, self.at = newest.id, newest.at
            return found
        found = []
        while not found and self.after < newest.id:  # ids have gaps where events were dropped
            until = min(self.after + AT_ONCE, newest.id)
            found = self._store.events(limit=AT_ONCE, after=self.after, before=until + 1)
            self.after, self.at = until, found[-1].at if found else self.at
        return found


def _newest(store: Store) -> Event:
    return next(iter(store.events(limit=1)), Event(0.0, "", ""))
