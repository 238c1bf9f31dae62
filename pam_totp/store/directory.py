"""The directory store: sealed secrets in files, what each login changes in SQLite.

    secrets/.store      store id and generation; `state.db` carries the same two
    secrets/NAME        one sealed record for each account, 0600, percent-encoded name
    state.db            states, failures by address, events
    writers.lock        held by whoever changes credentials; never replaced, because a lock on
                        a file that rename replaces lets every waiter in

Enrollment is a fact of the state.  Credentials change in three steps, so that a crash between
any two leaves the account as before or as after: the state gives out a new version, the file
of that version replaces the old one, the state counts the new version.  Many accounts go through
each step together: a step begins when the one before it is on the disk for all of them.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from pam_totp import locks
from pam_totp.account import AccountState, Credentials
from pam_totp.decide import Subject
from pam_totp.errors import PamTotpError, PolicyError, StoreDamaged, StoreError
from pam_totp.event import Event
from pam_totp.locks import TimedLock
from pam_totp.policy.record import PolicyRecord
from pam_totp.store import identity, rows, trust
from pam_totp.store.database import Database
from pam_totp.store.local_accounts import LocalAccounts
from pam_totp.store.protocol import (
    Change,
    CredentialsChange,
    CredentialsDecision,
    StateChange,
    T,
)
from pam_totp.store.seal import Keyring
from pam_totp.store.secret_files import SecretFiles

_LOCK: Final = "writers.lock"


class DirectoryStore:
    """See pam_totp.store.protocol.Store for what the methods promise."""

    def __init__(self, path: Path, keyring: Keyring) -> None:
        """Open the store at `path`.  Raises StoreError if it was not set up."""
        self._path = path
        opened = ExitStack()
        # Where nobody says close too: a store that is dropped leaves no descriptor behind.
        self._close_directories = weakref.finalize(self, opened.close)
        self._root = trust.open_directory(path)
        opened.callback(os.close, self._root)
        self.files = SecretFiles(path, keyring)
        opened.callback(self.files.close)
        self._database = Database(path, self._root)
        self.local_accounts = LocalAccounts(self._database, self.files)

    def close(self) -> None:
        """Close files and connections."""
        self._database.close()
        self._close_directories()

    def look(self, account: str) -> AccountState:
        with self._database.looking() as connection:
            found, state, _ = rows.subject(connection, rows.key_of(account), "")
            self.files.verify(found)
            return state

    def credentials(self, account: str) -> Credentials | None:
        return self.subject(account).credentials

    def subject(self, account: str) -> Subject:
        """Return all that is known of an account, as of one moment."""
        try:
            return self._looked(account)
        except StoreDamaged:
            # Whoever enrolls may have replaced the file between the look at the state and the
            # look at it; what is damaged is so at a second look too.
            return self._looked(account)

    def step(self, account: str, source: str, decision: Callable[[Subject], tuple[T, Change]]) -> T:
        key = rows.key_of(account)
        with self._database.writing() as connection:
            subject = self._subject(connection, account, source)
            result, change = decision(subject)
            if change.state != subject.state:
                rows.put_state(connection, key, change.state)
            if change.source != subject.source:
                rows.put_source(connection, key, source, change.source)
            rows.put_event(connection, change.event)
        return result

    def change_state(
        self, account: str, change: StateChange, *, forget_sources: bool = False
    ) -> None:
        key = rows.key_of(account)
        with self._database.writing() as connection:
            self.files.verify(identity.of_database(connection))
            _change_state(connection, key, change)
            if forget_sources:
                rows.forget_sources(connection, key)

    def change_states_of(self, changes: Mapping[str, StateChange]) -> Mapping[str, PamTotpError]:
        refused: dict[str, PamTotpError] = {}
        with self._database.writing() as connection:
            self.files.verify(identity.of_database(connection))
            for account, change in changes.items():
                try:
                    _change_state(connection, rows.key_of(account), change)
                except PamTotpError as error:
                    refused[account] = error
        return refused

    def change_credentials(self, account: str, change: CredentialsDecision) -> None:
        for refusal in self.change_credentials_of({account: change}).values():
            raise refusal

    def change_credentials_of(
        self, changes: Mapping[str, CredentialsDecision]
    ) -> Mapping[str, PamTotpError]:
        refused: dict[str, PamTotpError] = {}
        with self.writers_lock():
            wanted = self._give_out(changes, refused)
            if wanted:
                self.files.write({account: one.credentials for account, one in wanted.items()})
                self._count(wanted)
        return refused

    def remove_credentials(self, account: str, change: StateChange) -> None:
        def removed(state: AccountState) -> tuple[AccountState, Event]:
            changed, event = change(state)
            # A new version is given out, so that no copy of the old file ever counts again.
            return replace(changed, enrolled=None, version=state.version + 1), event

        key = rows.key_of(account)
        with self.writers_lock():
            with self._database.writing() as connection:
                self.files.verify(identity.of_database(connection))
                _change_state(connection, key, removed)
            self.files.remove(account)

    def accounts(self) -> Iterator[tuple[str, AccountState]]:
        with self._database.looking() as connection:
            self.files.verify(identity.of_database(connection))
            found = list(rows.states(connection))
        for key, state in found:
            yield rows.name_of(key), state

    def enrolled_as(self, uid: int) -> list[str]:
        with self._database.looking() as connection:
            return [rows.name_of(key) for key in rows.enrolled_as(connection, uid)]

    def events(
        self,
        account: str | None = None,
        limit: int = 100,
        *,
        since: float = 0.0,
        after: int = 0,
        before: int | None = None,
    ) -> list[Event]:
        key = None if account is None else rows.key_of(account)
        with self._database.looking() as connection:
            return rows.events(connection, key, limit, since=since, after=after, before=before)

    def policies(self, limit: int) -> list[PolicyRecord]:
        with self._database.looking() as connection:
            return rows.policies(connection, limit)

    def change_policy(self, record: PolicyRecord, event: Event) -> int:
        with self._database.writing() as connection:
            self.files.verify(identity.of_database(connection))
            newest = next(iter(rows.policies(connection, 1)), None)
            if newest is not None and newest.id != record.id:
                raise PolicyError(
                    f"{newest.actor} changed the policy in the meantime; nothing was changed",
                    hint="pam-totp policy history",
                )
            rows.put_event(connection, event)
            return rows.put_policy(connection, record)

    def fingerprint(self, account: str, text: str) -> str:
        return self.files.keyring.fingerprint(f"{account}\0{text}")

    def timed_locks(self, now: float) -> list[TimedLock]:
        with self._database.looking() as connection:
            self.files.verify(identity.of_database(connection))
            found = [(rows.name_of(key), state) for key, state in rows.states(connection)]
            sources = rows.sources(connection, now)
        held = [lock for account, state in found for lock in locks.of_state(account, state, now)]
        return held + [lock for row in sources for lock in locks.of_source(*row, now)]

    def locked_until(self, lock: TimedLock) -> float:
        with self._database.looking() as connection:
            found, state, source = rows.subject(connection, rows.key_of(lock.account), lock.source)
            self.files.verify(found)
        return locks.counter(lock.kind, state, source).locked_until

    def read_credentials(self, account: str) -> Credentials:
        """Return what the account's file holds, whether it counts or not.

        Raises FileNotFoundError, StoreDamaged.
        """
        return self.files.read(account)

    @contextmanager
    def writers_lock(self) -> Iterator[None]:
        """Be the only one that changes credentials, among all processes."""
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            fd = os.open(_LOCK, flags, 0o600, dir_fd=self._root)
        except OSError as error:
            raise StoreError(f"{self._path / _LOCK}: {error.strerror}") from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def _looked(self, account: str) -> Subject:
        with self._database.looking() as connection:
            return self._subject(connection, account, "")

    def _subject(self, connection: sqlite3.Connection, account: str, source: str) -> Subject:
        found, state, counter = rows.subject(connection, rows.key_of(account), source)
        store_id = self.files.verify(found)
        credentials = None
        if state.enrolled is not None:
            credentials = self.files.counted(store_id, account, state)
        return Subject(credentials, state, counter)

    def _give_out(
        self, changes: Mapping[str, CredentialsDecision], refused: dict[str, PamTotpError]
    ) -> dict[str, CredentialsChange]:
        """Give out a version to each account whose change can be made, and return the changes,
        their versions set."""
        wanted: dict[str, CredentialsChange] = {}
        with self._database.writing() as connection:
            self.files.verify(identity.of_database(connection))
            for account, change in changes.items():
                try:
                    subject = self._subject(connection, account, "")
                    made = change(subject)
                except PamTotpError as error:
                    refused[account] = error
                    continue
                version = subject.state.version + 1
                # The file that is there counts from here, also if the enrollment that wrote it
                # was cut short: else a second one cut short would leave a file of no version.
                counted = subject.credentials.version if subject.credentials else None
                given_out = replace(subject.state, enrolled=counted, version=version)
                rows.put_state(connection, rows.key_of(account), given_out)
                credentials = replace(made.credentials, version=version)
                wanted[account] = replace(made, credentials=credentials)
        return wanted

    def _count(self, wanted: Mapping[str, CredentialsChange]) -> None:
        """Let the versions count whose files are there."""
        with self._database.writing() as connection:
            for account, one in wanted.items():
                key, given = rows.key_of(account), one.credentials
                state = one.state(rows.state(connection, key))
                state = replace(state, enrolled=given.version, uid=given.uid)
                rows.put_state(connection, key, state)
                rows.put_event(connection, one.event)


def _change_state(connection: sqlite3.Connection, key: str, change: StateChange) -> None:
    state, event = change(rows.state(connection, key))
    rows.put_state(connection, key, state)
    rows.put_event(connection, event)
