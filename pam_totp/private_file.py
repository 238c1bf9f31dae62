"""Files that carry secrets out: a picture of a QR code, a sheet to be printed."""

from __future__ import annotations

import errno
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


class NotWritten(PamTotpError):
    """A file that was asked for cannot be there."""


class PrivateFile:
    """A new file that its owner alone can read: whoever runs this, or the (uid, gid) `owner`.

    At the end of its `with` block it is on the disk, whole; where the block raises, it is gone.
    What is there already stays as it is.  Only a process that is killed leaves a part of one.
    Each step raises NotWritten with what to do.

    SECURITY: the directory may be one where others write, /tmp for one.  O_EXCL makes a file
    and takes none, and no symlink either, whatever it points to.
    """

    def __init__(self, path: Path, owner: tuple[int, int] | None = None) -> None:
        self._path = path
        self._owner = owner or (-1, -1)

    def __enter__(self) -> Self:
        self._directory = self._opened_directory()
        try:
            descriptor = os.open(self._path.name, _CREATE, _MODE, dir_fd=self._directory)
        except OSError as error:
            os.close(self._directory)
            raise self._not_written(error) from error
        self._file: BinaryIO = os.fdopen(descriptor, "wb")
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
        self._file.close()
        os.fsync(self._directory)

    def _forget(self) -> None:
        """Remove what was made; what cannot be written out any more is not missed."""
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            os.unlink(self._path.name, dir_fd=self._directory)
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


def create(path: Path, data: bytes, owner: tuple[int, int] | None = None) -> None:
    """Write a file that its owner alone can read.  Raises NotWritten; then there is none."""
    with PrivateFile(path, owner) as file:
        file.write(data)
