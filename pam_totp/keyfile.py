"""`seal.key`: the sealing keys, one a line, the current one first.

A line is 8 hex digits of id, a blank and 64 hex digits of key; in comments stands when a key was
made.  The file is replaced as a whole, under the store's writers' lock.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from pam_totp.credential import Credential, Place
from pam_totp.errors import StoreDamaged, StoreError
from pam_totp.secret import Secret
from pam_totp.store import trust
from pam_totp.store.seal import KEY_BYTES, Keyring, Random

_MODE: Final = 0o400
_HEADING: Final = "# pam-totp: keep a copy of this file elsewhere, apart from the data"
_LINE: Final = re.compile(r"([0-9a-f]{8}) ([0-9a-f]{64})")
_MADE: Final = re.compile(r"# ([0-9a-f]{8}) made (\d{4}-\d\d-\d\d)")

Dates = Mapping[str, str]
"""The days on which keys were made (UTC, `2027-02-01`), by their ids, as far as they are known."""


class Missing(StoreError):
    """There is no key file."""


class NotKeys(StoreDamaged):
    """A text is no key file's."""


def load(place: Place) -> Keyring:
    """Return the keys in the file.  Raises StoreError and StoreDamaged with what to do."""
    ring = parse(_text(place), str(path_of(place)))
    return Keyring(ring.current, ring.keys, partial(load, place))


def path_of(place: Place) -> Path:
    """Return the path of the file at this moment."""
    return place.path if isinstance(place, Credential) else place


def parse(text: str, shown: str) -> Keyring:
    """Return the keys in a file's text; `shown` is what errors call it.  Raises NotKeys."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    found = [_LINE.fullmatch(line) for line in lines]
    if not found or not all(found):
        raise NotKeys(f"{shown}: expected lines of 8 hex digits, a blank, 64 hex digits")
    keys = {m[1]: Secret(bytes.fromhex(m[2])) for m in found if m}
    if len(keys) != len(lines):
        raise NotKeys(f"{shown}: expected an id of its own for each key")
    return Keyring(lines[0][:8], keys)


def dates(place: Place) -> Dates:
    """Return when the keys in the file were made; nothing where it cannot be read."""
    with suppress(StoreError):
        return dates_in(_text(place))
    return {}


def dates_in(text: str) -> Dates:
    """Return when the keys in a file's text were made."""
    return {m[1]: m[2] for m in map(_MADE.fullmatch, text.splitlines()) if m}


def day(now: float) -> str:
    """Return a moment (UTC seconds) as a day."""
    return f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d}"


def create(path: Path, random: Random = os.urandom, *, now: float | None = None) -> None:
    """Write a new key file.  Raises StoreError if it cannot; an existing one is an error."""
    if path.exists():
        raise StoreError(f"{path}: is there already")
    new = made(random)
    write(path, new, {} if now is None else {new.current: day(now)})


def made(random: Random = os.urandom, others: Keyring | None = None) -> Keyring:
    """Return a ring with a new key as the current one, in front of those of another ring."""
    id_, key = random(4).hex(), Secret(random(KEY_BYTES))
    return Keyring(id_, {id_: key, **(others.keys if others else {})})


def text_of(ring: Keyring, made_on: Dates) -> str:
    """Return the text of a key file."""
    ids = [ring.current, *(id_ for id_ in ring.keys if id_ != ring.current)]
    days = [f"# {id_} made {made_on[id_]}" for id_ in ids if id_ in made_on]
    lines = [f"{id_} {ring.keys[id_].reveal().hex()}" for id_ in ids]
    return "\n".join([_HEADING, *lines, *days, ""])


def write(path: Path, ring: Keyring, made_on: Dates | None = None) -> None:
    """Write the keys of a ring, whole, in place of what is there; `made_on` says more than the
    file does of when they were made.  Raises StoreError."""
    text = text_of(ring, {**dates(path), **(made_on or {})})
    with _opened(path.parent) as directory:
        trust.sweep(directory, _HEADING.encode())
        trust.write(directory, path.name, text.encode(), _MODE)


def sweep(path: Path) -> None:
    """Remove what those have left beside a key file who were killed while they wrote it: keys
    that have left the file would stay on the disk there."""
    with _opened(path.parent) as directory:
        trust.sweep(directory, _HEADING.encode())


def put_aside(path: Path, now: float) -> None:
    """Keep a file that is no key file's under another name (`now` is UTC seconds)."""
    if path.exists():
        path.rename(path.with_name(f"{path.name}.{int(now)}"))


def _text(place: Place) -> str:
    try:
        return trust.read(path_of(place)).decode("ascii", "replace")
    except FileNotFoundError:
        if isinstance(place, Credential):
            raise place.missing() from None
        raise Missing(
            f"{place}: the key is not there",
            hint=f"put {place} back from its copy; where there is none: pam-totp key lost; "
            "where nobody has enrolled yet: pam-totp setup",
        ) from None


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    try:
        directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from error
    try:
        yield directory
    finally:
        os.close(directory)
