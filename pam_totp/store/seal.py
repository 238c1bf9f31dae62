"""Sealing: secrets are encrypted under a key that lives apart from the data.

AES-256-GCM under a key derived for each record by HKDF-SHA-256 (RFC 5869); what the record is
and where it belongs is authenticated with it, so that a record can be neither altered nor
moved to another account, type, version or store.

    sealed   magic (8) | key id (8) | version (8, big-endian) | salt (16) | nonce (12) | AES-GCM
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from pam_totp.errors import SealError, UnknownKey
from pam_totp.secret import Secret

MAGIC: Final = b"pamtotp\x01"
KEY_BYTES: Final = 32
_HEAD: Final = struct.Struct(">8s8sQ16s12s")

Random = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record belongs: the store's id, the record's type, account and record id."""

    store: str
    kind: str
    account: str
    record: str

    def encoded(self) -> bytes:
        """Return the place as bytes that no other place has: each part with its length."""
        parts = (self.store, self.kind, self.account, self.record)
        raw = (p.encode("utf-8", "surrogateescape") for p in parts)
        return b"".join(struct.pack(">I", len(r)) + r for r in raw)


@dataclass(frozen=True, slots=True)
class Keyring:
    """The sealing keys by their ids (8 hex digits); `current` seals, all of them open.  `reload`
    looks at where they come from again, if they come from anywhere.

    Raises UnknownKey if `current` is not among them.
    """

    current: str
    keys: dict[str, Secret]
    reload: Callable[[], Keyring] | None = field(default=None, compare=False, repr=False)
    _fingerprint_key: Secret = field(init=False)

    def __post_init__(self) -> None:
        # Derived once: it is of no record, and each login needs it.
        derived = Secret(self._derived(self.current, b"", b"fingerprint"))
        object.__setattr__(self, "_fingerprint_key", derived)

    def seal(self, plain: bytes, place: Place, version: int, random: Random = os.urandom) -> bytes:
        """Return `plain` sealed for one place and version."""
        head = _HEAD.pack(MAGIC, self.current.encode(), version, random(16), random(12))
        return head + self._cipher(head, place).encrypt(_nonce(head), plain, _bound(head, place))

    def open(self, sealed: bytes, place: Place) -> tuple[int, bytes]:
        """Return version and plain bytes of a record.

        Raises SealError if it is not one, was sealed under an unknown key, was altered, or
        belongs elsewhere.
        """
        self.key_id(sealed)
        head, body = sealed[: _HEAD.size], sealed[_HEAD.size :]
        try:
            plain = self._cipher(head, place).decrypt(_nonce(head), body, _bound(head, place))
        except InvalidTag as error:
            raise SealError("altered, or moved here from another place") from error
        return _HEAD.unpack(head)[2], plain

    @staticmethod
    def key_id(sealed: bytes) -> str:
        """Return the id of the key that a record was sealed under.  Raises SealError."""
        if len(sealed) < _HEAD.size or not sealed.startswith(MAGIC):
            raise SealError("not a sealed record of this version")
        return str(_HEAD.unpack(sealed[: _HEAD.size])[1].decode("ascii", "replace"))

    def fingerprint(self, text: str) -> str:
        """Return a keyed hash of `text`, 16 hex digits.

        Its key goes with the current one.  So a code that is sent again by itself across a
        rotation may count a second time, once; what an old key could tell of the codes that
        were typed it tells no more.
        """
        key = self._fingerprint_key.reveal()
        raw = text.encode("utf-8", "surrogatepass")
        return hashlib.blake2s(raw, key=key, digest_size=8).hexdigest()

    def _cipher(self, head: bytes, place: Place) -> AESGCM:
        _, key_id, _, salt, _ = _HEAD.unpack(head)
        return AESGCM(self._derived(key_id.decode("ascii", "replace"), salt, place.encoded()))

    def _derived(self, key_id: str, salt: bytes, info: bytes) -> bytes:
        try:
            key = self.keys[key_id]
        except KeyError:
            raise UnknownKey(
                f"sealed under key {key_id!r}, which is not in the key file",
                hint="put the key file back from its copy, or: pam-totp key import COPY; without "
                "a copy: pam-totp key lost",
            ) from None
        return HKDF(SHA256(), KEY_BYTES, salt, b"pam-totp seal 1\0" + info).derive(key.reveal())


def _nonce(head: bytes) -> bytes:
    return head[-12:]


def _bound(head: bytes, place: Place) -> bytes:
    return head + place.encoded()
