"""sshd's configuration: what it says of itself (`sshd -T`), and where that was written."""

from __future__ import annotations

import glob
import grp
import pwd
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final

from pam_totp.doctor.finding import Unchecked
from pam_totp.doctor.machine import Machine

PROGRAM: Final = "/usr/sbin/sshd"
MAIN: Final = "/etc/ssh/sshd_config"
_DEEPEST: Final = 16
_LINE: Final = re.compile(r"\s*([A-Za-z]+)(?:\s*=\s*|\s+)(.*?)\s*(?:\s#.*)?$")

# A connection that is like nobody's: a Match block counts only where a criterion names it.
_ANYONE: Final = {
    "user": "root",
    "host": "host.invalid",
    "addr": "192.0.2.1",
    "laddr": "192.0.2.2",
    "lport": "22",
}
_CRITERIA: Final = {
    "user": "user",
    "host": "host",
    "address": "addr",
    "localaddress": "laddr",
    "localport": "lport",
}


class Broken(Unchecked):
    """sshd does not accept its configuration; `ssh-config` says why."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of sshd's configuration, and the Match block that it stands in, if any."""

    file: Path
    number: int
    keyword: str  # in lower case
    value: str
    match: str = ""

    @property
    def place(self) -> str:
        """Where it stands: `/etc/ssh/sshd_config:4`."""
        return f"{self.file}:{self.number}"

    @property
    def is_match(self) -> bool:
        """Whether it begins a block."""
        return self.keyword == "match" and self.value.lower() != "all"


def settings(machine: Machine, connection: dict[str, str] | None = None) -> dict[str, str]:
    """Return what is in force, by keyword in lower case, for such a connection, or outside of
    all Match blocks.  Raises Unchecked where there is no sshd, and Broken."""
    if not machine.at(PROGRAM).exists():
        raise Unchecked("there is no sshd")
    command = [PROGRAM, "-T"]
    if connection is not None:
        command += ["-C", ",".join(f"{key}={value}" for key, value in connection.items())]
    done = machine.run(command)
    if done.code != 0:
        said = done.err.strip().split("\n")[0]
        raise Broken(said or f"sshd -T ended with {done.code}", hint="sshd -t")
    pairs = (line.partition(" ") for line in done.out.splitlines())
    return {keyword.lower(): value.strip() for keyword, _, value in pairs}


def lines(machine: Machine) -> Iterator[Line]:
    """Yield the lines of the configuration in the order in which sshd reads them."""
    yield from _read(machine, machine.at(MAIN), "", 0)


def example(match: str) -> dict[str, str] | None:
    """Return a connection that a `Match` block is about, None if none is known: patterns and
    negations have no example, and a group may have no member."""
    words = shlex.split(match.replace("=", " "))
    found = dict(_ANYONE)
    for criterion, value in zip(words[::2], words[1::2], strict=False):
        name = value.split(",")[0]
        if criterion.lower() == "group":
            member = _member_of(name)
            if member is None:
                return None
            found["user"] = member
        elif criterion.lower() in _CRITERIA and not set(name) & set("!*?"):
            found[_CRITERIA[criterion.lower()]] = name.split("/")[0]
        else:
            return None
    return found


def _read(machine: Machine, path: Path, match: str, depth: int) -> Iterator[Line]:
    try:
        text = path.read_text(errors="backslashreplace")
    except OSError:
        return
    for number, line in enumerate(text.splitlines(), 1):
        found = _LINE.match(line)
        keyword, value = (found[1].lower(), found[2]) if found else ("", "")
        if keyword == "match":
            match = value
        if keyword == "include" and depth < _DEEPEST:
            for pattern in shlex.split(value):
                place = pattern if pattern.startswith("/") else f"/etc/ssh/{pattern}"
                for file in sorted(glob.glob(str(machine.at(place)))):
                    yield from _read(machine, Path(file), match, depth + 1)
        elif keyword:
            yield Line(path, number, keyword, value, match)


def _member_of(group: str) -> str | None:
    try:
        found = grp.getgrnam(group)
    except KeyError:
        return None
    primary = (entry.pw_name for entry in pwd.getpwall() if entry.pw_gid == found.gr_gid)
    return next(chain(found.gr_mem, primary), None)
