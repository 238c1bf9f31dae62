"""A value that does not show itself."""

from __future__ import annotations

import hmac


class Secret:
    """Bytes that print as `Secret(…)`: in a log, a repr or a traceback nothing of them is seen.

    `reveal()` is called only where the bytes are used.
    """

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = bytes(value)

    def reveal(self) -> bytes:
        """Return the bytes."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value, other._value)

    __hash__ = None  # type: ignore[assignment]  # a secret is no dictionary key

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a Secret is not pickled")
