"""Grace: for a time after an accepted code the same account, at the same service and from the
same address, is asked for none.  Pure functions over the account's state.

How long it lasts is said when it is asked about, so that a policy that becomes stricter is so
at once.  Using it does not make it longer.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from pam_totp.account import AccountState, Person
from pam_totp.source import OWN_DOOR, UNKNOWN

KEPT: Final = 20  # places an account; the oldest go
_FORGOTTEN_AFTER: Final = 30 * 86_400.0  # seconds; or the grace itself, where that is longer


def place(person: Person | None, service: str, source: str) -> str:
    """Return the key of a service and an address (as `source_of` names it) for a person; ""
    where there can be no grace: for nobody, from no address, at a door of the person's own.

    The uid is part of it: a name that is used again for somebody else inherits nothing.
    """
    if person is None or source in (UNKNOWN, OWN_DOOR):
        return ""
    return f"{service} {person.uid} {source}"


def in_grace(state: AccountState, place: str, now: float, grace: float) -> bool:
    """Whether a code was accepted at `place` within the last `grace` seconds, and no lock of
    any kind holds.  One from the future, by a clock that was set back, is none."""
    at = state.trusted.get(place)
    if at is None or not at <= now < at + grace:
        return False
    return state.barred is None and not any(
        counter.locked(now) for counter in (state.codes, state.own_codes)
    )


def begun(state: AccountState, place: str, now: float, grace: float) -> AccountState:
    """Return the state in which a code was accepted at `place`.  What is too old for every
    policy is dropped, and what lies in the future: the clock was set back since."""
    longest = max(grace, _FORGOTTEN_AFTER)
    others = [(p, at) for p, at in state.trusted.items() if p != place and at <= now < at + longest]
    newest = sorted(others, key=lambda other: other[1])[-(KEPT - 1) :]
    return replace(state, trusted={**dict(newest), place: now})


def ended_from(state: AccountState, source: str) -> AccountState:
    """Return the state in which no place of this address has grace."""
    # SECURITY: a service's name may hold blanks, an address holds none.
    left = {p: at for p, at in state.trusted.items() if p.rpartition(" ")[2] != source}
    return state if len(left) == len(state.trusted) else replace(state, trusted=left)


def ended(state: AccountState) -> AccountState:
    """Return the state in which there is no grace anywhere."""
    return replace(state, trusted={}) if state.trusted else state
