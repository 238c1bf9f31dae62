"""What administrators do to local accounts.  Each returns the event of it, for the log."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from pam_totp.account import AccountState
from pam_totp.errors import PamTotpError
from pam_totp.event import Event
from pam_totp.local import password as passwords
from pam_totp.local.account import LocalAccount, check_name
from pam_totp.store.protocol import Store
from pam_totp.upkeep import By

_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that looks like something else
_GROUPS, _GROUP = 5, 5


class NoSuchAccount(PamTotpError):
    """There is no local account of that name, or there is one already."""


def one_time_password() -> str:
    """Return a password to be handed over: five groups of five, of 123 bits."""
    groups = ("".join(secrets.choice(_ALPHABET) for _ in range(_GROUP)) for _ in range(_GROUPS))
    return "-".join(groups)


def add(  # noqa: PLR0913 -- whom, with what, by whom
    store: Store, name: str, password: str, by: By, *, first: bool, administrator: bool = False
) -> Event:
    """Make an account; `first` says that its first sign-in sets another password.

    The caller has seen that NSS does not know the name.  Raises BadName, PasswordRefused, and
    NoSuchAccount where there is one of that name.
    """
    check_name(name)
    passwords.check(password, name)
    event = by.event(name, "account-added", detail="administrator" if administrator else "")
    now = int(by.now)
    made = LocalAccount(name, passwords.verifier(password), administrator, first, now, now)

    def change(known: LocalAccount | None) -> tuple[LocalAccount, Event]:
        if known is not None:
            raise NoSuchAccount(
                f"there is a local account {name} already",
                hint=f"for another password: pam-totp account passwd {name}",
            )
        return made, event

    store.local_accounts.change(name, change)
    return event


def set_password(store: Store, name: str, password: str, by: By, *, first: bool) -> Event:
    """Give an account another password.  Raises NoSuchAccount, PasswordRefused."""
    passwords.check(password, name)
    made, now = passwords.verifier(password), int(by.now)
    event = by.event(name, "password-set", detail="for one sign-in" if first else "")
    return _changed(
        store, name, event, lambda one: replace(one, verifier=made, first=first, changed=now)
    )


def appoint(store: Store, name: str, by: By, *, administrator: bool) -> Event:
    """Make an account an administrator's, or one no more.  Raises NoSuchAccount."""
    event = by.event(name, "admin-granted" if administrator else "admin-revoked")
    return _changed(store, name, event, lambda one: replace(one, administrator=administrator))


def remove(store: Store, name: str, by: By) -> Event:
    """Remove an account, and what it has enrolled.  Raises NoSuchAccount."""
    event = by.event(name, "account-removed")
    _changed(store, name, event, lambda _one: None)
    gone = by.event(name, "reset")
    store.remove_credentials(name, lambda state: (AccountState(version=state.version), gone))
    return event


def _changed(
    store: Store,
    name: str,
    event: Event,
    how: Callable[[LocalAccount], LocalAccount | None],
) -> Event:
    def change(known: LocalAccount | None) -> tuple[LocalAccount | None, Event]:
        if known is None:
            raise NoSuchAccount(f"there is no local account {name}", hint="pam-totp account list")
        return how(known), event

    store.local_accounts.change(name, change)
    return event
