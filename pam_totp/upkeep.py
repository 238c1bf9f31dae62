"""What people and administrators do to an account that has enrolled: its authenticators get
other names and go, and its recovery codes are replaced.

`by` is the administrator who does it, "" for the person in `service`.  What is done is durable,
and returns the event that was kept of it.
"""

from __future__ import annotations

import os
import secrets
import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace

from pam_totp import authenticator as authenticators
from pam_totp import recovery
from pam_totp.account import AccountState, Authenticator, Credentials
from pam_totp.decide import Subject
from pam_totp.errors import EnrollmentError, UnknownAuthenticator
from pam_totp.event import NOWHERE, Event, Origin
from pam_totp.matching import next_counter
from pam_totp.resync import authenticator_of
from pam_totp.store.protocol import CredentialsChange, Store


@dataclass(frozen=True, slots=True)
class By:
    """Who acts, when (UTC seconds), from where and in which service."""

    now: float
    name: str = ""
    origin: Origin = NOWHERE
    service: str = ""

    def event(self, account: str, what: str, authenticator: str = "", detail: str = "") -> Event:
        """Return the event of an act."""
        happened = Event(self.now, account, what, self.service, actor=self.name)
        return replace(happened.of(self.origin), authenticator=authenticator, detail=detail)


def rename(store: Store, account: str, name: str, new: str, by: By) -> Event:
    """Call an authenticator something else.

    Raises EnrollmentError for a name that is taken or cannot be one, UnknownAuthenticator.
    """
    wanted = authenticators.checked_name(new)
    event = by.event(account, "authenticator-renamed", wanted, f"was {name}")

    def changed(known: Credentials) -> Credentials:
        old = authenticator_of(known, account, name)
        if wanted != name and known.named(wanted):
            raise EnrollmentError(
                f"{account} has an authenticator called {wanted!r} already",
                hint=f"pam-totp authenticator list {account}",
            )
        renamed = replace(old, name=wanted)
        every = (renamed if a.id == old.id else a for a in known.authenticators)
        return replace(known, authenticators=tuple(every))

    _change(store, account, changed, event)
    return event


def remove(store: Store, account: str, name: str, by: By) -> Event:
    """Remove an authenticator; the last one cannot be.

    Raises EnrollmentError, UnknownAuthenticator.
    """
    event = by.event(account, "authenticator-removed", name)

    def changed(known: Credentials) -> Credentials:
        return replace(known, authenticators=staying(known, account, name))

    _change(store, account, changed, event)
    return event


def staying(known: Credentials | None, account: str, name: str) -> tuple[Authenticator, ...]:
    """Return the authenticators that are left when one is removed.  Raises as `remove` does."""
    gone = authenticator_of(known, account, name)
    others = tuple(a for a in known.authenticators if a.id != gone.id) if known else ()
    if not others:
        raise EnrollmentError(
            f"{name} is the only authenticator of {account}: without one nobody gets in",
            hint=f"pam-totp authenticator replace {account} {shlex.quote(name)}, "
            f"or, to start over: pam-totp reset {account}",
        )
    return others


def new_recovery_codes(store: Store, account: str, by: By) -> tuple[tuple[str, ...], Event]:
    """Replace all recovery codes; return the new ones in their printed form, for the only time.

    Raises UnknownAuthenticator for somebody who has not enrolled.
    """
    codes = tuple(recovery.generate(secrets.choice) for _ in range(recovery.HOW_MANY))
    salt = os.urandom(16)
    event = by.event(account, "recovery-codes")

    def changed(known: Credentials) -> Credentials:
        return replace(known, salt=salt, recovery_codes=recovery.hashes(codes, salt))

    _change(store, account, changed, event)
    return codes, event


@dataclass(frozen=True, slots=True)
class Shown:
    """An authenticator whose secret was seen once more, the counter at which its device stands,
    and the event that was kept of it."""

    authenticator: Authenticator
    counter: int
    event: Event


def show_again(store: Store, account: str, name: str, by: By) -> Shown:
    """Return an authenticator that no code has confirmed yet, the only one for the name "".

    Raises EnrollmentError for one that is in use, UnknownAuthenticator.
    """
    found = _unconfirmed(store, account, name)
    event = by.event(account, "shown", found.name)
    counters: list[int] = []

    def seen(state: AccountState) -> tuple[AccountState, Event]:
        if state.of(found).confirmed:
            raise EnrollmentError(
                f"{found.name} of {account} is in use: nobody can see its secret again",
                hint=f"pam-totp authenticator replace {account} {shlex.quote(found.name)}",
            )
        counters[:] = [next_counter(state.of(found))]
        return state, event

    store.change_state(account, seen)
    return Shown(found, counters[0], event)


def _unconfirmed(store: Store, account: str, name: str) -> Authenticator:
    """Return the authenticator of that name, or the only one that no code has confirmed."""
    state, credentials = store.look(account), store.credentials(account)
    if name or credentials is None:
        return authenticator_of(credentials, account, name)
    found = [one for one in credentials.authenticators if not state.of(one).confirmed]
    if not found:
        first = shlex.quote(credentials.authenticators[0].name)
        raise EnrollmentError(
            f"what {account} has is in use: nobody can see its secret again",
            hint=f"pam-totp authenticator replace {account} {first}",
        )
    if len(found) > 1:
        names = ", ".join(one.name for one in found)
        raise EnrollmentError(
            f"{account} has several that no code has confirmed yet: {names}",
            hint=f"pam-totp enroll {account} --show --name {shlex.quote(found[0].name)}",
        )
    return found[0]


def _change(
    store: Store, account: str, changed: Callable[[Credentials], Credentials], event: Event
) -> None:
    def change(subject: Subject) -> CredentialsChange:
        if subject.credentials is None:
            raise UnknownAuthenticator(
                f"{account} has not enrolled", hint=f"pam-totp enroll {account}"
            )
        credentials = changed(subject.credentials)
        return CredentialsChange(credentials, lambda state: _pruned(state, credentials), event)

    store.change_credentials(account, change)


def _pruned(state: AccountState, credentials: Credentials) -> AccountState:
    """Forget what belonged to authenticators and recovery codes that are gone."""
    ids = {a.id for a in credentials.authenticators}
    kept = {id_: known for id_, known in state.authenticators.items() if id_ in ids}
    spent = state.spent & frozenset(credentials.recovery_codes)
    return replace(state, authenticators=kept, spent=spent)
