"""systemd itself, in a container over the lab's own files: /run and processes are its own."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.system.lab.wait import DEADLINE, wait_for

_PLACE: Final = Path("/run/box")
_ROOT: Final = _PLACE / "root"
_GROUPS: Final = _PLACE / "groups"
_ENVIRONMENT: Final = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}

# Runs as process 1 of new namespaces, and becomes systemd.  Mounts are shared within them, as on
# a machine: systemd makes the one of a unit's credentials in a process of its own.
_BOOT: Final = f"""
set -e
mount --make-rprivate /
mount -t proc proc {_ROOT}/proc
mount -t tmpfs -o mode=755 tmpfs {_ROOT}/run
mount -t tmpfs -o mode=1777 tmpfs {_ROOT}/tmp
mkdir -p {_ROOT}/run/lock {_ROOT}/run/sshd {_ROOT}/run/old
mount -t cgroup2 cgroup2 {_ROOT}/sys/fs/cgroup
cd {_ROOT}
pivot_root . run/old
cd /
umount --lazy /run/old
mount --make-rshared /
exec env -i container=lab PATH=/usr/sbin:/usr/bin /lib/systemd/systemd --unit=basic.target
"""


class Machine:
    """A machine on which systemd runs."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command there."""
        into = ["nsenter", "-t", str(self._pid), "-m", "-p", "-C", "-u", "-i"]
        return subprocess.run(
            [*into, *command],
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=DEADLINE,
            env=_ENVIRONMENT,
        )


@contextmanager
def booted() -> Iterator[Machine]:
    """Start systemd, and end all of it afterwards."""
    _ROOT.mkdir(parents=True)
    _GROUPS.mkdir()
    subprocess.run(["mount", "--rbind", "/", _ROOT], check=True)
    subprocess.run(["mount", "--make-rprivate", _ROOT], check=True)
    subprocess.run(["mount", "-t", "cgroup2", "none", _GROUPS], check=True)
    # Control groups are the whole machine's, process ids in the lab are not.
    group = Path(tempfile.mkdtemp(prefix="pam-totp-lab-", dir=_GROUPS))
    process = subprocess.Popen(
        ["unshare", "-m", "-p", "-f", "-C", "-u", "-i", "/bin/sh", "-c", _BOOT],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # Its control groups are below one of ours, to be taken away again.
        preexec_fn=lambda: (group / "cgroup.procs").write_text("0"),  # noqa: PLW1509
    )
    pid = int(wait_for(lambda: _child(process.pid), "process 1"))
    machine = Machine(pid)
    try:
        wait_for(
            lambda: machine.run("systemctl", "is-system-running").stdout.strip() == "running",
            "systemd",
        )
        yield machine
    finally:
        os.kill(pid, signal.SIGKILL)
        process.wait(DEADLINE)
        wait_for(lambda: _removed(group), "end of the control groups")
        subprocess.run(["umount", _GROUPS], check=True)
        subprocess.run(["umount", "--recursive", _ROOT], check=True)
        subprocess.run(["rm", "-r", "--one-file-system", _PLACE], check=True)


def _child(pid: int) -> str:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().strip()


def _removed(group: Path) -> bool:
    for path in sorted((p for p in group.rglob("*") if p.is_dir()), reverse=True):
        _rmdir(path)
    return _rmdir(group)


def _rmdir(path: Path) -> bool:
    try:
        path.rmdir()
    except OSError:  # busy: what ran in it is still ending
        return False
    return True
