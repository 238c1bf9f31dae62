"""The ready notification, on real sockets."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from pam_totp.bridge.notify import Notifier

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("abstract", [False, True])
def test_the_manager_hears(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, abstract: bool
) -> None:
    """READY=1 and STOPPING=1 arrive at a socket in the file system and at an abstract one."""
    address = f"@pam-totp-test.{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address.replace("@", "\0"))
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        notifier = Notifier.from_environment()
        notifier.ready()
        notifier.stopping()
        assert [manager.recv(100) for _ in range(2)] == [b"READY=1", b"STOPPING=1"]


def test_without_a_manager_nothing_happens(
    monkeypatch: pytest.MonkeyPatch, log_lines: list[str]
) -> None:
    """Started by hand, the service has nobody to tell, and does not mind."""
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    Notifier.from_environment().ready()
    assert log_lines == []


def test_a_manager_that_is_gone_is_logged(tmp_path: Path, log_lines: list[str]) -> None:
    """A notification that cannot be sent is a line in the log, and no more."""
    Notifier(str(tmp_path / "nobody")).ready()
    assert "READY=1" in log_lines[0]
