"""The key, the data and the accounts in it."""

from __future__ import annotations

import os
import pwd
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pam_totp import keyfile
from pam_totp.account import Credentials
from pam_totp.doctor import files
from pam_totp.doctor.finding import Check, Finding, Unchecked, error, warning
from pam_totp.doctor.machine import Machine
from pam_totp.errors import NameServiceError, PamTotpError, StoreError
from pam_totp.store import identity, rows, trust
from pam_totp.store.database import NAME, Database
from pam_totp.store.directory import DirectoryStore
from pam_totp.store.secret_files import SECRETS

_TIGHT: Final = 64 << 20
_FULL: Final = 2 << 20
_FEW_FILES: Final = 100
_OCTAL: Final = re.compile(r"\\([0-7]{3})")  # how the kernel writes a blank
_LARGE: Final = 1 << 30  # a million events, as many as are kept, take a third of it


def _key(machine: Machine) -> Iterator[Finding]:
    path = machine.config.key_file
    if isinstance(path, Path) and not files.trusted(path):
        raise Unchecked("others can get at the key")
    try:
        keyfile.load(path)
    except StoreError as wrong:
        yield error(str(wrong), wrong.hint or f"put {path} back from its copy")


def _one_key(machine: Machine) -> Iterator[Finding]:
    """Two keys in the file: a rotation was cut short, or keys were put back."""
    try:
        ring = keyfile.load(machine.config.key_file)
    except StoreError as wrong:
        raise Unchecked("the key cannot be read") from wrong
    if len(ring.keys) > 1:
        yield warning(
            f"{machine.config.key_file} holds old keys beside the current one: a rotation was cut "
            "short, or keys were put back",
            "pam-totp key rotate",
        )


def _opens(machine: Machine) -> Iterator[Finding]:
    data = machine.config.data_directory
    secrets = data / SECRETS
    ours = files.closed(data, secrets)
    if not (ours and files.trusted(data / NAME) and files.trusted(secrets / identity.FILE)):
        raise Unchecked("others can get at the data")
    if _read_only(data):
        raise Unchecked("the data cannot be written")
    try:
        keyring = keyfile.load(machine.config.key_file)
    except StoreError as wrong:
        raise Unchecked("the key cannot be read") from wrong
    try:
        store = DirectoryStore(data, keyring)
    except StoreError as wrong:
        yield error(str(wrong), wrong.hint or f"put {data} back from its copy")
        return
    try:
        list(store.accounts())
    except StoreError as wrong:
        yield error(str(wrong), wrong.hint or f"put {data} back from its copy")
    finally:
        store.close()


def _sound(machine: Machine) -> Iterator[Finding]:
    """Let SQLite look through its pages (PRAGMA quick_check)."""
    data = machine.config.data_directory
    if not (data / NAME).exists() or not files.closed(data) or not files.trusted(data / NAME):
        raise Unchecked(f"{NAME} is not there, or others can get at it")
    if _read_only(data):
        raise Unchecked("the data cannot be written")
    root = trust.open_directory(data)
    database = Database(data, root)
    try:
        with database.looking() as connection:
            (answer,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except StoreError as wrong:
        answer = str(wrong)
    finally:
        database.close()
        os.close(root)
    if answer != "ok":
        yield error(f"{data / NAME} is damaged: {answer}", f"put {data} back from its copy")


def _secrets(machine: Machine) -> Iterator[Finding]:
    for name, state in machine.store.accounts():
        secret = machine.config.data_directory / SECRETS / rows.key_of(name)
        if state.enrolled is None or not files.trusted(secret):
            continue  # of the others, `secret-files` says it
        try:
            machine.store.credentials(name)
        except StoreError as wrong:
            yield error(f"{wrong}; its logins are refused", wrong.hint)


def _names(machine: Machine) -> Iterator[Finding]:
    unsure: list[NameServiceError] = []
    for name, credentials in _enrolled(machine):
        if machine.store.local_accounts.get(name) is not None:
            continue
        try:
            person = machine.lookup(name)
        except NameServiceError as error_:  # of the others it may know
            unsure.append(error_)
            continue
        if person is None:
            yield warning(
                f"{name!r} has enrolled, and the name service does not know the name any more",
                "pam-totp prune",
            )
        elif person.uid != credentials.uid:
            yield error(
                f"{name!r} enrolled as uid {credentials.uid} and is uid {person.uid} now; its "
                "logins are refused",
                "pam-totp prune",
            )
    if unsure:
        more = f", and {len(unsure) - 1} more" if len(unsure) > 1 else ""
        yield error(f"could not check: {unsure[0]}{more}", unsure[0].hint)


def _shared_uids(machine: Machine) -> Iterator[Finding]:
    """Two names of one uid are one person: once one has enrolled, the other is refused where a
    code is needed, unless it enrolls too."""
    enrolled = dict(_enrolled(machine))
    names: dict[int, set[str]] = defaultdict(set)
    for entry in pwd.getpwall():
        names[entry.pw_uid].add(entry.pw_name)
    for name, credentials in enrolled.items():
        for other in sorted(names[credentials.uid] - enrolled.keys()):
            if machine.store.look(other).barred is not None:
                continue
            yield warning(
                f"{other!r} is another name for uid {credentials.uid}, which has enrolled as "
                f"{name!r}: it is refused where a code is needed",
                f"pam-totp enroll {other}, or: pam-totp lock {other} --yes",
            )


def _space(machine: Machine) -> Iterator[Finding]:
    data = machine.config.data_directory
    if not data.is_dir():
        raise Unchecked(f"there is no {data}")
    found = os.statvfs(data)
    free = found.f_bavail * found.f_frsize
    look = f"df -h {data}; du -xh {_mount_point(data)} | sort -h | tail"
    if free < _FULL or (found.f_files and found.f_favail == 0):
        yield error(f"the file system of {data} is full, and logins are refused", look)
    elif free < _TIGHT or (found.f_files and found.f_favail < _FEW_FILES):
        yield warning(f"the file system of {data} has {free >> 20} MiB left", look)


def _writable(machine: Machine) -> Iterator[Finding]:
    data = machine.config.data_directory
    if _read_only(data):
        yield error(
            f"the file system of {data} is read-only, and logins are refused",
            f"mount -o remount,rw {_mount_point(data)}",
        )


def _size(machine: Machine) -> Iterator[Finding]:
    data = machine.config.data_directory
    size = sum(_bytes(data / f"{NAME}{suffix}") for suffix in ("", "-wal"))
    if size > _LARGE:
        yield warning(
            f"{data / NAME} has {size >> 20} MiB, more than the events that are kept can need",
            "see whether pam-totpd is running; with it stopped: "
            f"sqlite3 {data / NAME} 'PRAGMA wal_checkpoint(TRUNCATE); VACUUM'",
        )


def _enrolled(machine: Machine) -> Iterator[tuple[str, Credentials]]:
    """Yield the accounts whose credentials can be read; `secrets` names the others."""
    for name, state in machine.store.accounts():
        if state.enrolled is None:
            continue
        try:
            credentials = machine.store.credentials(name)
        except PamTotpError:
            continue
        if credentials is not None:
            yield name, credentials


def _read_only(data: Path) -> bool:
    return data.is_dir() and bool(os.statvfs(data).f_flag & os.ST_RDONLY)


def _mount_point(path: Path) -> Path:
    """Return where the file system of `path` is mounted; a bind mount has no device of its own,
    so the kernel's list is asked (proc(5), mountinfo)."""
    lines = Path("/proc/self/mountinfo").read_text(errors="surrogateescape").splitlines()
    mounted = {Path(_OCTAL.sub(lambda m: chr(int(m[1], 8)), line.split()[4])) for line in lines}
    real = path.resolve()
    return next((place for place in (real, *real.parents) if place in mounted), Path("/"))


def _bytes(path: Path) -> int:
    try:
        return path.lstat().st_size
    except FileNotFoundError:
        return 0


CHECKS: Final = (
    Check("key", "the key can be read", _key),
    Check("one-key", "no old key is left in the key file", _one_key),
    Check("store", "the store opens, and its halves belong together", _opens),
    Check("state", "state.db is sound", _sound),
    Check("secrets", "the secret of every account that has enrolled can be read", _secrets),
    Check("names", "whoever has enrolled is still the same account", _names),
    Check("shared-uid", "no account that has enrolled has a second name", _shared_uids),
    Check("disk-space", "there is room for the data", _space),
    Check("read-only", "the data can be written", _writable),
    Check("state-size", "state.db is no larger than its events need", _size),
)
