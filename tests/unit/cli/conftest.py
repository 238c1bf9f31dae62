"""A host of a test's own, and the command line on it: in this process and at a terminal."""

from __future__ import annotations

import base64
import json
import sys
import syslog
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pexpect
import pytest

from pam_totp import config, context
from pam_totp.cli.main import main
from pam_totp.otp import Parameters, hotp, step_at
from pam_totp.secret import Secret
from pam_totp.store.directory import DirectoryStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pam_totp.context import Context
    from pam_totp.store.seal import Keyring

REPOSITORY = Path(__file__).parents[3]
ENTRY = (
    f"import sys; sys.path.insert(0, {str(REPOSITORY)!r}); "
    "from pam_totp.cli.main import main; sys.exit(main())"
)
READ = "import pathlib, pam_totp.speech as s; s.read_from(pathlib.Path({!r}))"


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, as a script reads it."""
        return json.loads(self.out)


class Host:
    """Configuration, key and data in a directory of the test's own."""

    def __init__(self, directory: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.data = directory / "data"
        self.key = directory / "seal.key"
        self.path = directory / "pam-totp.yaml"
        self._capture = capture
        self.path.write_text(f"issuer: Example\ndata-directory: {self.data}\nkey-file: {self.key}")

    def run(self, *words: str) -> Done:
        """Run `pam-totp` with this host's configuration."""
        self._capture.readouterr()
        code = main(["--config", str(self.path), *words])
        return Done(code, *self._capture.readouterr())

    def does(self, *words: str) -> Done:
        """Run a command that must succeed."""
        done = self.run(*words)
        assert done.code == 0, done.err
        return done

    def at_terminal(
        self, *words: str, through: str = 'exec "$@"', catalogs: Path | None = None
    ) -> pexpect.spawn[str]:
        """Run it with a person at /dev/tty, by a line of shell, with these translations."""
        entry = ENTRY.replace("sys.exit", f"{READ.format(str(catalogs))}; sys.exit")
        entry = entry if catalogs else ENTRY
        command = (sys.executable, "-I", "-c", entry, "--config", str(self.path), *words)
        return pexpect.spawn(
            "/bin/sh",
            ["-c", through, "sh", *command],
            encoding="utf-8",
            timeout=20,
            dimensions=(24, 80),
            env={"TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"},
        )

    def world(self) -> Context:
        """What a login on this host works with."""
        return context.from_config(config.load(self.path))


@pytest.fixture(autouse=True)
def log_lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect what commands that run in this process would write to the machine's log."""
    lines: list[str] = []
    monkeypatch.setattr(syslog, "syslog", lambda _priority, line: lines.append(line))
    return lines


@pytest.fixture(autouse=True)
def stores(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Close what commands that run in this process leave open: their end would."""
    opened: list[DirectoryStore] = []

    def opening(path: Path, keys: Keyring) -> DirectoryStore:
        opened.append(DirectoryStore(path, keys))
        return opened[-1]

    monkeypatch.setattr(context, "DirectoryStore", opening)
    yield
    for store in opened:
        store.close()


@pytest.fixture(name="bare")
def bare_fixture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Host:
    """A host that has a configuration and nothing else."""
    return Host(tmp_path, capsys)


@pytest.fixture(name="host")
def host_fixture(bare: Host) -> Host:
    """A host that is set up."""
    bare.does("setup", "--yes", "--ignore-clock")
    return bare


@pytest.fixture
def code_of() -> Callable[[str, float], str]:
    """What an app with the secret (base32) shows at a moment."""

    def show(secret: str, now: float) -> str:
        raw = base64.b32decode(secret + "=" * (-len(secret) % 8))
        return hotp(Secret(raw), step_at(now, 30), Parameters())

    return show
