"""A camera in front of a screen: the QR code among the characters, drawn as the screen shows it,
and read by zbar.

Nothing of the product is used here, and nothing of what it draws with.
"""

from __future__ import annotations

import re
import struct
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

from tests.system.lab import camera
from tests.system.lab.screen import Screen

# What a screen's own colours are: light characters on a dark ground, or the other way round.
Ground: TypeAlias = Literal["dark", "light"]

_SEQUENCE: Final = re.compile(r"\x1b\[([0-9;:]*)m|\x1b[^m]*m|[\x0e\x0f]|([^\x1b])", re.DOTALL)
# Which halves of its cell a character fills, the upper and the lower one.
_FILLED: Final = {" ": (False, False), "█": (True, True), "▀": (True, False), "▄": (False, True)}
# Where a camera finds a code (ISO/IEC 18004, 6.3.3): dark is True.
_FINDER: Final = ("1111111", "1000001", "1011101", "1011101", "1011101", "1000001", "1111111")
_SIZES: Final = range(21, 178, 4)
_AROUND: Final = 4  # modules of the screen that are in the photograph beside the code
_MODULE: Final = 6  # pixels
# The parameters that choose the colour of characters and of what is behind them, and the light
# ones of the sixteen colours.
_BEFORE: Final = frozenset((*range(30, 40), *range(90, 98)))
_BEHIND: Final = frozenset((*range(40, 50), *range(100, 108)))
_LIGHT_ONES: Final = frozenset((3, 6, 7, 10, 11, 14, 15))

Rows = list[list[bool]]  # a screen of half cells, two for each of its lines: True is light


@dataclass(frozen=True)
class Code:
    """A QR code on a screen."""

    uri: str
    top: int  # the line where it begins, from 0, and the last one
    bottom: int
    columns: int  # what its modules take
    quiet: int  # modules of plain ground around it, on the side that has fewest
    inverted: bool  # light on dark, which some cameras do not read


@dataclass(frozen=True)
class _Place:
    row: int
    column: int
    size: int
    inverted: bool


def scan(screen: Screen, ground: Ground = "dark") -> list[Code]:
    """Return the codes that are wholly visible on a screen of that ground, the upmost first."""
    rows = list(_halves(screen.coloured(), screen.columns, light=ground == "light"))
    return [_scanned(rows, place) for place in sorted(_places(rows), key=lambda p: p.row)]


def scan_only(screen: Screen, ground: Ground = "dark") -> Code:
    """Return the one code that is wholly visible."""
    found = scan(screen, ground)
    assert len(found) == 1, f"{len(found)} whole QR codes on:\n{screen.text()}"
    return found[0]


def _scanned(rows: Rows, place: _Place) -> Code:
    return Code(
        uri=_read(_photograph(rows, place), inverted=place.inverted),
        top=place.row // 2,
        bottom=(place.row + place.size - 1) // 2,
        columns=place.size,
        quiet=_quiet(rows, place),
        inverted=place.inverted,
    )


def _halves(coloured: str, columns: int, *, light: bool) -> Iterator[list[bool]]:
    """Yield the half cells of each line."""
    pen = _Pen(light=light)
    for line in coloured.removesuffix("\n").split("\n"):
        upper: list[bool] = []
        lower: list[bool] = []
        for found in _SEQUENCE.finditer(line):
            if found[2] is None:
                pen.obey(found[1] or "")
                continue
            # Any other character fills its cell in part: no code goes through it.
            fills = _FILLED.get(found[2], (True, False))
            upper.append(pen.shows(filled=fills[0]))
            lower.append(pen.shows(filled=fills[1]))
        for half in (upper, lower):
            yield (half + [light] * columns)[:columns]


class _Pen:
    """The colours at a place of the screen, as far as they are light or dark."""

    def __init__(self, *, light: bool) -> None:
        self._ground = light
        self._set_all()

    def _set_all(self) -> None:
        self._behind, self._before, self._swapped = self._ground, not self._ground, False

    def shows(self, *, filled: bool) -> bool:
        """Whether what is filled, or what is not, is light."""
        return self._before if filled is not self._swapped else self._behind

    def obey(self, parameters: str) -> None:
        """Change the colours as a sequence says (ECMA-48, SGR; xterm's 256 colours)."""
        numbers = iter([int(number or 0) for number in re.split("[;:]", parameters)])
        for number in numbers:
            if number == 0:
                self._set_all()
            elif number in (7, 27):
                self._swapped = number == 7
            elif number in _BEFORE:
                self._before = _light(number, numbers, usual=not self._ground)
            elif number in _BEHIND:
                self._behind = _light(number, numbers, usual=self._ground)


def _light(number: int, more: Iterator[int], *, usual: bool) -> bool:
    """Whether the colour that a parameter names, with those after it, is light."""
    if number % 10 == 9 and number < 50:
        return usual
    if number % 10 != 8:
        return number % 10 + 8 * (number >= 90) in _LIGHT_ONES
    if next(more) == 2:
        return _bright(next(more), next(more), next(more))
    index = next(more)
    if index < 16:
        return index in _LIGHT_ONES
    if index >= 232:
        return index > 243
    steps = (index - 16) // 36, (index - 16) // 6 % 6, (index - 16) % 6
    return _bright(*(step and 55 + 40 * step for step in steps))


def _bright(red: int, green: int, blue: int) -> bool:
    return 0.299 * red + 0.587 * green + 0.114 * blue > 127


def _places(rows: Rows) -> Iterator[_Place]:
    """Yield where whole codes are: three finder patterns in the corners of a square."""
    for inverted in (False, True):
        wanted = [[(bit == "1") is inverted for bit in line] for line in _FINDER]
        corners = {
            (row, column)
            for row in range(len(rows) - 6)
            for column in range(len(rows[0]) - 6)
            if all(rows[row + i][column : column + 7] == wanted[i] for i in range(7))
        }
        for row, column in sorted(corners):
            for size in _SIZES:
                if {(row, column + size - 7), (row + size - 7, column)} <= corners:
                    yield _Place(row, column, size, inverted)


def _quiet(rows: Rows, place: _Place) -> int:
    """Return the width of the plain ground around a code, at most what is photographed."""
    light = not place.inverted
    for width in range(1, _AROUND + 1):
        first, last = place.row - width, place.row + place.size - 1 + width
        left, right = place.column - width, place.column + place.size - 1 + width
        if first < 0 or last >= len(rows) or left < 0 or right >= len(rows[0]):
            return width - 1
        ring = [*rows[first][left : right + 1], *rows[last][left : right + 1]]
        ring += [row[side] for row in rows[first : last + 1] for side in (left, right)]
        if any(half is not light for half in ring):
            return width - 1
    return _AROUND


def _photograph(rows: Rows, place: _Place) -> bytes:
    """Return a picture (PNG) of a code and of what stands around it."""
    top, left = max(place.row - _AROUND, 0), max(place.column - _AROUND, 0)
    right = place.column + place.size + _AROUND
    cut = [row[left:right] for row in rows[top : place.row + place.size + _AROUND]]
    pixels = [bytes(255 * half for half in row for _ in range(_MODULE)) for row in cut]
    lines = b"".join((b"\0" + line) * _MODULE for line in pixels)
    header = struct.pack(">IIBBBBB", len(pixels[0]), len(cut) * _MODULE, 8, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    checked = kind + data
    return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))


def _read(picture: bytes, *, inverted: bool) -> str:
    """Return what zbar reads in a picture."""
    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        file.write(picture)
        file.flush()
        found = camera.read([Path(file.name)], inverted=inverted)
    assert len(found) == 1, f"zbar reads {found}"
    return found[0]
