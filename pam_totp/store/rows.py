"""The rows of `state.db`: accounts, failures by address, events.

Names stand percent-encoded, so that any bytes can be stored and a name is the same word here
and as a file name.
"""

from __future__ import annotations

import sqlite3
import urllib.parse
from collections.abc import Iterator
from typing import Final

from pam_totp.account import NOBODY, AccountState
from pam_totp.errors import StoreError
from pam_totp.event import Event
from pam_totp.lockout import Counter
from pam_totp.store import codec
from pam_totp.store.identity import Identity

EVENTS_KEPT: Final = 1_000_000
_PRUNE_EVERY: Final = 1_000
_NAME_BYTES: Final = 200
_WORD_BYTES: Final = 1_000
_SOURCES_KEPT: Final = 1_000
# What a log reader may see as it is: printable ASCII, but for the sign of the encoding.
_PLAIN: Final = " !#$&'()*+,/:;<=>?@[]^`{|}~\"\\"

# One statement is one consistent look, and costs a login less than four.
_SUBJECT: Final = """
SELECT
    (SELECT value FROM meta WHERE name = 'store'),
    (SELECT value FROM meta WHERE name = 'generation'),
    (SELECT state FROM account WHERE name = ?1),
    (SELECT counter FROM source WHERE account = ?1 AND source = ?2)
"""


def key_of(account: str) -> str:
    """Return an account's name as key and file name: percent-encoded and without a leading
    dot, so that neither `/` nor `..` nor the store's own files can be meant.

    Raises StoreError for a name that is empty or too long.
    """
    key = urllib.parse.quote_from_bytes(account.encode("utf-8", "surrogateescape"), safe="")
    if key.startswith("."):
        key = "%2E" + key[1:]
    if not key or len(key) > _NAME_BYTES:
        raise StoreError(f"an account's name must have 1 to {_NAME_BYTES} bytes, encoded")
    return key


def name_of(key: str) -> str:
    """Return the name that `key_of` encoded."""
    return urllib.parse.unquote_to_bytes(key).decode("utf-8", "surrogateescape")


def subject(
    connection: sqlite3.Connection, key: str, address: str
) -> tuple[Identity, AccountState, Counter]:
    """Return the database's identity, an account's state (NOBODY if there is none) and the
    count of wrong passwords for it from one address, as of one moment."""
    (row,) = connection.execute(_SUBJECT, (key, address)).fetchall()
    store, generation, state, counter = row
    return (
        (store or "", generation or ""),
        NOBODY if state is None else codec.state_from_text(state),
        Counter() if counter is None else codec.counter_from_text(counter),
    )


def state(connection: sqlite3.Connection, key: str) -> AccountState:
    """Return an account's state; NOBODY if there is none."""
    return subject(connection, key, "")[1]


def states(connection: sqlite3.Connection) -> Iterator[tuple[str, AccountState]]:
    """Yield (key, state) of every account, in the order of the keys."""
    for key, text in connection.execute("SELECT name, state FROM account ORDER BY name"):
        yield key, codec.state_from_text(text)


def put_state(connection: sqlite3.Connection, key: str, changed: AccountState) -> None:
    """Write an account's state."""
    connection.execute(
        "INSERT INTO account VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET state = excluded.state",
        (key, codec.state_to_text(changed)),
    )


def put_source(connection: sqlite3.Connection, key: str, address: str, counter: Counter) -> None:
    """Write that count; an empty one is no row."""
    if counter == Counter():
        connection.execute("DELETE FROM source WHERE account = ? AND source = ?", (key, address))
        return
    at = max([counter.locked_until, *(f.at for f in counter.failures)])
    connection.execute(
        "INSERT OR REPLACE INTO source VALUES (?, ?, ?, ?)",
        (key, address, at, codec.counter_to_text(counter)),
    )
    # SECURITY: whoever owns many addresses must not fill the disk; the oldest rows go.
    connection.execute(
        "DELETE FROM source WHERE account = ?1 AND at < (SELECT at FROM source "
        "WHERE account = ?1 ORDER BY at DESC LIMIT 1 OFFSET ?2)",
        (key, _SOURCES_KEPT),
    )


def forget_sources(connection: sqlite3.Connection, key: str) -> None:
    """Drop every count of wrong passwords for an account."""
    connection.execute("DELETE FROM source WHERE account = ?", (key,))


def put_event(connection: sqlite3.Connection, event: Event | None) -> None:
    """Append an event; now and then the oldest go, so that the file has a bound."""
    if event is None:
        return
    words = (event.what, event.service, event.rhost, event.tty, event.authenticator, event.detail)
    new = connection.execute(
        "INSERT INTO event (at, account, what, service, rhost, tty, authenticator, detail) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (event.at, key_of(event.account), *map(_quoted, words)),
    ).lastrowid
    if new and new % _PRUNE_EVERY == 0:
        connection.execute("DELETE FROM event WHERE id <= ?", (new - EVENTS_KEPT,))


def events(connection: sqlite3.Connection, key: str | None, limit: int) -> list[Event]:
    """Return the newest events, of one account or of all, the oldest of them first."""
    found = connection.execute(
        "SELECT at, account, what, service, rhost, tty, authenticator, detail FROM event "
        "WHERE ?1 IS NULL OR account = ?1 ORDER BY id DESC LIMIT ?2",
        (key, limit),
    ).fetchall()
    return [Event(at, name_of(account), *map(name_of, rest)) for at, account, *rest in found[::-1]]


def _quoted(text: str) -> str:
    """Return text that SQLite can hold, whatever bytes a client sent."""
    raw = text.encode("utf-8", "surrogateescape")[:_WORD_BYTES]
    return urllib.parse.quote_from_bytes(raw, safe=_PLAIN)
