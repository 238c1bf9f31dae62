"""Resynchronisation: two codes, one right after the other, say what a device's clock shows
(RFC 6238 section 6), or where a token's counter stands (RFC 4226 section 7.4).

It is the way back for a device whose clock cannot be set, for a token that was pressed too often,
and for an account whose last code was accepted while this machine's clock was ahead: until then
every right code counts as used.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, replace
from typing import Final

from pam_totp import clock
from pam_totp.account import Authenticator, AuthenticatorState, Credentials
from pam_totp.answer import parse
from pam_totp.decide import WINDOW, Subject
from pam_totp.errors import ResyncError, UnknownAuthenticator
from pam_totp.event import NOWHERE, Event, Origin
from pam_totp.matching import next_counter
from pam_totp.otp import hotp, step_at
from pam_totp.store.protocol import Change, Store

REACH: Final = 86_400  # seconds around now that are searched
REACH_AHEAD: Final = 1_000  # counters after the last one that are searched, never before it


@dataclass(frozen=True, slots=True)
class Resynced:
    """What a resynchronisation came to, and the event that was kept of it.

    `drift` is how many seconds the device's clock is off (negative: slow), 0 where the usual
    window reaches it; `reopened` says that steps which counted as used do not any more.  For
    an HOTP token `ahead` is how many codes were passed over, None for all else.
    """

    drift: int
    reopened: bool
    event: Event
    ahead: int | None = None


def resync(  # noqa: PLR0913 -- whose, what was typed, when, by whom
    store: Store,
    account: str,
    name: str,
    codes: tuple[str, str],
    *,
    now: float,
    by: str,
    origin: Origin = NOWHERE,
    service: str = "",
) -> Resynced:
    """Set the authenticator's window around its device's clock, or to its counter, durably,
    and spend both codes.

    `codes` are two, one right after the other; `now` is when the second was typed; `by` is the
    administrator who does it, "" for the person in `service`.  The last
    step becomes the second code's: of TOTP also where it was higher, of HOTP never.  Locks and
    failures stay.  Raises ResyncError, UnknownAuthenticator, StoreError.
    """

    def step(subject: Subject) -> tuple[Resynced, Change]:
        authenticator = authenticator_of(subject.credentials, account, name)
        known = subject.state.of(authenticator)
        counts = authenticator.parameters.type == "hotp"
        found = (_by_counter if counts else _by_clock)(authenticator, known, codes, now)
        act = Event(now, account, "resync", service, detail=found.detail, actor=by)
        event = replace(act.of(origin), authenticator=name)
        state = subject.state.with_authenticator(authenticator.id, found.state)
        done = Resynced(found.drift, found.reopened, event, found.ahead)
        return done, Change(state, subject.source, event)

    return store.step(account, "", step)


@dataclass(frozen=True, slots=True)
class _Found:
    """What two codes said: the authenticator's state from now on, and what to tell of it."""

    state: AuthenticatorState
    detail: str
    drift: int = 0
    reopened: bool = False
    ahead: int | None = None


def _by_clock(
    authenticator: Authenticator, known: AuthenticatorState, codes: tuple[str, str], now: float
) -> _Found:
    found = second_step(authenticator, codes, now)
    offset = found - step_at(now, authenticator.parameters.period)
    if abs(offset) <= WINDOW:
        offset = 0  # as far off as the time it takes to type
    # SECURITY: where this lowers the last step, codes that were accepted above it count
    # again when their time comes; only whoever asked can know whether somebody saw them.
    changed = replace(known, last_step=found, offset=offset, drift=None, confirmed=True)
    drift = offset * authenticator.parameters.period
    detail = clock.off(drift) if drift else "its clock is right"
    return _Found(changed, detail, drift, reopened=found < known.last_step)


def _by_counter(
    authenticator: Authenticator, known: AuthenticatorState, codes: tuple[str, str], _now: float
) -> _Found:
    found = second_counter(authenticator, known, codes)
    changed = replace(known, last_step=found, offset=0, drift=None, confirmed=True)
    ahead = found - 1 - next_counter(known)
    detail = f"its counter was {ahead} ahead" if ahead else "its counter is right"
    return _Found(changed, detail, ahead=ahead)


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


def next_one(authenticator: Authenticator) -> str:
    """Return how somebody comes to the next code."""
    counts = authenticator.parameters.type == "hotp"
    return f"{'press the token for' if counts else 'wait until the app shows'} the next one"


def second_step(authenticator: Authenticator, codes: tuple[str, str], now: float) -> int:
    """Return the second code's step, the nearest to now within REACH.

    Raises ResyncError with what is wrong about the codes.
    """
    first, second = _two_codes(authenticator, codes)
    period = authenticator.parameters.period
    middle, reach = step_at(now, period), REACH // period
    near = range(max(0, middle - reach), middle + reach + 1)
    of_first, of_second = (_steps(authenticator, code, near) for code in (first, second))
    following = [step for step in of_second if step - 1 in of_first]
    if following:
        return min(following, key=lambda step: abs(step - middle))
    raise _why_not(of_first, of_second) or _no_code_of_now(authenticator, of_first, of_second)


def second_counter(
    authenticator: Authenticator, known: AuthenticatorState, codes: tuple[str, str]
) -> int:
    """Return the second code's counter, the nearest within REACH_AHEAD of the last one.

    SECURITY: both are after the last one, so that the counter never goes down: every code
    before it may have been seen.  Raises ResyncError with what is wrong about the codes.
    """
    first, second = _two_codes(authenticator, codes)
    expected = next_counter(known)
    coming = range(expected, expected + REACH_AHEAD + 1)
    gone = range(max(0, expected - REACH_AHEAD), expected)
    of_first, of_second = (_steps(authenticator, code, coming) for code in (first, second))
    following = [step for step in of_second if step - 1 in of_first]
    if following:
        return min(following)
    used = _steps(authenticator, first, gone) or _steps(authenticator, second, gone)
    raise _why_not(of_first, of_second) or _no_code_to_come(
        authenticator, of_first, of_second, used=bool(used)
    )


def _two_codes(authenticator: Authenticator, codes: tuple[str, str]) -> tuple[str, str]:
    first, second = (_digits(authenticator, code) for code in codes)
    if first == second:
        raise ResyncError("that is one code twice", hint=next_one(authenticator))
    return first, second


def _steps(authenticator: Authenticator, code: str, among: range) -> set[int]:
    """Return the steps whose code that is."""
    return {
        step
        for step in among
        if hmac.compare_digest(hotp(authenticator.secret, step, authenticator.parameters), code)
    }


def _digits(authenticator: Authenticator, code: str) -> str:
    """Return a code as it is compared.  Raises ResyncError for what cannot be one."""
    answer, digits = parse(code), authenticator.parameters.digits
    if answer is None or answer.digits is None or len(answer.digits) != digits:
        raise ResyncError(
            f"a code of {authenticator.name} has {digits} digits",
            hint="type what the app or token shows; a recovery code says nothing of it",
        )
    return answer.digits


def _why_not(of_first: set[int], of_second: set[int]) -> ResyncError | None:
    """Return what is wrong with the order of two right codes, None if one is not right."""
    if any(step + 1 in of_first for step in of_second):
        return ResyncError("the codes are the wrong way round", hint="type the earlier one first")
    if of_first and of_second:
        return ResyncError(
            "both are right codes, and not one right after the other",
            hint="type two that the app or token shows in a row",
        )
    return None


def _no_code_of_now(
    authenticator: Authenticator, of_first: set[int], of_second: set[int]
) -> ResyncError:
    return ResyncError(
        f"{_which(of_first, of_second)} a code of {authenticator.name} within a day of now",
        hint="compare the dates of the device and of this machine (date), "
        "and that the app's entry is this account's",
    )


def _no_code_to_come(
    authenticator: Authenticator, of_first: set[int], of_second: set[int], *, used: bool
) -> ResyncError:
    if used:
        return ResyncError(
            f"one of them is an old code of {authenticator.name}: a counter is never set back",
            hint="press the token for two new ones; one that was set up anew is enrolled anew",
        )
    return ResyncError(
        f"{_which(of_first, of_second)} a code of {authenticator.name} among the next "
        f"{REACH_AHEAD} of its counter",
        hint="compare that it is this account's token; one that is further ahead is enrolled anew, "
        "with its counter",
    )


def _which(of_first: set[int], of_second: set[int]) -> str:
    return "neither is" if not of_first and not of_second else "one of them is not"
