"""The installed product: its command line, its service and its places."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.system.lab.wait import DEADLINE, wait_for

COMMAND: Final = "/usr/bin/pam-totp"
SERVICE: Final = "/usr/sbin/pam-totpd"
CONFIGURATION: Final = Path("/etc/pam-totp/pam-totp.yaml")
DATA: Final = Path("/var/lib/pam-totp")
LOGIN_SOCKET: Final = Path("/run/pam-totp/login.socket")


def pam_totp(*arguments: str) -> str:
    """Run `pam-totp`, which must succeed, and return what it printed."""
    done = subprocess.run(
        [COMMAND, *arguments],
        check=False,
        text=True,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=DEADLINE,
    )
    assert done.returncode == 0, f"pam-totp {' '.join(arguments)}: {done.stderr}"
    return done.stdout


def ask_pam_totp(*arguments: str) -> Any:
    """Run `pam-totp ... --json` and return what it answered."""
    return json.loads(pam_totp(*arguments, "--json"))


def configure(option: str, value: str) -> None:
    """Set one option in the configuration; a running service does not look again."""
    text = re.sub(rf"(?m)^{re.escape(option)}:.*\n", "", CONFIGURATION.read_text())
    CONFIGURATION.write_text(f"{text}\n{option}: {value}\n")


@contextmanager
def policy(*settings: str) -> Iterator[None]:
    """Set the policy for everybody for as long as the block runs."""
    newest = max(version["version"] for version in ask_pam_totp("policy", "history"))
    pam_totp("policy", "set", *settings, "--yes", "--force")
    try:
        yield
    finally:
        pam_totp("policy", "revert", str(newest), "--yes", "--force")


class Service:
    """pam-totpd, started by hand with the notification that a service manager waits for."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether it has been started and has not ended."""
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int:
        """The process id of the running service."""
        assert self.process is not None, "the service has not been started"
        return self.process.pid

    def start(self) -> None:
        """Start it and wait until it says that it is ready."""
        assert not self.running, "the service runs already"
        with (
            tempfile.TemporaryDirectory() as directory,
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready,
        ):
            address = f"{directory}/notify"
            ready.bind(address)
            ready.settimeout(DEADLINE)
            environment = {"PATH": "/usr/sbin:/usr/bin", "LC_ALL": "C.UTF-8"}
            self.process = subprocess.Popen(
                [SERVICE],
                env=environment | {"NOTIFY_SOCKET": address},
                cwd="/",
                stdin=subprocess.DEVNULL,
            )
            assert b"READY=1" in ready.recv(4096)

    def ensure(self) -> None:
        """Start it unless it runs."""
        if not self.running:
            self.start()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it with a signal and wait for its end."""
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(how)
            self.process.wait(DEADLINE)

    def restart(self) -> None:
        """Stop it and start it again."""
        self.stop()
        self.start()

    def hang(self) -> None:
        """Stop its clock: it keeps its sockets and answers nothing until `stop` or `resume`."""
        os.kill(self.pid, signal.SIGSTOP)
        stat = Path(f"/proc/{self.pid}/stat")
        wait_for(lambda: stat.read_text().rsplit(")", 1)[1].split()[0] == "T", "stopped service")

    def resume(self) -> None:
        """Let it go on after `hang`."""
        os.kill(self.pid, signal.SIGCONT)
