"""Moments as administrators type them."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from typing import Final

from pam_totp.cli.terminal import local

FORM: Final = "2h, 30m, 7d, today, yesterday, 14:20, 2026-11-24 or 2026-11-24T14:20"

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_AGO: Final = re.compile(r"([0-9]{1,6})([smhdw])")
_DAYS: Final = {"today": 0, "yesterday": 1}


def parse(text: str, now: float) -> float:
    """Return the moment (UTC seconds) that was meant: so long before `now`, a time of today, or
    a date with or without a time; in local time where it does not say its offset.

    Raises ValueError, which says the form.
    """
    word = text.strip().lower()
    ago = _AGO.fullmatch(word)
    if ago:
        return now - int(ago[1]) * _UNITS[ago[2]]
    if word in _DAYS:
        return _midnight(now, _DAYS[word])
    try:
        return _at(text.strip(), now).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f"expected {FORM}") from None


def _midnight(now: float, days_ago: int) -> float:
    day = local(now).date() - timedelta(days=days_ago)
    return datetime.combine(day, time()).astimezone().timestamp()


def _at(text: str, now: float) -> datetime:
    """Return what an ISO 8601 text says.  Raises ValueError."""
    if re.fullmatch(r"[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?", text):
        clock = time.fromisoformat(text if text[2] == ":" else f"0{text}")
        return datetime.combine(local(now).date(), clock).astimezone()
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.astimezone()
