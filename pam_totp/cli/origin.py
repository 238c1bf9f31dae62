"""From where the command line is used: the address of an ssh session, and the terminal."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pam_totp.event import Origin
from pam_totp.source import address_of

_PROC: Final = Path("/proc")
_VARIABLE: Final = "SSH_CONNECTION"
_STREAMS: Final = (0, 1, 2)
_MOST_ANCESTORS: Final = 50


def origin() -> Origin:
    """Return from where this process is used.

    sudo and su drop SSH_CONNECTION, so that the shell above them is asked.  Whoever has become
    root could have set it to anything: it is for those who look later, and decides nothing.
    """
    own = _client(os.environ.get(_VARIABLE, ""))
    above = filter(None, map(_address, _ancestors(os.getppid())))
    return Origin(own or next(above, ""), _terminal())


def _address(pid: int) -> str:
    """Return the client's address in a process's environment; "" for none."""
    try:
        variables = (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return ""
    named = (one.decode("ascii", "replace").partition("=") for one in variables)
    return next((_client(value) for name, _, value in named if name == _VARIABLE), "")


def _client(connection: str) -> str:
    address = address_of(connection.partition(" ")[0])
    return "" if address is None else str(address)


def _ancestors(pid: int) -> Iterator[int]:
    for _ in range(_MOST_ANCESTORS):
        if pid <= 1:
            return
        yield pid
        try:
            stat = (_PROC / str(pid) / "stat").read_text(errors="replace")
        except OSError:
            return
        pid = int(stat.rsplit(")", 1)[1].split()[1])


def _terminal() -> str:
    for stream in _STREAMS:
        try:
            return os.ttyname(stream).removeprefix("/dev/")
        except OSError:
            continue
    return ""
