"""Secrets as people type them from a token's papers."""

from __future__ import annotations

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pam_totp.authenticator import base32, in_groups, new
from pam_totp.errors import EnrollmentError
from pam_totp.otp import Parameters
from pam_totp.secret import Secret
from pam_totp.token_secret import LEAST_BITS, MOST_BYTES, checked, parse

RFC = b"12345678901234567890"  # RFC 4226 appendix D
AS_BASE32 = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
AS_HEX = "3132333435363738393031323334353637383930"
LENGTHS = st.binary(min_size=LEAST_BITS // 8, max_size=64)
SEPARATORS = st.sampled_from(["", " ", "-", "  ", "\t", "\u00a0"])


@pytest.mark.parametrize(
    "typed",
    [
        AS_BASE32,
        AS_BASE32.lower(),
        in_groups(AS_BASE32),
        in_groups(AS_BASE32).replace(" ", "-"),
        f"  {AS_BASE32}\n",
        f"{AS_BASE32}======",
        f"base32:{AS_BASE32}",
        f"BASE32: {AS_BASE32}",
        AS_BASE32.replace("O", "0"),
        AS_HEX,
        f"0x{AS_HEX}",
        f"0X{AS_HEX}",
        in_groups(AS_HEX, 2),
        in_groups(AS_HEX, 2).replace(" ", ":"),
        in_groups(AS_HEX, 2).replace(" ", "-"),
        f"hex:{AS_HEX}",
        f"Hex: 0x{AS_HEX}",
        f"hex:{in_groups(AS_HEX, 2).replace(' ', ':')}",
    ],
)
def test_every_form(typed: str) -> None:
    """Base32 and hex are read with any case, blanks, dashes, padding, colons and prefixes."""
    assert parse(typed).reveal() == RFC


@pytest.mark.parametrize(("typed", "meant"), [("0", "O"), ("1", "L"), ("8", "B")])
def test_look_alikes(typed: str, meant: str) -> None:
    """0, 1 and 8, which base32 has not, are read as the letters that they look like."""
    there = "ZY" + meant + "XWVUT" * 5
    assert parse(there.replace(meant, typed)) == parse(there)


@pytest.mark.parametrize("digit", "0189")
def test_hex_that_base32_is_not(digit: str) -> None:
    """Text of hex digits is hex as soon as it has a digit that base32 has not."""
    typed = digit + "A2" * 20 + "B"
    assert parse(typed).reveal() == bytes.fromhex(typed)


@given(LENGTHS, SEPARATORS, st.integers(1, 5), st.booleans())
def test_any_secret(secret: bytes, separator: str, size: int, lower: bool) -> None:  # noqa: FBT001
    """Whatever secret a token has: written in either form with its prefix it is read, and
    without the prefix it is read as the same or refused, never as another."""
    for form, text in (
        ("base32", base64.b32encode(secret).decode().rstrip("=")),
        ("hex", secret.hex().upper()),
    ):
        typed = in_groups(text, size).replace(" ", separator)
        typed = typed.lower() if lower else typed
        assert parse(f"{form}:{typed}").reveal() == secret
        try:
            assert parse(typed).reveal() == secret
        except EnrollmentError as error:
            assert "as base32 and as hex" in str(error)  # noqa: PT017


def test_what_could_be_both() -> None:
    """What is base32 and hex alike is refused and not guessed; each prefix decides it, and so
    does what only one of them has."""
    typed = "ABCDEF234567" * 2 + "ABCDEF23"
    with pytest.raises(EnrollmentError, match="as base32 and as hex") as caught:
        parse(typed)
    assert caught.value.hint == ("write base32: or hex: in front of it, as the token's papers say")
    as_hex, as_base32 = bytes.fromhex(typed), base64.b32decode(typed)
    assert parse(f"hex:{typed}").reveal() == as_hex
    assert parse(f"0x{typed}").reveal() == as_hex
    assert parse(in_groups(typed, 2).replace(" ", ":")).reveal() == as_hex
    assert parse(f"base32:{typed}").reveal() == as_base32
    assert parse(typed + "A" * 5).reveal()[:20] == as_base32  # an odd number: never hex
    assert parse(typed + "AA" * 3).reveal() == as_hex + b"\xaa" * 3  # 38: never base32


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("", "no secret was given"),
        (" - ", "no secret was given"),
        ("hex:", "no secret was given"),
        ("base32: ==", "the secret has 0 bits"),
        ("JBSWY3DPEHPK3PXP", "the secret has 80 bits, and 128 are the least"),
        ("hex:" + "ab" * 15, "the secret has 120 bits, and 128 are the least"),
        (AS_BASE32[:25], "no length of base32: some are missing"),
        ("9" * 33, "33 hex digits"),
        (f"hex:{AS_HEX}a", "41 hex digits"),
        ("hex:" + "zz" * 20, "character 1 of the secret is no hex digit"),
        ("3a:3b:zz" + ":00" * 20, "character 5 of the secret is no hex digit"),
        (f"base32:{AS_BASE32[:7]}9{AS_BASE32}", "character 8 of the secret is no character of"),
        (f"{AS_BASE32}=A", "character 33 of the secret is no character of base32"),
        ("base64:" + AS_BASE32, "character 7 of the secret is no character of base32"),
        ("otpauth://totp/a?secret=" + AS_BASE32, "of the secret is no"),
        ("hex:" + "ab" * (MOST_BYTES + 1), "the secret has 513 bytes, and 512 are the most"),
        ("Z" * 1_000_000, "the secret has 625000 bytes"),
    ],
)
def test_what_is_refused(typed: str, words: str) -> None:
    """Each mistake has a sentence of its own and says what to do."""
    with pytest.raises(EnrollmentError, match=re.escape(words)) as caught:
        parse(typed)
    assert caught.value.hint


@pytest.mark.parametrize(
    "typed",
    [
        f"{AS_BASE32}\x1b[31m",
        f"\x00{AS_BASE32}",
        f"\x07{AS_HEX}",
        f"{AS_HEX}\u202e",
        f"{AS_HEX}é",
        f"\ufeff{AS_BASE32}",
        f"{AS_BASE32[:-1]}\u017f",  # its capital is an S
        f"{AS_HEX}٣",  # a digit, and none of hex
        f"base32:{AS_BASE32}ß",
    ],
)
def test_what_no_secret_has(typed: str) -> None:
    """Characters that no secret has are refused, and none of them is shown."""
    with pytest.raises(EnrollmentError) as caught:
        parse(typed)
    said = f"{caught.value} {caught.value.hint}"
    assert said.isascii()
    assert said.isprintable()


@given(st.text(max_size=60) | st.text("ABCDEFabcdef01234567890:-= xX\x1b", min_size=20))
def test_no_error_shows_a_secret(typed: str) -> None:
    """Whatever is typed, it is a secret or refused with words that hold nothing of it."""
    try:
        assert len(parse(typed).reveal()) * 8 >= LEAST_BITS
    except EnrollmentError as error:
        said = f"{error} {error.hint}"
        assert said.isprintable()
        assert said.isascii()
        for at in range(len(typed) - 7):
            assert typed[at : at + 8] not in said


@pytest.mark.parametrize(("length", "fits"), [(0, False), (15, False), (16, True), (512, True)])
def test_the_least(length: int, fits: bool) -> None:  # noqa: FBT001
    """128 bits are the least for a new authenticator, whatever gave it its secret."""
    secret = Secret(b"k" * length)
    if fits:
        assert checked(secret) is secret
        made = new("token", Parameters(type="hotp"), 0, lambda n: b"r" * n, secret=secret)
        assert made.secret == secret
        assert parse(f"base32:{base32(made.secret)}") == secret
        return
    with pytest.raises(EnrollmentError, match=f"the secret has {length * 8} bits, and 128"):
        new("token", Parameters(), 0, lambda n: b"r" * n, secret=secret)
