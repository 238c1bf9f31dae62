"""What happened, as the store keeps it and the log says it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Event:
    """One verdict or one act of an administrator.  `what` is the verdict's value or the act's
    name; `at` is UTC seconds; values a client chose are as it sent them."""

    at: float
    account: str
    what: str
    service: str = ""
    rhost: str = ""
    tty: str = ""
    authenticator: str = ""
    detail: str = ""
