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
_TIMES: Final = 50
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


def costs(place: Path) -> str:
    """Say what an fsync takes after appending and after overwriting, and making a new file.

    The last is what the others pay in each login, and differs most from disk to disk and from
    day to day.
    """
    directory = place / "costs"
    directory.mkdir()
    fd = os.open(directory / "file", os.O_RDWR | os.O_CREAT, 0o600)
    appending = statistics.median(_synced(fd, n * len(_BLOCK)) for n in range(_TIMES))
    overwriting = statistics.median(_synced(fd, 0) for _ in range(_TIMES))
    os.close(fd)
    making = statistics.median(_made(directory / str(n)) for n in range(_TIMES))
    return (
        f"fsync of 4 KiB appended {appending:.2f} ms, overwritten {overwriting:.2f} ms, "
        f"a new file {making:.2f} ms"
    )


def memory(pid: int) -> str:
    """Return the resident and the proportional memory of a process, in MiB."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    rss, pss = (re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE) for name in ("Rss", "Pss"))
    return (
        f"RSS {int(rss[1]) / 1024:.1f} MiB, PSS {int(pss[1]) / 1024:.1f} MiB"
        if rss and pss
        else "?"
    )


def _made(file: Path) -> float:
    before = time.perf_counter()
    fd = os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    after = time.perf_counter()
    os.close(fd)
    return (after - before) * 1000


def _synced(fd: int, at: int) -> float:
    os.pwrite(fd, _BLOCK, at)
    before = time.perf_counter()
    os.fsync(fd)
    return (time.perf_counter() - before) * 1000
