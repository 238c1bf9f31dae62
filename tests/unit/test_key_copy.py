"""Copies of the key file, and the way back from them."""

from __future__ import annotations

import pytest

from pam_totp import key_copy, keyfile
from pam_totp.key_copy import NoCopy
from pam_totp.keyfile import Dates
from pam_totp.secret import Secret
from pam_totp.store.seal import Keyring

RING = Keyring(
    "00000002",
    {"00000001": Secret(bytes(range(32))), "00000002": Secret(bytes(range(200, 232)))},
)
MADE = {"00000002": "2026-11-25"}
PHRASE = "a long walk in the rain"


def read(text: str) -> tuple[Keyring, Dates]:
    """Return what a copy holds that needs no passphrase."""

    def phrase() -> str:
        raise AssertionError("asked for a passphrase")

    return key_copy.read(text.encode(), "copy", phrase)


def same(ring: Keyring) -> bool:
    """Whether these are the keys that were copied."""
    return (ring.current, {i: k.reveal() for i, k in ring.keys.items()}) == (
        RING.current,
        {i: k.reveal() for i, k in RING.keys.items()},
    )


def test_under_a_passphrase() -> None:
    """The copy shows no key, and opens with its passphrase, the days included."""
    sealed = key_copy.sealed(RING, MADE, PHRASE)
    assert RING.keys["00000001"].reveal().hex().encode() not in sealed
    ring, made_on = key_copy.read(sealed, "copy", lambda: PHRASE)
    assert same(ring)
    assert made_on == MADE


def test_on_paper() -> None:
    """The paper says what it is, has the current key first, and is read back, however its
    lines are spaced and whatever of the words is left out."""
    paper = key_copy.paper(RING, MADE, "vpn1")
    assert "vpn1" in paper
    assert paper.index("key 00000002, current, made 2026-11-25") < paper.index("key 00000001")
    assert same(read(paper)[0])
    typed = [line for line in paper.splitlines() if line[:3] == "key" or line[:1].isdigit()]
    assert same(read("\r\n".join(f"  {line.upper()}  " for line in typed))[0])


@pytest.mark.parametrize("number", range(1, 5))
def test_mistyped(number: int) -> None:
    """One digit that is wrong is said with its line, and no key is shown."""
    lines = key_copy.paper(RING, {}, "vpn1").splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith(f"{number} "))
    digit = lines[at][2]
    lines[at] = f"{lines[at][:2]}{'1' if digit == '0' else '0'}{lines[at][3:]}"
    with pytest.raises(NoCopy, match=f"00000002: line {number} is mistyped") as caught:
        read("\n".join(lines))
    assert "c8c9" not in str(caught.value)


def test_lines_that_are_not_there() -> None:
    """A line too few, one twice, and two in the wrong order are none of them taken."""
    key, *rows = key_copy.paper(Keyring("00000001", dict(RING.keys)), {}, "x").splitlines()[4:9]
    assert len(rows) == 4
    for wrong in (rows[:3], [*rows, rows[3]], [rows[1], rows[0], *rows[2:]]):
        with pytest.raises(NoCopy):
            read("\n".join([key, *wrong]))


def test_the_file_itself() -> None:
    """A copy of the key file is one too."""
    ring, made_on = read(keyfile.text_of(RING, MADE))
    assert same(ring)
    assert made_on == MADE


@pytest.mark.parametrize("text", ["", "rubbish", "00000001", "\xff\0"])
def test_no_copy(text: str) -> None:
    """Anything else is said to be none."""
    with pytest.raises(NoCopy, match="no copy of a key"):
        read(text)
