"""Owners and permissions.

`state.db` is looked at by name and never opened: an open and close beside SQLite would drop its
locks.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pam_totp.bridge.listener import SOCKET_NAME
from pam_totp.credential import Credential
from pam_totp.doctor.finding import Check, Finding, error, warning
from pam_totp.doctor.machine import Machine
from pam_totp.errors import StoreDamaged
from pam_totp.store import trust
from pam_totp.store.database import NAME
from pam_totp.store.secret_files import SECRETS

_WRITABLE: Final = 0o022
_OTHERS: Final = 0o077
_KEY: Final = 0o400
_TO_BE_SEEN: Final = 0o055  # by every program, in a directory
_TO_BE_ASKED: Final = 0o666  # by every program, at a socket


def _config_mode(machine: Machine) -> Iterator[Finding]:
    path = machine.configuration
    found = _seen(path.resolve())
    if found and not _only_ours(found):
        yield error(
            f"{path}: others than its owner can change it ({_rights(found)})",
            f"chown {os.geteuid()} {path} && chmod 0644 {path}",
        )


def _key_mode(machine: Machine) -> Iterator[Finding]:
    path = machine.config.key_file
    if isinstance(path, Credential):  # systemd's to keep
        return
    found = _seen(path)
    if found is None:
        return
    put_right = f"chown {os.geteuid()} {path} && chmod 0400 {path}"
    try:
        trust.check(found, str(path))
    except StoreDamaged as wrong:
        one_of_many = found.st_nlink > 1 or not stat.S_ISREG(found.st_mode)
        yield error(str(wrong), wrong.hint if one_of_many else put_right)
        return
    if stat.S_IMODE(found.st_mode) != _KEY:
        yield warning(f"{path}: mode {stat.S_IMODE(found.st_mode):04o}, expected 0400", put_right)


def _data_mode(machine: Machine) -> Iterator[Finding]:
    data = machine.config.data_directory
    for path in (data, data / SECRETS):
        found = _seen(path)
        if found and not closed(path):
            yield error(
                f"{path}: owner or mode lets others in ({_rights(found)})",
                f"chown {os.geteuid()} {path} && chmod 0700 {path}",
            )


def _secret_files(machine: Machine) -> Iterator[Finding]:
    secrets = machine.config.data_directory / SECRETS
    names = sorted(os.listdir(secrets)) if secrets.is_dir() else []
    yield from _untrusted(secrets / name for name in names)


def _state_mode(machine: Machine) -> Iterator[Finding]:
    data = machine.config.data_directory
    yield from _untrusted(data / f"{NAME}{suffix}" for suffix in ("", "-wal", "-shm"))


def _parents(machine: Machine) -> Iterator[Finding]:
    loaded = machine.config
    places = (
        machine.configuration,
        loaded.key_file,
        loaded.data_directory,
        loaded.runtime_directory,
    )
    kept = (place for place in places if isinstance(place, Path))
    for path in sorted({above for place in kept for above in place.parents}):
        found = _seen(path.resolve())
        if found and not _only_ours(found):
            yield error(
                f"{path}: others can exchange what lies in it ({_rights(found)})",
                f"chown {_owner_of(found)} {path} && chmod go-w {path}",
            )


def _runtime_mode(machine: Machine) -> Iterator[Finding]:
    path = machine.config.runtime_directory
    found = _seen(path)
    if found is None:
        return
    put_right = f"chown {os.geteuid()} {path} && chmod 0755 {path}"
    if found.st_uid != os.geteuid() or found.st_mode & _WRITABLE:
        yield error(
            f"{path}: others could answer logins in it ({_rights(found)})",
            put_right,
        )
    elif found.st_mode & _TO_BE_SEEN != _TO_BE_SEEN:
        yield warning(f"{path}: programs that are not root's cannot ask", put_right)


def _socket_mode(machine: Machine) -> Iterator[Finding]:
    path = machine.config.runtime_directory / SOCKET_NAME
    found = _seen(path)
    if found and (found.st_uid != os.geteuid() or not stat.S_ISSOCK(found.st_mode)):
        yield error(f"{path}: is not the service's socket", f"rm {path}; {_restart(machine)}")
    elif found and found.st_mode & _TO_BE_ASKED != _TO_BE_ASKED:
        yield warning(f"{path}: programs that are not root's cannot ask", f"chmod 0666 {path}")


def closed(*directories: Path) -> bool:
    """Whether these directories, where they are there, are ours and closed to others."""
    found = filter(None, map(_seen, directories))
    return all(one.st_uid == os.geteuid() and not one.st_mode & _OTHERS for one in found)


def trusted(path: Path) -> bool:
    """Whether a file, where it is there, is ours, private and has one name."""
    return not list(_untrusted(iter((path,))))


def _untrusted(paths: Iterator[Path]) -> Iterator[Finding]:
    for path in paths:
        found = _seen(path)
        if found is None:
            continue  # replaced at this moment, or reported by the store's own checks
        try:
            trust.check(found, str(path))
        except StoreDamaged as wrong:
            yield error(str(wrong), wrong.hint)


def _seen(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _only_ours(found: os.stat_result) -> bool:
    """Whether nobody but root and the owner of the data can write; where a directory is sticky,
    others can add to it and exchange nothing."""
    sticky = stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX
    return found.st_uid in (0, os.geteuid()) and (not found.st_mode & _WRITABLE or bool(sticky))


def _owner_of(found: os.stat_result) -> int:
    return found.st_uid if found.st_uid in (0, os.geteuid()) else 0


def _rights(found: os.stat_result) -> str:
    return f"owner {found.st_uid}, mode {stat.S_IMODE(found.st_mode):04o}"


def _restart(machine: Machine) -> str:
    return "systemctl restart pam-totpd" if machine.systemd else "start pam-totpd again"


CHECKS: Final = (
    Check("config-mode", "only root can change the configuration", _config_mode),
    Check("key-mode", "the key is root's, mode 0400", _key_mode),
    Check("data-mode", "the data directory is closed to others", _data_mode),
    Check(
        "secret-files", "each secret is a file of root's with mode 0600 and one name", _secret_files
    ),
    Check("state-mode", "state.db is closed to others", _state_mode),
    Check("parents", "nobody else can write the directories above", _parents),
    Check("runtime-mode", "only root can answer logins", _runtime_mode),
    Check("socket-mode", "every program can ask the service", _socket_mode),
)
