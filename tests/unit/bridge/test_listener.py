"""The socket that logins come in by."""

from __future__ import annotations

import os
import socket
import stat
from typing import TYPE_CHECKING

import pytest
from bridge_end import Host

from pam_totp.bridge.listener import Listener, ListenerError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    """Open a listener under the umask that the service has."""
    umask = os.umask(0o077)
    opened = Listener.open(tmp_path / "run")
    os.umask(umask)
    yield opened
    opened.close()


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_everyone_may_connect_and_only_the_owner_may_write(
    listener: Listener, tmp_path: Path
) -> None:
    """The directory is made 0755 and the socket 0666, whatever the umask; nothing else is open."""
    assert _mode(tmp_path / "run") == 0o755
    assert _mode(listener.path) == 0o666
    assert _mode(tmp_path / "run" / "service.lock") == 0o600
    assert sorted(os.listdir(tmp_path / "run")) == ["login.socket", "service.lock"]


@pytest.mark.usefixtures("listener")
def test_a_second_service_says_so(tmp_path: Path) -> None:
    """While one listens, another is told that one is running, and changes nothing."""
    before = (tmp_path / "run" / "login.socket").lstat().st_ino
    with pytest.raises(ListenerError, match="another pam-totpd is running") as caught:
        Listener.open(tmp_path / "run")
    assert caught.value.hint
    assert (tmp_path / "run" / "login.socket").lstat().st_ino == before


def test_a_socket_that_was_left_behind_is_replaced(tmp_path: Path) -> None:
    """After a crash, which leaves socket, lock file and half-made socket, the next one starts."""
    directory = tmp_path / "run"
    directory.mkdir(mode=0o755)
    for name in ("login.socket", "login.socket.new"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as left_behind:
            left_behind.bind(os.fspath(directory / name))
    (directory / "service.lock").touch()
    opened = Listener.open(directory)
    Host.connect(directory).socket.close()
    opened.close()


@pytest.mark.parametrize("mode", [0o775, 0o757, 0o1777])
def test_a_directory_that_others_can_write_is_refused(tmp_path: Path, mode: int) -> None:
    """Where others could put a socket of their own, none is made."""
    directory = tmp_path / "run"
    directory.mkdir()
    directory.chmod(mode)
    with pytest.raises(ListenerError, match="someone else"):
        Listener.open(directory)
    assert os.listdir(directory) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_directory_of_someone_else_is_refused(tmp_path: Path) -> None:
    """A directory that belongs to another user is not trusted, whatever its mode."""
    directory = tmp_path / "run"
    directory.mkdir(mode=0o755)
    os.chown(directory, 65534, 65534)
    with pytest.raises(ListenerError, match="someone else"):
        Listener.open(directory)


def test_a_link_is_no_directory(tmp_path: Path) -> None:
    """A symbolic link in the directory's place is not followed."""
    (tmp_path / "elsewhere").mkdir(mode=0o755)
    (tmp_path / "run").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ListenerError, match="no directory"):
        Listener.open(tmp_path / "run")


def test_a_place_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    """What the system refuses becomes an error that names the directory."""
    with pytest.raises(ListenerError, match=r"missing/run: No such file or directory"):
        Listener.open(tmp_path / "missing" / "run")


def test_withdrawing_leaves_those_who_had_come(listener: Listener, tmp_path: Path) -> None:
    """After withdraw the path is gone and the queue is still handed out, then it ends."""
    host = Host.connect(tmp_path / "run")
    listener.withdraw()
    with pytest.raises(FileNotFoundError):
        Host.connect(tmp_path / "run")
    accepted, _ = listener.socket.accept()
    accepted.close()
    with pytest.raises(OSError, match="Invalid argument"):
        listener.socket.accept()
    host.socket.close()


def test_withdrawing_leaves_what_is_not_ours(listener: Listener) -> None:
    """A socket that another process put in our place stays where it is."""
    listener.path.unlink()
    listener.path.write_text("another's")
    listener.withdraw()
    assert listener.path.read_text() == "another's"


def test_withdrawing_twice_is_harmless(listener: Listener) -> None:
    """A second withdraw finds nothing to do."""
    listener.withdraw()
    listener.withdraw()
