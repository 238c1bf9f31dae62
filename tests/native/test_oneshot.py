"""The one-shot: when a login starts it, in which state, and that the host does not notice."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import socket
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Unpack

import pytest
from host_program import (
    AUTH_ERR,
    AUTHINFO_UNAVAIL,
    SHORT_LIMIT_MS,
    SUCCESS,
    VALGRIND,
    Bridge,
    Conditions,
)

NOBODY = 65534
LIMITS = {
    "cpu": (resource.RLIMIT_CPU, resource.RLIM_INFINITY),
    "fsize": (resource.RLIMIT_FSIZE, resource.RLIM_INFINITY),
    "as": (resource.RLIMIT_AS, resource.RLIM_INFINITY),
    "stack": (resource.RLIMIT_STACK, 8 << 20),
    "nofile": (resource.RLIMIT_NOFILE, 1024),
}


@pytest.fixture
def report(bridge: Bridge) -> Iterator[Path]:
    """Install the stand-in that reports its state; give the file that it writes."""
    yield from installed_probe(bridge)


def installed_probe(bridge: Bridge) -> Iterator[Path]:
    """Install the stand-in, and remove it and its report afterwards."""
    report = bridge.directory / "oneshot_report"
    shutil.copy(bridge.directory / "oneshot_probe", bridge.oneshot)
    yield report
    bridge.oneshot.unlink()
    report.unlink(missing_ok=True)


def write_oneshot(bridge: Bridge, text: str) -> None:
    """Make a script the one-shot."""
    bridge.oneshot.write_text(text)
    bridge.oneshot.chmod(0o755)


def lines(report: Path, start: str) -> list[str]:
    """Give the lines of the report that begin so, without their beginning."""
    found = [line for line in report.read_text().splitlines() if line.startswith(start)]
    return [line.removeprefix(start).strip() for line in found]


def spoil() -> None:
    """Do to the future host all that a caller can do to its children."""
    os.umask(0)
    os.nice(1)
    for number in (signal.SIGPIPE, signal.SIGTERM, signal.SIGALRM, signal.SIGCHLD, 40):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGUSR1, 41])
    for kind, value in ((resource.RLIMIT_FSIZE, 1), (resource.RLIMIT_NOFILE, 50)):
        resource.setrlimit(kind, (value, resource.getrlimit(kind)[1]))
    resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)
    os.setgroups([4, 24])
    os.setresgid(12, 12, 12)


SPOILED_ENVIRONMENT = {
    "PATH": "/nonexistent/bin:.",
    "PYTHONPATH": "/nonexistent",
    "PYTHONHOME": "/nonexistent",
    "PYTHONSTARTUP": "/nonexistent/startup.py",
    "PYTHONINSPECT": "1",
    "LD_LIBRARY_PATH": "/nonexistent",
    "LD_BIND_NOW": "1",
    "LC_ALL": "tr_TR.UTF-8",
    "LANG": "C",
    "TZ": "/nonexistent",
    "TMPDIR": "/nonexistent",
    "IFS": "/",
    "HOME": "/nonexistent",
}


def assert_clean(report: Path) -> None:
    """Check everything in the report against what the one-shot is promised."""
    assert lines(report, "env ") == ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]
    assert sorted(lines(report, "fd ")) == ["0 socket", "1 /dev/null", "2 /dev/null"]
    assert lines(report, "cwd ") == ["/"]
    assert lines(report, "umask ") == ["077"]
    assert lines(report, "session ") == ["own"]
    assert [int(masked, 16) for masked in lines(report, "SigIgn:")] == [0]
    assert [int(masked, 16) for masked in lines(report, "SigBlk:")] == [0]
    assert [line.split() for line in lines(report, "Uid:")] == [["0"] * 4]
    assert [line.split() for line in lines(report, "Gid:")] == [["0"] * 4]
    assert lines(report, "Groups:") == [""]
    (alarm,) = lines(report, "alarm ")
    assert 800 < int(alarm) <= 900
    limits = {line.split()[0]: line.split()[1:] for line in lines(report, "limit ")}
    assert limits["core"] == ["0", "0"]
    for name, (kind, wanted) in LIMITS.items():
        assert int(limits[name][0]) in {wanted, without_privilege(kind, wanted)}, name


def without_privilege(kind: int, wanted: int) -> int:
    """Give the limit that a root can set who, as in some containers, cannot raise the hard one."""
    hard = resource.getrlimit(kind)[1]
    finite = [limit for limit in (wanted, hard) if limit != resource.RLIM_INFINITY]
    return min(finite, default=resource.RLIM_INFINITY)


def test_logs_in_without_a_service(bridge: Bridge, report: Path) -> None:
    """Where there is no socket, the one-shot answers."""
    assert bridge.login("authenticate", "acct_mgmt").codes() == [SUCCESS]
    assert_clean(report)


def test_logs_in_with_a_dead_service(bridge: Bridge, report: Path) -> None:
    """Where a socket is left that nobody listens at, the one-shot answers."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(bridge.socket))
    ended = bridge.login()
    bridge.socket.unlink()
    assert ended.codes() == [SUCCESS]
    assert report.exists()


def test_caller_changes_nothing(bridge: Bridge, report: Path, tmp_path: Path) -> None:
    """PATH, PYTHON*, LD_*, locale, umask, signals, limits, groups, files: none gets through."""
    read_end, write_end = os.pipe()
    with bridge.started(
        environment=SPOILED_ENVIRONMENT,
        prepare=spoil,
        pass_fds=(read_end, write_end),
        cwd=str(tmp_path),
    ) as running:
        ended = running.end()
    os.close(read_end)
    os.close(write_end)
    assert ended.codes() == [SUCCESS], ended
    assert_clean(report)
    assert stat.S_IMODE(report.stat().st_mode) == 0o600


@pytest.mark.parametrize("kind", ["bridge", "sanitized"])
def test_host_does_not_notice(kind: str, request: pytest.FixtureRequest) -> None:
    """The host gets no SIGCHLD, has no child to wait for, and is otherwise unchanged as well."""
    built: Bridge = request.getfixturevalue(kind)
    for _ in installed_probe(built):
        ended = built.login(options=("--repeat", "5", "--report-children"))
        assert ended.codes() == [SUCCESS] * 5
        expected = ("sigchld 0", "children none", "host unchanged")
        assert [event for event in ended.events if event in expected] == list(expected)
        assert (ended.status, ended.errors) == (0, "")


def test_under_valgrind(bridge: Bridge, report: Path) -> None:
    """Memcheck finds nothing in a login by the one-shot."""
    ended = bridge.login(wrapper=VALGRIND, options=("--report-children",))
    assert (ended.codes(), ended.status, ended.errors) == ([SUCCESS], 0, "")
    assert report.exists()


def test_threads_start_their_own(bridge: Bridge, report: Path) -> None:
    """Eight threads, each with one-shots of its own, wait for no lock that another one holds."""
    options = ("--threads", "8", "--repeat", "5", "--report-children")
    ended = bridge.login(options=options)
    assert ended.codes() == [SUCCESS] * 40
    assert "host unchanged" in ended.events
    assert_clean(report)


def test_host_without_standard_descriptors(bridge: Bridge, report: Path) -> None:
    """A host that runs with descriptors 0, 1 and 2 closed can start it as well."""
    assert bridge.login(options=("--no-stdio",)).codes() == [SUCCESS]
    assert_clean(report)


def assert_service_is_needed(
    bridge: Bridge, report: Path, **conditions: Unpack[Conditions]
) -> None:
    """Check that a login under these conditions is refused and starts nothing."""
    ended = bridge.login(**conditions)
    assert ended.codes() == [AUTHINFO_UNAVAIL]
    (line,) = ended.log()
    assert "this program needs it" in line
    assert not report.exists()


def test_not_for_other_users(bridge: Bridge, report: Path) -> None:
    """A host that is not root needs the service."""
    assert_service_is_needed(bridge, report, options=("--uid", str(NOBODY)))


@pytest.mark.parametrize("options", [(), ("--uid", "0")], ids=["effective uid 0", "all uids 0"])
def test_not_in_a_set_user_id_program(
    set_user_id: Bridge, report: Path, options: tuple[str, ...]
) -> None:
    """A set-user-id program that a user started needs the service, also once all its uids are 0."""
    assert_service_is_needed(set_user_id, report, options=options, uid=NOBODY)


def test_set_user_id_program_of_root(set_user_id: Bridge, report: Path) -> None:
    """The same program started by root belongs to root, and may do without."""
    assert set_user_id.login().codes() == [SUCCESS]
    assert_clean(report)


@contextmanager
def a_loop_of_links(bridge: Bridge) -> Iterator[None]:
    """Let the socket's name lead nowhere."""
    bridge.socket.symlink_to(bridge.socket)
    yield
    bridge.socket.unlink()


@contextmanager
def another_kind_of_socket(bridge: Bridge) -> Iterator[None]:
    """Listen there, but for byte streams."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        other.bind(str(bridge.socket))
        other.listen()
        yield
    bridge.socket.unlink()


@contextmanager
def a_file_for_a_directory(bridge: Bridge) -> Iterator[None]:
    """Let the socket's directory be a file."""
    bridge.run_directory.rmdir()
    bridge.run_directory.write_text("")
    yield
    bridge.run_directory.unlink()
    bridge.run_directory.mkdir()


@pytest.mark.parametrize(
    "obstacle", [a_loop_of_links, another_kind_of_socket, a_file_for_a_directory]
)
def test_only_where_nobody_listens(
    bridge: Bridge, report: Path, obstacle: Callable[[Bridge], AbstractContextManager[None]]
) -> None:
    """Any other error than "nobody there" is a refusal, not a reason to go round the service."""
    with obstacle(bridge):
        ended = bridge.login()
    assert ended.codes() == [AUTHINFO_UNAVAIL]
    assert "cannot be reached" in ended.log()[0]
    assert not report.exists()


@pytest.mark.parametrize(
    "program",
    [None, "", "#!/nonexistent\n", "#!/bin/sh\nexit 0\n", "#!/bin/sh\nkill -9 $$\n"],
    ids=["missing", "empty", "no interpreter", "ends", "dies"],
)
def test_failing_oneshot(bridge: Bridge, program: str | None) -> None:
    """A one-shot that cannot be run, or ends without an answer, is a refusal and a log line."""
    if program is not None:
        write_oneshot(bridge, program)
    ended = bridge.login("authenticate", options=("--report-children",))
    failed = bridge.login("authenticate", argument="authfail")
    bridge.oneshot.unlink(missing_ok=True)
    assert ended.codes() == [AUTHINFO_UNAVAIL]
    (line,) = ended.log()
    assert line.startswith(f'log err "pam_totp(login:auth): {bridge.oneshot} ')
    assert "the login is refused" in line
    assert "host unchanged" in ended.events
    assert failed.codes() == [AUTH_ERR]


def test_hung_oneshot(hurried: Bridge) -> None:
    """A one-shot that does not answer is given up at the limit."""
    write_oneshot(hurried, "#!/bin/sh\nexec cat\n")  # until the bridge closes
    start = time.monotonic()
    ended = hurried.login()
    hurried.oneshot.unlink()
    assert ended.codes() == [AUTHINFO_UNAVAIL]
    assert SHORT_LIMIT_MS / 1000 * 0.95 <= time.monotonic() - start < 4
