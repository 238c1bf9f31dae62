"""How far the notices have come, in a file of the data directory.

    notices             JSON: the last event that was read, and the notices that wait
    notices.lock        held by the one process that sends them

Read and waiting are written together: a crash at any moment forgets no event.
"""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pam_totp.errors import StoreDamaged, StoreError
from pam_totp.event import Event
from pam_totp.notices.kind import Kind
from pam_totp.notices.outbox import Waiting
from pam_totp.store import trust

FILE: Final = "notices"
LOCK: Final = "notices.lock"


@dataclass(frozen=True, slots=True)
class Progress:
    """`after` is the id of the last event that was read, `at` its time (UTC seconds)."""

    after: int
    at: float
    waiting: tuple[Waiting, ...] = ()


def load(directory: Path) -> Progress | None:
    """Return what was saved in the data directory, None if nothing was yet.

    Raises StoreError, StoreDamaged.
    """
    root = trust.open_directory(directory)
    try:
        raw = trust.read(FILE, directory=root, shown=directory / FILE)
    except FileNotFoundError:
        return None
    finally:
        os.close(root)
    try:
        return _progress(json.loads(raw))
    except (ValueError, KeyError, TypeError) as error:
        path = directory / FILE
        raise StoreDamaged(f"{path}: not what was written", hint=f"rm {path}") from error


def save(directory: Path, progress: Progress) -> None:
    """Write it down, durably.  Raises StoreError; then what was saved before stands."""
    root = trust.open_directory(directory)
    try:
        trust.write(root, FILE, json.dumps(_record(progress)).encode())
    finally:
        os.close(root)


@contextmanager
def only_one(directory: Path) -> Iterator[None]:
    """Be the one process that sends.  Raises StoreError if there is another."""
    descriptor = os.open(
        directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
    )
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreError("another pam-totp-notify runs already") from None
        os.utime(descriptor)  # as old as this process: the doctor compares it
        yield
    finally:
        os.close(descriptor)


def running_since(directory: Path) -> float | None:
    """Return when the process that sends was started (UTC seconds), None if there is none."""
    try:
        descriptor = os.open(directory / LOCK, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.fstat(descriptor).st_mtime
    else:
        return None
    finally:
        os.close(descriptor)


def _record(progress: Progress) -> dict[str, Any]:
    waiting = [{**dataclasses.asdict(one), "kind": one.kind.value} for one in progress.waiting]
    return {"after": progress.after, "at": progress.at, "waiting": waiting}


def _progress(record: dict[str, Any]) -> Progress:
    waiting = tuple(map(_waiting, record["waiting"]))
    return Progress(int(record["after"]), float(record["at"]), waiting)


def _waiting(record: dict[str, Any]) -> Waiting:
    return Waiting(
        Kind(record["kind"]),
        Event(**record["event"]),
        float(record["due"]),
        int(record["times"]),
        int(record["tries"]),
    )
