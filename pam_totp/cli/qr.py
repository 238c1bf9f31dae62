"""A QR code in the terminal."""

from __future__ import annotations

from typing import Final

import segno

# Explicit white on black, whatever the terminal's own colours are: light modules are drawn,
# dark ones are the background.  With the terminal's colours half of all people would get an
# inverted code, which many cameras do not read.
_COLOURS: Final = "\x1b[38;5;231;48;5;16m"
_NORMAL: Final = "\x1b[0m"
_HALVES: Final = {(0, 0): "█", (0, 1): "▀", (1, 0): "▄", (1, 1): " "}
# Two modules of quiet zone instead of four: with the prompt below it, the code of a usual
# account then fits into 24 lines.
_QUIET: Final = 2


def draw(text: str) -> tuple[str, int]:
    """Return the QR code of `text` as lines for a terminal, and how many columns they take."""
    code = segno.make(text, error="l", boost_error=False, micro=False)
    rows = [tuple(row) for row in code.matrix_iter(border=_QUIET)]
    width = len(rows[0])
    if len(rows) % 2:
        rows.append((0,) * width)
    lines = (
        "".join(_HALVES[pair] for pair in zip(upper, lower, strict=True))
        for upper, lower in zip(rows[::2], rows[1::2], strict=True)
    )
    return "\n".join(f"{_COLOURS}{line}{_NORMAL}" for line in lines), width
