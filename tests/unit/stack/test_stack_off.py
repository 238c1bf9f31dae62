"""libexec/stack-off: the script that needs nothing of us."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pam_totp.stack import Tree, block, change
from pam_totp.stack.change import Change
from pam_totp.stack.compose import Composition, Variant, compose

from .conftest import PROFILES, RELEASES

SCRIPT = Path(__file__).parents[3] / "libexec/stack-off"
Machine = Callable[[str, str], Tree]
NOW = 1_800_000_000.0


def off(tree: Tree, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the script in a root of the test's own."""
    return subprocess.run(
        [SCRIPT, "--root", tree.root, *words],
        check=False,
        capture_output=True,
        text=True,
        env={"PATH": os.defpath},
        timeout=60,
    )


def turn_on(tree: Tree, service: str, variant: Variant = Variant.BOTH) -> Composition:
    """Write a composed file, and keep its copy."""
    found = compose(tree, service, variant)
    change.keep(tree.root, Change(service, found.path, found.now, found.wanted), NOW)
    found.path.write_text(found.wanted)
    return found


@pytest.mark.parametrize("profiles", PROFILES)
@pytest.mark.parametrize("release", RELEASES)
def test_all(machine: Machine, release: str, profiles: str) -> None:
    """Every file is byte for byte as before, a new one is gone, and a second run changes
    nothing."""
    tree = machine(release, profiles)
    changed = [turn_on(tree, name) for name in ("sshd", "login", "su", "sudo")]
    new = turn_on(tree, "openvpn", Variant.COLLECT)
    assert off(tree, "--all").returncode == 0
    assert [one.path.read_text() for one in changed] == [one.now for one in changed]
    assert not new.path.exists()
    again = off(tree, "--all")
    assert again.returncode == 0
    assert "nothing to change" in again.stdout


def test_one(machine: Machine) -> None:
    """One service is turned off and the others stay; a copy is kept, for root alone."""
    tree = machine("debian-12", "unix")
    sshd, login = turn_on(tree, "sshd"), turn_on(tree, "login")
    done = off(tree, "sshd")
    assert "sshd: turned off" in done.stdout
    assert sshd.path.read_text() == sshd.now
    assert login.path.read_text() == login.wanted
    (copy,) = (tree.root / change.COPIES).glob("*-disable-sshd/sshd")
    assert copy.read_text() == sshd.wanted
    assert copy.parent.stat().st_mode & 0o777 == 0o700
    assert copy.parent.parent.stat().st_mode & 0o777 == 0o700


EDITS: dict[str, Callable[[str], str]] = {
    "before": lambda text: "# theirs\n" + text,
    "behind": lambda text: text + "session optional pam_theirs.so\n",
    "in the block": lambda text: text.replace("pam_unix.so nullok", "pam_unix.so"),
    "blanks": lambda text: text.replace("\n\n", "\n"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_agrees_with_python(machine: Machine, edit: str) -> None:
    """Whatever has been edited, the script leaves what `block.restored` says."""
    tree = machine("debian-13", "unix-sss")
    found = turn_on(tree, "sshd")
    edited = EDITS[edit](found.wanted)
    found.path.write_text(edited)
    done = off(tree, "sshd")
    assert found.path.read_text() == block.restored(edited, found.path)
    assert ("had been edited" in done.stdout) == (edit == "in the block")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("@include pam-totp", "@include common-auth"),
        ("@include /etc/pam.d/pam-totp-code # why", "@include common-auth"),
        ("auth include pam-totp", "auth include common-auth"),
        ("auth\tsubstack\tpam-totp-openvpn", "auth\tsubstack\tcommon-auth"),
        ("account include pam-totp", "account include common-account"),
    ],
)
def test_by_hand(machine: Machine, line: str, expected: str) -> None:
    """Each way of including our stacks by hand is undone, with --all and by name."""
    tree = machine("debian-12", "unix")
    file = tree.root / "etc/pam.d/x"
    for words in ("--all", "x"):
        file.write_text(f"# first\n{line}\n# last\n")
        assert off(tree, words).returncode == 0
        assert file.read_text() == f"# first\n{expected}\n# last\n"


def test_single_lines_by_hand(machine: Machine) -> None:
    """Lines that name the module itself cannot be undone: they are shown, nothing is changed,
    and the exit status says so."""
    tree = machine("debian-12", "unix")
    file = tree.root / "etc/pam.d/x"
    text = "auth required pam_unix.so\nauth required pam_totp.so\n"
    file.write_text(text)
    done = off(tree, "--all")
    assert done.returncode == 1
    assert "2:auth required pam_totp.so" in done.stderr
    assert file.read_text() == text


def test_a_torn_block_without_a_copy(machine: Machine) -> None:
    """Where a mark is missing and there is no copy, nothing is guessed."""
    tree = machine("debian-12", "unix")
    file = tree.root / "etc/pam.d/x"
    file.write_text("# pam-totp: begin\nauth required pam_totp.so\n")
    done = off(tree, "x")
    assert done.returncode == 1
    assert "hint: edit" in done.stderr
    assert file.read_text().startswith("# pam-totp: begin\n")


def test_links(machine: Machine) -> None:
    """A link stays a link; what it leads to is changed."""
    tree = machine("debian-12", "unix")
    real = tree.root / "elsewhere"
    link = tree.root / "etc/pam.d/sshd"
    link.rename(real)
    link.symlink_to(real)
    found = turn_on(tree, "sshd")
    assert found.path == real
    assert off(tree, "sshd").returncode == 0
    assert link.is_symlink()
    assert real.read_text() == found.now


@pytest.mark.parametrize("word", ["../passwd", "-x", "/etc/passwd", ".hidden", "a b", "x;y"])
def test_no_service(machine: Machine, word: str) -> None:
    """A word that is no service's name touches nothing."""
    tree = machine("debian-12", "unix")
    before = {path: path.read_bytes() for path in (tree.root / "etc/pam.d").iterdir()}
    off(tree, word)
    assert {path: path.read_bytes() for path in (tree.root / "etc/pam.d").iterdir()} == before


def test_owner_and_mode_stay(machine: Machine) -> None:
    """A file keeps its mode through both ways of writing it."""
    tree = machine("debian-12", "unix")
    path = tree.root / "etc/pam.d/sshd"
    path.chmod(0o640)
    found = compose(tree, "sshd", Variant.BOTH)
    change.replace(path, found.wanted)
    assert path.stat().st_mode & 0o777 == 0o640
    off(tree, "sshd")
    assert path.stat().st_mode & 0o777 == 0o640
