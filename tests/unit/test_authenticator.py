"""New authenticators, and the URIs that apps scan."""

from __future__ import annotations

import base64
import itertools
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from pam_totp.account import Authenticator
from pam_totp.authenticator import new, uri
from pam_totp.otp import ALGORITHMS, DIGITS, TYPES, Parameters
from pam_totp.secret import Secret

KEY = b"12345678901234567890"
PERIODS = (15, 30, 60, 120)
EVERY = [Parameters(*p) for p in itertools.product(ALGORITHMS, DIGITS, PERIODS, TYPES)]


def of(parameters: Parameters) -> Authenticator:
    """Return an authenticator."""
    return Authenticator("id", "phone", Secret(KEY), parameters)


@pytest.mark.parametrize("short", [False, True])
@pytest.mark.parametrize("parameters", EVERY, ids=str)
def test_every_uri(parameters: Parameters, short: bool) -> None:  # noqa: FBT001
    """Whatever the parameters, the URI says them as an app reads it: what it leaves out is what
    each app takes without, a counter is of HOTP alone and a period of TOTP alone."""
    parts = urlsplit(uri(of(parameters), "alice", "VPN & co", counter=17, short=short))
    assert (parts.scheme, parts.netloc) == ("otpauth", parameters.type)
    assert unquote(parts.path) == "/VPN & co:alice"
    said = {name: value for name, (value,) in parse_qs(parts.query, strict_parsing=True).items()}
    assert base64.b32decode(said.pop("secret")) == KEY
    assert said.pop("issuer", None) == (None if short else "VPN & co")
    read = Parameters(
        said.pop("algorithm", "SHA1"),
        int(said.pop("digits", "6")),
        int(said.pop("period", "30")) if parameters.type == "totp" else parameters.period,
        parameters.type,
    )
    assert read == parameters
    assert said == ({"counter": "17"} if parameters.type == "hotp" else {})


def test_the_usual_uri() -> None:
    """What every app takes without being told is left out."""
    usual = "otpauth://{}/Example:alice?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Example"
    assert uri(of(Parameters()), "alice", "Example") == usual.format("totp")
    token = of(Parameters(type="hotp"))
    assert uri(token, "alice", "Example") == usual.format("hotp") + "&counter=0"


def test_a_new_secret() -> None:
    """An app's secret is drawn with 160 bits; a token keeps its own."""
    drawn = new("phone", Parameters(), 7, lambda length: b"\xa5" * length)
    assert drawn.secret == Secret(b"\xa5" * 20)
    given = new("token", Parameters(type="hotp"), 7, lambda n: b"\xa5" * n, secret=Secret(KEY))
    assert (given.secret, given.parameters.type, given.created) == (Secret(KEY), "hotp", 7)
