"""Log lines that anybody's own program can cause: a few at once, then one now and then.

A root host's lines are never held back: they are what an administrator and fail2ban read.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pam_totp import audit

ROOT: Final = 0
BURST: Final = 20
"""Lines that a uid has at once: more than anybody needs to unlock a screen."""

INTERVAL: Final = 10.0
"""Seconds until it has one more."""

_SHARES: Final = 64


@dataclass(slots=True)
class _Share:
    used_until: float = float("-inf")  # on the clock of `now`; each line moves it by INTERVAL
    held_back: int = 0


class Sparing:
    """Bounds the lines of each uid that is not root's, and of all of them together.

    The uids share a table of fixed size, because one person can have thousands (subuid(5)).
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._shares = [_Share() for _ in range(_SHARES)]

    def log_of(self, uid: int, log: audit.Log) -> audit.Log:
        """Return the log for the lines of a program of this uid: for root's, `log` itself."""
        if uid == ROOT:
            return log

        def spared(priority: int, text: str) -> None:
            held_back = self._lines_held_back(uid)
            if held_back is None:
                return
            if held_back:
                log(priority, f"{held_back} lines about programs of uid {uid} were left out")
            log(priority, text)

        return spared

    def _lines_held_back(self, uid: int) -> int | None:
        """Return how many lines were held back before this one, None if this one is too."""
        share = self._shares[uid % _SHARES]
        with self._lock:
            now = self._now()
            share.used_until = max(share.used_until, now)
            if share.used_until - now > (BURST - 1) * INTERVAL:
                share.held_back += 1
                return None
            share.used_until += INTERVAL
            held_back, share.held_back = share.held_back, 0
            return held_back
