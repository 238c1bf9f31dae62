"""What is ours in a file of the administrator's: marked blocks that hold what they replaced.

    # pam-totp: begin. ...
    #was:@include common-auth            the lines that stood here, byte for byte
    auth ...
    # pam-totp: end 0123456789abcdef     a sum, to see an edit of the block itself

So a block can be taken out again whatever else the file has become.  libexec/stack-off reads
the same form; where a test finds them to differ, one of them is wrong.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pam_totp.stack.pamfile import StackError

BEGIN: Final = "# pam-totp: begin"
_END: Final = re.compile(r"# pam-totp: end ([0-9a-f]{16})\s*")
_END_START: Final = "# pam-totp: end"
_WAS: Final = "#was:"
NEW_FILE: Final = "#new-file"  # in place of #was: there was no such file

_HEAD: Final = (
    "# Written by `pam-totp stack enable`.  What puts back what stood here (#was:):",
    "# pam-totp stack disable {service}, or /usr/libexec/pam-totp/stack-off {service}",
)


@dataclass(frozen=True, slots=True)
class Block:
    """A block that stands in a text; `first` and `stop` are indices of its lines, the last
    exclusive."""

    first: int
    stop: int
    inside: tuple[str, ...]
    sum: str

    @property
    def edited(self) -> bool:
        """Whether somebody has changed it since it was written."""
        return self.sum != _sum(self.inside)

    @property
    def was(self) -> list[str]:
        """The lines that it replaced."""
        return [line.removeprefix(_WAS) for line in self.inside if line.startswith(_WAS)]


def render(service: str, replaced: Sequence[str] | None, lines: Sequence[str]) -> list[str]:
    """Return the lines of a block; `replaced` is None where there was no file."""
    was = [NEW_FILE] if replaced is None else [f"{_WAS}{line}" for line in replaced]
    head = [line.format(service=service) for line in _HEAD]
    inside = [*head, *was, *lines]
    return [BEGIN, *inside, f"{_END_START} {_sum(inside)}"]


def blocks(text: str, file: Path) -> list[Block]:
    """Return the blocks in a text.  Raises StackError where a begin or an end is missing."""
    return list(_blocks(text.split("\n"), file))


def restored(text: str, file: Path) -> str | None:
    """Return the text with what each block replaced, or None if the file was not there and
    holds nothing of anybody else's.  Raises StackError as `blocks` does."""
    found = blocks(text, file)
    lines = text.split("\n")
    for block in reversed(found):
        lines[block.first : block.stop] = block.was
    new = any(NEW_FILE in block.inside for block in found)
    return None if new and not any(map(str.strip, lines)) else "\n".join(lines)


def _blocks(lines: list[str], file: Path) -> Iterator[Block]:
    first: int | None = None
    for at, line in enumerate(lines):
        if line.startswith(BEGIN):
            if first is not None:
                raise _torn(file, first)
            first = at
        elif line.startswith(_END_START):
            end = _END.fullmatch(line)
            if first is None:
                raise _torn(file, at)
            yield Block(first, at + 1, tuple(lines[first + 1 : at]), end[1] if end else "")
            first = None
    if first is not None:
        raise _torn(file, first)


def _sum(lines: Sequence[str]) -> str:
    text = "".join(f"{line}\n" for line in lines)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _torn(file: Path, at: int) -> StackError:
    return StackError(
        f"{file}:{at + 1}: a mark of pam-totp without the one that belongs to it",
        hint=f"/usr/libexec/pam-totp/stack-off {file.name}",
    )
