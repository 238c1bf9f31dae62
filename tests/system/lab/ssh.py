"""A real sshd on a port of its own, and the real client at a terminal."""

from __future__ import annotations

import itertools
import os
import re
import signal
import socket
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.system.lab.terminal import Terminal
from tests.system.lab.wait import DEADLINE, wait_for

SSHD: Final = Path("/usr/sbin/sshd")
PLACE: Final = Path("/etc/ssh/lab")
STACKS: Final = Path("/etc/pam.d")
DROP_IN: Final = Path("/usr/share/doc/libpam-totp/examples/ssh/50-pam-totp.conf")
SETTINGS: Final = Path("/etc/ssh/sshd_config.d/50-pam-totp.conf")
INSIDE: Final = "you are inside"

_ports = itertools.count(2201)


def stack_with(line: str) -> str:
    """Return Debian's own stack for sshd with its `@include common-auth` replaced."""
    debian = (STACKS / "sshd").read_text()
    assert re.search(r"(?m)^@include (common-auth|pam-totp)$", debian), debian
    return re.sub(r"(?m)^@include (common-auth|pam-totp)$", line, debian)


def turn_on_for_ssh() -> None:
    """Do what the documentation tells an administrator: one line in sshd's stack and a
    drop-in."""
    (STACKS / "sshd").write_text(stack_with("@include pam-totp"))
    SETTINGS.write_text(DROP_IN.read_text())


def turn_off_for_ssh() -> None:
    """Take it back."""
    (STACKS / "sshd").write_text(stack_with("@include common-auth"))
    SETTINGS.unlink()


def make_key(path: Path) -> Path:
    """Make an ed25519 key without a passphrase."""
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)],
        check=True,
        stdin=subprocess.DEVNULL,
    )
    return path


class Sshd:
    """One sshd.  The PAM service's name is the program's own, so a link gives it another."""

    def __init__(self, service: str = "sshd", stack: str | None = None, *options: str) -> None:
        self.service = service
        self.port = next(_ports)
        self._options = options
        self._own_stack = None if stack is None else STACKS / service
        if self._own_stack is not None:
            self._own_stack.write_text(f"{stack}\n")
        self._program = SSHD.with_name(service)
        if not self._program.exists():
            self._program.symlink_to(SSHD)

    def __enter__(self) -> Self:
        # The first value of an option counts: a test's own.
        options = [*self._options, f"Port={self.port}", "ListenAddress=127.0.0.1", "UseDNS=no"]
        options += ["PidFile=none", "HostKey=" + str(self._host_key()), "LogLevel=DEBUG1"]
        command = [str(self._program), "-D", *(f"-o{option}" for option in options)]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,  # what it says of its start; the rest goes to syslog
            start_new_session=True,
            env={"PATH": os.defpath, "LANG": "C.UTF-8"},
        )
        wait_for(self._answers, f"answer of {self.service} on port {self.port}")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(DEADLINE)
        if self._own_stack is not None:
            self._own_stack.unlink()

    @staticmethod
    def _host_key() -> Path:
        PLACE.mkdir(exist_ok=True)
        key = PLACE / "host_key"
        return key if key.exists() else make_key(key)

    def _answers(self) -> bool:
        assert self.process.poll() is None, f"{self.service} has ended"
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE) as client:
                return client.recv(4) == b"SSH-"
        except ConnectionError:
            return False

    def client(
        self,
        account: str,
        *options: str,
        methods: str = "keyboard-interactive",
        tries: int = 1,
        command: str = f"echo {INSIDE}",
    ) -> Terminal:
        """Open a terminal in which the ssh client logs in and says that it is inside, or runs
        another command there."""
        quiet = "LogLevel=ERROR"
        words = self.command(account, quiet, *options, methods=methods, tries=tries)
        return Terminal(*words, command)

    def command(
        self,
        account: str,
        *options: str,
        methods: str = "keyboard-interactive",
        tries: int = 1,
    ) -> list[str]:
        """Return the client's command line that logs in and starts a shell.  The client knows
        the host, and says all that it usually says."""
        # While sshd reads its settings anew nobody listens for a moment.
        wait_for(self._answers, f"answer of {self.service} on port {self.port}")
        settings = [
            f"Port={self.port}",
            f"PreferredAuthentications={methods}",
            f"NumberOfPasswordPrompts={tries}",
            f"UserKnownHostsFile={self._known_hosts()}",
            "StrictHostKeyChecking=yes",
            "IdentitiesOnly=yes",
            "IdentityAgent=none",
            *options,
        ]
        arguments = [part for setting in settings for part in ("-o", setting)]
        return ["ssh", "-F", "none", *arguments, f"{account}@127.0.0.1"]

    def _known_hosts(self) -> Path:
        kind, key, *_ = self._host_key().with_suffix(".pub").read_text().split()
        known = PLACE / "known_hosts"
        known.write_text(f"* {kind} {key}\n")
        return known


def is_in(terminal: Terminal) -> None:
    """The client runs its command on the other side and ends well."""
    terminal.sees(INSIDE)
    assert terminal.ends() == 0, terminal.transcript


def is_refused(terminal: Terminal) -> None:
    """The client ends with a refusal."""
    terminal.sees("Permission denied", "Too many authentication failures")
    assert terminal.ends() == 255, terminal.transcript
    assert INSIDE not in terminal.transcript
