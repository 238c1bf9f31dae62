"""QR codes, module by module; whether they can be read is tried in tests/system."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree as ET

import pytest
import segno
from hypothesis import given, settings
from hypothesis import strategies as st

from pam_totp import authenticator, picture
from pam_totp.account import Authenticator
from pam_totp.errors import EnrollmentError
from pam_totp.otp import Parameters
from pam_totp.picture import Drawn
from pam_totp.secret import Secret

URI = "otpauth://totp/Example:alice?secret=AAAA"
LIGHT_DRAWN = {"█": (0, 0), "▀": (0, 1), "▄": (1, 0), " ": (1, 1)}
DARK_DRAWN = {" ": (0, 0), "▄": (0, 1), "▀": (1, 0), "█": (1, 1)}
COLOURED = re.compile(r"\x1b\[38;5;231;48;5;16m([█▀▄ ]+)\x1b\[0m")

Modules = list[list[int]]


def expected(border: int, **options: object) -> Modules:
    """Return segno's own modules of URI, 1 being dark."""
    code = segno.make(URI, micro=False, **options)
    return [list(row) for row in code.matrix_iter(border=border)]


def modules(drawn: Drawn, cells: dict[str, tuple[int, int]]) -> Modules:
    """Return the modules that the characters stand for; all lines have the columns said."""
    assert {len(line) for line in drawn.lines} == {drawn.columns}
    rows: Modules = []
    for line in drawn.lines:
        rows += [[cells[cell][half] for cell in line] for half in (0, 1)]
    return rows


def uris(account: str, issuer: str) -> tuple[str, str]:
    """Return the full and the short URI of somebody's authenticator."""
    phone = Authenticator("00", "phone", Secret(bytes(range(20))), Parameters(), 0)
    full = authenticator.uri(phone, account, issuer)
    return full, authenticator.uri(phone, account, issuer, short=True)


def test_on_a_terminal_the_colours_are_said() -> None:
    """Each cell is two modules, light on dark, in explicit colours, line by line, with a quiet
    zone around."""
    drawn = picture.terminal(URI)
    found = [COLOURED.fullmatch(line) for line in drawn.lines]
    bare = Drawn(tuple(match[1] for match in found if match), drawn.columns)
    assert modules(bare, LIGHT_DRAWN)[:-1] == expected(2, error="l")
    assert drawn.text.count("\n") == len(drawn.lines) - 1


@pytest.mark.parametrize(("dark", "cells"), [(True, LIGHT_DRAWN), (False, DARK_DRAWN)])
def test_in_a_prompt_the_screen_has_the_colours(
    cells: dict[str, tuple[int, int]], *, dark: bool
) -> None:
    """A prompt's picture is half blocks and blanks alone, and its last half line is light."""
    drawn = picture.plain(URI, dark_screen=dark)
    *rows, last = modules(drawn, cells)
    assert rows == expected(2, error="l")
    assert set(last) == {0}


@pytest.mark.parametrize(
    ("account", "issuer"),
    [
        ("alice", "Example"),
        ("alice", "vpn.example.com"),
        ("firstname.lastname", "vpn.example.com"),
        ("jürgen.müller", "Beispiel GmbH"),
        ("alice", "Universität Musterstadt"),
        ("alice@corp.example.com", "Example Corporation"),
    ],
)
def test_usual_names_fit_the_screen(account: str, issuer: str) -> None:
    """With three lines below it the picture fits into 80x24, for usual names."""
    fitting = picture.fitting(*uris(account, issuer))
    for drawn in (picture.terminal(fitting), picture.plain(fitting, dark_screen=True)):
        assert len(drawn.lines) <= picture.SCREEN_LINES == 21
        assert drawn.columns <= 80


def test_the_longest_that_fits_is_shown() -> None:
    """The issuer stands twice where that fits, once where only that does; where nothing does,
    the last is taken."""
    assert picture.fitting("otpauth://totp/short", URI) == "otpauth://totp/short"
    full, short = uris("alice", "Universität Musterstadt")
    assert "issuer=" in full
    assert "issuer=" not in short
    assert picture.fitting(full, short) == short
    assert picture.fitting(full) == full
    long = uris("a" * 80, "Example")
    assert picture.fitting(*long) == long[1]


def test_what_no_code_can_hold_is_an_error() -> None:
    """Names beyond any QR code are an error with a hint, and never the choice."""
    beyond = URI + "A" * 3_000
    for make in (picture.terminal, picture.png, picture.svg, picture.svg_inline):
        with pytest.raises(EnrollmentError) as raised:
            make(beyond)
        assert raised.value.hint
    assert picture.fitting(beyond, URI) == URI


def strokes(svg: str | bytes) -> Iterator[tuple[int, int, int]]:
    """Yield row, column and length of each stroke of an SVG's second path."""
    (_, path) = ET.fromstring(svg)
    x = y = 0
    for kind, number, rest in re.findall(r"([Mmh])(\d+)(?: ([\d.]+))?", path.attrib["d"]):
        if kind == "M":
            x, y = int(number), int(float(rest))
        elif kind == "m":
            x += int(number)
        else:
            yield y, x, int(number)
            x += int(number)


@pytest.mark.parametrize("inline", [False, True])
def test_svg_has_the_modules(*, inline: bool) -> None:
    """The strokes of an SVG are the dark modules, within a quiet zone of four."""
    svg = picture.svg_inline(URI) if inline else picture.svg(URI)
    rows = expected(4, error="m", mask=4 if inline else None)
    assert ET.fromstring(svg).attrib["viewBox"] == f"0 0 {len(rows)} {len(rows)}"
    drawn = [[0] * len(rows) for _ in rows]
    for y, x, length in strokes(svg):
        drawn[y][x : x + length] = [1] * length
    assert drawn == rows


def test_png_is_one() -> None:
    """A PNG begins as one, and is as wide as its modules times eight."""
    png = picture.png(URI)
    side = len(expected(4, error="m")) * 8
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert png[16:24] == side.to_bytes(4, "big") * 2


@given(account=st.text(min_size=1, max_size=40), issuer=st.text(min_size=1, max_size=40))
@settings(max_examples=30, deadline=None)
def test_no_name_breaks_a_picture(account: str, issuer: str) -> None:
    """Whatever the names, there is a picture, and an SVG is well-formed."""
    full, short = uris(account + "\udcff", issuer)
    assert picture.fitting(full, short) in (full, short)
    assert picture.plain(short, dark_screen=True).lines
    assert ET.fromstring(picture.svg_inline(full)).tag.endswith("svg")
