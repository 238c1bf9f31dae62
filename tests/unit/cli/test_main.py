"""What all commands share: exit codes, streams, and who may run them."""

from __future__ import annotations

import errno
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click
import pytest

from pam_totp import config
from pam_totp.cli.administrator import Administrator, NeedsRoot
from pam_totp.cli.main import cli, main

from .conftest import ENTRY

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Host

COMMANDS = [
    ("setup", "--yes", "--ignore-clock"),
    ("enroll", "o'brien"),
    ("status", "daemon"),
    ("status", "--state", "pending"),
    ("lock", "daemon"),
    ("unlock", "daemon"),
    ("reset", "daemon"),
    ("store", "renew"),
    ("doctor",),
]


@pytest.fixture(name="as_user")
def as_user_fixture(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command line as a user without rights."""
    identity = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # type: ignore[call-overload,no-any-return]
            [sys.executable, "-I", "-c", ENTRY, *words],
            check=False,
            capture_output=True,
            text=True,
            cwd="/",
            stdin=subprocess.DEVNULL,
            timeout=60,
            **identity,
        )

    _ = tmp_path
    return run


def fail_with(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Let `status` fail."""

    def fail(**_: object) -> NoReturn:
        raise error

    monkeypatch.setattr(cli.commands["status"], "callback", fail)


@pytest.mark.parametrize("words", COMMANDS)
def test_without_rights_it_says_what_to_do(
    as_user: Callable[..., subprocess.CompletedProcess[str]], words: tuple[str, ...]
) -> None:
    """Every command of a user who is not root says the very line that works."""
    done = as_user(*words)
    again = shlex.join(["pam-totp", *words])
    assert done.returncode == 1
    assert (done.stdout, done.stderr) == ("", f"pam-totp: this needs root\nhint: sudo {again}\n")


def test_help_needs_no_rights(as_user: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    """Everybody may read what a command is for."""
    for words in (("--help",), ("enroll", "-h"), ("--version",)):
        done = as_user(*words)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout


def test_one_is_administrator_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever owns the data directory, or what it will be made in, needs no other rights;
    whoever does not, does."""
    person = Administrator(["status"])
    owner = tmp_path.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner)
    person.check(tmp_path / "not/yet/there")
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1000)
    with pytest.raises(NeedsRoot):
        person.check(tmp_path / "not/yet/there")


def test_a_command_line_that_is_none(host: Host) -> None:
    """Usage errors end with 2 and name the help that answers them."""
    done = host.run("lock")
    assert (done.code, done.out) == (2, "")
    assert done.err == "pam-totp: Missing argument 'USER'.\nhint: pam-totp lock --help\n"
    assert host.run("no-such-command").code == 2


def test_not_set_up(bare: Host, tmp_path: Path) -> None:
    """Before setup, commands say to set up, for the configuration that was named."""
    bare.path.unlink()
    done = bare.run("status")
    assert done.code == 1
    assert done.err.endswith(f"hint: pam-totp --config {bare.path} setup\n")
    assert list(tmp_path.iterdir()) == []


def test_hints_name_the_configuration_and_leave_paths_alone() -> None:
    """Only commands of ours in a hint get the option, and none on the usual configuration."""
    person = Administrator([])
    hint = "chown 0 /var/lib/pam-totp && x; pam-totp reset a, or: pam-totp setup"
    assert person.here(hint) == hint
    person.path = Path("/x y")
    assert person.here(hint) == (
        "chown 0 /var/lib/pam-totp && x; pam-totp --config '/x y' reset a, "
        "or: pam-totp --config '/x y' setup"
    )


def test_a_configuration_error_says_where(host: Host) -> None:
    """An unknown option is named with its file."""
    host.path.write_text("isuer: x\n")
    done = host.run("status")
    assert done.code == 1
    assert f"{host.path}: unknown option 'isuer'" in done.err
    assert "hint: known: issuer" in done.err


def test_a_fault_shows_no_secret(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody foresaw ends with 70 and one line of types and places: no traceback, no
    word of the exception's own."""
    fail_with(monkeypatch, RuntimeError("JBSWY3DPEHPK3PXP"))
    done = host.run("status")
    assert (done.code, done.out) == (70, "")
    assert done.err.startswith("pam-totp: a fault of the program: RuntimeError at ")
    assert "test_main.py" in done.err
    assert "JBSWY3DPEHPK3PXP" not in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_ctrl_c(host: Host, monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """An interruption ends with 130, without words."""
    fail_with(monkeypatch, error)
    done = host.run("status")
    assert (done.code, done.out, done.err) == (130, "", "\n")


def test_the_system_says_no(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal of the system is an ordinary failure, with the file's name."""
    fail_with(monkeypatch, OSError(errno.EROFS, "Read-only file system", "/etc/x"))
    done = host.run("status")
    assert (done.code, done.err) == (1, "pam-totp: /etc/x: Read-only file system\n")


def test_a_reader_that_goes_away(host: Host) -> None:
    """A closed pipe is no error to talk about."""
    read, write = os.pipe()
    os.close(read)
    words = [sys.executable, "-I", "-c", ENTRY, "--config", str(host.path), "status", "--json"]
    done = subprocess.run(words, stdout=write, stderr=subprocess.PIPE, check=False, timeout=60)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


def test_the_usual_configuration_is_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    """Without --config it is the host's own."""
    assert main(["--help"]) == 0
    assert str(config.DEFAULT_PATH) in "".join(capsys.readouterr().out.split()).replace("-\n", "-")


def test_files_are_private_whatever_the_umask(host: Host) -> None:
    """The umask of who calls changes nothing."""
    before = os.umask(0)
    try:
        host.does("enroll", "daemon", "--no-confirm")
    finally:
        os.umask(before)
    modes = {p.stat().st_mode & 0o077 for p in host.data.rglob("*")}
    assert modes == {0}


@pytest.mark.parametrize("group", [(), ("stack",), ("policy",), ("authenticator",), ("store",)])
def test_no_help_is_cut_short(group: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """The list of commands says of each what it does, in words that end."""
    assert main([*group, "--help"]) == 0
    listed = capsys.readouterr().out.partition("Commands:")[2]
    assert listed
    assert "..." not in listed
