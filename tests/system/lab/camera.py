"""A camera: pictures, printed pages and screens of characters, read by zbar."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_ONE_WITHOUT: Final = 4  # zbarimg's exit status
_PIXELS: Final = 6  # a module's side; a character is as wide, and twice as high
_SURROUNDINGS: Final = 5  # modules of bare screen around what is drawn
_COLOURS: Final = re.compile(r"\x1b\[[\d;]*m")
# The upper and the lower half of a character, 1 being the colour of what is drawn.
_HALVES: Final = {"█": (1, 1), "▀": (1, 0), "▄": (0, 1), " ": (0, 0)}


def read(pictures: Sequence[Path], *, inverted: bool = False) -> list[str]:
    """Return what stands in the QR codes of these pictures, in order; one without any gives
    nothing, and is no error.  Only where they are `inverted` are codes looked for that are light
    on dark."""
    options = ["--quiet", "--raw", "--nodbus", "-Sdisable", "-Sqrcode.enable"]
    options += ["-Stest-inverted"] if inverted else []
    done = _run("zbarimg", *options, *map(str, pictures), good=(0, _ONE_WITHOUT))
    return done.stdout.splitlines()


def screenshot(lines: Sequence[str], picture: Path, *, dark_screen: bool) -> Path:
    """Draw lines of half blocks as that screen shows them, and return the picture."""
    ink, ground = (230, 0) if dark_screen else (0, 255)
    surroundings = ground
    if any(_COLOURS.search(line) for line in lines):  # they say their own: white on black
        ink, ground = 255, 0
    rows: list[list[int]] = []
    for line in lines:
        halves = [_HALVES[character] for character in _COLOURS.sub("", line)]
        rows += [[ink if half[which] else ground for half in halves] for which in (0, 1)]
    return _graymap(_framed(rows, surroundings), picture)


def rendered(svg: Path) -> Path:
    """Return an SVG file as a PNG file, by librsvg."""
    png = svg.with_suffix(".png")
    _run("rsvg-convert", "--output", str(png), str(svg))
    return png


def printed(document: Path) -> Path:
    """Print an HTML file by Chromium and return the PDF file.

    Chromium's own sandbox is not for root; the document is ours.
    """
    pdf = document.with_suffix(".pdf")
    _run(
        "chromium",
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={document.parent / 'chromium'}",
        "--no-pdf-header-footer",
        f"--print-to-pdf={pdf}",
        document.as_uri(),
    )
    return pdf


def pages(pdf: Path) -> list[Path]:
    """Return the pages of a PDF file as pictures, in the grain of a simple scanner."""
    _run("pdftoppm", "-r", "100", "-gray", str(pdf), str(pdf.with_suffix("")))
    return sorted(pdf.parent.glob(f"{pdf.stem}-*.pgm"))


def texts(pdf: Path) -> list[str]:
    """Return what is to be read on each page."""
    return _run("pdftotext", "-layout", str(pdf), "-").stdout.split("\f")[:-1]


def _framed(rows: list[list[int]], surroundings: int) -> list[list[int]]:
    side = [surroundings] * _SURROUNDINGS
    bare = [[surroundings] * (len(rows[0]) + 2 * _SURROUNDINGS)] * _SURROUNDINGS
    return [*bare, *([*side, *row, *side] for row in rows), *bare]


def _graymap(rows: list[list[int]], picture: Path) -> Path:
    width, height = len(rows[0]) * _PIXELS, len(rows) * _PIXELS
    lines = (bytes(gray for gray in row for _ in range(_PIXELS)) * _PIXELS for row in rows)
    picture.write_bytes(f"P5 {width} {height} 255\n".encode() + b"".join(lines))
    return picture


def _run(*command: str, good: Sequence[int] = (0,)) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode in good, f"{command[0]}: {done.stdout[-500:]}{done.stderr[-2000:]}"
    return done
