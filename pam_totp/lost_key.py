"""Starting over after the sealing key was lost: what no key opens goes, and nothing else."""

from __future__ import annotations

from pathlib import Path

from pam_totp import administration, keyfile
from pam_totp.account import AccountState
from pam_totp.errors import StoreDamaged, StoreError
from pam_totp.event import Event
from pam_totp.store.directory import DirectoryStore
from pam_totp.store.seal import Keyring
from pam_totp.upkeep import By


def known(path: Path) -> Keyring | None:
    """Return the keys that there are, None where there is no file that can be read."""
    try:
        return keyfile.load(path)
    except (StoreError, StoreDamaged):
        return None


def lost(store: DirectoryStore, ring: Keyring | None) -> list[str]:
    """Return the accounts that have enrolled and whose secret none of the keys opens."""
    ids = set(ring.keys) if ring else set()
    states: dict[str, AccountState] = dict(store.accounts())
    return [
        name
        for name, state in states.items()
        if state.enrolled is not None and _under(store, name) not in ids
    ]


def start_over(store: DirectoryStore, path: Path, accounts: list[str], by: By) -> list[Event]:
    """Make a key where there is none that can be read, and let these accounts enroll anew, by
    invitation.  A file that could not be read stays beside the new one.  Raises StoreError."""
    if known(path) is None:
        if path.exists():
            path.rename(path.with_name(f"{path.name}.{int(by.now)}"))
        keyfile.create(path)
    return [
        administration.reset(store, name, by.now, by.name, origin=by.origin) for name in accounts
    ]


def _under(store: DirectoryStore, name: str) -> str | None:
    try:
        return store.files.sealed_under(name)
    except StoreError:
        return None
