"""A policy as the store keeps it: each change, with who made it, when and from where."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property

from pam_totp.errors import PolicyError
from pam_totp.policy import document
from pam_totp.policy.document import Policy


@dataclass(frozen=True)
class PolicyRecord:
    """One version; the newest is in force.  `at` is UTC seconds, 0 for the one that came with
    the store; `origin` is where the actor sat."""

    id: int
    at: float
    actor: str
    origin: str
    note: str
    text: str

    @cached_property
    def policy(self) -> Policy:
        """The policy.  Raises PolicyError if it cannot be used."""
        try:
            data = json.loads(self.text)
        except (ValueError, RecursionError):
            raise PolicyError(f"policy {self.id}: not in this version's form") from None
        try:
            return document.from_data(data)
        except PolicyError as error:
            raise PolicyError(f"policy {self.id}: {error}", hint=error.hint) from None


def to_text(policy: Policy) -> str:
    """Return a policy as the store keeps it."""
    return json.dumps(document.to_data(policy), separators=(",", ":"))
