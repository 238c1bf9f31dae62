"""Recovery codes."""

from __future__ import annotations

import math
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pam_totp import recovery

PRINTED = "rc-7k2mq-x9d4w-hn3ve"
NORMAL = "rc7k2mqx9d4whn3ve"


def test_how_hard_to_guess() -> None:
    """A code has at least 64 bits, and no letter that is taken for another."""
    choices: list[int] = []

    def choose(alphabet: str) -> str:
        choices.append(len(set(alphabet)))
        assert not set(alphabet) & set("il1o0")
        return secrets.choice(alphabet)

    recovery.generate(choose)
    assert math.prod(choices) >= 2**64


def test_a_generated_code_is_found() -> None:
    """A generated code is taken as it is printed, and cut off the end of a field."""
    for _ in range(200):
        code = recovery.generate(secrets.choice)
        assert recovery.normalise(code) == code.replace("-", "")
        assert recovery.printed_at_end("hunter2" + code) == code
        assert code.startswith("rc-")
        assert code[-1].isalpha()


@given(st.data())
def test_any_typing(data: st.DataObject) -> None:
    """Case, blanks and dashes anywhere do not matter."""
    between = st.text(" -\t\u00a0", max_size=2)
    cases = st.sampled_from([str.lower, str.upper])
    typed = "".join(data.draw(between) + data.draw(cases)(letter) for letter in NORMAL)
    assert recovery.normalise(typed) == NORMAL


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "rc",
        NORMAL[2:],
        NORMAL[:-1],
        NORMAL + "e",
        NORMAL.replace("7", "1"),
        NORMAL.replace("k", "i"),
        NORMAL[:-1] + "2",
        "xc" + NORMAL[2:],
        NORMAL.replace("7", "\uff17"),
        NORMAL + "\0",
        NORMAL.replace("7", "_"),
        "123456",
    ],
)
def test_what_has_not_the_shape(typed: str) -> None:
    """What has not a code's shape is no code."""
    assert recovery.normalise(typed) is None


def test_a_hash_is_salted_and_its_own() -> None:
    """The stored hash changes with the salt and with the code, and holds neither."""
    one = recovery.digest(NORMAL, b"salt")
    assert one != recovery.digest(NORMAL, b"pepper")
    assert one != recovery.digest(NORMAL[:-1] + "f", b"salt")
    assert one == recovery.digest(NORMAL, b"salt")
    assert len(bytes.fromhex(one)) == 32


@given(st.text(max_size=60))
def test_any_text(typed: str) -> None:
    """Any text is a code of the one shape, or none."""
    found = recovery.normalise(typed)
    assert found is None or (len(found) == len(NORMAL) and found.isascii())
    end = recovery.printed_at_end(typed)
    assert end is None or typed.endswith(end)
