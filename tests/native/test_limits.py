"""Time limits on the service, none on the person."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

import pytest
from fake_service import Peer, Reply, Script, Style, Type, prompts, text
from host_program import AUTHINFO_UNAVAIL, SHORT_LIMIT_MS, SUCCESS, Bridge, Ended

LIMIT = SHORT_LIMIT_MS / 1000
SLACK = 3.0  # a busy machine is late, but never early


def timed(run: Callable[[], Ended]) -> tuple[Ended, float]:
    """Give the result and how long it took, in seconds."""
    start = time.monotonic()
    return run(), time.monotonic() - start


def assert_refused_in_time(ended: Ended, seconds: float, limit: float = LIMIT) -> None:
    """Check that the login was refused at the limit: not before, and soon after."""
    assert ended.codes() == [AUTHINFO_UNAVAIL]
    assert len(ended.log()) == 1
    assert "timed out" in ended.log()[0]
    assert limit * 0.95 <= seconds <= limit + SLACK


def hang(peer: Peer) -> None:
    """Take the call and never answer."""
    peer.call()
    assert peer.receive() == b""


def hang_after_a_request(peer: Peer) -> None:
    """Ask once, take the reply and never answer."""
    peer.call()
    peer.ask(Type.GETENV, text("A"))
    assert peer.receive() == b""


@pytest.mark.parametrize("script", [hang, hang_after_a_request])
@pytest.mark.parametrize("options", [(), ("--interval", "7")], ids=["quiet", "signals"])
def test_hung_service(hurried: Bridge, script: Script, options: tuple[str, ...]) -> None:
    """A service that does not answer is given up at the limit, with or without signals."""
    with hurried.service(script):
        assert_refused_in_time(*timed(lambda: hurried.login(options=options)))


@pytest.mark.parametrize("options", [(), ("--interval", "7")], ids=["quiet", "signals"])
def test_full_backlog(hurried: Bridge, options: tuple[str, ...]) -> None:
    """A service that accepts nobody any more is given up at the limit, not waited for for ever."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(hurried.socket))
        listener.listen(0)
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as other:
                other.connect(str(hurried.socket))
                assert_refused_in_time(*timed(lambda: hurried.login(options=options)))
        finally:
            hurried.socket.unlink()


def test_service_that_accepts_nobody(hurried: Bridge) -> None:
    """A service that is stopped, and still has room in its backlog, is given up as well."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(hurried.socket))
        listener.listen(8)
        try:
            assert_refused_in_time(*timed(hurried.login))
        finally:
            hurried.socket.unlink()


def test_each_wait_has_its_own_limit(hurried: Bridge) -> None:
    """A slow service that answers each time within the limit is not cut off by the sum."""

    def script(peer: Peer) -> None:
        peer.call()
        for _ in range(4):
            time.sleep(LIMIT / 2)
            assert peer.ask(Type.GETENV, text("A")).code == SUCCESS
        peer.finish()

    with hurried.service(script):
        assert hurried.login().codes() == [SUCCESS]


@pytest.mark.parametrize("options", [(), ("--interval", "7")], ids=["quiet", "signals"])
def test_person_has_time(hurried: Bridge, options: tuple[str, ...]) -> None:
    """While a person types no limit of the bridge runs."""

    def script(peer: Peer) -> None:
        peer.call()
        request = prompts((Style.ECHO_ON, "Code: "))
        assert peer.ask_raw(request) == Reply(SUCCESS, ("123456",))
        peer.finish()

    options = ("--hold", "--answer", "Code=123456", *options)
    with hurried.service(script), hurried.started(options=options) as running:
        running.wait_for("prompt")
        time.sleep(LIMIT * 2)
        running.go_on()
        assert running.end().codes() == [SUCCESS]


def test_service_dies_while_the_person_types(bridge: Bridge) -> None:
    """A login whose service is gone when the answer comes is refused, without a SIGPIPE."""

    def script(peer: Peer) -> None:
        peer.call()
        peer.send(prompts((Style.ECHO_ON, "Code: ")))

    options = ("--hold", "--answer", "Code=123456")
    with bridge.service(script), bridge.started(options=options) as running:
        running.wait_for("prompt")
        running.go_on()
        ended = running.end()
    assert (ended.status, ended.codes()) == (1, [AUTHINFO_UNAVAIL])


def test_signals_change_nothing(bridge: Bridge) -> None:
    """A host that gets a signal each millisecond logs in as any other."""

    def script(peer: Peer) -> None:
        peer.call()
        for _ in range(200):
            peer.ask(Type.GETENV, text("A"))
        time.sleep(0.05)
        peer.finish()

    with bridge.service(*[script] * 5):
        ended = bridge.login(options=("--interval", "1", "--repeat", "5"))
    assert ended.codes() == [SUCCESS] * 5
