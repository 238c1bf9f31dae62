"""`state.db`: what each login changes, in SQLite (WAL, synchronous=FULL).

The file is never opened but through SQLite: an open and close beside it would drop SQLite's
locks and lose committed logins.  Owner and mode are checked by name, without opening.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

from pam_totp.errors import StoreDamaged, StoreError, StoreReadOnly
from pam_totp.store import trust

NAME: Final = "state.db"
SCHEMA: Final = 3
BUSY_SECONDS: Final = 8.0  # below the bridge's 15 s, so that the service answers first

# How SQLite says that a file is not, or not any more, the database that was made.
_DAMAGE: Final = ("malformed", "not a database", "no such table", "no such column")
# What each version adds to the one before it; a new database goes through all of them.
_UPGRADES: Final = (
    """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE account (name TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE source (
    account TEXT NOT NULL, source TEXT NOT NULL, at REAL NOT NULL, counter TEXT NOT NULL,
    PRIMARY KEY (account, source)
) WITHOUT ROWID;
CREATE INDEX source_at ON source (at);
CREATE TABLE event (
    id INTEGER PRIMARY KEY, at REAL NOT NULL, account TEXT NOT NULL, what TEXT NOT NULL,
    service TEXT NOT NULL, rhost TEXT NOT NULL, tty TEXT NOT NULL, authenticator TEXT NOT NULL,
    detail TEXT NOT NULL
);
CREATE INDEX event_account ON event (account, id);
""",
    """
ALTER TABLE event ADD COLUMN actor TEXT NOT NULL DEFAULT '';
ALTER TABLE account ADD COLUMN uid INTEGER;
CREATE INDEX account_uid ON account (uid);
CREATE TABLE policy (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, actor TEXT NOT NULL,
    origin TEXT NOT NULL, note TEXT NOT NULL, document TEXT NOT NULL
);
INSERT INTO policy (at, actor, origin, note, document)
    VALUES (0, 'pam-totp', '', 'as shipped', '[]');
""",
    """
CREATE TABLE local (name TEXT PRIMARY KEY, record TEXT NOT NULL) WITHOUT ROWID;
""",
)

_Identity = tuple[int, int, int]


class Database:
    """One process's connections to `state.db`: one that writes and one that only looks, so
    that a look never waits for somebody else's fsync."""

    def __init__(self, directory: Path, descriptor: int) -> None:
        self._path = directory / NAME
        self._directory = descriptor
        self._locks = {True: threading.Lock(), False: threading.Lock()}
        self._open: dict[bool, tuple[sqlite3.Connection, _Identity]] = {}

    def create(self) -> None:
        """Make a new, empty database.  Raises StoreError if there is one."""
        before = os.umask(0o077)
        try:
            with _translated(self._path):
                connection = self._connect("rwc")
                connection.execute("PRAGMA journal_mode = WAL")
                _upgrade(connection, 0)
                connection.close()
        finally:
            os.umask(before)
        os.fsync(self._directory)

    @contextmanager
    def looking(self) -> Iterator[sqlite3.Connection]:
        """A connection to look with; each statement is one consistent look.

        Raises StoreError and StoreDamaged.
        """
        with self._locks[False], _translated(self._path):
            yield self._connection(writes=False)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A connection in a transaction of its own, alone among all processes; durable when
        the block has ended, and undone if it raises."""
        try:
            with self._locks[True], _translated(self._path):
                yield from self._transaction(self._connection(writes=True))
        except StoreReadOnly:
            # The other connection would hand on to a new one that it is read-only: both go.
            self.close()
            raise

    @staticmethod
    def _transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def close(self) -> None:
        """Close the connections; they open again when they are needed."""
        for writes, lock in self._locks.items():
            with lock:
                self._drop(writes=writes)

    def _connection(self, *, writes: bool) -> sqlite3.Connection:
        """Return the open connection, or a new one if the file was exchanged under it, or its
        file system was mounted anew: what SQLite once took for read-only stays so, for every
        connection of this process that shares the file with one from that moment."""
        identity = self._identity()
        known = self._open.get(writes)
        if known is not None and known[1] == identity:
            return known[0]
        self._drop(writes=writes)
        connection = self._connect("rw")
        try:
            self._bring_up_to_date(connection)
        except BaseException:
            connection.close()  # now, and not when nobody remembers the error any more
            raise
        self._open[writes] = (connection, identity)
        return connection

    def _bring_up_to_date(self, connection: sqlite3.Connection) -> None:
        found = connection.execute("PRAGMA user_version").fetchone()[0]
        if found > SCHEMA:
            raise StoreError(
                f"{self._path}: made by a newer version of this program",
                hint="install that version again",
            )
        if found < 1:
            raise StoreDamaged(f"{self._path}: schema {found}, this program knows {SCHEMA}")
        if found < SCHEMA:
            _upgrade(connection, found)

    def _drop(self, *, writes: bool) -> None:
        known = self._open.pop(writes, None)
        if known is not None:
            known[0].close()

    def _identity(self) -> _Identity:
        try:
            found = os.stat(NAME, dir_fd=self._directory, follow_symlinks=False)
        except FileNotFoundError:
            raise StoreDamaged(f"{self._path}: gone", hint="pam-totp store renew") from None
        trust.check(found, str(self._path))
        read_only = os.fstatvfs(self._directory).f_flag & os.ST_RDONLY
        return found.st_dev, found.st_ino, read_only

    def _connect(self, mode: str) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"file:{quote(str(self._path))}?mode={mode}",
            uri=True,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,  # used by one thread at a time, under a lock of ours
        )
        connection.execute("PRAGMA synchronous = FULL")
        return connection


def _upgrade(connection: sqlite3.Connection, found: int) -> None:
    """Bring a database from version `found` to ours, whole or not at all."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have been quicker.
        known = connection.execute("PRAGMA user_version").fetchone()[0]
        for script in _UPGRADES[max(found, known) :]:
            for statement in script.split(";"):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {SCHEMA}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Say SQLite's errors as the store's, with what to do."""
    try:
        yield
    except sqlite3.Error as error:
        text = str(error)
        raise _kind(error)(f"{path}: {text}", hint=_hint(text)) from error


def _kind(error: sqlite3.Error) -> type[StoreError]:
    if isinstance(error, sqlite3.DatabaseError) and _is_damage(str(error)):
        return StoreDamaged
    return StoreReadOnly if "readonly" in str(error) else StoreError


def _hint(text: str) -> str | None:
    if "full" in text or "disk I/O" in text:
        return "make room on the file system, and look at its health"
    if "readonly" in text:
        return "mount the file system writable"
    if "unable to open" in text:  # SQLite keeps two files beside it, and could not make them
        return "see that the file system is writable and has room"
    return "pam-totp store renew" if _is_damage(text) else None


def _is_damage(text: str) -> bool:
    return any(words in text for words in _DAMAGE)
