"""Resynchronisation: two codes, one right after the other, say what a device's clock shows
(RFC 6238 section 6, RFC 4226 section 7.4).

It is the way back for a device whose clock cannot be set, and for an account whose last code
was accepted while this machine's clock was ahead: until then every right code counts as used.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, replace
from typing import Final

from pam_totp import clock
from pam_totp.account import Authenticator, Credentials
from pam_totp.answer import parse
from pam_totp.decide import WINDOW, Subject
from pam_totp.errors import ResyncError, UnknownAuthenticator
from pam_totp.event import NOWHERE, Event, Origin
from pam_totp.otp import hotp, step_at
from pam_totp.store.protocol import Change, Store

REACH: Final = 86_400  # seconds around now that are searched


@dataclass(frozen=True, slots=True)
class Resynced:
    """What a resynchronisation came to, and the event that was kept of it.

    `drift` is how many seconds the device's clock is off (negative: slow), 0 where the usual
    window reaches it; `reopened` says that steps which counted as used do not any more.
    """

    drift: int
    reopened: bool
    event: Event


def resync(  # noqa: PLR0913 -- whose, what was typed, when, by whom
    store: Store,
    account: str,
    name: str,
    codes: tuple[str, str],
    *,
    now: float,
    by: str,
    origin: Origin = NOWHERE,
) -> Resynced:
    """Set the authenticator's window around its device's clock, durably, and spend both codes.

    `codes` are two, one right after the other; `now` is when the second was typed.  The last
    step becomes the second code's, also where it was higher.  Locks and failures stay.
    Raises ResyncError, UnknownAuthenticator, StoreError.
    """

    def step(subject: Subject) -> tuple[Resynced, Change]:
        authenticator = authenticator_of(subject.credentials, account, name)
        known = subject.state.of(authenticator)
        found = second_step(authenticator, codes, now)
        offset = found - step_at(now, authenticator.parameters.period)
        if abs(offset) <= WINDOW:
            offset = 0  # as far off as the time it takes to type
        # SECURITY: where this lowers the last step, codes that were accepted above it count
        # again when their time comes; only whoever asked can know whether somebody saw them.
        changed = replace(known, last_step=found, offset=offset, drift=None)
        drift = offset * authenticator.parameters.period
        detail = clock.off(drift) if drift else "its clock is right"
        act = Event(now, account, "resync", authenticator=name, detail=detail, actor=by)
        event = act.of(origin)
        state = subject.state.with_authenticator(authenticator.id, changed)
        done = Resynced(drift, found < known.last_step, event)
        return done, Change(state, subject.source, event)

    return store.step(account, "", step)


def authenticator_of(credentials: Credentials | None, account: str, name: str) -> Authenticator:
    """Return the account's authenticator of that name.  Raises UnknownAuthenticator."""
    found = credentials.named(name) if credentials else None
    if found is None:
        raise UnknownAuthenticator(
            f"{account} has no authenticator called {name!r}"
            if credentials
            else f"{account} has not enrolled",
            hint=f"pam-totp authenticator list {account}",
        )
    return found


def second_step(authenticator: Authenticator, codes: tuple[str, str], now: float) -> int:
    """Return the second code's step, the nearest to now within REACH.

    Raises ResyncError with what is wrong about the codes.
    """
    first, second = (_digits(authenticator, code) for code in codes)
    if first == second:
        raise ResyncError("that is one code twice", hint="wait until the app shows the next one")
    middle = step_at(now, authenticator.parameters.period)
    of_first, of_second = _steps(authenticator, first, now), _steps(authenticator, second, now)
    following = [step for step in of_second if step - 1 in of_first]
    if following:
        return min(following, key=lambda step: abs(step - middle))
    raise _why_not(authenticator, of_first, of_second)


def _steps(authenticator: Authenticator, code: str, now: float) -> set[int]:
    """Return the steps within REACH whose code that is."""
    period = authenticator.parameters.period
    middle, reach = step_at(now, period), REACH // period
    return {
        step
        for step in range(max(0, middle - reach), middle + reach + 1)
        if hmac.compare_digest(hotp(authenticator.secret, step, authenticator.parameters), code)
    }


def _digits(authenticator: Authenticator, code: str) -> str:
    """Return a code as it is compared.  Raises ResyncError for what cannot be one."""
    answer, digits = parse(code), authenticator.parameters.digits
    if answer is None or answer.digits is None or len(answer.digits) != digits:
        raise ResyncError(
            f"a code of {authenticator.name} has {digits} digits",
            hint="type what the app shows; a recovery code says nothing of a clock",
        )
    return answer.digits


def _why_not(authenticator: Authenticator, of_first: set[int], of_second: set[int]) -> ResyncError:
    if any(step + 1 in of_first for step in of_second):
        return ResyncError("the codes are the wrong way round", hint="type the earlier one first")
    if of_first and of_second:
        return ResyncError(
            "both are right codes, and not one right after the other",
            hint="type two that the app shows in a row",
        )
    wrong = "neither is" if not of_first and not of_second else "one of them is not"
    return ResyncError(
        f"{wrong} a code of {authenticator.name} within a day of now",
        hint="compare the dates of the device and of this machine (date), "
        "and that the app's entry is this account's",
    )
