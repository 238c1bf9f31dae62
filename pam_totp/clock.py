"""The one place that reads a clock.

Everywhere else time is an argument, in UTC seconds since 1970, so that a decision can be
repeated and tested; ruff bans the clock's calls outside this file.
"""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], float]


def now() -> float:
    """Return UTC seconds since 1970-01-01, never local time (RFC 6238 section 4.2)."""
    return time.time()
