"""What the popular authenticator apps make of an authenticator's parameters.

An app that ignores a parameter shows codes all the same, and they are wrong: whoever chooses
another value than the usual one is told so before the picture is scanned.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pam_totp.otp import Parameters

GOOGLE: Final = "Google Authenticator"
MICROSOFT: Final = "Microsoft Authenticator"

IGNORED_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "type": (MICROSOFT,),
    "algorithm": (GOOGLE, MICROSOFT),
    "digits": (GOOGLE, MICROSOFT),
    "period": (GOOGLE, MICROSOFT),
}
"""The parameters that not every app goes by, in the order in which they are told: which apps, in
some of their versions, take the usual value instead."""

_USUAL: Final = Parameters()


def ignored(parameters: Parameters) -> tuple[str, ...]:
    """Return the parameters that are not as every app takes them, in the order of IGNORED_BY.

    The period of a token that counts is none: nothing goes by it.
    """
    counts = parameters.type == "hotp"
    return tuple(
        name
        for name in IGNORED_BY
        if getattr(parameters, name) != getattr(_USUAL, name) and not (counts and name == "period")
    )
