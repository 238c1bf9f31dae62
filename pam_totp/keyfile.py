"""`seal.key`: the sealing keys, one a line, the current one first.

A line is 8 hex digits of id, a blank and 64 hex digits of key.
"""

from __future__ import annotations

import os
import re
from functools import partial
from pathlib import Path
from typing import Final

from pam_totp.errors import StoreDamaged, StoreError
from pam_totp.secret import Secret
from pam_totp.store import trust
from pam_totp.store.seal import KEY_BYTES, Keyring, Random

_MODE: Final = 0o400
_HEADING: Final = "# pam-totp: keep a copy of this file elsewhere, apart from the data"
_LINE: Final = re.compile(r"([0-9a-f]{8}) ([0-9a-f]{64})")


def load(path: Path) -> Keyring:
    """Return the keys in the file.  Raises StoreError and StoreDamaged with what to do."""
    try:
        text = trust.read(path).decode("ascii", "replace")
    except FileNotFoundError:
        raise StoreError(
            f"{path}: the key is not there",
            hint=f"put {path} back from its copy; where there is none: pam-totp key lost; "
            "where nobody has enrolled yet: pam-totp setup",
        ) from None
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    found = [_LINE.fullmatch(line) for line in lines]
    if not found or not all(found):
        raise StoreDamaged(f"{path}: expected lines of 8 hex digits, a blank, 64 hex digits")
    keys = {m[1]: Secret(bytes.fromhex(m[2])) for m in found if m}
    if len(keys) != len(lines):
        raise StoreDamaged(f"{path}: expected an id of its own for each key")
    return Keyring(lines[0][:8], keys, partial(load, path))


def create(path: Path, random: Random = os.urandom) -> None:
    """Write a new key file.  Raises StoreError if it cannot; an existing one is an error."""
    if path.exists():
        raise StoreError(f"{path}: is there already")
    write(path, made(random))


def made(random: Random = os.urandom, others: Keyring | None = None) -> Keyring:
    """Return a ring with a new key as the current one, in front of those of another ring."""
    id_, key = random(4).hex(), Secret(random(KEY_BYTES))
    return Keyring(id_, {id_: key, **(others.keys if others else {})})


def write(path: Path, ring: Keyring) -> None:
    """Write the keys of a ring, whole, in place of what is there.  Raises StoreError."""
    ids = [ring.current, *(id_ for id_ in ring.keys if id_ != ring.current)]
    lines = [f"{id_} {ring.keys[id_].reveal().hex()}" for id_ in ids]
    text = "\n".join([_HEADING, *lines, ""])
    try:
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise StoreError(f"{path.parent}: {error.strerror}") from error
    try:
        trust.write(directory, path.name, text.encode(), _MODE)
    finally:
        os.close(directory)
