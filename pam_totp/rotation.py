"""A new sealing key in the place of the old one, while logins and enrollments go on.

    1  the key file gets a new key in front of the old one: from here on the new one seals
    2  each secret that the old one has sealed is sealed anew, some hundred at a time
    3  where nothing is under the old key any more, it leaves the key file

Killed at any moment it leaves keys that open everything, and is simply begun again.  Processes
that know the old key alone meet a secret under the new one, and look at the key file again.
Whoever enrolls holds the same lock and looks at the key file first, so that nothing is sealed
under a key that is about to go.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from pam_totp import keyfile
from pam_totp.errors import StoreError
from pam_totp.store.directory import DirectoryStore
from pam_totp.store.seal import Keyring

_BATCH: Final = 200


def begin(store: DirectoryStore, path: Path) -> bool:
    """Put a new key in front, and return True; False where a rotation was cut short, which is
    gone on with.

    Raises StoreError, where the key file cannot be written for instance.
    """
    with store.writers_lock():
        ring = keyfile.load(path)
        if len(ring.keys) > 1:
            return False
        keyfile.write(path, keyfile.made(others=ring))
    return True


def go_on(store: DirectoryStore, path: Path, done: Callable[[int], None]) -> list[str]:
    """Seal everything anew, and let the old keys go; return their ids.  `done` hears of so many
    secrets more.

    Raises StoreError, StoreDamaged: then the old keys stay.
    """
    accounts = store.files.accounts()
    for at in range(0, len(accounts), _BATCH):
        batch = accounts[at : at + _BATCH]
        with store.writers_lock():
            store.files.reseal(batch)
        done(len(batch))
    with store.writers_lock():
        store.files.reseal(store.files.accounts())  # who has enrolled meanwhile
        ring = keyfile.load(path)
        _see_that_all_open(store, ring)
        keyfile.write(path, Keyring(ring.current, {ring.current: ring.keys[ring.current]}))
    return [id_ for id_ in ring.keys if id_ != ring.current]


def under(store: DirectoryStore) -> dict[str, int]:
    """Return how many secrets each key has sealed, by its id.  Raises StoreDamaged."""
    found: dict[str, int] = {}
    for account in store.files.accounts():
        id_ = store.files.sealed_under(account)
        if id_ is not None:
            found[id_] = found.get(id_, 0) + 1
    return found


def _see_that_all_open(store: DirectoryStore, ring: Keyring) -> None:
    """Raise StoreError unless the current key alone opens every secret."""
    left = under(store).keys() - {ring.current}
    if left:
        raise StoreError(f"there are secrets under {', '.join(sorted(left))}; the old keys stay")
