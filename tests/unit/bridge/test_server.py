"""The service's threads: as many as people are waiting, bounded, and a refusal above."""

from __future__ import annotations

import os
import select
import socket
import threading
from typing import TYPE_CHECKING

import pytest
from bridge_end import PATIENCE, Host, call_message, named_peer, reply

from pam_totp.bridge.listener import Listener
from pam_totp.bridge.peers import Limits, Peer
from pam_totp.bridge.server import Server

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pam_totp.bridge.pamh import PamHandle

    Serving = Callable[..., Server]
    Until = Callable[[Callable[[], bool]], None]

UNAVAILABLE = 9
REPLY = reply("123456")


def check_code(pamh: PamHandle, *_: object) -> int:
    """Ask for a code, as a login does."""
    response = pamh.conversation(pamh.Message(pamh.PAM_PROMPT_ECHO_ON, "Code: "))
    assert not isinstance(response, list)
    return pamh.PAM_SUCCESS if response.resp == "123456" else pamh.PAM_AUTH_ERR


def waiting_host(directory: Path, uid: int | None = None, caller: int = 0) -> Host:
    """Start a login and leave it at the prompt."""
    host = Host.connect(directory, uid)
    host.send(call_message(caller=caller))
    assert host.receive()[1] == 16
    return host


def code_of(host: Host) -> int:
    """Answer the prompt and return what the login came to."""
    host.send(REPLY)
    return host.finished()


def refused(directory: Path, uid: int, caller: int = 0) -> bool:
    """Start a login and tell whether it was refused before any prompt."""
    host = Host.connect(directory, uid)
    try:
        host.send(call_message(caller=caller))
        found = host.receive()
    except (BrokenPipeError, ConnectionResetError):
        return True  # the service was quicker than the call
    finally:
        host.socket.close()
    assert found[1] in {16, 32}
    return found[1] == 32


def test_logins_follow_each_other(serving: Serving, tmp_path: Path) -> None:
    """One login after the other is answered, without another thread for it."""
    server = serving(check_code)
    for _ in range(20):
        assert code_of(waiting_host(tmp_path / "run")) == 0
    assert server.threads == 4


def test_as_many_threads_as_people_wait(serving: Serving, tmp_path: Path) -> None:
    """Sixty people wait at their prompts at once, and each is answered, last come first."""
    server = serving(check_code)
    hosts = [waiting_host(tmp_path / "run") for _ in range(60)]
    assert server.threads > 60
    assert [code_of(host) for host in reversed(hosts)] == [0] * 60


def test_threads_go_when_nobody_comes(serving: Serving, tmp_path: Path, until: Until) -> None:
    """Idle threads end after a while, down to the ones that always wait."""
    server = serving(check_code, idle_seconds=0.05)
    hosts = [waiting_host(tmp_path / "run") for _ in range(20)]
    for host in hosts:
        assert code_of(host) == 0
    until(lambda: server.threads == 4)
    assert code_of(waiting_host(tmp_path / "run")) == 0


def test_above_root_s_bound_is_a_plain_refusal(
    serving: Serving, tmp_path: Path, until: Until, log_lines: list[str]
) -> None:
    """A login too many is refused at once with FINISH, is logged, and takes nobody's place."""
    serving(check_code, limits=Limits(root=6))
    hosts = [waiting_host(tmp_path / "run") for _ in range(6)]
    assert refused(tmp_path / "run", 0)
    assert any("too many at once" in line for line in log_lines)
    assert [code_of(host) for host in hosts] == [0] * 6
    until(lambda: not refused(tmp_path / "run", 0))


def test_a_refusal_says_unavailable(serving: Serving, tmp_path: Path) -> None:
    """The refusal above the bound is PAM_AUTHINFO_UNAVAIL, also to another uid's host that is
    slow to call."""
    serving(check_code, limits=Limits(root=0, others=0))
    host = Host.connect(tmp_path / "run")
    host.send(call_message())
    assert host.finished() == UNAVAILABLE
    assert Host.connect(tmp_path / "run", 1000).finished() == UNAVAILABLE


def test_another_uid_has_four_places(serving: Serving, tmp_path: Path) -> None:
    """The fifth login of one uid is refused while another uid's and root's are answered."""
    serving(check_code)
    hosts = [waiting_host(tmp_path / "run", 1000) for _ in range(4)]
    assert refused(tmp_path / "run", 1000)
    hosts += [waiting_host(tmp_path / "run", 1001), waiting_host(tmp_path / "run", 0)]
    assert [code_of(host) for host in hosts] == [0] * 6


def test_all_other_uids_have_sixty_four_places(serving: Serving, tmp_path: Path) -> None:
    """With 64 logins of other uids, one more uid is refused and root is not."""
    serving(check_code)
    hosts = [waiting_host(tmp_path / "run", 1000 + n // 4) for n in range(64)]
    assert refused(tmp_path / "run", 2000)
    assert code_of(waiting_host(tmp_path / "run", 0)) == 0
    assert [code_of(host) for host in hosts] == [0] * 64


def test_a_caller_has_sixteen_places(
    serving: Serving, tmp_path: Path, log_lines: list[str], until: Until
) -> None:
    """The seventeenth su of one person is refused, with a line that names them, while another's
    su and root's logins are answered; with one ended there is room again."""
    serving(check_code)
    run = tmp_path / "run"
    hosts = [waiting_host(run, caller=1000) for _ in range(16)]
    assert refused(run, 0, caller=1000)
    assert any("uid=0, started by uid=1000" in line for line in log_lines)
    hosts += [waiting_host(run, caller=1001), waiting_host(run)]
    assert code_of(hosts.pop(0)) == 0
    until(lambda: not refused(run, 0, caller=1000))
    assert [code_of(host) for host in hosts] == [0] * 17


def test_all_callers_have_256_places(serving: Serving, tmp_path: Path) -> None:
    """With 256 su of sixteen people, one more person's is refused and root's login is not."""
    serving(check_code)
    hosts = [waiting_host(tmp_path / "run", caller=1000 + n // 16) for n in range(256)]
    assert refused(tmp_path / "run", 0, caller=2000)
    assert code_of(waiting_host(tmp_path / "run", 0)) == 0
    assert [code_of(host) for host in hosts] == [0] * 256


def test_a_call_that_does_not_come_takes_no_place(
    serving: Serving, tmp_path: Path, until: Until, log_lines: list[str]
) -> None:
    """However many of root's programs connect and do not call, one that calls is answered; of
    the others only so many are kept, and those can still call."""
    serving(check_code, limits=Limits(root=1, callers=0, arrivals=3))
    silent = [Host.connect(tmp_path / "run") for _ in range(8)]
    # All of them are taken in: one that comes now is the last.
    until(lambda: sum("given up: the host had not sent its call" in one for one in log_lines) >= 5)
    assert code_of(waiting_host(tmp_path / "run")) == 0
    # Which of them came last the threads that took them in decide.
    kept = [host for host in silent if not select.select([host.socket], [], [], 0)[0]]
    assert 2 <= len(kept) <= 3
    kept[0].send(call_message())
    assert kept[0].receive()[1] == 16
    assert code_of(kept[0]) == 0


def test_a_crowd_of_people_hides_no_line_of_root_s(
    serving: Serving, tmp_path: Path, log_lines: list[str]
) -> None:
    """A refusal of root's login is logged although people's were refused a moment before."""
    serving(check_code, limits=Limits(root=0, callers=0, others=0))
    for _ in range(3):
        assert refused(tmp_path / "run", 0, caller=1000)
        assert refused(tmp_path / "run", 1000)
    assert refused(tmp_path / "run", 0)
    assert [line.rpartition("(")[2] for line in log_lines] == [
        f"host pid={os.getpid()} uid=0, started by uid=1000)",
        f"host pid={os.getpid()} uid=0)",
    ]


def test_the_kernel_s_word_reaches_the_handler(serving: Serving, tmp_path: Path) -> None:
    """Without a test's own credentials, pamh.peer is the process that connected."""
    seen: list[Peer] = []

    def note(pamh: PamHandle, *_: object) -> int:
        seen.append(pamh.peer)
        return 0

    from pam_totp.bridge.peers import peer_of  # noqa: PLC0415

    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        own = peer_of(ours)
    serving(note, credentials=peer_of)
    host = Host.connect(tmp_path / "run")
    host.send(call_message())
    assert host.finished() == 0
    assert seen == [own]


def test_hosts_that_leave_give_their_places_back(
    serving: Serving, tmp_path: Path, until: Until
) -> None:
    """Hosts that vanish at the prompt, or before their call, leave no place taken."""
    serving(check_code, limits=Limits(root=5))
    for _ in range(5):
        waiting_host(tmp_path / "run").socket.close()
        Host.connect(tmp_path / "run").socket.close()
    until(lambda: not refused(tmp_path / "run", 0))
    hosts: list[Host] = []

    def another_waits() -> bool:
        host = Host.connect(tmp_path / "run")
        host.send(call_message())
        if host.receive()[1] == 16:
            hosts.append(host)
        return len(hosts) == 5

    until(another_waits)
    assert [code_of(host) for host in hosts] == [0] * 5


def test_stopping_lets_a_login_finish(serving: Serving, tmp_path: Path) -> None:
    """A login at its prompt is answered after stop, while new hosts find no socket."""
    server = serving(check_code)
    host = waiting_host(tmp_path / "run")
    server.stop()
    with pytest.raises(FileNotFoundError):
        Host.connect(tmp_path / "run")
    assert not server.wait(0)
    assert code_of(host) == 0
    assert server.wait(PATIENCE)


def test_stopping_serves_who_had_connected(tmp_path: Path) -> None:
    """Hosts that were still queued at the stop are answered, more of them than threads."""
    listener = Listener.open(tmp_path / "run")
    hosts = [Host.connect(tmp_path / "run") for _ in range(10)]
    server = Server(listener, check_code, credentials=named_peer)
    server.stop()
    server.start()
    for host in hosts:
        host.send(call_message())
    for host in hosts:
        assert host.receive()[1] == 16
        assert code_of(host) == 0
    assert server.wait(PATIENCE)
    listener.close()


def test_a_system_without_threads_refuses(
    serving: Serving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no further thread can be had, the login is refused and the next one is answered."""
    serving(check_code)
    hosts = [waiting_host(tmp_path / "run") for _ in range(3)]

    def no_more(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", no_more)
    assert refused(tmp_path / "run", 0)
    assert [code_of(host) for host in hosts] == [0] * 3
    assert code_of(waiting_host(tmp_path / "run")) == 0


def test_a_connection_whose_host_is_unknown_is_dropped(
    serving: Serving, tmp_path: Path, log_lines: list[str]
) -> None:
    """Where the kernel's word cannot be had, the connection ends and the thread goes on."""
    fails = [True]

    def credentials(connected: socket.socket) -> Peer:
        if fails.pop() if fails else False:
            raise OSError(107, "not connected")
        return named_peer(connected)

    serving(check_code, credentials=credentials)
    assert Host.connect(tmp_path / "run").receive() == b""
    assert code_of(waiting_host(tmp_path / "run")) == 0
    assert "dropped: OSError (errno 107)" in log_lines[0]
