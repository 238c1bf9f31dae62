"""On what it was measured: versions, the file system and what an fsync costs there, memory."""

from __future__ import annotations

import os
import platform
import re
import statistics
import subprocess
import time
from pathlib import Path
from typing import Final

_PACKAGES: Final = (
    "libpam-totp",
    "libpam-google-authenticator",
    "libpam-oath",
    "libpam0g",
    "python3",
    "python3-cryptography",
)
_SYNCS: Final = 50
_BLOCK: Final = b"\0" * 4096


def description() -> str:
    """Return processor, kernel and the versions of the packages."""
    processor = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    versions = subprocess.run(
        ["/usr/bin/dpkg-query", "-W", "-f=${Package} ${Version}, ", *_PACKAGES],
        check=True,
        text=True,
        capture_output=True,
    ).stdout.removesuffix(", ")
    name = processor[1] if processor else platform.machine()
    return f"{name}, {os.cpu_count()} processors, Linux {platform.release()}; {versions}"


def file_system(place: Path) -> str:
    """Return the name of the file system that `place` is on."""
    return subprocess.run(
        ["/usr/bin/findmnt", "--noheadings", "--output", "FSTYPE", "--target", str(place)],
        check=True,
        text=True,
        capture_output=True,
    ).stdout.strip()


def sync_cost(place: Path) -> tuple[float, float]:
    """Return what fsync after appending 4 KiB takes, and after overwriting; medians in ms."""
    file = place / "fsync"
    fd = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        appending = [_synced(fd, number * len(_BLOCK)) for number in range(_SYNCS)]
        overwriting = [_synced(fd, 0) for _ in range(_SYNCS)]
    finally:
        os.close(fd)
        file.unlink()
    return statistics.median(appending), statistics.median(overwriting)


def memory(pid: int) -> str:
    """Return the resident and the proportional memory of a process, in MiB."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    rss, pss = (re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE) for name in ("Rss", "Pss"))
    return (
        f"RSS {int(rss[1]) / 1024:.1f} MiB, PSS {int(pss[1]) / 1024:.1f} MiB"
        if rss and pss
        else "?"
    )


def _synced(fd: int, at: int) -> float:
    os.pwrite(fd, _BLOCK, at)
    before = time.perf_counter()
    os.fsync(fd)
    return (time.perf_counter() - before) * 1000
