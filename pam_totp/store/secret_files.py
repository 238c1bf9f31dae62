"""`secrets/`: a sealed record for each account, and the identity that `state.db` has too."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from pam_totp.account import AccountState, Credentials
from pam_totp.errors import SealError, StoreDamaged, UnknownKey
from pam_totp.store import codec, identity, rows, trust
from pam_totp.store.seal import Keyring, Place

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
        key = rows.key_of(account)
        shown = self._path / SECRETS / key
        sealed = trust.read(key, directory=self._directory, shown=shown)
        place = _place(store_id or self._store_id(), account)
        try:
            version, plain = self._opened(sealed, place)
        except SealError as error:
            raise type(error)(
                f"the secret of {account!r}: {error}", hint=error.hint or self._put_back(account)
            ) from error
        return codec.credentials_from_bytes(plain, version)

    def _opened(self, sealed: bytes, place: Place) -> tuple[int, bytes]:
        """Open a record; one under a key that is not known may have been sealed after a rotation
        that this process has not heard of."""
        try:
            return self._keyring.open(sealed, place)
        except UnknownKey:
            if not self._refresh():
                raise
            return self._keyring.open(sealed, place)

    def _refresh(self) -> bool:
        """Look at the key file again; False where the keys come from none.  Raises StoreError."""
        if self._keyring.reload is None:
            return False
        self._keyring = self._keyring.reload()
        return True

    @property
    def keyring(self) -> Keyring:
        """The keys, as they are known here."""
        return self._keyring

    def accounts(self) -> list[str]:
        """Return whose files are there, whether they count or not, by name."""
        names = (name for name in os.listdir(self._directory) if not name.startswith("."))
        return sorted(map(rows.name_of, names))

    def sealed_under(self, account: str) -> str | None:
        """Return the id of the key that an account's file was sealed under, None where the file
        is gone.  Raises StoreDamaged."""
        key = rows.key_of(account)
        try:
            sealed = trust.read(key, directory=self._directory, shown=self._path / SECRETS / key)
        except FileNotFoundError:
            return None
        return Keyring.key_id(sealed)

    def reseal(self, accounts: Iterable[str]) -> int:
        """Seal accounts' files under the current key that were not, and return how many were.

        Under the writers' lock.  Raises StoreError, StoreDamaged.
        """
        self._refresh()
        stale = [a for a in accounts if self.sealed_under(a) not in (None, self._keyring.current)]
        store_id = self._store_id()
        again = {a: self._sealed(store_id, a, self.read(a, store_id)) for a in stale}
        if again:
            trust.write_all(self._directory, {rows.key_of(a): one for a, one in again.items()})
        return len(again)

    def write(self, given: Mapping[str, Credentials]) -> None:
        """Replace accounts' files; they count when the state says so.  Raises StoreError."""
        self._refresh()  # a key that a rotation has dropped must seal nothing more
        store_id = self._store_id()
        sealed = {rows.key_of(a): self._sealed(store_id, a, one) for a, one in given.items()}
        trust.write_all(self._directory, sealed)

    def remove(self, account: str) -> None:
        """Remove an account's file; one that is not there is fine."""
        trust.remove(self._directory, rows.key_of(account))

    def _sealed(self, store_id: str, account: str, credentials: Credentials) -> bytes:
        plain = codec.credentials_to_bytes(credentials)
        return self._keyring.seal(plain, _place(store_id, account), credentials.version)

    def _store_id(self) -> str:
        return identity.of_secrets(self._directory)[0]

    def _put_back(self, account: str) -> str:
        return f"put {self._path / SECRETS} back from its copy, or: pam-totp reset {account}"


def _place(store_id: str, account: str) -> Place:
    return Place(store_id, "credentials", account, "credentials")
