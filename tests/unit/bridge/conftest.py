"""What the tests of the bridge's Python end share."""

from __future__ import annotations

import sys
import syslog
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for bridge_end, which is no test

from bridge_end import PATIENCE, ScriptedBridge, named_peer
from machine import Machine, set_up

from pam_totp.bridge.listener import Listener
from pam_totp.bridge.server import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pam_totp.bridge.guard import Dispatch


@pytest.fixture(autouse=True)
def log_lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect what would go to the machine's log."""
    lines: list[str] = []
    monkeypatch.setattr(syslog, "syslog", lambda _priority, line: lines.append(line))
    return lines


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Set a host up in tmp_path, with whoever runs the tests as its one account."""
    return set_up(tmp_path)


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], None]:
    """Wait for a condition that must become true; give up only after a long time."""

    def wait(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, "it did not come true"
            time.sleep(0.002)

    return wait


@pytest.fixture
def scripted() -> Iterator[Callable[..., ScriptedBridge]]:
    """Make pamh objects with bridges whose answers are ready."""
    made: list[ScriptedBridge] = []

    def make(*answers: bytes, **options: object) -> ScriptedBridge:
        made.append(ScriptedBridge(*answers, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for bridge in made:
        bridge.close()


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Start services in tmp_path / "run", each in place of the one before."""
    running: list[tuple[Server, Listener]] = []

    def stop() -> None:
        while running:
            server, listener = running.pop()
            server.stop()
            assert server.wait(PATIENCE)
            listener.close()

    def start(dispatch: Dispatch, **options: object) -> Server:
        stop()
        listener = Listener.open(tmp_path / "run")
        server = Server(
            listener,
            dispatch,
            **{"credentials": named_peer, **options},  # type: ignore[arg-type]
        )
        running.append((server, listener))
        server.start()
        return server

    yield start
    stop()
