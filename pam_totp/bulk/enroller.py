"""Enrolling many people at once.

Everybody is kept, durably, before anything of them is written: of a run that was cut short
nobody is lost, and running it again shows those whom no code has confirmed yet once more.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from pam_totp import authenticator as authenticators
from pam_totp import enrollment, recovery
from pam_totp.account import NOBODY, AccountState, Authenticator, Credentials, Person
from pam_totp.bulk.candidates import Candidate
from pam_totp.bulk.result import BATCH, HAS_ENROLLED, Outcome, Result, failed
from pam_totp.decide import Subject
from pam_totp.enrollment import Draft
from pam_totp.errors import EnrollmentError, PamTotpError
from pam_totp.event import Event
from pam_totp.matching import next_counter
from pam_totp.sheet import Page
from pam_totp.store.protocol import CredentialsChange, Store
from pam_totp.upkeep import By


def outcome_of(state: AccountState) -> Outcome:
    """Return what enrolling will do with somebody, as far as the state says it: what has never
    been confirmed, and is all that the account has, is shown again."""
    if state.enrolled is None:
        return Outcome.ENROLLED
    known = list(state.authenticators.values())
    return Outcome.AGAIN if len(known) == 1 and not known[0].confirmed else Outcome.SKIPPED


class Enroller:
    """Enrolls people; `codes` says that they get recovery codes on their page."""

    def __init__(self, store: Store, issuer: str, by: Callable[[], By], *, codes: bool) -> None:
        self._store = store
        self._issuer = issuer
        self._by = by
        self._codes = codes

    def run(self, people: Sequence[Candidate]) -> Iterator[list[Result]]:
        """Enroll them, and yield what became of each, a batch at a time, durably.

        Raises StoreError; what was yielded stands.
        """
        states = dict(self._store.accounts())
        for at in range(0, len(people), BATCH):
            yield self._batch(people[at : at + BATCH], states)

    def _batch(
        self, people: Sequence[Candidate], states: Mapping[str, AccountState]
    ) -> list[Result]:
        by = self._by()
        first: dict[str, _First] = {}
        again: dict[str, _Again] = {}
        for one in people:
            state = states.get(one.person.name, NOBODY)
            kind = outcome_of(state)
            if kind is Outcome.ENROLLED:
                first[one.person.name] = _First(_draft(one, state, by.now, codes=self._codes), by)
            elif kind is Outcome.AGAIN:
                again[one.person.name] = _Again(one, by)
        refusals = {**self._enroll(first), **self._show(again)}
        acts: dict[str, _Act] = {**first, **again}
        return [self._result(one.person, acts, refusals) for one in people]

    def _enroll(self, acts: Mapping[str, _First]) -> Mapping[str, PamTotpError]:
        return self._store.change_credentials_of({name: act.keep for name, act in acts.items()})

    def _show(self, acts: Mapping[str, _Again]) -> Mapping[str, PamTotpError]:
        refusals: dict[str, PamTotpError] = {}
        for name, act in acts.items():
            try:
                act.find(self._store.credentials(name))
            except PamTotpError as error:
                refusals[name] = error
        left = {name: act for name, act in acts.items() if name not in refusals}
        refusals |= self._store.change_states_of({name: act.seen for name, act in left.items()})
        if self._codes:
            changes = {name: act.new_codes for name, act in left.items() if name not in refusals}
            refusals |= self._store.change_credentials_of(changes)
        return refusals

    def _result(
        self, person: Person, acts: Mapping[str, _Act], refusals: Mapping[str, PamTotpError]
    ) -> Result:
        name = person.name
        if name in refusals:
            return failed(name, refusals[name])
        if name not in acts:
            return Result(name, Outcome.SKIPPED, HAS_ENROLLED)
        act = acts[name]
        given = act.given
        page = Page(
            name,
            self._issuer,
            authenticators.uri(given, name, self._issuer, counter=act.counter),
            authenticators.base32(given.secret),
            given.parameters,
            act.recovery_codes,
        )
        owner = (person.uid, person.gid)
        return Result(name, act.outcome, owner=owner, page=page, events=tuple(act.events))


class _Act(Protocol):
    """What is done for one person."""

    outcome: Outcome
    events: list[Event]

    @property
    def given(self) -> Authenticator: ...
    @property
    def counter(self) -> int: ...
    @property
    def recovery_codes(self) -> tuple[str, ...]: ...


class _First:
    """Somebody gets a first authenticator."""

    outcome = Outcome.ENROLLED

    def __init__(self, draft: Draft, by: By) -> None:
        self._draft = draft
        self._by = by
        self.events: list[Event] = []
        self.given = draft.authenticator
        self.counter = draft.counter
        self.recovery_codes = draft.recovery_codes

    def keep(self, subject: Subject) -> CredentialsChange:
        """Return the change that enrolls.  Raises EnrollmentError if somebody was quicker."""
        name = self._draft.person.name
        if subject.state.enrolled is not None:
            raise EnrollmentError(
                f"{name} was enrolled by somebody else in the meantime",
                hint=f"pam-totp status {name}",
            )
        made = enrollment.change_of(subject, self._draft, None, self._by.event(name, ""))
        self.events = [made.event] if made.event else []
        return made


class _Again:
    """What somebody got before, and never used, is shown to them again."""

    outcome = Outcome.AGAIN

    def __init__(self, one: Candidate, by: By) -> None:
        self._one = one
        self._name = one.person.name
        self._by = by
        self.events: list[Event] = []
        self.counter = 0
        self.recovery_codes: tuple[str, ...] = ()
        self.given: Authenticator

    def find(self, known: Credentials | None) -> None:
        """Take what there is.  Raises EnrollmentError if it is not what is wanted now."""
        wanted = self._one.wanted
        if known is None or known.uid != self._one.person.uid:
            raise EnrollmentError(
                f"{self._name} was enrolled as somebody else", hint=f"pam-totp reset {self._name}"
            )
        self.given = known.authenticators[0]
        other_secret = wanted.secret is not None and wanted.secret != self.given.secret
        if other_secret or wanted.parameters != self.given.parameters:
            raise EnrollmentError(
                f"{self._name} was enrolled earlier, with another secret or other settings, and "
                "no code has confirmed it yet",
                hint=f"to begin anew: pam-totp reset {self._name}",
            )

    def seen(self, state: AccountState) -> tuple[AccountState, Event]:
        """Note that it is shown.  Raises EnrollmentError where a code has confirmed it."""
        known = state.of(self.given)
        if outcome_of(state) is not Outcome.AGAIN or known.confirmed:
            raise _in_use(self._name)
        self.counter = next_counter(known) if self.given.parameters.type == "hotp" else 0
        self.events.append(self._by.event(self._name, "shown", self.given.name))
        return state, self.events[-1]

    def new_codes(self, subject: Subject) -> CredentialsChange:
        """Return the change that gives recovery codes, in place of those that are hashed."""
        known = subject.credentials
        if known is None or subject.state.of(self.given).confirmed:
            raise _in_use(self._name)
        self.recovery_codes = enrollment.new_recovery_codes()
        self.events.append(self._by.event(self._name, "recovery-codes"))
        salt = os.urandom(16)
        hashes = recovery.hashes(self.recovery_codes, salt)
        return CredentialsChange(
            replace(known, salt=salt, recovery_codes=hashes),
            lambda state: replace(state, spent=state.spent & frozenset(hashes)),
            self.events[-1],
        )


def _draft(one: Candidate, state: AccountState, now: float, *, codes: bool) -> Draft:
    wanted = one.wanted
    new = authenticators.new(one.called, wanted.parameters, now, os.urandom, secret=wanted.secret)
    given = enrollment.new_recovery_codes() if codes else ()
    return Draft(one.person, new, given, state.version, counter=wanted.counter)


def _in_use(name: str) -> EnrollmentError:
    return EnrollmentError(
        f"{name} has used it in the meantime: nobody can see its secret again",
        hint=f"pam-totp status {name}",
    )
