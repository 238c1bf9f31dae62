"""Another sealing key in the place of the current one, while logins go on.

First the new key stands in the key file, in front of the old one; then each record is sealed
under it; then an old key that nothing is sealed under leaves the file.  What decides is read from
key file and records each time, so that whatever was cut short goes on.  A process that has loaded
its keys before loads them again when it meets one that it does not know, and whoever writes a
record loads them first, under the writers' lock, under which alone the key file changes: so
nothing comes to be sealed under a key that is about to go.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pam_totp import keyfile
from pam_totp.errors import PamTotpError
from pam_totp.store.directory import DirectoryStore
from pam_totp.store.seal import Keyring

_BATCH: Final = 50  # who enrolls waits for no more than that


@dataclass(frozen=True, slots=True)
class Resealed:
    """How many records were sealed anew, and whose could not be and why."""

    number: int
    refused: Mapping[str, PamTotpError]


def begin(store: DirectoryStore, path: Path, now: float) -> bool:
    """Put a new key in front, and return True; False where a rotation was cut short, which is
    gone on with.

    Raises StoreError, where the key file cannot be written for instance.
    """
    with store.writers_lock():
        ring = keyfile.load(path)
        if len(ring.keys) > 1:
            return False
        new = keyfile.made(others=ring)
        keyfile.write(path, new, {new.current: keyfile.day(now)})
    return True


def outdated(store: DirectoryStore, ring: Keyring) -> list[str]:
    """Return the accounts whose records are not sealed under the current key."""
    return [account for account, id_ in store.files.sealed_under().items() if id_ != ring.current]


def reseal(store: DirectoryStore, accounts: list[str], done: Callable[[int], None]) -> Resealed:
    """Seal the records of accounts anew; `done` hears of so many more.

    One that is damaged stops no other.  Raises StoreError.
    """
    refused: dict[str, PamTotpError] = {}
    for at in range(0, len(accounts), _BATCH):
        batch = accounts[at : at + _BATCH]
        with store.writers_lock():
            refused |= store.files.reseal(batch)
        done(len(batch))
    return Resealed(len(accounts) - len(refused), refused)


def unused(store: DirectoryStore, ring: Keyring) -> frozenset[str]:
    """Return the old keys that nothing is sealed under; none where a record may not be read."""
    in_use = set(store.files.sealed_under().values())
    if None in in_use:
        return frozenset()
    return frozenset(ring.keys) - in_use - {ring.current}


def finish(store: DirectoryStore, path: Path) -> frozenset[str]:
    """Take the old keys out of the key file that nothing is sealed under, and return which."""
    with store.writers_lock():
        store.files.sweep()
        ring = keyfile.load(path)
        gone = unused(store, ring)
        if gone:
            keys = {id_: key for id_, key in ring.keys.items() if id_ not in gone}
            keyfile.write(path, Keyring(ring.current, keys))
        keyfile.sweep(path)
    return gone


def under(store: DirectoryStore) -> Counter[str]:
    """Return how many records each key has sealed, by its id."""
    return Counter(id_ for id_ in store.files.sealed_under().values() if id_)
