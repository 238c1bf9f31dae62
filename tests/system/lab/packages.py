"""Debian packages that the machine must not have: fetched by scripts/test, unpacked here."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

DIST: Final = Path(__file__).resolve().parents[3] / "dist"


def unpack(place: Path) -> None:
    """Put the files of the packages there into the lab; none of their scripts runs."""
    found = sorted(place.glob("*.deb"))
    assert found, f"no packages in {place}: scripts/test fetches them"
    for package in found:
        tar = ["tar", "-x", "-C", "/", "--keep-directory-symlink"]
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE) as p:
            subprocess.run(tar, check=True, stdin=p.stdout)
