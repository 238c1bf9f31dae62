"""Enrolling: an authenticator is drafted, shown, proved by a right code, and only then kept."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field, replace

from pam_totp import authenticator as authenticators
from pam_totp import matching, recovery
from pam_totp.account import (
    NOBODY,
    AccountState,
    Authenticator,
    AuthenticatorState,
    Credentials,
    Person,
)
from pam_totp.answer import Answer, parse
from pam_totp.decide import Subject
from pam_totp.errors import EnrollmentError
from pam_totp.event import NOWHERE, Event, Origin
from pam_totp.otp import Parameters
from pam_totp.store.protocol import CredentialsChange, Store

_STANDARD = Parameters()


@dataclass(frozen=True, slots=True)
class Draft:
    """An enrollment that is shown and not yet kept: abandoned, it leaves nothing.

    `recovery_codes` are in their printed form, for the only time; none where the account has
    them already.
    """

    person: Person
    authenticator: Authenticator
    recovery_codes: tuple[str, ...] = field(default=(), repr=False)


def draft(
    store: Store, person: Person, name: str, now: float, parameters: Parameters = _STANDARD
) -> Draft:
    """Return a new draft for `person`.  Raises EnrollmentError if the name is taken."""
    _check_name(store.credentials(person.name), person, name)
    new = authenticators.new(name, parameters, now, os.urandom)
    first = store.look(person.name).enrolled is None
    codes = tuple(recovery.generate(secrets.choice) for _ in range(recovery.HOW_MANY * first))
    return Draft(person, new, codes)


def proves(drafted: Draft, typed: str, now: float, window: int = 1) -> int | None:
    """Return the time step whose code was typed, or None if it is none of the current ones."""
    answer = parse(typed) or Answer("")
    found = matching.match(answer, _alone(drafted), NOBODY, now, window)
    return max((step for _, step in found.steps), default=None)


def drift(drafted: Draft, typed: str, now: float) -> int | None:
    """Return by how many seconds the device's clock is off (negative: slow) if what was typed
    is its code of another time, else None.  That is no proof: the first login would fail."""
    found = matching.drift(parse(typed) or Answer(""), _alone(drafted), NOBODY, now)
    return None if found is None else found.seconds


def keep(  # noqa: PLR0913 -- who, what, when and from where
    store: Store,
    drafted: Draft,
    now: float,
    by: str,
    step: int | None = None,
    *,
    origin: Origin = NOWHERE,
) -> Event:
    """Enroll the draft, durably, and return the event that was kept of it.

    `step` is what `proves` returned: the code that proved the authenticator is spent by it; None
    enrolls without a proof.

    Raises EnrollmentError if another enrollment was quicker.
    """
    person, new = drafted.person, drafted.authenticator
    done = Event(now, person.name, "enrolled", authenticator=new.name, actor=by)
    event = done.of(origin)

    def change(subject: Subject) -> CredentialsChange:
        _check_name(subject.credentials, person, new.name)
        if drafted.recovery_codes and subject.credentials is not None:
            raise EnrollmentError(
                f"{person.name} was enrolled by somebody else in the meantime",
                hint=f"pam-totp status {person.name}",
            )
        return CredentialsChange(
            _extended(subject.credentials, drafted),
            lambda state: _started(state, drafted, step),
            event,
        )

    store.change_credentials(person.name, change)
    return event


def _alone(drafted: Draft) -> Credentials:
    return Credentials(drafted.person.uid, (drafted.authenticator,))


def _check_name(credentials: Credentials | None, person: Person, name: str) -> None:
    if credentials is not None and credentials.uid != person.uid:
        raise EnrollmentError(
            f"{person.name} was enrolled by uid {credentials.uid} and is now uid {person.uid}",
            hint=f"pam-totp reset {person.name}",
        )
    if credentials is not None and credentials.named(name.strip()):
        raise EnrollmentError(
            f"{person.name} has an authenticator called {name!r} already",
            hint=f"pam-totp enroll {person.name} --name ANOTHER, "
            f"or pam-totp reset {person.name} to start over",
        )


def _extended(credentials: Credentials | None, drafted: Draft) -> Credentials:
    if credentials is not None:
        return replace(
            credentials, authenticators=(*credentials.authenticators, drafted.authenticator)
        )
    salt = os.urandom(16)
    normal = filter(None, map(recovery.normalise, drafted.recovery_codes))
    hashes = tuple(recovery.digest(code, salt) for code in normal)
    return Credentials(drafted.person.uid, (drafted.authenticator,), salt, hashes)


def _started(state: AccountState, drafted: Draft, step: int | None) -> AccountState:
    started = AuthenticatorState(last_step=-1 if step is None else step)
    state = state if state.enrolled is not None else replace(state, spent=frozenset())
    return state.with_authenticator(drafted.authenticator.id, started)
