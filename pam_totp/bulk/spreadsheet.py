"""A table as spreadsheet programs save it: a line for each row, values apart by commas.

All that is wrong with a file is found, each fault with its line and the form that was expected,
so that it can be put right in one go.

SECURITY: any value may be somebody's secret, in the wrong column too.  What a fault shows goes
through `shown`.
"""

from __future__ import annotations

import codecs
import csv
import os
import re
import shlex
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pam_totp.errors import PamTotpError

LARGEST: Final = 16 << 20
MOST_FAULTS: Final = 20  # that are shown

_DELIMITERS: Final = ",;\t"  # where a comma stands in numbers, Excel writes semicolons
_LOOKS_SECRET: Final = re.compile(r"[A-Za-z0-9+/= -]{16,}")
_LONGEST_SHOWN: Final = 60
_AS_UTF8: Final = "text in UTF-8; in Excel, save it as 'CSV UTF-8'"
_ONE_LINE: Final = "one line for each row, and quotation marks around a value or nowhere"


class BadFile(PamTotpError):
    """A file cannot be used; nothing was changed.  `faults` are the first sentences of what is
    wrong, each with file, line and the expected form."""

    def __init__(self, message: str, faults: tuple[str, ...] = (), *, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.faults = faults


class Faults:
    """What is wrong with a file, bounded."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.count = 0
        self._first: list[tuple[int, str]] = []

    def add(self, line: int, what: str, expected: str) -> None:
        """Note one; `what` and `expected` are parts of a sentence."""
        self.count += 1
        self._first.append((line, f"{self.file}, line {line}: {what}; expected: {expected}"))
        if len(self._first) > 2 * MOST_FAULTS:
            self._first = sorted(self._first)[:MOST_FAULTS]

    def check(self) -> None:
        """Raise BadFile if there are any."""
        if not self.count:
            return
        errors = "1 error" if self.count == 1 else f"{self.count} errors"
        shown = f", of which {MOST_FAULTS} are shown" if self.count > MOST_FAULTS else ""
        raise BadFile(
            f"{self.file}: {errors}{shown}; nothing was changed",
            tuple(sentence for _, sentence in sorted(self._first)[:MOST_FAULTS]),
            hint="put the file right and run the same command again",
        )


@dataclass(frozen=True, slots=True)
class Row:
    """The values of a line, without the blanks around them."""

    line: int
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Text:
    """A file's lines; `notes` are sentences on what was taken although it is not usual."""

    lines: list[str]
    notes: tuple[str, ...] = ()


def read(path: Path) -> bytes:
    """Return a file's bytes.  Raises BadFile for one that cannot be read or is too large."""
    hint = f"ls -l {shlex.quote(str(path))}"
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise BadFile(f"{path}: {error.strerror}", hint=hint) from error
    if len(data) > LARGEST:
        most = f"{LARGEST >> 20} MiB"
        raise BadFile(f"{path}: larger than {most}; expected: at most that", hint="split the file")
    return data


def readable_by_others(path: Path) -> bool:
    """Whether a file lies open to people who are not its owner."""
    found = os.stat(path)
    return stat.S_ISREG(found.st_mode) and bool(found.st_mode & 0o077)


def text(data: bytes, faults: Faults) -> Text:
    """Return the lines of a file; a byte-order mark and Windows line ends are taken."""
    notes = []
    if _is_utf16(data):
        faults.add(1, "the file is in UTF-16", _AS_UTF8)
        return Text([])
    if data.startswith(codecs.BOM_UTF8):
        data = data.removeprefix(codecs.BOM_UTF8)
        notes.append("a byte-order mark at its beginning")
    try:
        found = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        faults.add(line, "a character that is not UTF-8", _AS_UTF8)
        return Text([])
    if "\r\n" in found:
        found = found.replace("\r\n", "\n")
        notes.append("Windows line ends")
    lines = found.split("\n")
    while lines and not lines[-1].strip(_DELIMITERS + " "):
        lines.pop()
    taken = (f"{faults.file} has {' and '.join(notes)}: taken as they are",) if notes else ()
    return Text(lines, taken)


def rows(lines: list[str], faults: Faults) -> Iterator[Row]:
    """Yield the rows; what is none is a fault.

    Each line is read alone: a quotation mark that is not closed then spoils one row and not
    the rest of the file.
    """
    delimiter = next((mark for mark in _DELIMITERS if lines and mark in lines[0]), ",")
    for number, line in enumerate(lines, 1):
        row = _row(number, line, delimiter, faults)
        if row is not None:
            yield row


def shown(value: str) -> str:
    """Return a value as a fault may show it: nothing that may be a secret, and not all of what
    is long."""
    if _LOOKS_SECRET.fullmatch(value):
        return "what stands there"
    return repr(value if len(value) <= _LONGEST_SHOWN else value[:_LONGEST_SHOWN] + "…")


def _row(number: int, line: str, delimiter: str, faults: Faults) -> Row | None:
    if not line.strip(delimiter + " "):
        faults.add(number, "an empty line", "a person on each line up to the last")
        return None
    try:
        found = next(csv.reader((line,), delimiter=delimiter, skipinitialspace=True, strict=True))
    except csv.Error:  # its words say no more, or speak of how to open a file
        what = "a quotation mark that is not closed, or a control character"
        faults.add(number, what if '"' in line else "a control character", _ONE_LINE)
        return None
    if not all(map(str.isprintable, found)):
        faults.add(number, "a control character", "printable characters alone")
        return None
    return Row(number, tuple(value.strip() for value in found))


def _is_utf16(data: bytes) -> bool:
    """Whether it is, with its byte-order mark or without, as every other byte is then NUL."""
    marks = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    start = data[:1_000]
    return data.startswith(marks) or start.count(0) * 3 > len(start)
