"""HOTP and TOTP values (RFC 4226, RFC 6238).

The hash is OpenSSL's, called once for each value; a login compares several, a refusal dozens.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Final, Literal, get_args

from pam_totp.secret import Secret

Type = Literal["totp", "hotp"]
TYPES: Final = get_args(Type)
# SHA-1 is RFC 4226's own hash and what every authenticator app speaks; HMAC-SHA-1 is not
# touched by SHA-1's collisions.
ALGORITHMS: Final = ("SHA1", "SHA256", "SHA512")
DIGITS: Final = range(6, 9)
PERIODS: Final = range(15, 121)
COUNTERS: Final = range(2**53)  # RFC 4226's have 64 bits; whole numbers in every JSON reader


@dataclass(frozen=True, slots=True)
class Parameters:
    """How codes are made: `algorithm` by name, `digits` 6 to 8, `period` 15 to 120 seconds,
    and what is counted: `type` "totp" counts periods of time, "hotp" the codes themselves
    (the period says nothing then)."""

    algorithm: str = "SHA1"
    digits: int = 6
    period: int = 30
    type: Type = "totp"

    def __post_init__(self) -> None:
        if self.algorithm not in ALGORITHMS:
            raise ValueError(f"algorithm {self.algorithm!r}: one of {', '.join(ALGORITHMS)}")
        if self.digits not in DIGITS:
            raise ValueError(f"digits {self.digits!r}: 6, 7 or 8")
        if self.period not in PERIODS:
            raise ValueError(f"period {self.period!r}: 15 to 120 seconds")
        if self.type not in TYPES:
            raise ValueError(f"type {self.type!r}: totp or hotp")


def step_at(now: float, period: int) -> int:
    """Return the time step T of `now` (UTC seconds), counted from T0 = 0 (RFC 6238 4.2)."""
    return int(now // period)


def hotp(secret: Secret, counter: int, parameters: Parameters) -> str:
    """Return the HOTP value of `counter` as `digits` ASCII digits (RFC 4226 section 5.3).

    TOTP is the same function with the time step as the counter (RFC 6238 section 4).
    A secret shorter than RFC 4226 asks for is computed all the same: imported ones exist,
    and whether to take one in is decided where it is taken in.
    """
    mac = hmac.digest(secret.reveal(), counter.to_bytes(8, "big"), parameters.algorithm.lower())
    start = mac[-1] & 0x0F  # the "dynamic truncation": 31 bits at a place that the MAC names
    number = int.from_bytes(mac[start : start + 4], "big") & 0x7FFF_FFFF
    return str(number % 10**parameters.digits).zfill(parameters.digits)
