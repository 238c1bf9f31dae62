"""A machine that `pam-totp stack` changes, and its logins over SSH."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

from tests.system.lab import debian
from tests.system.lab.person import Person
from tests.system.lab.product import pam_totp
from tests.system.lab.ssh import Sshd, is_in, is_refused
from tests.system.lab.terminal import CODE, Terminal
from tests.system.lab.wait import DEADLINE

DROP_IN: Final = Path("/etc/ssh/sshd_config.d/50-pam-totp.conf")
STACK: Final = Path("/etc/pam.d/sshd")
COPIES: Final = Path("/etc/pam-totp/stacks")
TRIAL: Final = COPIES / "trial"
OFF: Final = "/usr/libexec/pam-totp/stack-off"
ENABLE: Final = ("stack", "enable", "sshd", "--yes")
# Where the command looks for the sshd that is to read its settings anew.
RELOADED: Final = "PidFile=/run/sshd.pid"


class Someone(Protocol):
    """Whoever logs in, wherever the account is."""

    @property
    def name(self) -> str: ...
    @property
    def password(self) -> str: ...
    def fresh_code(self) -> str: ...
    def wrong_code(self) -> str: ...


def run(*words: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program that may fail."""
    given = {"stdin": subprocess.DEVNULL} if text is None else {"input": text}
    return subprocess.run(
        words, check=False, text=True, capture_output=True, timeout=DEADLINE, **given
    )


@contextmanager
def turned_off() -> Iterator[Sshd]:
    """An sshd that asks for no code, and reads its settings anew when told; all is as before
    at the end."""
    run("ssh-keygen", "-A")
    with debian.kept():
        pam_totp("stack", "disable", "--all")
        with Sshd("sshd", None, RELOADED) as sshd:
            yield sshd
        assert run(OFF, "--all").returncode == 0


def session(sshd: Sshd, person: Person, *, code: bool) -> Terminal:
    """Open a session, and wait until it is there."""
    methods = "keyboard-interactive" if code else "password"
    terminal = sshd.client(person.name, methods=methods, command="echo ready; exec sh")
    terminal.gives_password(person.password)
    if code:
        terminal.gives_code(person.fresh_code())
    terminal.sees("ready")
    return terminal


def with_code(sshd: Sshd, person: Someone) -> None:
    """Password and code let in by SSH."""
    with sshd.client(person.name) as client:
        client.gives_password(person.password)
        client.gives_code(person.fresh_code())
        is_in(client)


def asks_for_a_code(person: Someone) -> None:
    """Password and code let in by SSH, a wrong code does not, and a wrong password does not."""
    with Sshd() as sshd:
        for word, code, comes in (
            (person.password, person.fresh_code(), is_in),
            (person.password, person.wrong_code(), is_refused),
            ("wrong", person.fresh_code(), is_refused),
        ):
            with sshd.client(person.name) as client:
                client.gives_password(word)
                client.gives_code(code)
                comes(client)


def asks_for_no_code(person: Someone, methods: str = "password") -> None:
    """The password alone lets in by SSH, a wrong one does not."""
    with Sshd() as sshd:
        for word, comes in ((person.password, is_in), ("wrong", is_refused)):
            with sshd.client(person.name, methods=methods) as client:
                client.gives_password(word)
                comes(client)
                assert CODE not in client.transcript
