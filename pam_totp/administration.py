"""What administrators do to accounts, and what they see of them.

What is done returns the event that was kept of it, for the log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Final, Literal

from pam_totp import grace
from pam_totp.account import (
    NOBODY,
    AccountState,
    AdministratorLock,
    Authenticator,
    AuthenticatorState,
    Credentials,
    Invitation,
)
from pam_totp.decide import Rules
from pam_totp.errors import EnrollmentError, StoreDamaged
from pam_totp.event import NOWHERE, Event, Origin
from pam_totp.lockout import Counter, Limits, WrongCodes
from pam_totp.matching import next_counter
from pam_totp.otp import Parameters, step_at
from pam_totp.policy.values import Mfa
from pam_totp.store.protocol import Store

_BEYOND: Final = 1_000_000_000  # counters: one a second for thirty years

Locked = Literal["no", "until", "administrator"]
State = Literal["disabled", "locked", "pending", "off", "enrolled", "open"]
"""`pending` must enroll; `off` is never asked for a code; `open` may enroll and has not."""


@dataclass(frozen=True, slots=True)
class Status:
    """One account as an administrator sees it.  Times are UTC seconds.

    `locked` is "until" `locked_until`, or by an "administrator" (the hard stop included) for
    `reason`; `failures` are the wrong codes that count at this moment; `damage` says why the
    credentials cannot be read or do not count.  `mfa` is whether a code is needed wherever no
    rule for a place says otherwise, and `mfa_from` the day to come on which it is required.
    `drifts` says of authenticators, by name, by how many seconds their clocks were off when a
    code was last refused for that alone; negative is slow.  `out_of_step` names the HOTP tokens
    of which no code counts until `resync`, `unconfirmed` what no code has confirmed yet.
    `invitation` is one that is good at this moment, `invitation_wanted` whether the next
    enrollment wants one; `refused` is why somebody could not enroll in a login.
    """

    account: str
    enrolled: bool
    locked: Locked
    locked_until: float | None = None
    reason: str = ""
    failures: int = 0
    authenticators: tuple[str, ...] = ()
    recovery_codes: int = 0
    last_used: int | None = None
    damage: str = ""
    mfa: Mfa = Mfa.OPTIONAL
    mfa_from: date | None = None
    drifts: tuple[tuple[str, int], ...] = ()
    out_of_step: tuple[str, ...] = ()
    unconfirmed: tuple[str, ...] = ()
    invitation: Invitation | None = None
    invitation_wanted: bool = False
    refused: Event | None = None
    gone: bool = False
    disabled: bool = False

    @property
    def pending(self) -> bool:
        """Whether somebody must enroll, now or by a day to come, and has not."""
        must = self.mfa is Mfa.REQUIRED or self.mfa_from is not None
        return must and not self.enrolled and not self.gone

    @property
    def states(self) -> list[State]:
        """Every state that applies, the one that matters most first."""
        found: list[tuple[State, bool]] = [
            ("disabled", self.disabled),
            ("locked", self.locked != "no" and not self.disabled),
            ("pending", self.pending),
            ("off", self.mfa is Mfa.OFF),
            ("enrolled", self.enrolled),
        ]
        return [state for state, holds in found if holds] or ["open"]


def status(store: Store, account: str, now: float, limits: Limits) -> Status:
    """Return one account's status; a damaged account has one too."""
    state, damage = store.look(account), ""
    try:
        credentials = store.credentials(account)
    except StoreDamaged as error:
        credentials, damage = None, str(error)
    barred = state.barred
    held = barred is None and state.codes.locked(now)
    known = credentials.authenticators if credentials else ()
    each = [(one, state.of(one)) for one in known]
    return Status(
        account=account,
        enrolled=state.enrolled is not None,
        locked="administrator" if barred else "until" if held else "no",
        disabled=state.disabled is not None,
        locked_until=state.codes.locked_until if held else None,
        reason=barred.reason if barred else "",
        failures=len(state.codes.recent(now, limits)),
        authenticators=tuple(one.name for one in known),
        recovery_codes=_unspent(credentials, state),
        last_used=state.last_used,
        damage=damage,
        drifts=tuple((one.name, how.drift) for one, how in each if how.drift is not None),
        out_of_step=tuple(one.name for one, how in each if is_out_of_step(one, how)),
        unconfirmed=tuple(one.name for one, how in each if not how.confirmed),
        invitation=state.invitation if state.invitation and now < state.invitation.until else None,
        invitation_wanted=state.enrolled is None and state.only_invited,
    )


def is_out_of_step(one: Authenticator, known: AuthenticatorState) -> bool:
    """Whether it is an HOTP token of which no code counts until `resync` (see `spend`)."""
    return one.parameters.type == "hotp" and known.offset < 0


def all_statuses(store: Store, now: float, limits: Callable[[str], Limits]) -> Iterator[Status]:
    """Yield the status of every account that has enrolled or is locked, by name."""
    for account, state in store.accounts():
        found = status(store, account, now, limits(account))
        if state.enrolled is not None or found.locked != "no":
            yield found


def lock(  # noqa: PLR0913 -- who, whom, when, why and from where
    store: Store, account: str, now: float, by: str, reason: str = "", *, origin: Origin = NOWHERE
) -> Event:
    """Lock the account until `unlock`, whatever code is right; its grace ends for good."""
    locked = AdministratorLock(int(now), by, reason)
    event = Event(now, account, "lock", detail=reason, actor=by).of(origin)
    store.change_state(account, lambda state: (replace(grace.ended(state), lock=locked), event))
    return event


def unlock(store: Store, account: str, now: float, by: str, *, origin: Origin = NOWHERE) -> Event:
    """Lift every lock of one account, and forget the failures that led there; the next login
    wants a code."""
    event = Event(now, account, "unlock", actor=by).of(origin)

    def freed(state: AccountState) -> tuple[AccountState, Event]:
        state, free, none = grace.ended(state), Counter(), WrongCodes()
        state = replace(state, lock=None, codes=free, own_codes=free)
        return replace(state, wrong=none, own_wrong=none), event

    store.change_state(account, freed, forget_sources=True)
    return event


def reset(  # noqa: PLR0913 -- who, whom, when, with what and from where
    store: Store,
    account: str,
    now: float,
    by: str,
    invitation: Invitation | None = None,
    *,
    origin: Origin = NOWHERE,
) -> Event:
    """Remove the account's authenticators and recovery codes; locks and counters stay.

    The next enrollment wants an invitation whatever the policy says, because somebody else may
    know the password; `invitation` is the one that is good for it.
    """
    event = Event(now, account, "reset", actor=by).of(origin)

    def forgotten(state: AccountState) -> tuple[AccountState, Event]:
        bare = replace(grace.ended(state), authenticators={}, spent=frozenset())
        return replace(bare, invitation=invitation, only_invited=True), event

    store.remove_credentials(account, forgotten)
    return event


def invite(
    store: Store,
    account: str,
    given: Invitation,
    *,
    again: bool = False,
    origin: Origin = NOWHERE,
) -> Event:
    """Keep an invitation in place of an earlier one, durably, and return the event of it.

    Raises EnrollmentError for somebody who has enrolled, unless `again`.
    """
    event = Event(given.at, account, "invited", actor=given.by).of(origin)
    store.change_state(account, inviting(account, given, event, again=again))
    return event


def inviting(
    account: str, given: Invitation, event: Event, *, again: bool = False
) -> Callable[[AccountState], tuple[AccountState, Event]]:
    """Return the change that keeps an invitation; it raises as `invite` does."""

    def changed(state: AccountState) -> tuple[AccountState, Event]:
        if state.enrolled is not None and not again:
            raise EnrollmentError(
                f"{account} has enrolled and needs no invitation",
                hint=f"pam-totp reset {account}, if the phone is gone: that gives one out too",
            )
        return replace(state, invitation=given), event

    return changed


def withdraw(store: Store, account: str, now: float, by: str, *, origin: Origin = NOWHERE) -> Event:
    """Make the account's invitation void.  Raises EnrollmentError where there is none."""
    event = Event(now, account, "uninvited", actor=by).of(origin)

    def changed(state: AccountState) -> tuple[AccountState, Event]:
        if state.invitation is None:
            raise EnrollmentError(f"{account} has no invitation", hint=f"pam-totp status {account}")
        return replace(state, invitation=None), event

    store.change_state(account, changed)
    return event


def spend(credentials: Credentials, state: AccountState, now: float, rules: Rules) -> AccountState:
    """Return the state after which nothing that exists by now is accepted, no code, recovery
    code or grace: last steps beyond the present window, never lower than they were."""
    for authenticator in credentials.authenticators:
        known = state.of(authenticator)
        if authenticator.parameters.type == "hotp":
            spent = _out_of_reach(known)
        else:
            step = step_at(now, authenticator.parameters.period) + known.offset + rules.window
            spent = replace(known, last_step=max(known.last_step, step))
        state = state.with_authenticator(authenticator.id, spent)
    return replace(grace.ended(state), spent=state.spent | set(credentials.recovery_codes))


def _out_of_reach(known: AuthenticatorState) -> AuthenticatorState:
    """Return the state of an HOTP token of which no code counts until `resync`.

    Nobody can tell how often it was used since the counter that is known: to spend the
    look-ahead would leave codes to come that were accepted before and may have been seen.  So
    the last counter goes beyond all that a token ever shows; `offset` says by how far, so that
    two codes in a row are searched for from where it was known to be.
    """
    at = known.last_step + known.offset
    return replace(known, last_step=at + _BEYOND, offset=-_BEYOND)


@dataclass(frozen=True, slots=True)
class AuthenticatorStatus:
    """One authenticator as an administrator sees it.  Times are UTC seconds.

    `offset` is by how many seconds `resync` has set its window off; `drift` is by how many its
    clock was off when a code was refused for that alone, None if none was since the last
    accepted one.  Negative is slow.  An HOTP token has neither: `counter` is the one that is
    expected next, and `out_of_step` says that no code counts until `resync`.  `confirmed` is
    whether a code of it was ever right.
    """

    name: str
    id: str
    parameters: Parameters
    created: int
    last_used: int | None = None
    offset: int = 0
    drift: int | None = None
    counter: int | None = None
    out_of_step: bool = False
    confirmed: bool = True


def authenticators(store: Store, account: str) -> list[AuthenticatorStatus]:
    """Return the account's authenticators, the oldest first; none if it has not enrolled."""
    state, credentials = store.look(account), store.credentials(account)
    known = credentials.authenticators if credentials else ()
    return [_authenticator(one, state.of(one)) for one in known]


def _authenticator(one: Authenticator, known: AuthenticatorState) -> AuthenticatorStatus:
    seen = AuthenticatorStatus(one.name, one.id, one.parameters, one.created, known.last_used)
    seen = replace(seen, confirmed=known.confirmed)
    if one.parameters.type == "hotp":
        return replace(seen, counter=next_counter(known), out_of_step=is_out_of_step(one, known))
    return replace(seen, offset=known.offset * one.parameters.period, drift=known.drift)


def known(store: Store, account: str) -> bool:
    """Whether the store has anything on the account."""
    return store.look(account) != NOBODY


def _unspent(credentials: Credentials | None, state: AccountState) -> int:
    return len(set(credentials.recovery_codes) - state.spent) if credentials else 0
