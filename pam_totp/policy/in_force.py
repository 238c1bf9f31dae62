"""The policy that logins go by: the newest one of the store that can be used."""

from __future__ import annotations

import syslog
from collections.abc import Callable, Iterator
from typing import Protocol

from pam_totp import audit
from pam_totp.errors import PolicyError
from pam_totp.policy.document import Policy
from pam_totp.policy.record import PolicyRecord

_LOOK_BACK = 1_000  # versions


class Policies(Protocol):
    """What is asked of a store."""

    def policies(self, limit: int) -> list[PolicyRecord]:
        """Return the newest versions, the newest first."""


class InForce:
    """Calling it returns the policy; it is read again at each call and parsed when it is new.

    A broken policy never widens access: the last good one stays in force and each call logs
    that; with none, PolicyError is raised, which refuses.
    """

    def __init__(self, store: Policies, log: Callable[[int, str], None] = audit.to_syslog) -> None:
        self._store = store
        self._log = log
        self._known: PolicyRecord | None = None

    def __call__(self) -> Policy:
        newest = next(iter(self._store.policies(1)), None)
        if newest is None:
            raise PolicyError("the store has no policy", hint="pam-totp policy set mfa=optional")
        known = self._known
        if known is not None and (known.id, known.text) == (newest.id, newest.text):
            return known.policy
        try:
            policy = newest.policy
        except PolicyError as error:
            return self._last_good(error)
        self._known = newest
        return policy

    def _last_good(self, error: PolicyError) -> Policy:
        record, policy = next(self._good(), (None, None))
        if record is None or policy is None:
            raise PolicyError(
                f"{error}; and there is no earlier one that can be used",
                hint="pam-totp policy edit",
            )
        hint = f"pam-totp policy revert {record.id}"
        line = {"policy": "broken", "detail": str(error), "in-force": str(record.id), "hint": hint}
        self._log(syslog.LOG_ERR, audit.line(line))
        return policy

    def _good(self) -> Iterator[tuple[PolicyRecord, Policy]]:
        for record in self._store.policies(_LOOK_BACK):
            try:
                yield record, record.policy
            except PolicyError:
                continue
