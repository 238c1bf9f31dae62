"""What is still to be told: pure bookkeeping over waiting notices.  Times are UTC seconds.

Not more than PER_HOUR notices of one kind go to one account in an hour; what happens beyond
that is told as one, when the hour is over, with how often it was.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from pam_totp.event import Event
from pam_totp.notices.kind import Kind

PER_HOUR: Final = 3
HOUR: Final = 3600.0
RETRIES: Final = (60.0, 600.0, 3600.0)  # seconds after each try that failed
TRIES: Final = len(RETRIES) + 1


@dataclass(frozen=True, slots=True)
class Waiting:
    """One notice that is to be sent: of an event, the newest where it stands for several
    `times`; `due` from when on, after `tries` that were begun."""

    kind: Kind
    event: Event
    due: float
    times: int = 1
    tries: int = 0

    @property
    def key(self) -> tuple[str, Kind]:
        """What the bound goes by."""
        return self.event.account, self.kind


class Outbox:
    """The notices that wait, in the order in which they came."""

    def __init__(self, waiting: Iterable[Waiting] = ()) -> None:
        self.waiting = list(waiting)
        # Of the last hour.  Not kept on disk: a restart forgets it, and whatever restarts this
        # again and again is held back by the tries, which are kept.
        self._sent: dict[tuple[str, Kind], list[float]] = {}

    def add(self, kind: Kind, event: Event, now: float) -> None:
        """Let an event be told; at once, as far as the bound allows it."""
        new = Waiting(kind, event, now)
        sent = [at for at in self._sent.get(new.key, []) if now - at < HOUR]
        alike = [one for one in self.waiting if one.key == new.key]
        if len(sent) + len(alike) < PER_HOUR:
            self.waiting.append(new)
            return
        held = alike[-1] if alike else None
        if held is not None and held.tries == 0 and (held.times > 1 or held.due > now):
            self._exchange(held, replace(held, event=event, times=held.times + 1))
        else:
            self.waiting.append(replace(new, due=min(sent, default=now) + HOUR))

    def next(self, now: float) -> Waiting | None:
        """Return the notice whose turn it is, None if none is due."""
        due = (one for one in self.waiting if one.due <= now or one.due > now + HOUR)
        return min(due, key=lambda one: one.due, default=None)  # later: the clock was set back

    def begin(self, one: Waiting, now: float) -> Waiting:
        """Count a try that is about to be made, and return the notice as it waits from now on:
        it stays until the try has succeeded."""
        tried = one.tries + 1
        begun = replace(one, tries=tried, due=now + RETRIES[min(tried, len(RETRIES)) - 1])
        self._exchange(one, begun)
        return begun

    def take_back(self, begun: Waiting, one: Waiting) -> None:
        """Let a notice wait as it did before a try that was not made."""
        self._exchange(begun, one)

    def succeeded(self, one: Waiting, now: float) -> None:
        """Take out a notice that was sent."""
        self.waiting.remove(one)
        self._sent = {key: at for key, at in self._sent.items() if now - at[-1] < HOUR}
        self._sent[one.key] = [*self._sent.get(one.key, [])[1 - PER_HOUR :], now]

    def failed(self, one: Waiting, *, final: bool = False) -> bool:
        """Take a notice out if that was its last try, or has to be; return whether it was."""
        if one.tries < TRIES and not final:
            return False
        self.waiting.remove(one)
        return True

    def _exchange(self, old: Waiting, new: Waiting) -> None:
        self.waiting[self.waiting.index(old)] = new
