"""Starting over after the sealing key was lost: what no key opens goes, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

from pam_totp import administration, keyfile
from pam_totp.credential import Credential, Place
from pam_totp.event import Event
from pam_totp.keyfile import Missing, NotKeys
from pam_totp.store.directory import DirectoryStore
from pam_totp.store.seal import Keyring
from pam_totp.upkeep import By


def known(place: Place) -> Keyring | None:
    """Return the keys that there are, None where there is no file or what is there are no keys.

    Raises StoreError for a file that may well hold them, and may not be read as it is.
    """
    try:
        return keyfile.load(place)
    except (Missing, NotKeys):
        if isinstance(place, Credential):  # not ours to make
            raise
        return None


def lost(store: DirectoryStore, ring: Keyring | None) -> list[str]:
    """Return the accounts that have enrolled and whose secret none of the keys opens, for want
    of the right one: what is damaged otherwise is another matter."""
    under = store.files.sealed_under()
    enrolled = [name for name, state in store.accounts() if state.enrolled is not None]
    if ring is None:
        return enrolled
    return [name for name in enrolled if under.get(name) and under[name] not in ring.keys]


def start_over(
    store: DirectoryStore,
    place: Place,
    accounts: list[str],
    by: By,
    told: Callable[[Event], None],
) -> None:
    """Make a key where there is none, and let these accounts enroll anew, by invitation; `told`
    hears of each when it is done.  What was no key file stays beside the new one.

    Raises StoreError; what was not done by then is done by the next one.
    """
    if known(place) is None and not isinstance(place, Credential):
        with store.writers_lock():
            keyfile.put_aside(place, by.now)
            keyfile.create(place, now=by.now)
    for name in accounts:
        told(administration.reset(store, name, by.now, by.name, origin=by.origin))
