"""The machine that is looked at: its places, and what cannot be seen in files."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from pam_totp import clock, config, keyfile, nss
from pam_totp.account import Person
from pam_totp.config import Config
from pam_totp.doctor.finding import Unchecked
from pam_totp.errors import PamTotpError
from pam_totp.store.directory import DirectoryStore

_PROGRAM_SECONDS: Final = 30
_ENVIRONMENT: Final = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}


@dataclass(frozen=True, slots=True)
class Ran:
    """How a program ended, and what it printed."""

    code: int
    out: str
    err: str


Run = Callable[[Sequence[str]], Ran]


def run(command: Sequence[str]) -> Ran:
    """Run a program of the machine's.  Raises PamTotpError if it cannot be run or hangs."""
    try:
        done = subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            errors="backslashreplace",
            stdin=subprocess.DEVNULL,
            timeout=_PROGRAM_SECONDS,
            env=_ENVIRONMENT,
        )
    except OSError as error:
        raise PamTotpError(f"{command[0]}: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise PamTotpError(f"{command[0]}: no end after {_PROGRAM_SECONDS} s") from error
    return Ran(done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True)
class Machine:
    """A machine.  `root` stands in front of the places that no configuration names."""

    configuration: Path = config.DEFAULT_PATH
    root: Path = Path("/")
    run: Run = run
    now: clock.Clock = clock.now
    lookup: Callable[[str], Person | None] = nss.lookup
    group: Callable[[str], tuple[str, int, frozenset[str]] | None] = nss.group
    member: Callable[[Person, str], bool | None] = nss.member
    synchronised: Callable[[], bool | None] = clock.synchronised

    def at(self, path: str) -> Path:
        """Return where an absolute path is on this machine."""
        return self.root / path.lstrip("/")

    @property
    def systemd(self) -> bool:
        """Whether systemd has started this machine."""
        return self.at("/run/systemd/system").is_dir()

    @cached_property
    def config(self) -> Config:
        """The configuration.  Raises Unchecked: the check `config` says what is wrong."""
        try:
            return config.load(self.configuration)
        except PamTotpError as error:
            raise Unchecked("the configuration cannot be read") from error

    @cached_property
    def store(self) -> DirectoryStore:
        """The store, open.  Raises Unchecked: `key` and `store` say what is wrong."""
        try:
            store = DirectoryStore(self.config.data_directory, keyfile.load(self.config.key_file))
            list(store.accounts())
        except PamTotpError as error:
            raise Unchecked("the store cannot be opened") from error
        return store

    def close(self) -> None:
        """Close what was opened."""
        opened = self.__dict__.get("store")
        if opened is not None:
            opened.close()
