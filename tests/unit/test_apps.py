"""What apps make of parameters."""

from __future__ import annotations

import itertools

import pytest

from pam_totp.apps import GOOGLE, IGNORED_BY, MICROSOFT, ignored
from pam_totp.otp import ALGORITHMS, DIGITS, TYPES, Parameters


@pytest.mark.parametrize(
    ("parameters", "names"),
    [
        (Parameters(), ()),
        (Parameters("SHA256"), ("algorithm",)),
        (Parameters("SHA512", 8, 60), ("algorithm", "digits", "period")),
        (Parameters(digits=7), ("digits",)),
        (Parameters(period=60), ("period",)),
        (Parameters(type="hotp"), ("type",)),
        (Parameters("SHA256", 8, 60, "hotp"), ("type", "algorithm", "digits")),
    ],
)
def test_what_apps_ignore(parameters: Parameters, names: tuple[str, ...]) -> None:
    """Each parameter that not every app goes by is named; the usual ones have no warning, and
    the period of a token that counts neither."""
    assert ignored(parameters) == names


def test_each_is_some_apps() -> None:
    """Whatever is named has the apps that ignore it."""
    for parts in itertools.product(ALGORITHMS, DIGITS, (15, 30, 120), TYPES):
        for name in ignored(Parameters(*parts)):
            assert set(IGNORED_BY[name]) <= {GOOGLE, MICROSOFT}
            assert IGNORED_BY[name]
