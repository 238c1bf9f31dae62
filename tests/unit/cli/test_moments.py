"""Moments as administrators type them."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from pam_totp.cli import moments

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 11, 24, 13, 30, tzinfo=UTC).timestamp()


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine in Berlin, where it is 14:30."""
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("90s", "2026-11-24T13:28:30Z"),
        ("30m", "2026-11-24T13:00:00Z"),
        ("2h", "2026-11-24T11:30:00Z"),
        ("7d", "2026-11-17T13:30:00Z"),
        ("2W", "2026-11-10T13:30:00Z"),
        ("today", "2026-11-23T23:00:00Z"),
        ("Yesterday", "2026-11-22T23:00:00Z"),
        ("14:20", "2026-11-24T13:20:00Z"),
        ("9:05", "2026-11-24T08:05:00Z"),
        ("09:05:30", "2026-11-24T08:05:30Z"),
        ("2026-11-24", "2026-11-23T23:00:00Z"),
        ("2026-07-01", "2026-06-30T22:00:00Z"),
        ("2026-11-24 14:20", "2026-11-24T13:20:00Z"),
        ("2026-11-24T14:20:07", "2026-11-24T13:20:07Z"),
        ("2026-11-24T14:20Z", "2026-11-24T14:20:00Z"),
        ("2026-11-24T14:20-05:00", "2026-11-24T19:20:00Z"),
    ],
)
def test_what_is_meant(text: str, moment: str) -> None:
    """So long ago, a day or a time of today count in local time; an offset is obeyed."""
    assert moments.parse(text, NOW) == datetime.fromisoformat(moment).timestamp()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2",
        "h",
        "-2h",
        "2 hours",
        "2026-13-01",
        "25:00",
        "9:5",
        "tomorrow",
        "\u0662h",
        "99999999w",
    ],
)
def test_what_is_not_understood(text: str) -> None:
    """Anything else is an error that says the form."""
    with pytest.raises(ValueError, match="expected 2h, "):
        moments.parse(text, NOW)
