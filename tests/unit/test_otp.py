"""HOTP and TOTP values, against the RFCs' own tables."""

from __future__ import annotations

import hmac
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pam_totp.otp import ALGORITHMS, DIGITS, PERIODS, Parameters, hotp, step_at
from pam_totp.secret import Secret
from tests.unit.world import totp

VECTORS = Path(__file__).parents[1] / "vectors"
SEED_BYTES = {"SHA1": 20, "SHA256": 32, "SHA512": 64}


def rows(name: str) -> list[list[str]]:
    """Return the rows of a vector file, in its order."""
    lines = (VECTORS / name).read_text(encoding="ascii").splitlines()
    return [line.split() for line in lines if line and not line.startswith("#")]


def seed(length: int) -> bytes:
    """Return the ASCII digits that the RFCs use as secret."""
    return (b"1234567890" * 7)[:length]


RFC4226 = rows("rfc4226-appendix-d.txt")
RFC6238 = rows("rfc6238-appendix-b.txt")


def test_the_tables_are_whole() -> None:
    """The vector files hold all ten rows of RFC 4226 and all eighteen of RFC 6238."""
    assert [int(row[0]) for row in RFC4226] == list(range(10))
    times = [59, 1111111109, 1111111111, 1234567890, 2000000000, 20000000000]
    assert [(int(r[0]), r[4]) for r in RFC6238] == [(t, mode) for t in times for mode in ALGORITHMS]


@pytest.mark.parametrize(("count", "mac", "hexadecimal", "decimal", "value"), RFC4226)
def test_rfc4226(count: str, mac: str, hexadecimal: str, decimal: str, value: str) -> None:
    """Each row of RFC 4226 appendix D is computed, and with seven and eight digits its
    decimal number modulo a power of ten."""
    secret = Secret(seed(20))
    assert hmac.new(seed(20), int(count).to_bytes(8, "big"), "sha1").hexdigest() == mac
    assert int(hexadecimal, 16) == int(decimal)
    assert hotp(secret, int(count), Parameters(digits=6)) == value
    assert hotp(secret, int(count), Parameters(digits=7)) == decimal[-7:].zfill(7)
    assert hotp(secret, int(count), Parameters(digits=8)) == decimal[-8:].zfill(8)


@pytest.mark.parametrize(("time", "utc", "step", "value", "mode"), RFC6238)
def test_rfc6238(time: str, utc: str, step: str, value: str, mode: str) -> None:
    """Each row of RFC 6238 appendix B is computed, each mode with a secret of its own length."""
    assert datetime.fromtimestamp(int(time), UTC).strftime("%Y-%m-%dT%H:%M:%S") == utc
    parameters = Parameters(mode, 8, 30)
    assert step_at(int(time), 30) == int(step, 16)
    assert hotp(Secret(seed(SEED_BYTES[mode])), int(step, 16), parameters) == value


@pytest.mark.parametrize("period", PERIODS)
def test_a_step_begins_with_its_first_moment(period: int) -> None:
    """A step holds its first moment and not the first moment of the next, whatever the period."""
    begin = 1000 * period
    assert step_at(begin, period) == 1000
    assert step_at(begin + period - 0.001, period) == 1000
    assert step_at(begin + period, period) == 1001
    assert step_at(begin - 0.001, period) == 999
    assert step_at(0, period) == 0


@given(
    st.binary(min_size=1, max_size=80),
    st.integers(0, 2**63),
    st.sampled_from(sorted(ALGORITHMS)),
    st.sampled_from(DIGITS),
)
def test_any_secret(secret: bytes, step: int, algorithm: str, digits: int) -> None:
    """For any secret, step, hash and length the value is what the RFC's formula says, in
    exactly so many ASCII digits, leading zeros included."""
    code = hotp(Secret(secret), step, Parameters(algorithm, digits, 30))
    assert code == totp(secret, step, digits, algorithm)
    assert len(code) == digits
    assert code.isascii()
    assert code.isdigit()


@pytest.mark.parametrize("digits", [-6, 0, 5, 9, 10])
def test_digits_out_of_range(digits: int) -> None:
    """Codes have 6, 7 or 8 digits and nothing else."""
    with pytest.raises(ValueError, match="6, 7 or 8"):
        Parameters(digits=digits)


@pytest.mark.parametrize("period", [-30, 0, 14, 121])
def test_period_out_of_range(period: int) -> None:
    """A step lasts 15 to 120 seconds."""
    with pytest.raises(ValueError, match="15 to 120"):
        Parameters(period=period)


@pytest.mark.parametrize("algorithm", ["MD5", "sha1", "SHA224", ""])
def test_unknown_algorithm(algorithm: str) -> None:
    """A hash that RFC 6238 does not name is no parameter."""
    with pytest.raises(ValueError, match="one of SHA1, SHA256, SHA512"):
        Parameters(algorithm=algorithm)


@pytest.mark.parametrize("type_", ["TOTP", "motp", ""])
def test_unknown_type(type_: str) -> None:
    """What counts is time or a counter, and nothing else."""
    with pytest.raises(ValueError, match="totp or hotp"):
        Parameters(type=type_)  # type: ignore[arg-type]
