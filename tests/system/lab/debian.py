"""The stacks of a Debian release (tests/stacks), put into the lab's /etc/pam.d."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

DATA: Final = Path(__file__).resolve().parents[2] / "stacks"
STACKS: Final = Path("/etc/pam.d")
DROP_INS: Final = Path("/etc/ssh/sshd_config.d")
RELEASES: Final = ("debian-12", "debian-13")


def put(release: str, profiles: str) -> None:
    """Let the machine's services have this release's stacks, with these profiles on."""
    for file in (DATA / release).iterdir():
        if file.is_file():
            shutil.copy(file, STACKS)
    for file in (DATA / release / profiles).iterdir():
        shutil.copy(file, STACKS)


@contextmanager
def kept() -> Iterator[None]:
    """Put /etc/pam.d and sshd's drop-ins back afterwards as they are now."""
    before = {
        path: path.read_bytes()
        for place in (STACKS, DROP_INS)
        for path in place.iterdir()
        if path.is_file()
    }
    try:
        yield
    finally:
        for place in (STACKS, DROP_INS):
            for path in place.iterdir():
                if path not in before:
                    path.unlink()
        for path, data in before.items():
            path.write_bytes(data)
