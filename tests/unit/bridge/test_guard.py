"""One call behind the outermost guard: whatever goes wrong is a refusal, and no log tells."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest
from bridge_end import CONVERSE, Host, call_message, message, reply

from pam_totp.bridge.connection import Connection, Waits
from pam_totp.bridge.guard import REFUSAL, answer
from pam_totp.bridge.pamh import PamHandle
from pam_totp.bridge.peers import Peer
from pam_totp.bridge.wire import Function
from pam_totp.sparing import Sparing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECRET = "correct-horse-123456"
PEER = Peer(4711, 0, 0)


@pytest.fixture
def ends() -> Iterator[tuple[Connection, Host]]:
    """Connect a host with what answers it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        yield Connection(ours, Waits(host=0.2, person=0.2)), Host(theirs)


def test_a_call_reaches_the_handler_whole(ends: tuple[Connection, Host]) -> None:
    """The handler gets pamh, function, flags and argv with the module's name in front."""
    connection, host = ends
    seen: list[Any] = []

    def dispatch(pamh: PamHandle, function: Function, flags: int, argv: list[str]) -> int:
        seen.extend([pamh.user, pamh.peer, function, flags, argv])
        return 25

    host.send(message(1, 2, 0x8001, ["collect"], "sshd", "alice", None, None, None, 0, 0))
    answer(connection, PEER, dispatch)
    expected = ["alice", PEER, Function.ACCT_MGMT, 0x8001, ["pam_totp.so", "collect"]]
    assert seen == expected
    assert host.finished() == 25


def _raise(exception: BaseException) -> Callable[..., int]:
    def dispatch(*_: object) -> int:
        raise exception

    return dispatch


@pytest.mark.parametrize(
    "exception",
    [
        ValueError(SECRET),
        KeyError(SECRET),
        OSError(28, SECRET),
        MemoryError(),
        RecursionError(),
        SystemExit(0),
        KeyboardInterrupt(),
        GeneratorExit(),
        PamHandle.exception(PamHandle.PAM_SUCCESS),
    ],
    ids=lambda exception: type(exception).__name__,
)
def test_every_exception_is_a_refusal(
    ends: tuple[Connection, Host], log_lines: list[str], exception: BaseException
) -> None:
    """Any exception out of the handler is PAM_AUTHINFO_UNAVAIL and one line without its words."""
    connection, host = ends
    host.send(call_message())
    answer(connection, PEER, _raise(exception))
    assert host.finished() == REFUSAL == PamHandle.PAM_AUTHINFO_UNAVAIL
    (line,) = log_lines
    assert type(exception).__name__ in line
    assert "test_guard.py" in line
    assert SECRET not in line


@pytest.mark.parametrize("code", [None, "0", 0.0, False, True, -1, 32, 1 << 40, [0]])
def test_what_is_no_pam_code_is_a_refusal(
    ends: tuple[Connection, Host],
    log_lines: list[str],
    code: Any,
) -> None:
    """A handler that returns no PAM return value, False and 0.0 included, refuses."""
    connection, host = ends
    host.send(call_message())
    answer(connection, PEER, lambda *_: code)
    assert host.finished() == REFUSAL
    assert len(log_lines) == 1


@pytest.mark.parametrize("code", range(32))
def test_every_pam_code_is_passed_on(ends: tuple[Connection, Host], code: int) -> None:
    """What the handler returns is what the call returns."""
    connection, host = ends
    host.send(call_message())
    answer(connection, PEER, lambda *_: code)
    assert host.finished() == code


def _ask(pamh: PamHandle, *_: object) -> int:
    response = pamh.conversation(pamh.Message(pamh.PAM_PROMPT_ECHO_ON, "Code: "))
    raise ValueError(response)


def test_an_answer_is_in_no_log(ends: tuple[Connection, Host], log_lines: list[str]) -> None:
    """What a person typed is not in the line about the exception that it led to, nor chained."""
    connection, host = ends

    def dispatch(pamh: PamHandle, *_: object) -> int:
        try:
            return _ask(pamh)
        except ValueError as error:
            raise KeyError(SECRET) from error

    host.send(call_message())
    host.send(reply(SECRET))
    answer(connection, PEER, dispatch)
    assert host.receive() == message(CONVERSE, 1, 2, "Code: ")
    assert host.finished() == REFUSAL
    (line,) = log_lines
    assert "caused by ValueError" in line
    assert SECRET not in line


BROKEN = {
    "another version": message(1, 1, 0, [], *[None] * 5, 0, version=2),
    "a reply": reply(),
    "noise": b"\xff" * 40,
}


@pytest.mark.parametrize("first", BROKEN.values(), ids=BROKEN)
def test_a_broken_call_is_a_refusal(
    ends: tuple[Connection, Host], log_lines: list[str], first: bytes
) -> None:
    """A first message that is no CALL is refused, and the handler does not hear of it."""
    connection, host = ends
    host.send(first)
    answer(connection, PEER, _raise(AssertionError("the handler was called")))
    assert host.finished() == REFUSAL
    assert "BrokenMessage" in log_lines[0]


def test_a_broken_reply_is_a_refusal(ends: tuple[Connection, Host]) -> None:
    """A reply that departs from the wire is refused, whatever the handler would make of it."""
    connection, host = ends
    host.send(call_message())
    host.send(b"\1\2nonsense")
    answer(connection, PEER, _ask)
    host.receive()
    assert host.finished() == REFUSAL


def test_a_host_that_leaves_is_no_error(
    ends: tuple[Connection, Host], log_lines: list[str]
) -> None:
    """A host that closes in the middle of a conversation leaves one quiet line."""
    connection, host = ends
    host.send(call_message())

    def dispatch(pamh: PamHandle, *_: object) -> int:
        host.socket.close()
        return _ask(pamh)

    answer(connection, PEER, dispatch)
    (line,) = log_lines
    assert "given up" in line
    assert "pid=4711" in line


def test_a_host_that_says_nothing_is_given_up(
    ends: tuple[Connection, Host], log_lines: list[str]
) -> None:
    """A connection without a CALL ends by itself."""
    connection, host = ends
    answer(connection, PEER, _raise(AssertionError("the handler was called")))
    assert host.receive() == b""
    assert "given up" in log_lines[0]


def test_lines_of_people_s_own_programs_are_bounded(
    ends: tuple[Connection, Host], log_lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connections that come to nothing make few lines if they are a person's own program's, and
    one each if they are root's."""
    monkeypatch.setattr("pam_totp.bridge.guard._sparing", Sparing(lambda: 0.0))
    for uid, expected in ((1000, 20), (0, 50)):
        log_lines.clear()
        for _ in range(50):
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            theirs.close()
            answer(Connection(ours), Peer(4711, uid, uid), _raise(AssertionError()))
        assert len(log_lines) == expected


def test_a_log_that_fails_does_not_stop_the_refusal(
    ends: tuple[Connection, Host], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where even logging raises, the host is refused by the end of the connection."""
    connection, host = ends
    monkeypatch.setattr("pam_totp.bridge.log.at", _raise(OSError(28, "full")))
    host.send(call_message())
    answer(connection, PEER, _raise(ValueError()))
    assert host.receive() == b""
