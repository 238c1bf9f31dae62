"""Files that carry secrets out."""

from __future__ import annotations

import os
import re
import resource
import signal
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pam_totp.private_file import NotWritten, PrivateFile, create

DATA = b"a picture"


@pytest.mark.parametrize("mask", [0, 0o022, 0o777])
def test_its_owner_alone_reads_it(tmp_path: Path, mask: int) -> None:
    """A file has mode 0600, whatever the umask, and is of whoever made it."""
    os.umask(mask)
    create(tmp_path / "qr.png", DATA)
    os.umask(0o022)
    found = (tmp_path / "qr.png").stat()
    assert (stat.S_IMODE(found.st_mode), found.st_uid) == (0o600, os.geteuid())
    assert (tmp_path / "qr.png").read_bytes() == DATA


def test_it_can_be_somebody_elses(tmp_path: Path) -> None:
    """Root makes a file for a person, and it is theirs alone; nobody else can."""
    path = tmp_path / "alice.html"
    if os.geteuid() == 0:
        create(path, DATA, owner=(4711, 4712))
        found = path.stat()
        assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (4711, 4712, 0o600)
    else:
        with pytest.raises(NotWritten, match="not permitted"):
            create(path, DATA, owner=(4711, 4712))
        assert not path.exists()


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """What is there stays, and the hint says how to remove it."""
    path = tmp_path / "two words.png"
    path.write_bytes(b"before")
    with pytest.raises(NotWritten, match="is there already") as raised:
        create(path, DATA)
    assert raised.value.hint == f"take another name, or remove it first: rm '{path}'"
    assert path.read_bytes() == b"before"


@pytest.mark.parametrize("target", ["aim", "nowhere"])
def test_no_symlink_is_followed(tmp_path: Path, target: str) -> None:
    """A symlink that waits at the name is refused, dangling or not, and what it points to is
    neither made nor changed."""
    (tmp_path / "aim").write_bytes(b"before")
    (tmp_path / "qr.png").symlink_to(tmp_path / target)
    with pytest.raises(NotWritten, match="is there already"):
        create(tmp_path / "qr.png", DATA)
    assert (tmp_path / "aim").read_bytes() == b"before"
    assert not (tmp_path / "nowhere").exists()


def test_what_is_no_place(tmp_path: Path) -> None:
    """A directory, and a place that is not there, are said to be, each with a hint."""
    for path, words in (
        (tmp_path, "is a directory"),
        (tmp_path / "missing" / "qr.png", "no such directory"),
        (Path("/proc/qr.png"), "/proc/qr.png: "),
    ):
        with pytest.raises(NotWritten, match=re.escape(words)) as raised:
            create(path, DATA)
        assert raised.value.hint


def test_an_end_before_the_end_leaves_nothing(tmp_path: Path) -> None:
    """Where something goes wrong between two writes, ^C included, the file is gone."""
    for wrong in (ValueError, KeyboardInterrupt):
        with pytest.raises(wrong), PrivateFile(tmp_path / "sheets.html") as file:  # noqa: PT012
            file.write(DATA * 100_000)
            assert [path.name for path in tmp_path.iterdir()] == [".sheets.html.part"]
            raise wrong
        assert list(tmp_path.iterdir()) == []


def test_it_has_its_name_when_it_is_whole(tmp_path: Path) -> None:
    """While a file is written nobody finds it; what took its name meanwhile stays."""
    path = tmp_path / "sheets.html"
    with PrivateFile(path) as file:
        file.write(DATA)
        assert not path.exists()
    assert path.read_bytes() == DATA
    with pytest.raises(NotWritten, match="is there already"), PrivateFile(tmp_path / "b") as file:
        (tmp_path / "b").write_bytes(b"another")
    assert (tmp_path / "b").read_bytes() == b"another"
    assert sorted(found.name for found in tmp_path.iterdir()) == ["b", "sheets.html"]


def test_what_was_killed_leaves_no_part_for_long(tmp_path: Path) -> None:
    """What a killed process has left is in nobody's way, and goes with the next one."""
    pid = os.fork()
    if pid == 0:
        with PrivateFile(tmp_path / "sheets.html") as file:
            file.write(DATA * 100_000)
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    assert [path.name for path in tmp_path.iterdir()] == [".sheets.html.part"]
    create(tmp_path / "sheets.html", DATA)
    assert [path.name for path in tmp_path.iterdir()] == ["sheets.html"]


def test_two_at_once(tmp_path: Path) -> None:
    """Who comes while somebody writes the same file is told so, and spoils nothing."""
    with PrivateFile(tmp_path / "sheets.html") as file:
        file.write(DATA)
        with pytest.raises(NotWritten, match="somebody else is writing it") as raised:
            create(tmp_path / "sheets.html", b"other")
        assert raised.value.hint
    assert (tmp_path / "sheets.html").read_bytes() == DATA


@contextmanager
def files_end_at(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    usual = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, usual)


@pytest.mark.parametrize("size", [100, 100_000])
def test_what_cannot_be_written_whole_is_not_there(tmp_path: Path, size: int) -> None:
    """A disk that takes only a part, of a small file or of a large one, gets an error that
    names the file, and keeps no part."""
    with files_end_at(64), pytest.raises(NotWritten, match=r"qr\.png: .+") as raised:
        create(tmp_path / "qr.png", b"x" * size)
    assert raised.value.hint
    assert list(tmp_path.iterdir()) == []


def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    """Neither success nor failure leaves a descriptor."""
    before = os.listdir("/proc/self/fd")
    create(tmp_path / "qr.png", DATA)
    for _ in range(3):
        with pytest.raises(NotWritten):
            create(tmp_path / "qr.png", DATA)
    assert os.listdir("/proc/self/fd") == before


def test_a_relative_path_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bare name is a file in the current directory."""
    monkeypatch.chdir(tmp_path)
    create(Path("qr.png"), DATA)
    assert (tmp_path / "qr.png").read_bytes() == DATA


def test_a_file_system_without_modes_gets_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a file stays readable for others whatever is asked, as on FAT, it is removed."""
    real = os.fchmod
    monkeypatch.setattr(os, "fchmod", lambda descriptor, _: real(descriptor, 0o755))
    with pytest.raises(NotWritten, match="cannot keep it from others"):
        create(tmp_path / "qr.png", DATA)
    assert list(tmp_path.iterdir()) == []
