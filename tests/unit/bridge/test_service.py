"""pam-totpd as a process of its own, with the real handler and a store, all in tmp_path."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from bridge_end import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from machine import Machine

    Until = Callable[[Callable[[], bool]], None]

CHECKOUT = Path(__file__).parents[3]
PYTHON = [sys.executable, "-I", "-c"]

SERVICE = """
import json, sys
sys.path.insert(0, {checkout!r})
from pam_totp.bridge import service
{more}
service.main(prog_name="pam-totpd")
"""

# What a login imports, one line a login.
WATCHED = """
inner = service.dispatch
def watched(*call):
    before = set(sys.modules)
    try:
        return inner(*call)
    finally:
        with open({report!r}, "a") as report:
            print(json.dumps(sorted(set(sys.modules) - before)), file=report)
service.dispatch = watched
"""

# What the process has become, asked of the kernel from inside.
INSPECTED = """
import ctypes, os, resource
inner = service.run_until_stopped
def inspected(*everything):
    with open({report!r}, "w") as report:
        json.dump(dict(
            dumpable=ctypes.CDLL(None).prctl(3, 0, 0, 0, 0),
            core=resource.getrlimit(resource.RLIMIT_CORE),
            descriptors=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
            umask=os.umask(0o077),
            environment=dict(os.environ)), report)
    return inner(*everything)
service.run_until_stopped = inspected
"""


class Service:
    """A running pam-totpd, and the manager that it reports to."""

    def __init__(self, machine: Machine, more: str, environment: dict[str, str]) -> None:
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.manager.settimeout(PATIENCE)
        self.manager.bind(os.fspath(machine.directory / "notify"))
        self.process = subprocess.Popen(
            [*PYTHON, program(more), "--config", machine.config],
            env={"NOTIFY_SOCKET": os.fspath(machine.directory / "notify"), **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def says(self) -> str:
        """Return the next notification."""
        return self.manager.recv(100).decode()

    def close(self) -> None:
        """End it, whatever it is doing."""
        self.process.kill()
        self.process.communicate(timeout=PATIENCE)
        self.manager.close()


def program(more: str = "") -> str:
    """Return pam-totpd's program, with a few lines before it starts."""
    return SERVICE.format(checkout=os.fspath(CHECKOUT), more=more)


@pytest.fixture
def start(machine: Machine) -> Iterator[Callable[..., Service]]:
    """Start services and wait until they say that they are ready."""
    started: list[Service] = []

    def ready(more: str = "", environment: dict[str, str] | None = None) -> Service:
        started.append(Service(machine, more, environment or {}))
        assert started[-1].says() == "READY=1"
        return started[-1]

    yield ready
    for service in started:
        service.close()


def test_a_login_is_answered(machine: Machine, start: Callable[..., Service]) -> None:
    """A right code is success once, the same again is not, and the account phase succeeds."""
    start()
    code = machine.code()
    assert machine.host().log_in(code=code) == 0
    assert machine.host().log_in(code=code) == 7
    assert machine.host(function=2).log_in() == 0


def test_a_login_imports_nothing(machine: Machine, start: Callable[..., Service]) -> None:
    """No login, of whatever outcome, adds to sys.modules: all was loaded at the start."""
    report = machine.directory / "report"
    start(WATCHED.format(report=os.fspath(report)))
    logins = [
        machine.host().log_in(code="000000"),
        machine.host().log_in(code=machine.code()),
        machine.host("authfail").log_in(code=machine.code()),
        machine.host("collect").log_in("password" + machine.code()),
        machine.host("collect").log_in("SCRV1:broken"),
        machine.host("collect").log_in(),
        machine.host("no-such-argument").log_in(),
        machine.host(function=2).log_in(),
        machine.host(user="no-such-user").log_in(code="000000"),
        machine.host().log_in(),
    ]
    leaves = machine.host()
    leaves.receive()
    leaves.socket.close()
    assert machine.host().log_in(code="000000")
    lines = report.read_text().splitlines()
    assert len(lines) >= len(logins)
    assert set(lines) == {"[]"}


def test_a_signal_lets_logins_finish(
    machine: Machine, start: Callable[..., Service], until: Until
) -> None:
    """After SIGTERM the socket goes, a login at its prompt is answered, and the exit is 0."""
    service = start()
    code, host = machine.code(), machine.host()
    asked = host.receive()
    while asked[1] != 16:
        host.send(b"\1\2" + bytes(4) + b"\0\0\0\1" + b"\xff" * 4)  # nothing kept
        asked = host.receive()
    service.process.send_signal(signal.SIGTERM)
    assert service.says() == "STOPPING=1"
    until(lambda: not (machine.run / "login.socket").exists())
    assert service.process.poll() is None
    host.send(b"\1\2" + bytes(4) + b"\0\0\0\1\0\0\0\6" + code.encode())
    assert host.log_in() == 0
    assert service.process.wait(PATIENCE) == 0


def test_an_interrupt_stops_as_well(machine: Machine, start: Callable[..., Service]) -> None:
    """SIGINT, as from a terminal, ends an idle service with 0, and another can start."""
    service = start()
    service.process.send_signal(signal.SIGINT)
    assert service.process.wait(PATIENCE) == 0
    assert sorted(os.listdir(machine.run)) == ["service.lock"]


def test_a_second_signal_ends_at_once(machine: Machine, start: Callable[..., Service]) -> None:
    """A second SIGTERM ends the service although a login is at its prompt."""
    service = start()
    host = machine.host()
    host.receive()
    service.process.send_signal(signal.SIGTERM)
    assert service.says() == "STOPPING=1"
    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(PATIENCE) == -signal.SIGTERM
    host.socket.close()


def test_a_login_that_takes_too_long_is_abandoned(
    machine: Machine, start: Callable[..., Service]
) -> None:
    """What is under way when the time to stop is over is cut off, which the exit says."""
    service = start("service.STOP_SECONDS = 0.05")
    host = machine.host()
    host.receive()
    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(PATIENCE) == 1
    assert host.receive() == b""


def test_a_second_service_does_not_start(machine: Machine, start: Callable[..., Service]) -> None:
    """While one runs, another ends with 1 and says why and what to look at."""
    start()
    done = subprocess.run(
        [*PYTHON, program(), "--config", machine.config],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 1
    assert done.stderr == (
        f"pam-totpd: another pam-totpd is running in {machine.run}\n"
        "hint: systemctl status pam-totpd\n"
    )
    assert machine.host(function=2).log_in() == 0


def test_a_machine_that_is_not_set_up_says_so(tmp_path: Path) -> None:
    """Without a configuration the service ends with 1, names the file and what to do."""
    done = subprocess.run(
        [*PYTHON, program(), "--config", tmp_path / "pam-totp.yaml"],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"pam-totpd: {tmp_path}/pam-totp.yaml: ")
    assert done.stderr.endswith("\nhint: pam-totp setup\n")
    assert os.listdir(tmp_path) == []


def test_somebody_who_is_not_root_is_told(tmp_path: Path) -> None:
    """Who may not read or write what the service needs hears that it takes root, and what to
    run."""
    hidden = tmp_path / "hidden"
    hidden.mkdir(mode=0)
    file = hidden / "pam-totp.yaml"
    done = subprocess.run(
        [*PYTHON, program("import os; os.geteuid() or os.setuid(65534)"), "--config", file],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"pam-totpd: this needs root ({file}: ")
    assert done.stderr.endswith(f"\nhint: sudo pam-totpd --config {file}\n")


def test_the_process_takes_nothing_from_its_starter(
    machine: Machine, start: Callable[..., Service]
) -> None:
    """No core, not dumpable, umask 077, descriptors for all, and none of the environment."""
    report = machine.directory / "report"
    start(
        INSPECTED.format(report=os.fspath(report)),
        {"LC_ALL": "C", "LANG": "de_DE", "TZ": "Asia/Tokyo", "PATH": "/tmp", "LDAPCONF": "/x"},
    )
    found = json.loads(report.read_text())
    assert found.pop("descriptors") >= 1024
    assert set(found["environment"]) == {"NOTIFY_SOCKET", "PATH"}
    assert found["environment"]["PATH"] == "/usr/sbin:/usr/bin:/sbin:/bin"
    del found["environment"]
    assert found == {"dumpable": 0, "core": [0, 0], "umask": 0o077}
