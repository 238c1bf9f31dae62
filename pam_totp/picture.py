"""QR codes: on a terminal, in a prompt, as PNG and as SVG.

A code on a screen stands among text and has two modules of quiet zone, one to be printed has
the four of ISO/IEC 18004.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import segno

from pam_totp.errors import EnrollmentError

# A prompt of 24 lines has three more below the picture: the key, a sentence, the question.
SCREEN_LINES: Final = 21

# Explicit white on black, whatever the terminal's own colours are: light modules are drawn,
# dark ones are the background.  With the terminal's colours half of all people would get an
# inverted code, which many cameras do not read.
_COLOURS: Final = "\x1b[38;5;231;48;5;16m"
_NORMAL: Final = "\x1b[0m"
# What shows an upper and a lower module, 1 being dark.
_ON_DARK: Final = {(0, 0): "█", (0, 1): "▀", (1, 0): "▄", (1, 1): " "}
_ON_LIGHT: Final = {(0, 0): " ", (0, 1): "▄", (1, 0): "▀", (1, 1): "█"}

_ON_SCREEN: Final = "l"  # error correction: nothing smudges a screen, and every line counts
_ON_PAPER: Final = "m"
# Two modules of quiet zone instead of four: with the prompt below it, the code of a usual
# account then fits into 24 lines.
_QUIET_ON_SCREEN: Final = 2
_QUIET: Final = 4
_PIXELS: Final = 8  # a module's side
# Choosing the best of the eight masks takes four fifths of the time of making a code.  Any is
# legal (ISO/IEC 18004, 7.8.3: the choice avoids patterns that are harder to read), and this is
# the one that is chosen most often for URIs of ours.
_USUAL_MASK: Final = 4
_DARK_RUN: Final = re.compile(rb"\x01+")


@dataclass(frozen=True, slots=True)
class Drawn:
    """A code in characters: its lines, and how many columns they take."""

    lines: tuple[str, ...]
    columns: int

    @property
    def text(self) -> str:
        """The lines as one text."""
        return "\n".join(self.lines)


def terminal(uri: str) -> Drawn:
    """Return the code for a terminal with colours, which are said in each line."""
    drawn = _in_halves(uri, _ON_DARK)
    return Drawn(tuple(f"{_COLOURS}{line}{_NORMAL}" for line in drawn.lines), drawn.columns)


def plain(uri: str, *, dark_screen: bool) -> Drawn:
    """Return the code in nothing but half blocks, for a prompt: the colours are the screen's,
    so what is drawn is its light part on a dark screen, and its dark part on a light one."""
    return _in_halves(uri, _ON_DARK if dark_screen else _ON_LIGHT)


def fitting(*uris: str) -> str:
    """Return the first of these URIs whose code fits above a prompt, or the last of them."""
    return next((uri for uri in uris[:-1] if _fits(uri)), uris[-1])


def png(uri: str) -> bytes:
    """Return the code as a PNG file."""
    file = io.BytesIO()
    _made(uri, error=_ON_PAPER).save(file, kind="png", scale=_PIXELS, border=_QUIET)
    return file.getvalue()


def svg(uri: str) -> bytes:
    """Return the code as an SVG file."""
    code = _made(uri, error=_ON_PAPER)
    side = _side(code) * _PIXELS
    drawn = _svg(code, f'width="{side}" height="{side}"')
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{drawn}\n'.encode()


def svg_inline(uri: str) -> str:
    """Return the code as an element of an HTML document, whose style gives it a size.

    Made for thousands in a row: under a millisecond each.
    """
    return _svg(_made(uri, error=_ON_PAPER, mask=_USUAL_MASK), 'role="img"')


def _made(uri: str, **options: Any) -> Any:
    """Return segno's code, as strong as the smallest size allows."""
    try:
        return segno.make(uri, micro=False, **options)
    except segno.DataOverflowError:
        raise EnrollmentError(
            "the names of account and issuer are too long for a QR code",
            hint="set a shorter `issuer` in /etc/pam-totp/pam-totp.yaml",
        ) from None


def _fits(uri: str) -> bool:
    try:
        code = _made(uri, error=_ON_SCREEN, mask=_USUAL_MASK)
    except EnrollmentError:
        return False
    return len(code.matrix) + 2 * _QUIET_ON_SCREEN <= 2 * SCREEN_LINES


def _in_halves(uri: str, cells: Mapping[tuple[int, int], str]) -> Drawn:
    """Draw two rows of modules as one line of characters."""
    code = _made(uri, error=_ON_SCREEN)
    rows = [tuple(row) for row in code.matrix_iter(border=_QUIET_ON_SCREEN)]
    width = len(rows[0])
    if len(rows) % 2:
        rows.append((0,) * width)
    lines = (
        "".join(cells[pair] for pair in zip(upper, lower, strict=True))
        for upper, lower in zip(rows[::2], rows[1::2], strict=True)
    )
    return Drawn(tuple(lines), width)


def _side(code: Any) -> int:
    return len(code.matrix) + 2 * _QUIET


def _svg(code: Any, attributes: str) -> str:
    """Draw each row as strokes: a third of the time of segno's own writer."""
    side = _side(code)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}" {attributes} '
        f'shape-rendering="crispEdges"><path fill="#fff" d="M0 0h{side}v{side}H0z"/>'
        f'<path stroke="#000" d="{"".join(_strokes(code))}"/></svg>'
    )


def _strokes(code: Any) -> Iterator[str]:
    for y, row in enumerate(code.matrix, _QUIET):
        yield f"M{_QUIET} {y}.5"
        at = 0
        for run in _DARK_RUN.finditer(row):
            yield f"m{run.start() - at} 0h{run.end() - run.start()}"
            at = run.end()
