"""The local accounts in `state.db`."""

from __future__ import annotations

import base64
import json
import sqlite3
from typing import Any, Final

from pam_totp.errors import StoreDamaged
from pam_totp.local.account import LocalAccount
from pam_totp.local.password import Verifier
from pam_totp.store import identity, rows
from pam_totp.store.database import Database
from pam_totp.store.protocol import LocalChange
from pam_totp.store.secret_files import SecretFiles

_VERSION: Final = 1


class LocalAccounts:
    """See pam_totp.store.protocol.LocalAccounts for what the methods promise."""

    def __init__(self, database: Database, files: SecretFiles) -> None:
        self._database = database
        self._files = files

    def get(self, name: str) -> LocalAccount | None:
        with self._database.looking() as connection:
            return _get(connection, rows.key_of(name))

    def all(self) -> list[LocalAccount]:
        with self._database.looking() as connection:
            self._files.verify(identity.of_database(connection))
            found = connection.execute("SELECT name, record FROM local ORDER BY name").fetchall()
        return [_account(rows.name_of(key), text) for key, text in found]

    def change(self, name: str, change: LocalChange) -> None:
        key = rows.key_of(name)
        with self._database.writing() as connection:
            self._files.verify(identity.of_database(connection))
            known = _get(connection, key)
            changed, event = change(known)
            if changed is None:
                connection.execute("DELETE FROM local WHERE name = ?", (key,))
            elif changed != known:
                row = (key, _text(changed))
                connection.execute("INSERT OR REPLACE INTO local VALUES (?, ?)", row)
            rows.put_event(connection, event)


def _get(connection: sqlite3.Connection, key: str) -> LocalAccount | None:
    found = connection.execute("SELECT record FROM local WHERE name = ?", (key,)).fetchone()
    return None if found is None else _account(rows.name_of(key), found[0])


def _text(account: LocalAccount) -> str:
    how = account.verifier
    record = {
        "v": _VERSION,
        "scrypt": [how.n, how.r, how.p, *map(_base64, (how.salt, how.digest))],
        "administrator": account.administrator,
        "first": account.first,
        "created": account.created,
        "changed": account.changed,
    }
    return json.dumps(record, separators=(",", ":"))


def _account(name: str, text: str) -> LocalAccount:
    try:
        return _parsed(name, json.loads(text))
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise StoreDamaged(
            f"the record of the local account {name!r} is damaged",
            hint=f"pam-totp account remove {name}, and make it anew",
        ) from error


def _parsed(name: str, record: Any) -> LocalAccount:
    if record["v"] != _VERSION:
        raise ValueError("version")
    n, r, p, salt, digest = record["scrypt"]
    return LocalAccount(
        name,
        Verifier(base64.b64decode(salt), base64.b64decode(digest), n, r, p),
        administrator=record["administrator"],
        first=record["first"],
        created=record["created"],
        changed=record["changed"],
    )


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
