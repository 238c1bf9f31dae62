"""Enrolling: an authenticator is drafted, shown, proved by a right code, and only then kept."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field, replace
from typing import Final

from pam_totp import authenticator as authenticators
from pam_totp import invitation, matching, recovery
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
from pam_totp.errors import EnrollmentError, InvitationGone
from pam_totp.event import NOWHERE, Event, Origin
from pam_totp.matching import LOOK_AHEAD
from pam_totp.otp import COUNTERS, Parameters
from pam_totp.policy.keys import BY_NAME
from pam_totp.secret import Secret
from pam_totp.store.protocol import CredentialsChange, Store

LIMIT: Final[int] = BY_NAME["authenticators"].default  # authenticators of an account
TRIES: Final = 3  # codes that may be typed before an enrollment is given up


@dataclass(frozen=True, slots=True)
class Draft:
    """An enrollment that is shown and not yet kept: abandoned, it leaves nothing.

    `recovery_codes` are in their printed form, for the only time; none where the account has
    them already.  `version` is the account's when it was drafted, `replaces` the id of the
    authenticator whose place it takes, `counter` the next one of an HOTP token.  `word` is the
    invitation that was presented, which must still be good when the draft is kept.
    """

    person: Person
    authenticator: Authenticator
    recovery_codes: tuple[str, ...] = field(default=(), repr=False)
    version: int = 0
    replaces: str = ""
    counter: int = 0
    word: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What kind of authenticator: `secret` is a token's own, None for a new one; `counter` is
    where an HOTP token stands."""

    parameters: Parameters = Parameters()
    secret: Secret | None = None
    counter: int = 0

    def __post_init__(self) -> None:
        if self.counter not in COUNTERS:
            raise EnrollmentError(
                f"{self.counter} is no counter: a whole number, 0 to {COUNTERS[-1]}",
                hint="a new token begins at 0; one that was used says where it stands",
            )


_USUAL: Final = Wanted()


def draft(  # noqa: PLR0913 -- whose, what, when, and what bounds it
    store: Store,
    person: Person,
    name: str,
    now: float,
    wanted: Wanted = _USUAL,
    *,
    limit: int = LIMIT,
    replacing: str = "",
    word: str = "",
) -> Draft:
    """Return a new draft for `person`; `replacing` names the authenticator that will go.

    Raises EnrollmentError if the name is taken, or if the account has as many as `limit`.
    """
    state, credentials = store.look(person.name), store.credentials(person.name)
    new = authenticators.new(name, wanted.parameters, now, os.urandom, secret=wanted.secret)
    codes = new_recovery_codes() if state.enrolled is None else ()
    gone = _replaced(credentials, person, replacing)
    drafted = Draft(person, new, codes, state.version, gone, wanted.counter, word)
    _check(credentials, drafted, limit)
    return drafted


def proves(
    drafted: Draft, typed: str, now: float, window: int = 1, look_ahead: int = LOOK_AHEAD
) -> int | None:
    """Return the step whose code was typed, or None if it is none of the current ones: those
    around `now`, or of an HOTP token `look_ahead` of them from its counter on."""
    answer, started = parse(typed) or Answer(""), _started(NOBODY, drafted, None)
    found = matching.match(answer, _alone(drafted), started, now, window, look_ahead)
    fresh = (step for one, step in found.steps if step > started.of(one).last_step)
    return max(fresh, default=None)


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
    limit: int = LIMIT,
    origin: Origin = NOWHERE,
    service: str = "",
) -> Event:
    """Enroll the draft, durably, and return the event that was kept of it.

    `by` is the administrator who does it, "" for the person in `service`.  `step` is what
    `proves` returned: the code that proved the authenticator is spent by it; None enrolls
    without a proof.

    Raises EnrollmentError if another enrollment was quicker, or the invitation is good no more.
    """
    done = Event(now, drafted.person.name, "", service, actor=by).of(origin)
    events: list[Event] = []

    def change(subject: Subject) -> CredentialsChange:
        made = change_of(subject, drafted, step, done, limit)
        events[:] = [made.event] if made.event else []
        return made

    store.change_credentials(drafted.person.name, change)
    return events[0]


def change_of(
    subject: Subject, drafted: Draft, step: int | None, done: Event, limit: int = LIMIT
) -> CredentialsChange:
    """Return what keeping the draft changes.  `done` says who did it when and where.

    Raises EnrollmentError as `keep` does.
    """
    known = subject.credentials
    _check(known, drafted, limit)
    # SECURITY: whoever was at it while the account was reset has no part in what comes after.
    if subject.state.version != drafted.version:
        raise EnrollmentError(
            f"{drafted.person.name} was changed or reset by somebody else in the meantime",
            hint=f"pam-totp status {drafted.person.name}",
        )
    _check_word(subject.state, drafted, done.at)
    what, detail = "enrolled" if known is None else "authenticator-added", ""
    if known is not None and drafted.replaces:
        what = "authenticator-replaced"
        detail = ", ".join(a.name for a in known.authenticators if a.id == drafted.replaces)
    return CredentialsChange(
        _extended(known, drafted),
        lambda state: _started(state, drafted, step),
        replace(done, what=what, authenticator=drafted.authenticator.name, detail=detail),
    )


def new_recovery_codes() -> tuple[str, ...]:
    """Return what an account gets with its first authenticator, in the printed form."""
    return tuple(recovery.generate(secrets.choice) for _ in range(recovery.HOW_MANY))


def _alone(drafted: Draft) -> Credentials:
    return Credentials(drafted.person.uid, (drafted.authenticator,))


def _replaced(credentials: Credentials | None, person: Person, name: str) -> str:
    """Return the id of the authenticator that is to be replaced, "" for none."""
    if not name:
        return ""
    old = credentials.named(name) if credentials else None
    if old is None:
        raise EnrollmentError(
            f"{person.name} has no authenticator called {name!r}",
            hint=f"pam-totp authenticator list {person.name}",
        )
    return old.id


def _check(credentials: Credentials | None, drafted: Draft, limit: int) -> None:
    """Raise EnrollmentError unless the draft can be added to what there is."""
    person, name = drafted.person, drafted.authenticator.name
    if credentials is None:
        return
    if credentials.uid != person.uid:
        raise EnrollmentError(
            f"{person.name} was enrolled by uid {credentials.uid} and is now uid {person.uid}",
            hint=f"pam-totp reset {person.name}",
        )
    staying = [a for a in credentials.authenticators if a.id != drafted.replaces]
    if drafted.replaces and len(staying) == len(credentials.authenticators):
        raise EnrollmentError(
            f"the authenticator of {person.name} that was to be replaced is gone",
            hint=f"pam-totp authenticator list {person.name}",
        )
    if any(a.name == name for a in staying):
        raise EnrollmentError(
            f"{person.name} has an authenticator called {name!r} already",
            hint=f"choose another name with --name, or: pam-totp authenticator list {person.name}",
        )
    if len(staying) >= limit:
        raise EnrollmentError(
            f"{person.name} has {len(staying)} authenticators, and the policy allows {limit}",
            hint=f"pam-totp authenticator list {person.name}; one must go first",
        )


def _check_word(state: AccountState, drafted: Draft, now: float) -> None:
    if not drafted.word:
        return
    kept = state.invitation
    if kept is None or now >= kept.until or not invitation.matches(kept, drafted.word):
        raise InvitationGone(
            "the invitation was used, withdrawn or ran out in the meantime",
            hint="ask your administrator for another one",
        )


def _extended(credentials: Credentials | None, drafted: Draft) -> Credentials:
    if credentials is not None:
        staying = (a for a in credentials.authenticators if a.id != drafted.replaces)
        return replace(credentials, authenticators=(*staying, drafted.authenticator))
    salt = os.urandom(16)
    hashes = recovery.hashes(drafted.recovery_codes, salt)
    return Credentials(drafted.person.uid, (drafted.authenticator,), salt, hashes)


def _started(state: AccountState, drafted: Draft, step: int | None) -> AccountState:
    before = drafted.counter - 1 if step is None else step
    started = AuthenticatorState(last_step=before, confirmed=step is not None)
    known = state.authenticators.get(drafted.authenticator.id)
    if known is not None:  # its file is there already, and a code of it was accepted just now
        started = replace(known, last_step=max(known.last_step, before))
    if state.enrolled is None:
        state = replace(state, spent=frozenset())
    staying = {id_: a for id_, a in state.authenticators.items() if id_ != drafted.replaces}
    state = replace(state, authenticators=staying, invitation=None, only_invited=False)
    return state.with_authenticator(drafted.authenticator.id, started)
