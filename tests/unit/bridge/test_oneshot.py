"""The one-shot as a process of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from bridge_end import CONVERSE, FINISH, PATIENCE, TAKE, Host, call_message, message, reply

from pam_totp.bridge import oneshot
from pam_totp.bridge.connection import Waits
from pam_totp.bridge.peers import Peer
from pam_totp.errors import PamTotpError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machine import Machine

CHECKOUT = Path(__file__).parents[3]

# The installed script runs `sys.exit(main())`; a test's configuration is elsewhere.
PROGRAM = """
import sys
sys.path.insert(0, {checkout!r})
from pathlib import Path
from pam_totp import config
config.DEFAULT_PATH = Path({config!r})
from pam_totp.bridge.oneshot import main
loaded = {{name.partition(".")[0] for name in sys.modules}}
assert not loaded & {{"click", "rich", "segno", "pamela", "unittest"}}, loaded
sys.exit(main())
"""


def run(tmp_path: Path, standard_input: int) -> subprocess.CompletedProcess[str]:
    """Run the one-shot to its end."""
    program = PROGRAM.format(
        checkout=os.fspath(CHECKOUT), config=os.fspath(tmp_path / "pam-totp.yaml")
    )
    return subprocess.run(
        [sys.executable, "-I", "-c", program],
        stdin=standard_input,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        cwd="/",
    )


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, Host]]:
    """Connect a host and what will be the one-shot's standard input."""
    theirs, ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs, ours:
        yield theirs, Host(ours)


def test_without_a_configuration_it_refuses(
    tmp_path: Path, pair: tuple[socket.socket, Host]
) -> None:
    """Where nothing is set up, the host gets no answer, and nothing is said but to the log."""
    theirs, host = pair
    host.send(call_message())
    done = run(tmp_path, theirs.fileno())
    theirs.close()
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
    with pytest.raises(ConnectionResetError):
        host.receive()


def test_one_login_is_answered(machine: Machine, pair: tuple[socket.socket, Host]) -> None:
    """A right code on root's socket is success, and the process ends with 0 and says nothing.

    Where the tests run as someone else, so is the socket, and the login is refused.
    """
    theirs, host = pair
    host.send(call_message(machine.person.name, kept=1))
    host.send(reply(None))
    host.send(reply(machine.code()))
    done = run(machine.directory, theirs.fileno())
    root = os.geteuid() == 0
    assert (done.returncode, done.stdout, done.stderr) == (0 if root else 1, "", "")
    if root:
        assert [host.receive()[1] for _ in range(2)] == [TAKE, CONVERSE]
        assert host.receive() == message(FINISH, 0)


def test_run_by_hand_it_refuses(tmp_path: Path) -> None:
    """With something else than the bridge's socket on standard input it ends with 1."""
    stream, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with stream, other:
        for standard_input in (stream.fileno(), subprocess.DEVNULL):
            done = run(tmp_path, standard_input)
            assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


def test_only_root_s_socket_is_served(
    pair: tuple[socket.socket, Host], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A socket that someone else than root made is refused before its call is read."""
    theirs, host = pair
    host.send(call_message())
    monkeypatch.setattr(oneshot, "peer_of", lambda _: Peer(1, 1000, 1000))
    with pytest.raises(PamTotpError):
        oneshot.serve(theirs, lambda *_: 0, Waits())


def test_root_s_call_is_answered(
    pair: tuple[socket.socket, Host], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call on root's socket gets what the handler returns."""
    theirs, host = pair
    host.send(call_message())
    monkeypatch.setattr(oneshot, "peer_of", lambda _: Peer(1, 0, 0))
    oneshot.serve(theirs, lambda *_: 25, Waits())
    assert host.finished() == 25


def test_a_refusal_is_a_line_like_the_others(log_lines: list[str]) -> None:
    """What kept it from answering, and what to do, stand in the line under their keys."""
    oneshot._refused('/x/"y\n" is gone', "pam-totp setup")
    (line,) = log_lines
    assert line.startswith('verdict=unavailable detail="pam-totpd is not running, and ')
    assert line.endswith(r': /x/\"y\x0a\" is gone" hint="pam-totp setup"')
