"""Copies of the key file, to be kept apart from the data: under a passphrase, on paper, as it is.

On paper each key is four lines, each with two bytes of a hash of it, so that whoever types them
hears in which one the mistake is.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from typing import Final

from pam_totp import keyfile, passphrase
from pam_totp.errors import PamTotpError
from pam_totp.keyfile import Dates, NotKeys
from pam_totp.secret import Secret
from pam_totp.store.seal import Keyring

_WHAT: Final = "key file"
_ROWS: Final = 4
_KEY: Final = re.compile(r"key ([0-9a-f]{8})\b.*")
_ROW: Final = re.compile(r"([1-4])((?: [0-9a-f]{4}){4}) +([0-9a-f]{4})")
_PAPER: Final = """\
Sealing key of {host} (pam-totp), for a safe: with a copy of the data it opens every
secret. To put it back, type what begins with `key` and the lines of numbers into a
file, and run: pam-totp key import FILE
"""


class NoCopy(PamTotpError):
    """A file holds no copy of a key, or one that was mistyped."""


def sealed(ring: Keyring, made_on: Dates, phrase: str) -> bytes:
    """Return the keys under a passphrase."""
    return passphrase.seal(_WHAT, keyfile.text_of(ring, made_on).encode(), phrase)


def paper(ring: Keyring, made_on: Dates, host: str) -> str:
    """Return the keys as they are printed, the current one first."""
    lines = [_PAPER.format(host=host)]
    for id_ in sorted(ring.keys, key=lambda one: one != ring.current):
        day = f", made {made_on[id_]}" if id_ in made_on else ""
        lines.append(f"key {id_}{', current' if id_ == ring.current else ''}{day}")
        lines += [*_rows(id_, ring.keys[id_].reveal().hex()), ""]
    return "\n".join(lines)


def read(data: bytes, shown: str, phrase: Callable[[], str]) -> tuple[Keyring, Dates]:
    """Return the keys of a copy in any of the three forms, and when they were made; `phrase` is
    asked for a passphrase where one is needed.  Raises NoCopy, PassphraseError."""
    if data.lstrip().startswith(b"{"):
        data = passphrase.unseal(_WHAT, data, phrase())
    text = data.decode("ascii", "replace")
    lines = [" ".join(line.lower().split()) for line in text.splitlines()]
    if any(map(_KEY.fullmatch, lines)):
        return _typed(lines), {}
    try:
        return keyfile.parse(text, shown), keyfile.dates_in(text)
    except NotKeys:
        raise NoCopy(
            f"{shown}: no copy of a key",
            hint="expected is what `pam-totp key export` wrote, or a copy of the key file itself",
        ) from None


def _rows(id_: str, key: str) -> Iterator[str]:
    width = len(key) // _ROWS
    for number in range(_ROWS):
        part = key[number * width : (number + 1) * width]
        groups = " ".join(part[at : at + 4] for at in range(0, width, 4))
        yield f"{number + 1} {groups}  {_check(id_, number + 1, part)}"


def _check(id_: str, number: int, part: str) -> str:
    return hashlib.sha256(f"{id_} {number} {part}".encode()).hexdigest()[:4]


def _typed(lines: list[str]) -> Keyring:
    found: dict[str, list[str]] = {}
    for line in lines:
        key, row = _KEY.fullmatch(line), _ROW.fullmatch(line)
        if key:
            found[key[1]] = []
        elif row and found:
            id_ = next(reversed(found))
            found[id_].append(_right(id_, len(found[id_]) + 1, row))
    for id_, rows in found.items():
        if len(rows) != _ROWS:
            raise NoCopy(
                f"key {id_} has {len(rows)} lines that can be read, expected {_ROWS}",
                hint="each is its number, four groups of four digits, and four more",
            )
    keys = {id_: Secret(bytes.fromhex("".join(rows))) for id_, rows in found.items()}
    return Keyring(next(iter(keys)), keys)


def _right(id_: str, number: int, row: re.Match[str]) -> str:
    part = row[2].replace(" ", "")
    if int(row[1]) != number or _check(id_, number, part) != row[3]:
        raise NoCopy(
            f"key {id_}: line {row[1]} is mistyped", hint="compare it with the paper and run again"
        )
    return part
