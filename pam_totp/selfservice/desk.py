"""What all conversations over admin.socket share."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from pam_totp.context import Context
from pam_totp.selfservice.password import Checked, Question

Check = Callable[[Question], Checked]


class Turns:
    """Lets each account's conversations act one after the other: else four of them would have
    four tries at what one may try once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turns: dict[int, threading.Lock] = {}
        self._here: Counter[int] = Counter()

    @contextlib.contextmanager
    def turn(self, uid: int) -> Iterator[None]:
        """Wait for those who came before, and be the only one as long as the block runs."""
        with self._lock:
            turn = self._turns.setdefault(uid, threading.Lock())
            self._here[uid] += 1
        try:
            with turn:
                yield
        finally:
            with self._lock:
                self._here[uid] -= 1
                if not self._here[uid]:
                    del self._here[uid], self._turns[uid]


class Budget:
    """How many changes each uid has made within the last hour (seconds since the machine's start).

    SECURITY: each is an event, and events are kept up to a number: without a bound one person
    could push everybody's out within the hour.
    """

    HOUR: Final = 3_600.0
    CHANGES: Final = 60

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: dict[int, list[float]] = {}

    def used_up(self, uid: int, now: float) -> bool:
        """Whether the uid may make no more for now."""
        with self._lock:
            return len(self._lately(uid, now)) >= self.CHANGES

    def spend(self, uid: int, now: float) -> None:
        """Count a change; what is an hour old is forgotten, of everybody."""
        with self._lock:
            lately = {one: self._lately(one, now) for one in (*self._made, uid)}
            self._made = {one: made for one, made in lately.items() if made}
            self._made.setdefault(uid, []).append(now)

    def _lately(self, uid: int, now: float) -> list[float]:
        return [at for at in self._made.get(uid, []) if now - at < self.HOUR]


@dataclass(frozen=True, slots=True)
class Desk:
    """The host's context, what checks passwords, whose turn it is, and how much was changed."""

    context: Context
    check: Check
    turns: Turns = field(default_factory=Turns)
    budget: Budget = field(default_factory=Budget)
