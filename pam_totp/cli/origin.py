"""From where the command line is used: the address of an ssh session, and the terminal."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pam_totp.event import Origin
from pam_totp.source import address_of

_PROC: Final = Path("/proc")
_VARIABLE: Final = b"SSH_CONNECTION="
_STREAMS: Final = (0, 1, 2)
_MOST_ANCESTORS: Final = 50


def origin(pid: int | None = None) -> Origin:
    """Return from where a process (this one) is used.

    sudo and su drop SSH_CONNECTION, so that the shell above them is asked.  Whoever has become
    root could have set it to anything: it is for those who look later, and decides nothing.
    """
    found = filter(None, map(_address, _ancestors(os.getpid() if pid is None else pid)))
    return Origin(next(found, ""), _terminal())


def _address(pid: int) -> str:
    """Return the client's address in a process's environment; "" for none."""
    try:
        variables = (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return ""
    values = (one.removeprefix(_VARIABLE) for one in variables if one.startswith(_VARIABLE))
    client = next(values, b"").split(b" ")[0].decode("ascii", "replace")
    address = address_of(client)
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
