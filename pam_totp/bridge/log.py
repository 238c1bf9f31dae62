"""Log lines of the bridge's end: syslog's authpriv, and a terminal where there is one.

SECURITY: a line names types, places and numbers, never what an exception says: that may
be the text which someone typed.
"""

from __future__ import annotations

import syslog
import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from pam_totp.errors import PamTotpError

IDENT: Final = "pam-totpd"

_MAX_LINKS: Final = 5
_MAX_PLACES: Final = 12


def open_log(ident: str = IDENT, *, echo: bool = False) -> None:
    """Direct syslog's lines to authpriv; with `echo`, to standard error as well."""
    options = syslog.LOG_PID | syslog.LOG_NDELAY | (syslog.LOG_PERROR if echo else 0)
    syslog.openlog(ident, options, syslog.LOG_AUTHPRIV)


def at(priority: int, line: str) -> None:
    """Log with one of syslog's priorities."""
    syslog.syslog(priority, line)


def info(line: str) -> None:
    """Log what is normal, or somebody else's doing."""
    syslog.syslog(syslog.LOG_INFO, line)


def warning(line: str) -> None:
    """Log what an administrator should look at one day."""
    syslog.syslog(syslog.LOG_WARNING, line)


def error(line: str) -> None:
    """Log what an administrator has to put right."""
    syslog.syslog(syslog.LOG_ERR, line)


def with_hint(error: PamTotpError) -> str:
    """Return what an error of ours says, and what to do, on one line."""
    return f"{error}; {error.hint}" if error.hint else str(error)


def describe(exception: BaseException) -> str:
    """Return types and places of an exception and its causes, without a word of theirs."""
    links: list[str] = []
    link: BaseException | None = exception
    while link is not None and len(links) < _MAX_LINKS:
        links.append(f"{_kind(link)} at {_places(link.__traceback__)}")
        link = link.__cause__ or link.__context__
    return " caused by ".join(links)


def _kind(exception: BaseException) -> str:
    kind = type(exception)
    name = f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
    if isinstance(exception, OSError) and isinstance(exception.errno, int):
        return f"{name} (errno {exception.errno})"
    return name


def _places(traceback: TracebackType | None) -> str:
    """Return where it happened, innermost first."""
    places: list[str] = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        file = "/".join(code.co_filename.rsplit("/", 2)[-2:])
        places.append(f"{file}:{traceback.tb_lineno} {code.co_name}")
        traceback = traceback.tb_next
    return " < ".join(reversed(places[-_MAX_PLACES:])) or "an unknown place"


class Occasional:
    """Lets a line through once in `interval` seconds and counts the ones between.

    So that whoever can make a line appear cannot fill the log with it.
    """

    def __init__(
        self,
        write: Callable[[str], None],
        interval: float = 10.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._write = write
        self._interval = interval
        self._now = now
        self._lock = threading.Lock()
        self._due = float("-inf")
        self._held_back = 0

    def __call__(self, line: str) -> None:
        """Log the line, or count it."""
        with self._lock:
            now = self._now()
            if now < self._due:
                self._held_back += 1
                return
            self._due = now + self._interval
            held_back, self._held_back = self._held_back, 0
        self._write(f"{line} (and {held_back} more before)" if held_back else line)
