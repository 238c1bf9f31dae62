"""A new authenticator: its secret, and the URI that an app scans."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Final
from urllib.parse import quote, urlencode

from pam_totp import token_secret
from pam_totp.account import Authenticator
from pam_totp.errors import EnrollmentError
from pam_totp.matching import RECOVERY_CODE
from pam_totp.otp import Parameters
from pam_totp.secret import Secret

SECRET_BYTES: Final = 20  # 160 bits: RFC 4226 section 4, R6
_LONGEST_NAME: Final = 40

Random = Callable[[int], bytes]


def new(
    name: str, parameters: Parameters, now: float, random: Random, *, secret: Secret | None = None
) -> Authenticator:
    """Return an authenticator with a fresh secret, or a token's own.

    Raises EnrollmentError for a name that cannot be one, or a secret that is too short.
    """
    kept = token_secret.checked(secret) if secret is not None else Secret(random(SECRET_BYTES))
    return Authenticator(random(4).hex(), checked_name(name), kept, parameters, int(now))


def checked_name(name: str) -> str:
    """Return a name as it is kept.  Raises EnrollmentError for one that cannot be one."""
    kept = name.strip()
    # Events say RECOVERY_CODE where no authenticator was used: none may be called that.
    if kept in ("", RECOVERY_CODE) or not name.isprintable() or len(name) > _LONGEST_NAME:
        raise EnrollmentError(
            f"{name!r} cannot be an authenticator's name: "
            f"1 to {_LONGEST_NAME} printable characters, and not {RECOVERY_CODE!r}",
            hint="choose another name, such as phone or tablet",
        )
    return kept


def base32(secret: Secret) -> str:
    """Return the secret as base32 without padding (RFC 4648), as apps take it."""
    return base64.b32encode(secret.reveal()).decode("ascii").rstrip("=")


def in_groups(text: str, size: int = 4) -> str:
    """Return text in groups, to be typed from paper."""
    return " ".join(text[at : at + size] for at in range(0, len(text), size))


def uri(
    authenticator: Authenticator,
    account: str,
    issuer: str,
    *,
    counter: int = 0,
    short: bool = False,
) -> str:
    """Return the otpauth:// URI of the key-uri format; parameters that are the default of
    every app are left out, because some apps misread them.

    `counter` is the next one of an HOTP token: the format wants it, and no period beside it.
    The format wants the issuer twice, for apps of its early days.  A `short` one has it in the
    label alone, for a picture that fits the screen (pam_totp.picture.fitting).
    """
    parameters = authenticator.parameters
    counts = parameters.type == "hotp"
    query = {"secret": base32(authenticator.secret)}
    if not short:
        query["issuer"] = issuer
    for name, value, usual in (
        ("algorithm", parameters.algorithm, "SHA1"),
        ("digits", parameters.digits, 6),
        ("period", parameters.period, parameters.period if counts else 30),
        ("counter", counter, None if counts else counter),
    ):
        if value != usual:
            query[name] = str(value)
    label = f"{quote(issuer, safe='')}:{quote(account, safe='', errors='replace')}"
    return f"otpauth://{parameters.type}/{label}?{urlencode(query, quote_via=quote)}"
