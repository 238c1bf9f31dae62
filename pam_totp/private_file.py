"""Files that carry secrets out: a picture of a QR code, a sheet to be printed."""

from __future__ import annotations

import errno
import fcntl
import os
import shlex
import stat
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

from pam_totp.errors import PamTotpError

_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MODE: Final = 0o600
_LONGEST_NAME: Final = 60  # characters, so that the name of a part is one too


class NotWritten(PamTotpError):
    """A file that was asked for cannot be there."""


class PrivateFile:
    """A new file that its owner alone can read: whoever runs this, or the (uid, gid) `owner`.

    At the end of its `with` block it is on the disk, whole, and only then has its name; where
    the block raises, there is none.  What is there already stays as it is.  What a process that
    was killed has left (`.NAME.part`) goes when the file is made again.
    Each step raises NotWritten with what to do.

    SECURITY: the directory may be one where others write, /tmp for one.  O_EXCL and link(2) make
    a name and take none, and no symlink either, whatever it points to.
    """

    def __init__(self, path: Path, owner: tuple[int, int] | None = None) -> None:
        self._path = path
        self._part = f".{path.name[:_LONGEST_NAME]}.part"
        self._owner = owner or (-1, -1)

    def __enter__(self) -> Self:
        self._directory = self._opened_directory()
        try:
            self._file: BinaryIO = os.fdopen(self._opened_part(), "wb")
        except BaseException:
            os.close(self._directory)
            raise
        try:
            self._make_private()
        except BaseException:
            self._forget()
            raise
        return self

    def write(self, data: bytes) -> None:
        """Write more."""
        try:
            self._file.write(data)
        except OSError as error:
            raise self._not_written(error) from error

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            self._forget()
            return
        try:
            self._finish()
        except OSError as failure:
            self._forget()
            raise self._not_written(failure) from failure
        os.close(self._directory)

    def _opened_directory(self) -> int:
        place = self._path.parent
        try:
            return os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise NotWritten(
                f"{place}: there is no such directory",
                hint=f"mkdir -p -m 0700 {shlex.quote(str(place))}",
            ) from None
        except OSError as error:
            raise self._not_written(error) from error

    def _opened_part(self) -> int:
        """Return a new file, under a name of its own until it is whole, and locked as long as
        somebody writes it."""
        try:
            if self._path.name in ("", "..") or _exists(self._path.name, self._directory):
                raise self._is_there()
            try:
                descriptor = self._created()
            except FileExistsError:
                self._remove_abandoned()
                descriptor = self._created()
        except OSError as error:
            raise self._not_written(error) from error
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return descriptor

    def _created(self) -> int:
        return os.open(self._part, _CREATE, _MODE, dir_fd=self._directory)

    def _remove_abandoned(self) -> None:
        """Remove what somebody has left who was killed."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(self._part, flags, dir_fd=self._directory)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(self._part, dir_fd=self._directory)
        except BlockingIOError:
            raise NotWritten(
                f"{self._path}: somebody else is writing it at this moment",
                hint="wait until they have done, or take another name",
            ) from None
        finally:
            os.close(descriptor)

    def _make_private(self) -> None:
        """Give it its owner and mode; what others can read all the same is none of ours."""
        descriptor = self._file.fileno()
        try:
            os.fchown(descriptor, *self._owner)
            os.fchmod(descriptor, _MODE)
        except OSError as error:
            raise self._not_written(error) from error
        # A FAT file system has one owner and one mode for all its files.
        if stat.S_IMODE(os.fstat(descriptor).st_mode) != _MODE:
            raise NotWritten(
                f"{self._path}: its file system cannot keep it from others",
                hint="choose a place on a disk of this machine",
            )

    def _finish(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        at = self._directory
        os.link(self._part, self._path.name, src_dir_fd=at, dst_dir_fd=at, follow_symlinks=False)
        os.unlink(self._part, dir_fd=at)
        os.fsync(at)
        self._file.close()

    def _forget(self) -> None:
        """Remove what was made; what cannot be written out any more is not missed."""
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            os.unlink(self._part, dir_fd=self._directory)
        os.close(self._directory)

    def _not_written(self, error: OSError) -> NotWritten:
        if error.errno == errno.EEXIST:
            return self._is_there()
        hint = "choose a place where you can write"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            hint = "make room on the file system, or choose another place"
        return NotWritten(f"{self._path}: {error.strerror}", hint=hint)

    def _is_there(self) -> NotWritten:
        path = str(self._path)
        if self._path.is_dir():
            return NotWritten(f"{path}: is a directory", hint=f"name a file in it: {path}/NAME")
        return NotWritten(
            f"{path}: is there already, and nothing is overwritten",
            hint=f"take another name, or remove it first: rm {shlex.quote(path)}",
        )


def _exists(name: str, directory: int) -> bool:
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def create(path: Path, data: bytes, owner: tuple[int, int] | None = None) -> None:
    """Write a file that its owner alone can read.  Raises NotWritten; then there is none."""
    with PrivateFile(path, owner) as file:
        file.write(data)
