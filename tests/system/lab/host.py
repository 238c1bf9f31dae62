"""The scripted PAM application (tests/host), as a client of the lab's stacks."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from tests.system.lab.terminal import CODE
from tests.system.lab.wait import DEADLINE

PASSWORD: Final = "Password: "
SOURCES: Final = Path(__file__).resolve().parents[2] / "host"
ENVIRONMENT: Final = {"PATH": os.defpath}

SUCCESS: Final = "PAM_SUCCESS"
AUTH_ERR: Final = "PAM_AUTH_ERR"
UNAVAILABLE: Final = "PAM_AUTHINFO_UNAVAIL"

_RESULT: Final = re.compile(r"(\w+) -> (\w+) \(\d+\)")


@cache
def program() -> Path:
    """Build the application where every user can run it, once, and return its path."""
    directory = Path(tempfile.mkdtemp(prefix="pamhost-"))
    directory.chmod(0o755)
    built = directory / "pamhost"
    make: list[str | Path] = ["make", "-s", "-C", SOURCES, f"BUILD={directory}", built]
    subprocess.run(make, check=True, env=ENVIRONMENT)
    return built


def library(name: str, source: str | Path) -> Path:
    """Build a shared object out of one C file, where every user can load it."""
    directory = Path(tempfile.mkdtemp(prefix="library-"))
    directory.chmod(0o755)
    command = ["cc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    built = directory / name
    subprocess.run([*command, "-o", built, source], check=True, env=ENVIRONMENT)
    return built


@dataclass(frozen=True)
class Ended:
    """What a run of the application came to."""

    status: int
    events: tuple[str, ...]

    def results(self, step: str = "authenticate") -> list[str]:
        """Return the PAM code of each call of that name."""
        found = (_RESULT.fullmatch(event) for event in self.events)
        return [match[2] for match in found if match and match[1] == step]

    @property
    def result(self) -> str:
        """The PAM code of the only `authenticate`."""
        (only,) = self.results()
        return only

    @property
    def asked_for_code(self) -> bool:
        """Whether the person was asked for a code."""
        return any(event.startswith(f'prompt echo_on "{CODE}') for event in self.events)

    @property
    def log(self) -> list[str]:
        """What libpam and the modules logged."""
        return [event for event in self.events if event.startswith("log ")]


class Running:
    """An application that is under way."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._events: list[str] = []

    def waits_at(self, start: str, times: int = 1) -> None:
        """Read events until so many begin like this."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._events.append(line.rstrip("\n"))
            times -= line.startswith(start)
            if times == 0:
                return
        raise AssertionError(f"{start!r} never came: {self._events}")

    def go_on(self, times: int = 1) -> None:
        """Let the application give so many answers."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n" * times)
        self.process.stdin.flush()

    def end(self) -> Ended:
        """Wait for the end, which must not be a crash nor a script that was not followed."""
        output, errors = self.process.communicate(timeout=DEADLINE)
        ended = Ended(self.process.returncode, (*self._events, *output.splitlines()))
        assert ended.status in (0, 1), (ended, errors)
        return ended


@dataclass(frozen=True)
class Conditions:
    """How the application runs."""

    options: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    prepare: Callable[[], object] | None = None  # runs in its process before it starts
    cwd: str | None = None


USUAL: Final = Conditions()


def answers(password: str | None, code: str | None) -> list[str]:
    """Return the options that answer the two prompts; None stands for one that never comes."""
    given = ((PASSWORD, password), (CODE, code))
    return [f"--answer={prompt}={text}" for prompt, text in given if text is not None]


@contextmanager
def started(  # noqa: PLR0913 -- a login has as many sides
    service: str,
    account: str,
    *options: str,
    password: str | None = None,
    code: str | None = None,
    steps: Iterable[str] = ("authenticate",),
    conditions: Conditions = USUAL,
) -> Iterator[Running]:
    """Start a login; kill it if the test does not come to its end."""
    given = [*conditions.options, *options, *answers(password, code)]
    process = subprocess.Popen(
        [program(), *given, service, account, *steps],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT | dict(conditions.environment),
        preexec_fn=conditions.prepare,  # noqa: PLW1509 -- it takes no locks
        cwd=conditions.cwd,
    )
    try:
        yield Running(process)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def login(  # noqa: PLR0913 -- a login has as many sides
    service: str,
    account: str,
    *options: str,
    password: str | None = None,
    code: str | None = None,
    steps: Iterable[str] = ("authenticate",),
    conditions: Conditions = USUAL,
) -> Ended:
    """Play one login to its end; a prompt too many or too few fails."""
    with started(
        service,
        account,
        *options,
        password=password,
        code=code,
        steps=steps,
        conditions=conditions,
    ) as running:
        return running.end()
