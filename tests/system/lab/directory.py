"""A directory of accounts that NSS asks (tests/host/libnss_lab.c), and that can be down."""

from __future__ import annotations

import itertools
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.system.lab import host
from tests.system.lab.phone import Phone
from tests.system.lab.product import ask_pam_totp

ACCOUNTS: Final = Path("/run/lab/directory")
_GROUPS: Final = Path("/run/lab/groups")
_DOWN: Final = Path("/run/lab/directory.down")
_SWITCH: Final = Path("/etc/nsswitch.conf")
_LIBC: Final = next(Path("/usr/lib").glob("*-linux-gnu/libc.so.6"))
_MODULE: Final = _LIBC.with_name("libnss_lab.so.2")

# What a module can fail with: see the source.
MANNERS: Final = ("unavailable", "timeout", "busy", "missing", "silent")

_uids = itertools.count(70001)


class DirectoryPerson:
    """Somebody whom the directory alone knows."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._uid = next(_uids)
        with ACCOUNTS.open("a") as accounts:
            accounts.write(f"{name}:*:{self._uid}:{self._uid}:Lab:/nonexistent:/bin/sh\n")

    def enroll(self) -> Phone:
        """Enroll without a proof, as a script does."""
        answer = ask_pam_totp("enroll", self.name, "--no-confirm")
        return Phone(answer["secret"], answer["recovery_codes"])


def group(name: str, *members: str) -> None:
    """Let the directory have a group."""
    with _GROUPS.open("a") as groups:
        groups.write(f"{name}:*:{next(_uids)}:{','.join(members)}\n")


@contextmanager
def asked_by_nss() -> Iterator[None]:
    """Let NSS ask the directory behind the files, as an administrator sets it up."""
    before = _SWITCH.read_text()
    ACCOUNTS.parent.mkdir(exist_ok=True)
    ACCOUNTS.write_text("")
    shutil.copy(host.library(_MODULE.name, host.SOURCES / "libnss_lab.c"), _MODULE)
    _GROUPS.write_text("")
    changed, count = re.subn(r"(?m)^(passwd|group):.*$", r"\1: files lab", before)
    assert count == 2
    _SWITCH.write_text(changed)
    try:
        yield
    finally:
        _SWITCH.write_text(before)
        _MODULE.unlink()


@contextmanager
def down(manner: str) -> Iterator[None]:
    """Let the directory fail in this manner."""
    _DOWN.write_text(manner)
    try:
        yield
    finally:
        _DOWN.unlink()
