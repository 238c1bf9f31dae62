"""What all conversations over admin.socket share."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

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


@dataclass(frozen=True, slots=True)
class Desk:
    """The host's context, what checks passwords, and whose turn it is."""

    context: Context
    check: Check
    turns: Turns = field(default_factory=Turns)
