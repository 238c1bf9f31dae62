"""What `state.db` holds, read through SQLite and without the product's code."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import Any, Final

from tests.system.lab.product import DATA

STATE: Final = f"file:{DATA}/state.db?mode=ro"


def _rows(query: str, *values: str) -> list[Any]:
    with closing(sqlite3.connect(STATE, uri=True)) as connection:
        return connection.execute(query, values).fetchall()


def state(account: str) -> dict[str, Any]:
    """Return everything that logins change of an account."""
    rows = _rows("SELECT state FROM account WHERE name = ?", account)
    return dict(json.loads(rows[0][0])) if rows else {}


def wrong_passwords(account: str) -> dict[str, int]:
    """Return how many wrong passwords count against an account, by address."""
    rows = _rows("SELECT source, counter FROM source WHERE account = ?", account)
    return {source: len(json.loads(counter)[2]) for source, counter in rows}


def addresses() -> set[tuple[str, str]]:
    """Return every (account, address) against which wrong passwords count."""
    return set(_rows("SELECT account, source FROM source"))


def events(account: str) -> list[str]:
    """Return what happened to an account, in order."""
    return [
        row[0] for row in _rows("SELECT what FROM event WHERE account = ? ORDER BY id", account)
    ]
