"""The sockets that the service is asked by, and the directory that makes them worth trusting."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import stat
from struct import Struct
from typing import TYPE_CHECKING, Final, Self

from pam_totp.errors import PamTotpError

if TYPE_CHECKING:
    from pathlib import Path

SOCKET_NAME: Final = "login.socket"
ADMIN_SOCKET_NAME: Final = "admin.socket"
LOCK_NAME: Final = "service.lock"
BACKLOG: Final = 1024
_TIMEVAL: Final = Struct("@ll")


class ListenerError(PamTotpError):
    """The service cannot be asked at this place."""


class Listener:
    """A listening socket; whoever holds one is the only service in its directory."""

    def __init__(self, path: Path, lock: int | None, listening: socket.socket) -> None:
        self.path = path
        self.socket = listening
        self._lock = lock
        self._identity = _identity(path)

    @classmethod
    def open(cls, directory: Path) -> Self:
        """Make the directory if need be, and the login socket in it, open to everyone.

        Raises ListenerError where the directory is not to be trusted, where another
        service holds it or where the system refuses.
        """
        try:
            _prepare(directory)
            lock = _lock(directory / LOCK_NAME)
            try:
                return cls(directory / SOCKET_NAME, lock, _listen(directory / SOCKET_NAME))
            except BaseException:
                os.close(lock)
                raise
        except OSError as error:
            raise ListenerError(f"{directory}: {error.strerror or error}") from error

    def beside(self, name: str) -> Listener:
        """Open another socket in the directory, which is ours for as long as this one is open.

        Raises ListenerError.
        """
        path = self.path.with_name(name)
        try:
            return Listener(path, None, _listen(path))
        except OSError as error:
            raise ListenerError(f"{path}: {error.strerror or error}") from error

    def wake_every(self, seconds: float) -> None:
        """Let `accept` raise BlockingIOError when nobody came for so long."""
        whole, part = divmod(seconds, 1)
        self.socket.setsockopt(
            socket.SOL_SOCKET, socket.SO_RCVTIMEO, _TIMEVAL.pack(int(whole), int(part * 1e6))
        )

    def withdraw(self) -> None:
        """Take nobody in any more: new hosts find no socket and help themselves.

        Those who had connected before are still handed out by `accept`; after the last
        of them it raises OSError.
        """
        with contextlib.suppress(FileNotFoundError):
            # A socket that someone else put there meanwhile is not ours to remove.
            if _identity(self.path) == self._identity:
                self.path.unlink()
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the socket; the one that was opened first lets another service have the
        directory."""
        self.socket.close()
        if self._lock is not None:
            os.close(self._lock)


def _prepare(directory: Path) -> None:
    """Make the directory; refuse one in which others could put a socket of their own."""
    with contextlib.suppress(FileExistsError):
        directory.mkdir()
        directory.chmod(0o755)
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise ListenerError(f"{directory} is no directory", hint=f"rm {directory}")
    if found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise ListenerError(
            f"{directory} belongs to, or can be written by, someone else",
            hint=f"chown root: {directory} && chmod 755 {directory}",
        )


def _lock(path: Path) -> int:
    """Return a descriptor that holds the lock for as long as it is open."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise ListenerError(
            f"another pam-totpd is running in {path.parent}", hint="systemctl status pam-totpd"
        ) from None
    return descriptor


def _listen(path: Path) -> socket.socket:
    """Return a socket that listens at its name, which never shows one that does not."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        listening.bind(os.fspath(new))
        new.chmod(0o666)
        listening.listen(BACKLOG)
        new.rename(path)
    except BaseException:
        listening.close()
        raise
    return listening


def _identity(path: Path) -> tuple[int, int]:
    found = path.lstat()
    return found.st_dev, found.st_ino
