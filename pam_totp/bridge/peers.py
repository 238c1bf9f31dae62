"""Who is at the other end of a socket, and how many conversations that one may have."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from dataclasses import dataclass
from struct import Struct
from typing import Final

_UCRED: Final = Struct("iII")
ROOT: Final = 0


@dataclass(frozen=True, slots=True)
class Peer:
    """The process that opened a connection, as the kernel noted it at `connect`."""

    pid: int
    uid: int
    gid: int


def peer_of(connected: socket.socket) -> Peer:
    """Return the opener's identity (SO_PEERCRED), which survives setresuid and fork."""
    data = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    return Peer(*_UCRED.unpack(data))


@dataclass(frozen=True, slots=True)
class Limits:
    """How many conversations may go on at once.  Root's are apart from everyone else's."""

    root: int = 1000
    others: int = 64
    each_other: int = 4


class Admission:
    """Counts conversations, so that other uids cannot use up what root's logins need.

    SECURITY: a set-user-id program counts as root, whoever started it: a thousand waiting `su`
    fill root's places (docs/threat-model.md, "Known gaps").
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._root = 0
        self._others: Counter[int] = Counter()

    def admit(self, uid: int) -> bool:
        """Take a place for a host of this uid; False where there is none."""
        with self._lock:
            if uid == ROOT:
                admitted = self._root < self._limits.root
                self._root += admitted
                return admitted
            if self._others[uid] >= self._limits.each_other:
                return False
            if self._others.total() >= self._limits.others:
                return False
            self._others[uid] += 1
            return True

    def release(self, uid: int) -> None:
        """Give a place back."""
        with self._lock:
            if uid == ROOT:
                self._root -= 1
            elif self._others[uid] == 1:
                del self._others[uid]
            else:
                self._others[uid] -= 1
