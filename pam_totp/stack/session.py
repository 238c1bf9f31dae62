"""Which login a command is run from.

A trial is confirmed by a login that came after it, because only such a login shows that people
still get in.  What counts as a login is a process of sshd or of login(1) among the ancestors
of the command: the nearest one belongs to one connection, or one console, alone, through sudo
and su as well.  Without one (cron, a service, a tmux that an earlier login has left) nothing is
known, and that is a refusal.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
SSHD: Final = ("sshd", "sshd-session")  # the second from OpenSSH 9.8 on
_LOGIN: Final = ("login",)
_UNSET: Final = 0xFFFFFFFF  # the kernel's word for a process that belongs to no audit session


@dataclass(frozen=True, slots=True)
class Process:
    """A process as /proc shows it; `started` is in clock ticks since the machine's start."""

    pid: int
    parent: int
    started: int
    program: str


@dataclass(frozen=True, slots=True)
class Login:
    """A login: its process, since when (clock ticks), and the kernel's number for it, if any."""

    key: str
    since: int
    audit: int | None


def ticks() -> int:
    """Return clock ticks since the machine's start, as /proc counts a process's age."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK"))


def current() -> Login | None:
    """Return the login that this process is run from, or None if there is none to be seen."""
    return of_chain(list(_ancestors(os.getpid())), _audit())


def of_chain(chain: list[Process], audit: int | None) -> Login | None:
    """Return the login behind a process and its ancestors, the nearest first."""
    for child, process in pairwise(chain):
        if process.program in SSHD:
            return Login(_key(process), process.started, audit)
        if process.program in _LOGIN:
            # getty becomes login, which is as old as the console; what it starts is the login.
            return Login(_key(process), child.started, audit)
    return None


def why_not(login: Login | None, starter: str, audit: int | None, begun: int) -> str | None:
    """Return why a login cannot confirm a trial that began at `begun` (ticks), started from the
    login `starter` with that audit number, or None if it can."""
    if login is None:
        return "this is run from no login that can be seen (of sshd, or at a console)"
    same_audit = audit is not None and audit == login.audit
    if login.key == starter or same_audit:
        return "this is the session that the trial was started from"
    if login.since <= begun:
        return "this session is older than the trial, and shows nothing"
    return None


def _key(process: Process) -> str:
    return f"{process.program}/{process.pid}/{process.started}"


def _ancestors(pid: int) -> Iterator[Process]:
    while pid > 0:
        found = process(pid)
        if found is None:
            return
        yield found
        pid = found.parent


def process(pid: int) -> Process | None:
    """Return a process, or None if it has gone."""
    try:
        # The name, in parentheses, may hold anything.
        fields = (_PROC / str(pid) / "stat").read_text(errors="replace").rsplit(")", 1)[1].split()
        program = os.readlink(_PROC / str(pid) / "exe")
    except OSError:
        return None
    name = program.removesuffix(" (deleted)").rsplit("/", 1)[-1]
    return Process(pid, int(fields[1]), int(fields[19]), name)


def _audit() -> int | None:
    try:
        number = int((_PROC / "self/sessionid").read_text())
    except (OSError, ValueError):
        return None
    return None if number == _UNSET else number
