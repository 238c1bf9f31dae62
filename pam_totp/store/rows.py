"""The rows of `state.db`: accounts, failures by address, events.

Names stand percent-encoded, so that any bytes can be stored and a name is the same word here
and as a file name.
"""

from __future__ import annotations

import sqlite3
import urllib.parse
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from pam_totp.account import NOBODY, AccountState
from pam_totp.errors import PolicyError, StoreError
from pam_totp.event import Event
from pam_totp.lockout import Counter
from pam_totp.policy.document import Policy
from pam_totp.policy.record import PolicyRecord
from pam_totp.store import codec
from pam_totp.store.identity import Identity

ACTS_KEPT: Final = 100_000
_PRUNE_EVERY: Final = 1_000
_NAME_BYTES: Final = 200
_WORD_BYTES: Final = 300
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

_LAST: Final = (1 << 63) - 1
_EVENTS: Final = """
SELECT id, at, account, what, service, rhost, tty, authenticator, detail, actor FROM event
WHERE {} at >= ?1 AND id > ?2 AND id < ?3 ORDER BY id DESC LIMIT ?4
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
        raise StoreError(
            f"an account's name must have 1 to {_NAME_BYTES} bytes, encoded", hint="getent passwd"
        )
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
        "INSERT INTO account (name, state, uid) VALUES (?, ?, ?) ON CONFLICT (name) "
        "DO UPDATE SET state = excluded.state, uid = excluded.uid",
        (key, codec.state_to_text(changed), changed.uid),
    )


def enrolled_as(connection: sqlite3.Connection, uid: int) -> list[str]:
    """Return the keys of the accounts that were enrolled for a uid and still are."""
    found = connection.execute("SELECT name, state FROM account WHERE uid = ? LIMIT 100", (uid,))
    return [key for key, text in found if codec.state_from_text(text).enrolled is not None]


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


def sources(connection: sqlite3.Connection, after: float) -> list[tuple[str, str, Counter]]:
    """Return (account, address, count) for every count with a failure or the end of a lock
    after a moment (UTC seconds)."""
    found = connection.execute(
        "SELECT account, source, counter FROM source WHERE at > ?", (after,)
    ).fetchall()
    return [(name_of(key), address, codec.counter_from_text(text)) for key, address, text in found]


def put_event(connection: sqlite3.Connection, event: Event | None) -> None:
    """Append an event; now and then the oldest go, so that the file has a bound."""
    if event is None:
        return
    words = (
        event.what,
        event.service,
        event.rhost,
        event.tty,
        event.authenticator,
        event.detail,
        event.actor,
    )
    new = connection.execute(
        "INSERT INTO event (at, account, what, service, rhost, tty, authenticator, detail, actor)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (event.at, "" if event.account == "" else key_of(event.account), *map(_quoted, words)),
    ).lastrowid
    if new and new % _PRUNE_EVERY == 0:
        _prune(connection, new, event.at)


def _prune(connection: sqlite3.Connection, newest: int, now: float) -> None:
    """Drop the events of logins that the policy does not keep.

    SECURITY: what administrators did has a bound of its own, and nobody who logs in can push
    it out.
    """
    days, kept = _retention(connection)
    connection.execute(
        "DELETE FROM event WHERE actor = '' AND (id <= ? OR at < ?)",
        (newest - kept, now - days * 86_400),
    )
    connection.execute(
        "DELETE FROM event WHERE actor <> '' AND id <= (SELECT id FROM event WHERE actor <> '' "
        "ORDER BY id DESC LIMIT 1 OFFSET ?)",
        (ACTS_KEPT,),
    )


def _retention(connection: sqlite3.Connection) -> tuple[int, int]:
    """Return for how many days, and how many, events are kept."""
    for record in policies(connection, 1):
        with suppress(PolicyError):
            policy = record.policy
            return policy.everywhere("events-days"), policy.everywhere("events-kept")
    return Policy().everywhere("events-days"), Policy().everywhere("events-kept")


def events(  # noqa: PLR0913 -- what may be asked of them
    connection: sqlite3.Connection,
    key: str | None,
    limit: int,
    *,
    since: float,
    after: int,
    before: int | None,
) -> list[Event]:
    """Return the newest events, of one account or of all, the oldest of them first; only those
    at or after `since` (seconds) whose id is above `after` and below `before`."""
    account = "" if key is None else "account = ?5 AND"  # a condition that its index serves
    values = (since, after, before or _LAST, limit)
    found = connection.execute(
        _EVENTS.format(account), values if key is None else (*values, key)
    ).fetchall()
    return [_event(*row) for row in found[::-1]]


def _event(id_: int, at: float, account: str, *words: str) -> Event:
    what, service, rhost, tty, authenticator, detail, actor = map(name_of, words)
    return Event(
        at,
        name_of(account),
        what,
        service=service,
        rhost=rhost,
        tty=tty,
        authenticator=authenticator,
        detail=detail,
        actor=actor,
        id=id_,
    )


def policies(connection: sqlite3.Connection, limit: int) -> list[PolicyRecord]:
    """Return the newest versions of the policy, the newest first."""
    found = connection.execute(
        "SELECT id, at, actor, origin, note, document FROM policy ORDER BY id DESC LIMIT ?",
        (limit,),
    )
    return [
        PolicyRecord(id_, at, name_of(actor), name_of(origin), name_of(note), text)
        for id_, at, actor, origin, note, text in found
    ]


def put_policy(connection: sqlite3.Connection, record: PolicyRecord) -> int:
    """Append a version of the policy; return its id."""
    words = map(_quoted, (record.actor, record.origin, record.note))
    new = connection.execute(
        "INSERT INTO policy (at, actor, origin, note, document) VALUES (?, ?, ?, ?, ?)",
        (record.at, *words, record.text),
    ).lastrowid
    return new or 0


def _quoted(text: str) -> str:
    """Return text that SQLite can hold, whatever bytes a client sent."""
    raw = text.encode("utf-8", "surrogateescape")[:_WORD_BYTES]
    return urllib.parse.quote_from_bytes(raw, safe=_PLAIN)
