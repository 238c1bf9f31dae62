"""Disabling accounts, whoever's they are: refused at every service that has a line of ours, also
where the policy asks for no codes, until an administrator enables them."""

from __future__ import annotations

from dataclasses import replace

from pam_totp import grace
from pam_totp.account import AccountState, AdministratorLock
from pam_totp.errors import PamTotpError
from pam_totp.event import Event
from pam_totp.store.protocol import Store
from pam_totp.upkeep import By


class NotDisabled(PamTotpError):
    """There is nothing to enable."""


def disable(store: Store, account: str, by: By, reason: str = "") -> Event:
    """Disable an account, and return the event of it; one that is disabled stays so, for the new
    reason.  Its grace ends for good."""
    disabled = AdministratorLock(int(by.now), by.name, reason)
    event = by.event(account, "disable", detail=reason)

    def change(state: AccountState) -> tuple[AccountState, Event]:
        return replace(grace.ended(state), disabled=disabled), event

    store.change_state(account, change)
    return event


def enable(store: Store, account: str, by: By) -> Event:
    """Enable an account again, and return the event of it; locks stay.

    Raises NotDisabled.
    """
    event = by.event(account, "enable")

    def change(state: AccountState) -> tuple[AccountState, Event]:
        if state.disabled is None:
            raise NotDisabled(f"{account} is not disabled", hint=f"pam-totp status {account}")
        return replace(state, disabled=None), event

    store.change_state(account, change)
    return event
