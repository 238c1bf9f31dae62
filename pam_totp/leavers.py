"""Accounts whose person is gone: the name service does not know the name any more, or knows it
as another uid's.  Their logins are refused; here they are found, and what they had goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pam_totp.account import AccountState
from pam_totp.context import Context
from pam_totp.errors import NameServiceError, TwoAccounts
from pam_totp.event import Event
from pam_totp.store.protocol import Store
from pam_totp.upkeep import By

_FEW = 3


@dataclass(frozen=True, slots=True)
class Leaver:
    """An account that was enrolled as `uid`; the name is `now` that uid's, None for nobody's."""

    name: str
    uid: int | None
    now: int | None


@dataclass(frozen=True, slots=True)
class Found:
    """Who is gone, whom the name service could not say anything of, and how many have enrolled."""

    gone: Sequence[Leaver]
    unsure: Sequence[str]
    enrolled: int

    @property
    def is_suspicious(self) -> bool:
        """Whether so many have no name any more that it looks like a directory that is down and
        says so of everybody."""
        nameless = sum(one.now is None for one in self.gone)
        return nameless > _FEW and 2 * nameless > self.enrolled


def find(world: Context) -> Found:
    """Look up everybody who has enrolled.

    SECURITY: who could not be looked up is not gone.  Raises StoreError.
    """
    gone, unsure, enrolled = [], [], 0
    for name, state in world.store.accounts():
        if state.enrolled is None:
            continue
        enrolled += 1
        try:
            person = world.person(name)
        except (NameServiceError, TwoAccounts):
            unsure.append(name)
            continue
        now = person.uid if person else None
        if now is None or now != state.uid:
            gone.append(Leaver(name, state.uid, now))
    return Found(gone, unsure, enrolled)


def prune(store: Store, leaver: Leaver, by: By) -> Event:
    """Remove what an account has enrolled; a lock stays, and so does that it is disabled."""
    event = by.event(leaver.name, "pruned", detail=f"was enrolled as uid {leaver.uid}")

    def change(state: AccountState) -> tuple[AccountState, Event]:
        bare = AccountState(version=state.version, lock=state.lock, disabled=state.disabled)
        return bare, event

    store.remove_credentials(leaver.name, change)
    return event
