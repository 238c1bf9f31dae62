"""`secrets/`: a sealed record for each account, and the identity that `state.db` has too."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from pam_totp.account import AccountState, Credentials
from pam_totp.errors import PamTotpError, SealError, StoreDamaged, StoreError, UnknownKey
from pam_totp.store import codec, identity, rows, trust
from pam_totp.store.seal import MAGIC, Keyring, Place

SECRETS: Final = "secrets"


class SecretFiles:
    """The files of one store."""

    def __init__(self, path: Path, keyring: Keyring) -> None:
        """Open `secrets/` of the store at `path`.  Raises StoreError, StoreDamaged."""
        self._path = path
        self._keyring = keyring
        self._directory = trust.open_directory(path / SECRETS)

    def close(self) -> None:
        os.close(self._directory)

    def verify(self, of_database: identity.Identity) -> str:
        """Return the store's id; raise StoreDamaged unless secrets and state belong together."""
        known = identity.of_secrets(self._directory)
        if of_database != known:
            raise StoreDamaged(
                f"{self._path}: secrets and state.db are of different generations: one of "
                "them was lost, exchanged or restored alone",
                hint="pam-totp store renew",
            )
        return known[0]

    def counted(self, store_id: str, account: str, state: AccountState) -> Credentials:
        """Return an enrolled account's credentials, which must be there and be the right ones:
        damage is never "not enrolled"."""
        try:
            credentials = self.read(account, store_id)
        except FileNotFoundError:
            raise StoreDamaged(
                f"the secret of {account!r} is gone, though the account is enrolled",
                hint=self._put_back(account),
            ) from None
        if credentials.version not in (state.enrolled, state.version):
            raise StoreDamaged(
                f"the secret of {account!r} is of version {credentials.version}, expected "
                f"{state.enrolled}: an older copy was put back",
                hint=f"pam-totp reset {account}",
            )
        return credentials

    def read(self, account: str, store_id: str | None = None) -> Credentials:
        """Return what an account's file holds, whether it counts or not.

        Raises FileNotFoundError, StoreDamaged.
        """
        place = _place(store_id or self._store_id(), account)
        try:
            version, plain = self._opened(account, place)
        except UnknownKey:
            # A rotation that this process has not heard of; the file may be a newer one by now.
            with suppress(StoreError):
                self._refresh()
            version, plain = self._opened(account, place)
        return codec.credentials_from_bytes(plain, version)

    @property
    def keyring(self) -> Keyring:
        """The keys, as they are known here."""
        return self._keyring

    def sealed_under(self) -> dict[str, str | None]:
        """Return the id of the key that each account's file is sealed under, whether it counts
        or not: "" for what is no sealed record, None for what may not be read."""
        names = (name for name in os.listdir(self._directory) if not name.startswith("."))
        return {rows.name_of(name): self._key_id(name) for name in sorted(names)}

    def reseal(self, accounts: Iterable[str]) -> dict[str, PamTotpError]:
        """Seal files under the current key, under the writers' lock; credentials and versions
        stay the same.  Returns whose could not be and why: they stay as they are.

        Raises StoreError.
        """
        self._refresh()
        store_id = self._store_id()
        sealed: dict[str, bytes] = {}
        refused: dict[str, PamTotpError] = {}
        for account in accounts:
            place = _place(store_id, account)
            try:
                version, plain = self._opened(account, place)
            except FileNotFoundError:  # removed in the meantime
                continue
            except PamTotpError as error:
                refused[account] = error
                continue
            sealed[rows.key_of(account)] = self._keyring.seal(plain, place, version)
        if sealed:
            trust.write_all(self._directory, sealed)
        return refused

    def sweep(self) -> None:
        """Remove, under the writers' lock, what those have left who were killed while they
        wrote."""
        trust.sweep(self._directory, MAGIC)

    def write(self, given: Mapping[str, Credentials]) -> None:
        """Replace accounts' files; they count when the state says so.  Raises StoreError."""
        self._refresh()  # a key that a rotation has dropped must seal nothing more
        store_id = self._store_id()
        sealed = {rows.key_of(a): self._sealed(store_id, a, one) for a, one in given.items()}
        trust.write_all(self._directory, sealed)

    def remove(self, account: str) -> None:
        """Remove an account's file; one that is not there is fine."""
        trust.remove(self._directory, rows.key_of(account))

    def _opened(self, account: str, place: Place) -> tuple[int, bytes]:
        """Return version and plain bytes of an account's file."""
        key = rows.key_of(account)
        shown = self._path / SECRETS / key
        sealed = trust.read(key, directory=self._directory, shown=shown)
        try:
            return self._keyring.open(sealed, place)
        except SealError as error:
            raise type(error)(
                f"the secret of {account!r}: {error}", hint=error.hint or self._put_back(account)
            ) from error

    def _refresh(self) -> None:
        """Look at the key file again, where the keys come from one.  Raises StoreError."""
        if self._keyring.reload is not None:
            self._keyring = self._keyring.reload()

    def _key_id(self, name: str) -> str | None:
        try:
            return Keyring.key_id(trust.read(name, directory=self._directory))
        except (FileNotFoundError, SealError):
            return ""
        except StoreError:
            return None

    def _sealed(self, store_id: str, account: str, credentials: Credentials) -> bytes:
        plain = codec.credentials_to_bytes(credentials)
        return self._keyring.seal(plain, _place(store_id, account), credentials.version)

    def _store_id(self) -> str:
        return identity.of_secrets(self._directory)[0]

    def _put_back(self, account: str) -> str:
        return f"put {self._path / SECRETS} back from its copy, or: pam-totp reset {account}"


def _place(store_id: str, account: str) -> Place:
    return Place(store_id, "credentials", account, "credentials")
