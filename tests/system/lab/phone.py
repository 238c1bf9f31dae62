"""Authenticator apps that share no line with the product: one written from the RFCs, and one made
of oathtool."""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct
import subprocess
import time
from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import parse_qs, unquote, urlsplit

from tests.system.lab.wait import DEADLINE, wait_for

PERIOD: Final = 30
_ENOUGH: Final = 20  # seconds of a step that a login at its end still needs


def totp(secret: str, step: int) -> str:
    """Return the six digits for a time step (RFC 4226, section 5.3; RFC 6238)."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.new(key, struct.pack(">Q", step), hashlib.sha1).digest()
    offset = digest[-1] & 0xF
    (number,) = struct.unpack_from(">I", digest, offset)
    return f"{(number & 0x7FFFFFFF) % 1_000_000:06}"


def now() -> tuple[int, float]:
    """Return the present time step and the seconds that are left of it."""
    step, gone = divmod(time.time(), PERIOD)
    return int(step), PERIOD - gone


@dataclass
class Phone:
    """One enrolled authenticator.  A code counts as given once it has been asked for."""

    secret: str
    recovery_codes: list[str]
    _last: int = -1
    _wrong: set[str] = field(default_factory=set)

    def code(self, step: int) -> str:
        """Return the code of a time step."""
        return totp(self.secret, step)

    def fresh_code(self) -> str:
        """Return a code that is right now and was not given before.

        There are up to three at any moment, the last step's included: two logins in a row
        never wait, and seldom three.
        """
        step, left = now()
        first = step - 1 if left > _ENOUGH else step
        wanted = max(self._last + 1, first)
        wait_for(lambda: wanted <= now()[0] + 1, f"step {wanted}", 2 * PERIOD)
        self._last = wanted
        return self.code(wanted)

    def wrong_code(self) -> str:
        """Return a code that is not right at any time near, another one at each call."""
        step, _ = now()
        near = {self.code(step + offset) for offset in range(-10, 11)}
        wrong = next(
            code
            for code in (f"{number:06}" for number in range(1_000_000))
            if code not in near and code not in self._wrong
        )
        self._wrong.add(wrong)
        return wrong


@dataclass
class OathPhone(Phone):
    """A phone whose codes oathtool makes.  What it is given is what a person has: a picture or a
    key."""

    account: str = ""
    issuer: str = ""

    @classmethod
    def scanned(cls, uri: str) -> Self:
        """Return the phone that has scanned a code of this content."""
        parts = urlsplit(uri)
        assert (parts.scheme, parts.netloc) == ("otpauth", "totp"), uri
        values = {name: value for name, (value,) in parse_qs(parts.query).items()}
        issuer, _, account = unquote(parts.path.removeprefix("/")).rpartition(":")
        phone = cls(values.pop("secret"), [], account=account, issuer=issuer)
        assert values.pop("issuer", issuer) == issuer, uri
        # What the apps take for granted may be said or left out.
        usual = {"algorithm": "SHA1", "digits": "6", "period": str(PERIOD)}
        assert usual | values == usual, uri
        return phone

    @classmethod
    def typed(cls, key: str) -> Self:
        """Return the phone into which somebody has typed the key."""
        return cls(key, [])

    def code(self, step: int) -> str:
        options = ["--totp", "--base32", f"--now=@{step * PERIOD}"]
        done = subprocess.run(
            ["oathtool", *options, self.secret],
            check=True,
            text=True,
            capture_output=True,
            timeout=DEADLINE,
        )
        return done.stdout.strip()
