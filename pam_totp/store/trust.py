"""Files are trusted by descriptor, and written by a ritual.

A file counts if, seen through the open descriptor, it is a regular file of the expected owner
with one name and no rights for others.  Races that remain: whoever can write the directory can
exchange the file between two logins; the directory is checked the same way and is root's alone.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from pam_totp.errors import StoreDamaged, StoreError

_LARGEST: Final = 1 << 20
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
_TEMPORARY: Final = ".new-"
_READ: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY


def check(found: os.stat_result, what: str) -> None:
    """Raise StoreDamaged unless `found` is a private regular file of ours with one name."""
    if not stat.S_ISREG(found.st_mode):
        raise StoreDamaged(f"{what}: not a regular file", hint=_put_back(what))
    if found.st_uid != os.geteuid():
        raise StoreDamaged(
            f"{what}: owned by uid {found.st_uid}", hint=f"chown {os.geteuid()} {what}"
        )
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise StoreDamaged(
            f"{what}: mode {stat.S_IMODE(found.st_mode):04o} lets others in",
            hint=f"chmod 0600 {what}",
        )
    if found.st_nlink > 1:  # none at all: replaced since it was opened, and whole all the same
        raise StoreDamaged(
            f"{what}: has {found.st_nlink} names, expected one",
            hint=f"find the others and remove them: find / -xdev -samefile {what}",
        )


def open_directory(path: Path) -> int:
    """Return a descriptor of a directory that is ours and closed to others."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY | os.O_NOFOLLOW)
    except FileNotFoundError:
        raise StoreError(f"{path}: not there", hint="pam-totp setup") from None
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from error
    found = os.fstat(fd)
    if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
        os.close(fd)
        raise StoreDamaged(
            f"{path}: owner or mode lets others in",
            hint=f"chown {os.geteuid()} {path} && chmod 0700 {path}",
        )
    return fd


def read(name: str | Path, *, directory: int | None = None, shown: Path | None = None) -> bytes:
    """Return a trusted file's bytes; `shown` is what errors and hints call it.

    Raises FileNotFoundError, StoreDamaged, StoreError.
    """
    what = str(shown or name)
    try:
        fd = os.open(name, _READ, dir_fd=directory)
    except FileNotFoundError:
        raise
    except PermissionError as error:
        raise StoreError(
            f"{what}: {error.strerror}", hint=f"run this as the owner of {what}, usually root"
        ) from error
    except OSError as error:
        raise StoreDamaged(f"{what}: {error.strerror}", hint=_put_back(what)) from error
    try:
        found = os.fstat(fd)
        check(found, what)
        # As much as is there: a buffer of _LARGEST would cost more than the reading does.
        data = os.read(fd, min(found.st_size, _LARGEST) + 1)
    except OSError as error:
        raise StoreError(f"{what}: {error.strerror}") from error
    finally:
        os.close(fd)
    if len(data) > _LARGEST:
        raise StoreDamaged(f"{what}: larger than a record can be", hint=_put_back(what))
    return data


def write(directory: int, name: str, data: bytes, mode: int = 0o600) -> None:
    """Write a file whole: temporary file, fsync, rename, fsync of the directory.

    After a crash the old bytes are there or the new ones.  Raises StoreError; then the old
    ones are.
    """
    write_all(directory, {name: data}, mode)


def write_all(
    directory: int,
    files: Mapping[str, bytes],
    mode: int = 0o600,
    owners: Mapping[str, tuple[int, int]] | None = None,
) -> None:
    """Write many files as `write` does, with one fsync of the directory: all data is on the disk
    before the first name changes.  `owners` are (uid, gid) by name.

    After a crash each file has its old bytes or its new ones, and all the old ones where this
    raises StoreError before a name has changed.
    """
    written: dict[str, str] = {}
    opened: list[int] = []
    try:
        for number, (name, data) in enumerate(files.items()):
            written[name] = f"{_TEMPORARY}{os.getpid()}-{number}"
            fd = os.open(written[name], _CREATE, 0o600, dir_fd=directory)
            opened.append(fd)
            _fill(fd, data, mode, (owners or {}).get(name))
        for fd in opened:
            os.fsync(fd)
        for name, temporary in written.items():
            os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
        os.fsync(directory)
    except OSError as error:
        _forget(directory, written.values())
        what = f"{len(files)} files" if len(files) > 1 else next(iter(files))
        raise StoreError(f"{what}: {error.strerror}", hint=_hint(error)) from error
    finally:
        for fd in opened:
            os.close(fd)


def sweep(directory: int, start: bytes) -> None:
    """Remove the temporary files of processes that were killed, of those files that begin so or
    in which nothing is yet: whoever may be writing one at this moment must be kept out by a lock.
    """
    for name in os.listdir(directory):
        if name.startswith(_TEMPORARY):
            with suppress(FileNotFoundError, StoreError):
                found = read(name, directory=directory)
                if not found or found.startswith(start):
                    remove(directory, name)


def remove(directory: int, name: str) -> None:
    """Remove a file; one that is not there is fine."""
    try:
        os.unlink(name, dir_fd=directory)
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreError(f"{name}: {error.strerror}") from error
    os.fsync(directory)


def _fill(fd: int, data: bytes, mode: int, owner: tuple[int, int] | None) -> None:
    """Write a new file's bytes, and let them begin to go to the disk: an fsync that finds them
    there takes a fifth of the time of one that sends them."""
    if owner is not None:
        os.fchown(fd, *owner)
    os.fchmod(fd, mode)
    _write_all(fd, data)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)


def _forget(directory: int, names: Iterable[str]) -> None:
    for name in names:
        with suppress(OSError):  # renamed already, or nothing can be removed
            os.unlink(name, dir_fd=directory)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _put_back(what: str) -> str:
    return f"put {what} back from its copy"


def _hint(error: OSError) -> str | None:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "make room on the file system"
    return "mount the file system writable" if error.errno == errno.EROFS else None
