"""The bridge as it is built for a test, and the PAM application that loads it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict, Unpack

from fake_service import PATIENCE, FakeService, Script

ROOT = Path(__file__).resolve().parents[2]

SUCCESS = 0
SERVICE_ERR = 3
BUF_ERR = 5
PERM_DENIED = 6
AUTH_ERR = 7
AUTHINFO_UNAVAIL = 9
USER_UNKNOWN = 10
CRED_ERR = 17
CONV_ERR = 19
IGNORE = 25
MODULE_UNKNOWN = 28
BAD_ITEM = 29
CODES = range(32)

SANITIZER_STATUS = 99
SANITIZER_ENVIRONMENT = {
    "ASAN_OPTIONS": f"exitcode={SANITIZER_STATUS}:detect_leaks=1:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": f"exitcode={SANITIZER_STATUS}:print_stacktrace=1",
}
VALGRIND = (
    "valgrind",
    "--quiet",
    "--error-exitcode=98",
    "--leak-check=full",
    "--show-leak-kinds=definite,indirect,possible",
    "--errors-for-leak-kinds=definite,indirect,possible",
)
PLAIN_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}

SHORT_LIMIT_MS = 400

_RESULT = re.compile(r"(\w+) -> \w+ \((\d+)\)")


@dataclass(frozen=True)
class Ended:
    """What a run of the application came to."""

    status: int
    events: tuple[str, ...]
    errors: str

    def codes(self, step: str = "authenticate") -> list[int]:
        """Give the code of each call of that name."""
        results = (_RESULT.fullmatch(event) for event in self.events)
        return [int(found[2]) for found in results if found and found[1] == step]

    def log(self) -> list[str]:
        """Give the lines that the log got."""
        return [event for event in self.events if event.startswith("log ")]


class Running:
    """An application that is under way."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.events: list[str] = []

    def wait_for(self, start: str) -> str:
        """Read events until one begins like this."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.events.append(line.rstrip("\n"))
            if line.startswith(start):
                return self.events[-1]
        raise AssertionError(f"{start} never came: {self.events}")

    def go_on(self) -> None:
        """Let the application answer, or leave its pause."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def end(self) -> Ended:
        """Wait for the end."""
        output, errors = self.process.communicate(timeout=PATIENCE)
        return Ended(self.process.returncode, (*self.events, *output.splitlines()), errors)


class Conditions(TypedDict, total=False):
    """How the application runs, and in which stack."""

    argument: str  # of the module, in a stack of one `auth` and one `account` line
    stack: Sequence[str]  # the whole stack instead, {module} being the module
    user: str
    options: Sequence[str]  # of the application
    wrapper: Sequence[str]  # a program that runs the application
    environment: dict[str, str]
    prepare: Callable[[], None]  # runs in the application's process before it starts
    pass_fds: Sequence[int]
    uid: int
    cwd: str


@dataclass(frozen=True)
class Bridge:
    """One build of the module, the application that loads it and the one-shot's stand-in."""

    directory: Path
    host: Path

    @property
    def module(self) -> Path:
        """The module."""
        return self.directory / "pam_totp.so"

    @property
    def oneshot(self) -> Path:
        """What the module runs as its one-shot; nothing is there until a test puts it there."""
        return self.directory / "oneshot"

    @property
    def run_directory(self) -> Path:
        """The directory of the service's socket."""
        return self.directory / "run"

    @property
    def socket(self) -> Path:
        """The service's socket."""
        return self.run_directory / "login.socket"

    def service(self, *scripts: Script, workers: int = 1) -> FakeService:
        """Give a service that answers each connection by the next script."""
        return FakeService(self.socket, scripts, workers=workers)

    def command(self, steps: Sequence[str], conditions: Conditions) -> list[str]:
        """Write the stack and give the command line of the application."""
        argument = conditions.get("argument", "")
        stack = conditions.get("stack") or [
            f"{kind} required {{module}} {argument}" for kind in ("auth", "account")
        ]
        confdir = self.directory / "pam.d"
        text = "".join(line.format(module=self.module) + "\n" for line in stack)
        (confdir / "login").write_text(text)
        return [
            *conditions.get("wrapper", ()),
            str(self.host),
            *("--confdir", str(confdir)),
            *conditions.get("options", ()),
            *("login", conditions.get("user", "alice")),
            *(steps or ("authenticate",)),
        ]

    @contextmanager
    def started(self, *steps: str, **conditions: Unpack[Conditions]) -> Iterator[Running]:
        """Start the application; kill it if the test does not come to its end."""
        process = subprocess.Popen(
            self.command(steps, conditions),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="backslashreplace",
            env={**PLAIN_ENVIRONMENT, **SANITIZER_ENVIRONMENT, **conditions.get("environment", {})},
            preexec_fn=conditions.get("prepare"),  # noqa: PLW1509 - it takes no locks
            pass_fds=conditions.get("pass_fds", ()),
            user=conditions.get("uid"),
            cwd=conditions.get("cwd"),
        )
        try:
            yield Running(process)
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()

    def login(self, *steps: str, **conditions: Unpack[Conditions]) -> Ended:
        """Play one script of the application to its end; `authenticate` unless steps are given."""
        with self.started(*steps, **conditions) as running:
            ended = running.end()
        assert ended.status >= 0, f"killed by signal {-ended.status}"
        assert ended.status != SANITIZER_STATUS, ended.errors
        return ended


def build(directory: Path, *, sanitize: bool = False, limit_ms: int | None = None) -> Bridge:
    """Build everything for tests in `directory`, which other users can read.

    `limit_ms` replaces the bridge's time limits.
    """
    bridge = Bridge(directory, directory / "pamhost")
    shared = [f"BUILD={directory}", f"SANITIZE={int(sanitize)}"]
    places = [f"RUNDIR={bridge.run_directory}", f"ONESHOT={bridge.oneshot}"]
    if limit_ms is not None:
        places += [f"CONNECT_TIMEOUT_MS={limit_ms}", f"REPLY_TIMEOUT_MS={limit_ms}"]
    make(ROOT / "native", *shared, *places)
    make(ROOT / "tests/host", *shared, f"PROBE_REPORT={directory}/oneshot_report")
    bridge.run_directory.mkdir()
    (directory / "pam.d").mkdir()
    (directory / "pam.d/other").write_text(
        "".join(f"{kind} required pam_deny.so\n" for kind in ("auth", "account", "session"))
    )
    return bridge


def make(directory: Path, *arguments: str) -> None:
    """Run make, with no flags but these."""
    subprocess.run(["make", "-s", "-C", directory, *arguments], check=True, env=PLAIN_ENVIRONMENT)
