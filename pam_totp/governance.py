"""Governing: the policy is changed, and each change is kept with who, when and from where."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from pam_totp.errors import PolicyError
from pam_totp.event import Event, Origin
from pam_totp.policy.difference import difference
from pam_totp.policy.document import Policy, Target
from pam_totp.policy.record import PolicyRecord, to_text
from pam_totp.store.protocol import Store

MOST_VERSIONS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Basis:
    """What a change starts from.

    `newest` is the version that must still be the newest when the change is kept, 0 for none;
    `policy` is that of version `used`, the one that logins go by, or the defaults where `used`
    is 0.  `broken` says why the newest cannot be used.
    """

    newest: int
    used: int
    policy: Policy
    broken: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """A policy that is proposed, and what it was made from."""

    basis: Basis
    policy: Policy

    @property
    def words(self) -> list[str]:
        """What is different, a line for each rule."""
        return difference(self.basis.policy, self.policy)

    @property
    def worth_keeping(self) -> bool:
        """Whether keeping it changes anything: a broken newest version is worth replacing."""
        return bool(self.words) or self.basis.used != self.basis.newest


@dataclass(frozen=True, slots=True)
class Version:
    """A version as it was kept, and what it changed, a line for each rule; `broken` says why it
    cannot be used."""

    record: PolicyRecord
    changed: Sequence[str]
    broken: str = ""


@dataclass(frozen=True, slots=True)
class Signature:
    """Who changes the policy, from where, why and when (UTC seconds)."""

    by: str
    origin: Origin
    at: float
    note: str = ""


def basis(store: Store) -> Basis:
    """Return what a change starts from.  Raises StoreError."""
    records = store.policies(1)
    if not records:
        return Basis(0, 0, Policy())
    newest = records[0]
    try:
        return Basis(newest.id, newest.id, newest.policy)
    except PolicyError as error:
        broken = str(error)
    for record in store.policies(MOST_VERSIONS):
        with suppress(PolicyError):
            return Basis(newest.id, record.id, record.policy, broken)
    return Basis(newest.id, 0, Policy(), broken)


def proposed(store: Store, change: Callable[[Policy], Policy]) -> Change:
    """Return a change of the policy that logins go by.  Raises PolicyError, StoreError."""
    found = basis(store)
    return Change(found, change(found.policy))


def version(store: Store, number: int) -> Policy:
    """Return the policy of a version.  Raises PolicyError."""
    for record in _all(store):
        if record.id == number:
            return record.policy
    raise PolicyError(f"there is no version {number}", hint="pam-totp policy history")


def history(store: Store) -> list[Version]:
    """Return every version, the newest first, each with what it changed of the last one before
    it that can be used."""
    found: list[Version] = []
    before = Policy()
    for record in reversed(_all(store)):
        try:
            now = record.policy
        except PolicyError as error:
            found.append(Version(record, (), str(error)))
        else:
            found.append(Version(record, difference(before, now)))
            before = now
    return found[::-1]


def _all(store: Store) -> list[PolicyRecord]:
    newest = store.policies(1)
    return store.policies(newest[0].id) if newest else []


def without(policy: Policy, target: Target, names: Sequence[str]) -> Policy:
    """Return the policy with some keys of a rule left to what is less specific, or with the
    whole rule gone where there are no `names`.  Raises PolicyError for what is not there."""
    if not names and not policy.rule(target).values:
        raise PolicyError(f"there is no rule for {target}", hint="pam-totp policy show")
    return policy.unsetting(target, frozenset(names))


def keep(store: Store, change: Change, signed: Signature) -> Event:
    """Put a change in force; the next login goes by it.  Returns the event of it.

    Raises PolicyError if somebody else changed the policy in the meantime.
    """
    what = "; ".join(change.words) or f"the same as version {change.basis.used}"
    event = Event(signed.at, "", "policy", detail=what, actor=signed.by).of(signed.origin)
    record = PolicyRecord(
        change.basis.newest,
        signed.at,
        signed.by,
        str(signed.origin),
        signed.note,
        to_text(change.policy),
    )
    store.change_policy(record, event)
    return event
