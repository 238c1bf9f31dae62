"""One PAM service file, as libpam reads it (pam.conf(5)), line by line.

libpam goes on after a line that it does not understand and lets every login fail there; here
such a line is an error that names file and line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pam_totp.errors import PamTotpError

TYPES: Final = ("auth", "account", "session", "password")
INCLUDES: Final = ("include", "substack")
WORDS: Final = ("required", "requisite", "sufficient", "optional")
ACTIONS: Final = ("ignore", "ok", "done", "bad", "die", "reset")
# What a module can answer, by pam.conf(5)'s names, `default` aside.
ANSWERS: Final = frozenset(
    (
        *("success", "open_err", "symbol_err", "service_err", "system_err", "buf_err"),
        *("perm_denied", "auth_err", "cred_insufficient", "authinfo_unavail", "user_unknown"),
        *("maxtries", "new_authtok_reqd", "acct_expired", "session_err", "cred_unavail"),
        *("cred_expired", "cred_err", "no_module_data", "conv_err", "authtok_err"),
        *("authtok_recover_err", "authtok_lock_busy", "authtok_disable_aging", "try_again"),
        *("ignore", "abort", "authtok_expired", "module_unknown", "bad_item", "conv_again"),
        "incomplete",
    )
)

_LARGEST: Final = 1 << 20
# A bracket keeps its blanks; a backslash before the closing one keeps it open.
_TOKEN: Final = re.compile(r"\[(?:\\\]|[^\]])*\]|[^\s\[]\S*|\[.*")


class StackError(PamTotpError):
    """A stack cannot be read, composed or changed; names file and line where there is one."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line that libpam obeys.

    `type` is in lower case, and empty for `@include`, which stands for lines of every type.
    `control` is a word in lower case, or the bracket as it is written.  `number` is the first
    of the file's lines that it takes, counted from 1, `length` how many it takes.
    """

    file: Path
    number: int
    length: int
    type: str
    optional: bool  # a leading dash: a module that is missing is not logged
    control: str
    module: str  # of an include: what is included
    arguments: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """Where it stands: `/etc/pam.d/sshd:4`."""
        return f"{self.file}:{self.number}"

    @property
    def includes(self) -> bool:
        """Whether it stands for the lines of another file."""
        return not self.type or self.control in INCLUDES

    @property
    def name(self) -> str:
        """The module's name without its directory."""
        return self.module.rsplit("/", 1)[-1]

    @property
    def text(self) -> str:
        """The line, written as one."""
        if not self.type:
            return f"@include {self.module}"
        words = (self.control, self.module, *self.arguments)
        return "\t".join(("-" * self.optional + self.type, *words[:2])) + "".join(
            f" {word}" for word in words[2:]
        )


def read(path: Path) -> tuple[Line, ...]:
    """Return the lines of a service file.

    Raises FileNotFoundError, and StackError for what cannot be read or understood.
    """
    return parse(load(path), path)


def load(path: Path) -> str:
    """Return a service file's text, every byte kept (`surrogateescape`).

    Raises FileNotFoundError, StackError.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StackError(f"{path}: {error.strerror}", hint=f"ls -l {path}") from error
    if len(data) > _LARGEST or b"\0" in data:
        raise StackError(f"{path}: not a PAM service file", hint=f"file {path}")
    return data.decode("utf-8", "surrogateescape")


def parse(text: str, file: Path) -> tuple[Line, ...]:
    """Return the lines of a service file's text.  Raises StackError."""
    return tuple(
        _line(words, file, number, length) for number, length, words in _logical_lines(text)
    )


def actions(line: Line) -> dict[str, str]:
    """Return what a line does at each answer, `default` included; a jump is its number.

    Raises StackError for a bracket that libpam would not understand.
    """
    if not line.control.startswith("["):
        return dict(_OF_WORD[line.control])
    pairs = re.findall(r"(\w+)\s*=\s*(\w+)", line.control[1:-1])
    left = re.sub(r"\w+\s*=\s*\w+", "", line.control[1:-1]).strip()
    found = {name.lower(): action.lower() for name, action in pairs}
    unknown = [name for name in found if name not in ANSWERS and name != "default"]
    wrong = [a for a in found.values() if a not in ACTIONS and not re.fullmatch(r"[1-9]\d*", a)]
    if left or unknown or wrong:
        what = (left.split() + unknown + wrong)[0]
        raise _not_understood(line.file, line.number, what, "answer=action as in pam.conf(5)")
    return {"default": "bad", **found}


_OK: Final = {"success": "ok", "new_authtok_reqd": "ok"}
_DONE: Final = {"success": "done", "new_authtok_reqd": "done"}
_OF_WORD: Final = {
    "required": {**_OK, "ignore": "ignore", "default": "bad"},
    "requisite": {**_OK, "ignore": "ignore", "default": "die"},
    "sufficient": {**_DONE, "default": "ignore"},
    "optional": {**_OK, "default": "ignore"},
}


def _logical_lines(text: str) -> Iterator[tuple[int, int, list[str]]]:
    """Yield first line number, number of lines and words of each line that is not empty."""
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        first, joined = at, ""
        while True:
            # A comment ends the line, a backslash in it included.
            bare, _, _ = lines[at].partition("#")
            continued = bare == lines[at] and bare.endswith("\\")
            joined += bare[:-1] + " " if continued else bare
            at += 1
            if not continued or at == len(lines):
                break
        if joined.strip():
            yield first + 1, at - first, _TOKEN.findall(joined)


def _line(words: list[str], file: Path, number: int, length: int) -> Line:
    kind = words[0].lower()
    if kind == "@include":
        if len(words) != 2:  # noqa: PLR2004 -- the word and the name
            raise _not_understood(file, number, " ".join(words), "@include NAME")
        return Line(file, number, length, "", False, "include", words[1])  # noqa: FBT003
    optional, kind = kind.startswith("-"), kind.removeprefix("-")
    if kind not in TYPES:
        raise _not_understood(file, number, words[0], f"@include or one of {', '.join(TYPES)}")
    if len(words) < 3:  # noqa: PLR2004 -- type, control and module
        raise _not_understood(file, number, " ".join(words), "TYPE CONTROL MODULE")
    control, module, *arguments = words[1:]
    line = Line(file, number, length, kind, optional, _control(control), module, tuple(arguments))
    if line.control in (*WORDS, *INCLUDES):
        return line
    if not control.startswith("[") or not control.endswith("]"):
        raise _not_understood(file, number, control, "required, requisite, ..., or [...]")
    actions(line)
    return line


def _control(word: str) -> str:
    return word if word.startswith("[") else word.lower()


def _not_understood(file: Path, number: int, found: str, expected: str) -> StackError:
    return StackError(
        f"{file}:{number}: not understood: {found!r}, expected {expected}",
        hint=f"see pam.conf(5), and edit line {number} of {file}",
    )
