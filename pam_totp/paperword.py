"""Words that people copy from paper: recovery codes and invitations.

A word reads `rc-7k2mq-x9d4w-hn3ve`: a prefix that says what it is, fourteen characters of 31
that nobody confuses, and a letter at the end; 73 bits.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

_LETTERS: Final = "abcdefghjkmnpqrstuvwxyz"  # no i, l, o
_ALPHABET: Final = "23456789" + _LETTERS  # no 0, 1
_GROUPS: Final = 3
_GROUP: Final = 5
_LENGTH: Final = _GROUPS * _GROUP

Choose = Callable[[str], str]


class Kind:
    """One kind of word, known by its two letters in front."""

    def __init__(self, letters: str) -> None:
        self._letters = letters
        body = rf"[{_ALPHABET}]{{{_LENGTH - 1}}}[{_LETTERS}]"
        self._typed = re.compile(letters + body)
        group = rf"[{_ALPHABET}]{{{_GROUP}}}-"
        last = rf"[{_ALPHABET}]{{{_GROUP - 1}}}[{_LETTERS}]\Z"
        self._printed_end = re.compile(f"{letters}-" + group * (_GROUPS - 1) + last)

    def generate(self, choose: Choose) -> str:
        """Return a new word in its printed form; `choose` is `secrets.choice`."""
        body = "".join(choose(_ALPHABET) for _ in range(_LENGTH - 1)) + choose(_LETTERS)
        groups = (body[at : at + _GROUP] for at in range(0, _LENGTH, _GROUP))
        return f"{self._letters}-" + "-".join(groups)

    def normalise(self, typed: str) -> str | None:
        """Return the word that `typed` spells, or None if it has not the shape of one.

        Case, blanks and dashes do not matter.
        """
        plain = "".join(typed.split()).replace("-", "").lower()
        return plain if self._typed.fullmatch(plain) else None

    def printed_at_end(self, text: str) -> str | None:
        """Return the word in exactly its printed form that ends `text`, or None."""
        found = self._printed_end.search(text)
        return found.group() if found else None
