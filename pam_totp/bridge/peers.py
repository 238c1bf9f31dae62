"""Who is at the other end of a socket, and how many conversations that one may have.

The kernel says whose program connected (SO_PEERCRED: the effective uid), and that decides
what it may ask.  For `su`, `sudo` and every other set-user-id program the answer is root,
whoever waits at its prompt; so a call of root's also says who started the program, and people
have places of their own there, apart from those of sshd, login and OpenVPN.

Who that is, is the real uid, for which the kernel vouches and which the program's starter
cannot change.  Looked at on Debian 12, sudo 1.9.13 and util-linux 2.38: both call PAM with the
real uid of who typed the command; sudo is root throughout only before and after.  A program
that stays root throughout is told by the real uid of its start (AT_UID).  Not taken are

- PAM_RUSER: chsh and chfn set none, and FTP and mail servers (vsftpd, dovecot) put there what a
  client sends, so that strangers could use up the places of su and sudo;
- the login uid of the kernel's audit: a service that was restarted by hand carries that of the
  administrator, and in containers there is none;
- /proc/PID/status: the service's unit hides other processes from it.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct
from typing import Final

from pam_totp.bridge.connection import ConnectionLost

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
    """How many conversations may go on at once, each kind apart from the others."""

    root: int = 1000
    """of programs that root started"""

    callers: int = 256
    """of root's programs that others started: su, sudo"""

    each_caller: int = 16

    others: int = 64
    """of programs that are not root's"""

    each_other: int = 4

    arrivals: int = 256
    """connections of root's programs that have not said yet who started them"""


class Admission:
    """Counts conversations, so that nobody can use up what root's logins need."""

    def __init__(self, limits: Limits) -> None:
        self._root = Places(limits.root, limits.root)
        self._callers = Places(limits.callers, limits.each_caller)
        self._others = Places(limits.others, limits.each_other)

    def admit(self, uid: int, caller: int = ROOT) -> bool:
        """Take a place for a program of this uid that `caller` started; False where there is
        none.

        SECURITY: what a program that is not root's says of its caller is not looked at.
        """
        places, key = self._places(uid, caller)
        return places.take(key)

    def release(self, uid: int, caller: int = ROOT) -> None:
        """Give a place back."""
        places, key = self._places(uid, caller)
        places.give_back(key)

    def _places(self, uid: int, caller: int) -> tuple[Places, int]:
        if uid != ROOT:
            return self._others, uid
        if caller != ROOT:
            return self._callers, caller
        return self._root, ROOT


class Places:
    """So many places together, and so many for each uid."""

    def __init__(self, together: int, each: int) -> None:
        self._together = together
        self._each = each
        self._lock = threading.Lock()
        self._taken: Counter[int] = Counter()

    def take(self, uid: int) -> bool:
        """Take a place; False where there is none."""
        with self._lock:
            if self._taken[uid] >= self._each or self._taken.total() >= self._together:
                return False
            self._taken[uid] += 1
            return True

    def give_back(self, uid: int) -> None:
        """Give a place back."""
        with self._lock:
            self._taken[uid] -= 1
            if not self._taken[uid]:
                del self._taken[uid]


class Arrivals:
    """Connections of root's programs whose CALL has not come: so many, and the oldest go first.

    The bridge sends it at once.  Who started `su` can stop it before that, though, and a
    thousand of them too; nothing is known of them yet that they could be counted by.  So they
    take nobody's place: where there are too many, the one that has waited longest is cut off,
    which is never one that has only just come.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._waiting: dict[socket.socket, None] = {}

    @contextlib.contextmanager
    def waiting(self, connected: socket.socket) -> Iterator[None]:
        """Count the connection for as long as the block runs.

        Raises ConnectionLost where it was cut off meanwhile.
        """
        with self._lock:
            if len(self._waiting) >= self._most:
                self._cut_off_the_oldest()
            self._waiting[connected] = None
        try:
            yield
        finally:
            with self._lock:
                cut_off = connected not in self._waiting
                self._waiting.pop(connected, None)
            if cut_off:
                raise ConnectionLost("the host had not sent its call, and others came")

    def _cut_off_the_oldest(self) -> None:
        """Wake who waits for it.  Under the lock, so that the descriptor is still this one's."""
        oldest = next(iter(self._waiting))
        del self._waiting[oldest]
        with contextlib.suppress(OSError):
            oldest.shutdown(socket.SHUT_RDWR)
