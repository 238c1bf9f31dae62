"""Making a directory store, and putting its halves together after they came apart."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from pam_totp.account import NOBODY, AccountState, Credentials
from pam_totp.errors import StoreDamaged, UnknownKey
from pam_totp.store import identity, rows, trust
from pam_totp.store.database import NAME, Database
from pam_totp.store.directory import DirectoryStore
from pam_totp.store.seal import Keyring, Random
from pam_totp.store.secret_files import SECRETS

_SIDE_FILES: Final = ("", "-wal", "-shm")

Spend = Callable[[Credentials, AccountState], AccountState]


def create(path: Path, random: Random = os.urandom) -> bool:
    """Make what is missing of a store at `path`; return whether it is a new one.

    Raises StoreDamaged where one half is there and the other is not: then nothing is made,
    because a new half would let everyone in as "not enrolled".
    """
    for directory in (path, path / SECRETS):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    root, secrets = trust.open_directory(path), trust.open_directory(path / SECRETS)
    try:
        halves = (NAME in os.listdir(root), bool(os.listdir(secrets)))
        if any(halves) and not all(halves):
            raise StoreDamaged(
                f"{path}: {NAME} and {SECRETS}/ are not both there", hint="pam-totp store renew"
            )
        if not any(halves):
            fresh = random(16).hex(), random(16).hex()
            _new_database(path, root, fresh)
            identity.write_to_secrets(secrets, fresh)
        return not any(halves)
    finally:
        os.close(secrets)
        os.close(root)


def renew(
    path: Path, keyring: Keyring, spend: Spend, now: float, random: Random = os.urandom
) -> int:
    """Give a store whose halves came apart a new generation; return how many accounts have
    credentials.

    `spend(credentials, state)` makes everything that was valid until now invalid.  Accounts
    whose state is lost are enrolled again from their file; locks are lost with it.  A
    `state.db` that cannot be read, or is another store's, is kept beside the new one as
    `state.db.<seconds>`.  Until it ends, logins are refused.

    Raises UnknownKey if a secret was sealed under a key that is not in `keyring`.
    """
    root = trust.open_directory(path)
    (path / SECRETS).mkdir(mode=0o700, exist_ok=True)
    secrets = trust.open_directory(path / SECRETS)
    try:
        store_id = _store_id(path, root, secrets, now)
        fresh = store_id, random(16).hex()
        if NAME not in os.listdir(root):
            _new_database(path, root, fresh)
        identity.write_to_secrets(secrets, fresh)  # from here logins are refused, and until the end
        names = [rows.name_of(n) for n in os.listdir(secrets) if not n.startswith(".")]
    finally:
        os.close(secrets)
    store, database = DirectoryStore(path, keyring), Database(path, root)
    try:
        with store.writers_lock(), database.writing() as connection:
            for name in names:
                key = rows.key_of(name)
                state = _renewed(store, name, rows.state(connection, key), spend)
                rows.put_state(connection, key, state)
            identity.write_to_database(connection, fresh)
    finally:
        database.close()
        store.close()
        os.close(root)
    return len(names)


def _renewed(store: DirectoryStore, name: str, state: AccountState, spend: Spend) -> AccountState:
    """Return the state of an account that has a file.

    Raises UnknownKey, because with the right key its file may well be good.
    """
    try:
        credentials = store.read_credentials(name)
    except UnknownKey:
        raise
    except StoreDamaged:
        # The file is damaged.  Without a state the account would be "not enrolled" and need no
        # code: it is enrolled with what cannot be read, which is a refusal until its reset.
        lost = state == NOBODY
        return replace(state, enrolled=1, version=1) if lost else state
    if state.enrolled is None and state.version >= credentials.version:
        return state  # was reset: the file is left over
    return _enrolled(credentials, spend(credentials, state))


def _enrolled(credentials: Credentials, state: AccountState) -> AccountState:
    version = max(credentials.version, state.version)
    return replace(state, enrolled=credentials.version, version=version)


def _store_id(path: Path, root: int, secrets: int, now: float) -> str:
    """Return the store's id from whichever half still has it; put a `state.db` aside that
    cannot be read or belongs to another store, whose accounts only have the same names."""
    from_database, from_secrets = _id_of_database(path, root), ""
    with suppress(StoreDamaged):
        from_secrets = identity.of_secrets(secrets)[0]
    if not from_database or from_secrets not in ("", from_database):
        _put_aside(root, now)
    if not from_secrets and not from_database:
        raise StoreDamaged(
            f"{path}: neither half says which store this is",
            hint="put both back from a copy, or move them away and: pam-totp setup",
        )
    return from_secrets or from_database


def _id_of_database(path: Path, root: int) -> str:
    """Return the store's id as `state.db` has it, "" if that is gone or cannot be read.

    Raises StoreDamaged for one that others may have written, StoreError for one that a newer
    program made: both are to be put right and not to be put aside.
    """
    if NAME not in os.listdir(root):
        return ""
    trust.check(os.stat(NAME, dir_fd=root, follow_symlinks=False), str(path / NAME))
    database = Database(path, root)
    try:
        with database.looking() as connection:
            if connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
                return ""
            return identity.of_database(connection)[0]
    except StoreDamaged:
        return ""
    finally:
        database.close()


def _put_aside(root: int, now: float) -> None:
    for suffix in _SIDE_FILES:
        with suppress(FileNotFoundError):
            old, new = NAME + suffix, f"{NAME}.{int(now)}{suffix}"
            os.rename(old, new, src_dir_fd=root, dst_dir_fd=root)


def _new_database(path: Path, root: int, fresh: identity.Identity) -> None:
    database = Database(path, root)
    database.create()
    with database.writing() as connection:
        identity.write_to_database(connection, fresh)
    database.close()
