"""The two names that both halves of a directory store carry.

The store's id stays for ever and is bound into every sealed record.  The generation changes
when the halves had come apart and were put together again.
"""

from __future__ import annotations

import re
import sqlite3
from typing import Final

from pam_totp.errors import StoreDamaged
from pam_totp.store import trust

FILE: Final = ".store"
_FORM: Final = re.compile(rb"1 ([0-9a-f]{32}) ([0-9a-f]{32})\n")

Identity = tuple[str, str]  # store id, generation


def of_secrets(secrets: int) -> Identity:
    """Return the identity that the secrets' side carries (`secrets` is its descriptor)."""
    try:
        raw = trust.read(FILE, directory=secrets)
    except FileNotFoundError:
        raise StoreDamaged(f"secrets/{FILE}: gone", hint="pam-totp store renew") from None
    found = _FORM.fullmatch(raw)
    if found is None:
        raise StoreDamaged(f"secrets/{FILE}: not in this version's form")
    return found[1].decode(), found[2].decode()


def of_database(connection: sqlite3.Connection) -> Identity:
    """Return the identity that `state.db` carries."""
    known = dict(connection.execute("SELECT name, value FROM meta").fetchall())
    return known.get("store", ""), known.get("generation", "")


def write_to_secrets(secrets: int, identity: Identity) -> None:
    """Write the secrets' side."""
    trust.write(secrets, FILE, f"1 {identity[0]} {identity[1]}\n".encode())


def write_to_database(connection: sqlite3.Connection, identity: Identity) -> None:
    """Write the database's side, within the caller's transaction."""
    rows = (("store", identity[0]), ("generation", identity[1]))
    connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", rows)
