"""The PAM environment as a mapping: what libpam's pam_getenv and pam_putenv reach."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Protocol

from pam_totp.bridge import wire


class Ask(Protocol):
    """How a question reaches the bridge: raises where the answer is a failure."""

    def __call__(self, request: bytes, *, values: int | None = 0) -> list[str | None]:
        """Return the reply's values, of which there must be `values` (None: any number)."""


class Environment(MutableMapping[str, str]):
    """`pamh.env`.  Every access asks libpam, as other modules may have changed it."""

    __slots__ = ("_ask",)

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def __getitem__(self, name: str) -> str:
        (value,) = self._ask(wire.encode_text(wire.Type.GETENV, _checked(name)), values=1)
        if value is None:
            raise KeyError(name)
        return value

    def __setitem__(self, name: str, value: str) -> None:
        self._ask(wire.encode_text(wire.Type.PUTENV, f"{_checked(name)}={value}"))

    def __delitem__(self, name: str) -> None:
        if name not in self:
            raise KeyError(name)
        self._ask(wire.encode_text(wire.Type.PUTENV, name))

    def __iter__(self) -> Iterator[str]:
        return iter(self._snapshot())

    def __len__(self) -> int:
        return len(self._snapshot())

    def copy(self) -> dict[str, str]:
        """Return all of it as it is now, in one question."""
        return self._snapshot()

    def _snapshot(self) -> dict[str, str]:
        values = self._ask(wire.encode_plain(wire.Type.GETENVLIST), values=None)
        pairs = (value.partition("=") for value in values if value is not None)
        return {name: value for name, _, value in pairs}


def _checked(name: str) -> str:
    """Return a name that PAM can hold; raises ValueError, since PUTENV would mean another."""
    if not name or "=" in name:
        raise ValueError("a PAM variable's name is not empty and has no '='")
    return name
