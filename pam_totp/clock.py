"""The one place that reads clocks.

Everywhere else time is an argument, in UTC seconds since 1970, so that a decision can be
repeated and tested; ruff bans the clock's calls outside this file.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from typing import Final

Clock = Callable[[], float]

JUMP: Final = 3600.0  # seconds; a clock that was set by less is not worth a line
_UNITS: Final[dict[str, int]] = {"hours": 3600, "minutes": 60, "seconds": 1}
_STA_UNSYNC: Final = 0x40  # <sys/timex.h>


def now() -> float:
    """Return UTC seconds since 1970-01-01, never local time (RFC 6238 section 4.2)."""
    return time.time()


def since_boot() -> float:
    """Return the seconds since the machine started, sleep included: nobody sets that clock."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class _Timex(ctypes.Structure):
    """The beginning of `struct timex`, and more room than its rest needs."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 512),
    )


def synchronised() -> bool | None:
    """Whether the kernel calls its clock synchronised; None where it does not say.

    That is what systemd-timesyncd, ntpd and chrony (with `rtcsync`) tell it and `timedatectl`
    shows.  It does not say so in the service's sandbox (ProtectClock=yes).
    """
    timex = _Timex()  # modes 0: it is read and not set (adjtimex(2))
    adjtimex = getattr(ctypes.CDLL(None, use_errno=True), "adjtimex", None)
    if adjtimex is None or adjtimex(ctypes.byref(timex)) == -1:
        return None
    return not timex.status & _STA_UNSYNC


class JumpWatch:
    """Notices that the wall clock was set by more than an hour since the last accepted login,
    or since the first login that it saw.

    Its arguments are seconds: `wall`, the clock that codes go by, and `boot`, one that nobody
    sets.  Threads share it: at worst two of them notice one jump.
    """

    def __init__(self) -> None:
        self._began: float | None = None  # where the wall clock says that the machine started

    def noticed(self, wall: float, boot: float, last_used: int | None) -> float | None:
        """Return by how many seconds the clock was set (negative: back), None if it was not.

        Once told, a jump within this process is not told again.  One from before it shows
        where an account was `last_used` in the future, until its next accepted login.
        """
        before, began = self._began, wall - boot
        if before is None:
            self._began = before = began
        if abs(began - before) > JUMP:
            self._began = began
            return began - before
        if last_used is not None and last_used - wall > JUMP:
            return wall - last_used
        return None

    def accepted(self, wall: float, boot: float) -> None:
        """Take the clock as it is from here on: a login was accepted by it."""
        self._began = wall - boot


def off(seconds: int) -> str:
    """Return how a clock is off, as a person is told: `4 minutes slow`, `90 seconds fast`."""
    amount = abs(seconds)
    fitting = (name for name, size in _UNITS.items() if amount >= 2 * size)
    name = next(fitting, "seconds")
    return f"{round(amount / _UNITS[name])} {name} {'slow' if seconds < 0 else 'fast'}"
