"""What leaves the machine under a passphrase: scrypt (RFC 7914) and AES-256-GCM.

JSON: v, what, scrypt {n, r, p, salt}, nonce, sealed; all bytes in base64
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from pam_totp.errors import PamTotpError

LEAST: Final = 15  # characters
_VERSION: Final = 1
_N, _R, _P = 2**17, 8, 1  # 128 MB, a quarter of a second
_MOST_N, _MOST_R, _MOST_P = 2**20, 16, 4
_KEY_BYTES: Final = 32

Random = Callable[[int], bytes]


class PassphraseError(PamTotpError):
    """A passphrase that cannot be used, or a file that it does not open."""


def check(passphrase: str) -> None:
    """Raise PassphraseError for one that is too short to keep anything safe."""
    if len(passphrase) < LEAST:
        raise PassphraseError(f"a passphrase has {LEAST} characters or more: several words do well")


def seal(what: str, plain: bytes, passphrase: str, random: Random = os.urandom) -> bytes:
    """Return `plain` under a passphrase; `what` says what it is, to whoever finds the file."""
    salt, nonce = random(16), random(12)
    head = {"v": _VERSION, "what": what, "scrypt": [_N, _R, _P, _text(salt)], "nonce": _text(nonce)}
    key = _derived(passphrase, salt, _N, _R, _P)
    sealed = AESGCM(key).encrypt(nonce, plain, _bound(head))
    return json.dumps({**head, "sealed": _text(sealed)}, indent=1).encode() + b"\n"


def unseal(what: str, data: bytes, passphrase: str) -> bytes:
    """Return what is in there.  Raises PassphraseError."""
    try:
        found = json.loads(data)
        n, r, p, salt = found["scrypt"]
        head = {name: found[name] for name in ("v", "what", "scrypt", "nonce")}
        nonce, sealed = base64.b64decode(found["nonce"]), base64.b64decode(found["sealed"])
        salt = base64.b64decode(salt)
        usable = n <= _MOST_N and r <= _MOST_R and p <= _MOST_P
    except (ValueError, KeyError, TypeError) as error:
        raise PassphraseError(f"expected a {what} of pam-totp, in JSON") from error
    if head["v"] != _VERSION or head["what"] != what or not usable:
        raise PassphraseError(f"expected a {what} of pam-totp, of a version that this one knows")
    try:
        return AESGCM(_derived(passphrase, salt, n, r, p)).decrypt(nonce, sealed, _bound(head))
    except InvalidTag:
        raise PassphraseError(
            "it does not open: another passphrase, or the file was altered"
        ) from None
    except ValueError as error:
        raise PassphraseError(f"expected a {what} of pam-totp") from error


def _derived(passphrase: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return Scrypt(salt=salt, length=_KEY_BYTES, n=n, r=r, p=p).derive(passphrase.encode())


def _bound(head: dict[str, Any]) -> bytes:
    return json.dumps(head, sort_keys=True).encode()


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
