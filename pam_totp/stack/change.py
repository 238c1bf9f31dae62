"""Files of the administrator's are changed whole or not at all, and a copy is kept.

    /etc/pam-totp/stacks/                       root's, 0700
        lock                                    held by whoever changes stacks
        20270201T142000Z-enable-sshd/           one change
            service, path                       for which service, and in which file
            sshd                                the file as it was, unless there was none
            wrote                               the file as it was written
        trial                                   see trial.py

libexec/stack-off reads these copies, without Python.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pam_totp.stack import pamfile
from pam_totp.stack.pamfile import StackError

COPIES: Final = "etc/pam-totp/stacks"
OFF: Final = Path("/usr/libexec/pam-totp/stack-off")
_MODE: Final = 0o644  # of a file that is new


@dataclass(frozen=True, slots=True)
class Change:
    """A file's text before and after; `before` is None where there is no file."""

    service: str
    path: Path
    before: str | None
    after: str


def copies(root: Path) -> Path:
    """Return the directory of the copies, made if it is missing."""
    place = root / COPIES
    place.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    place.mkdir(mode=0o700, exist_ok=True)
    return place


@contextmanager
def lock(root: Path, who: str) -> Iterator[None]:
    """Be the only one that changes stacks.  Raises StackError that says who is, if not."""
    path = copies(root) / "lock"
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(fd, 100, 0).decode(errors="replace").strip()
            raise StackError(
                f"{holder or 'somebody else'} is changing stacks at this moment; "
                "nothing was changed",
                hint="wait until that is done, look at it, and run this again: pam-totp stack show",
            ) from None
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{who} (process {os.getpid()})\n".encode(), 0)
        yield
        os.ftruncate(fd, 0)
    finally:
        os.close(fd)


def unchanged(change: Change) -> None:
    """Raise StackError unless the file is still the one that was shown."""
    try:
        now = pamfile.load(change.path)
    except FileNotFoundError:
        now = None
    if now != change.before:
        raise StackError(
            f"{change.path} has been changed since the difference was shown; nothing was written",
            hint=f"look at it, and run this again: pam-totp stack show {change.service}",
        )


def keep(root: Path, change: Change, now: float) -> Path:
    """Keep what a change replaces and what it writes, and return where."""
    place = _fresh(
        copies(root) / f"{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%SZ}-enable-", change
    )
    replace(place / "service", f"{change.service}\n", 0o600)
    replace(place / "path", f"{change.path}\n", 0o600)
    if change.before is not None:
        replace(place / change.path.name, change.before, 0o600)
    replace(place / "wrote", change.after, 0o600)
    return place


def replace(path: Path, text: str, mode: int = _MODE) -> None:
    """Write a file whole: temporary file, fsync, rename, fsync of the directory; owner and mode
    stay what they are.  Raises StackError; then the old one is there."""
    temporary = path.with_name(f".pam-totp-new.{os.getpid()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        with open(os.open(temporary, flags, 0o600), "wb") as file:
            os.fchmod(file.fileno(), mode)
            _like(path, file.fileno())
            file.write(text.encode("utf-8", "surrogateescape"))
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, path)
        sync(path.parent)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise StackError(
            f"{path}: {error.strerror}; it is as it was", hint=f"df {path.parent}"
        ) from error


def sync(directory: Path) -> None:
    """Make names in a directory durable."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def stack_off(root: Path, arguments: Sequence[str | Path]) -> int:
    """Run the script that turns stacks off; return its exit status."""
    place = () if root == Path("/") else ("--root", root)
    return subprocess.run([script(), *place, *arguments], check=False).returncode


def script() -> Path:
    """Return the script that turns stacks off: the installed one, or that of a checkout."""
    beside = Path(__file__).parents[2] / "libexec" / OFF.name
    return beside if beside.exists() else OFF


def _like(model: Path, target: Path | int) -> None:
    """Give a copy its model's owner and mode, where there is a model."""
    try:
        found = model.stat()
    except FileNotFoundError:
        return
    os.chown(target, found.st_uid, found.st_gid)
    os.chmod(target, found.st_mode & 0o7777)


def _fresh(start: Path, change: Change) -> Path:
    """Make a directory for a copy; two changes of one second have different ones."""
    for ending in ("", *(f".{number}" for number in range(1, 50))):
        place = start.with_name(f"{start.name}{change.service}{ending}")
        with suppress(FileExistsError):
            place.mkdir(mode=0o700)
            return place
    raise StackError(f"{start.parent}: no copy could be made", hint=f"ls {start.parent}")
