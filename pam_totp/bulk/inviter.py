"""Inviting many people at once: each invitation is kept, durably, before it is written."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence

from pam_totp import administration, invitation
from pam_totp.account import NOBODY, AccountState, Person
from pam_totp.bulk.result import BATCH, HAS_ENROLLED, Outcome, Result, failed
from pam_totp.sheet import InvitationPage
from pam_totp.store.protocol import StateChange, Store
from pam_totp.upkeep import By


class Inviter:
    """Invites people, for `valid` seconds; `until` says a moment (UTC seconds) to them."""

    def __init__(
        self,
        store: Store,
        issuer: str,
        by: Callable[[], By],
        valid: int,
        until: Callable[[int], str],
    ) -> None:
        self._store = store
        self._issuer = issuer
        self._by = by
        self._valid = valid
        self._until = until

    def run(self, people: Sequence[Person]) -> Iterator[list[Result]]:
        """Invite them, and yield what became of each, a batch at a time, durably.

        Raises StoreError; what was yielded stands.
        """
        states = dict(self._store.accounts())
        for at in range(0, len(people), BATCH):
            yield self._batch(people[at : at + BATCH], states)

    def _batch(self, people: Sequence[Person], states: Mapping[str, AccountState]) -> list[Result]:
        by = self._by()
        done: dict[str, Result] = {}
        changes: dict[str, StateChange] = {}
        for person in people:
            if states.get(person.name, NOBODY).enrolled is not None:
                done[person.name] = Result(person.name, Outcome.SKIPPED, HAS_ENROLLED)
                continue
            word, given = invitation.new(
                by.now, by.name, secrets.choice, os.urandom(16), self._valid
            )
            event = by.event(person.name, "invited")
            changes[person.name] = administration.inviting(person.name, given, event)
            page = InvitationPage(person.name, self._issuer, word, self._until(given.until))
            done[person.name] = Result(
                person.name,
                Outcome.INVITED,
                owner=(person.uid, person.gid),
                page=page,
                events=(event,),
            )
        refusals = self._store.change_states_of(changes)
        return [
            failed(one.name, refusals[one.name]) if one.name in refusals else done[one.name]
            for one in people
        ]
