"""What happened, as the store keeps it and the log says it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Origin:
    """Where somebody sits who acts: the address that the session came from, and its terminal;
    "" for what there is not."""

    address: str = ""
    tty: str = ""

    def __str__(self) -> str:
        return self.address or self.tty


NOWHERE = Origin()


@dataclass(frozen=True, slots=True)
class Event:
    """One verdict or one act of an administrator.  `what` is the verdict's value or the act's
    name; `at` is UTC seconds; values a client chose are as it sent them.

    `actor` is the administrator who did it, "" for a login and for what people do to their own
    account; an act's `rhost` and `tty` are where the actor sits.
    `id` is the store's number of it, rising, 0 before it is kept.
    """

    at: float
    account: str
    what: str
    service: str = ""
    rhost: str = ""
    tty: str = ""
    authenticator: str = ""
    detail: str = ""
    actor: str = ""
    id: int = field(default=0, compare=False)

    def of(self, origin: Origin) -> Event:
        """Return the event of somebody who sits there."""
        return replace(self, rhost=origin.address, tty=origin.tty)
