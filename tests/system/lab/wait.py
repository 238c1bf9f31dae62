"""Waiting for something, with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

DEADLINE: Final = 30.0  # seconds; what is waited for here takes one or two

T = TypeVar("T")


def wait_for(question: Callable[[], T | None], what: str, seconds: float = DEADLINE) -> T:
    """Ask until the answer is true, and return it; fail at the deadline."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = question()
        if answer:
            return answer
        time.sleep(0.02)
    raise AssertionError(f"after {seconds:g} s still no {what}")
