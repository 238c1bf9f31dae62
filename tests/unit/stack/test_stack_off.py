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
        ("@include pam-totp-password", "@include common-auth"),
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


def without_override(tree: Tree, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the script so that a directory's mode counts, as a full disk does, for root too."""
    held = ["setpriv", "--bounding-set=-dac_override"] * (os.geteuid() == 0)
    command = [*held, SCRIPT, "--root", tree.root, *words]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


def test_a_trial_outlives_what_cannot_be_written(machine: Machine) -> None:
    """A trial whose files cannot be written at its end is not forgotten: the next try ends it."""
    tree = machine("debian-12", "unix")
    found = turn_on(tree, "sshd")
    (copy,) = (tree.root / change.COPIES).glob("*-enable-sshd")
    trial = tree.root / change.COPIES / "trial"
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    trial.write_text(f"id=1\nservices=sshd\nuntil=1\nboot={boot}\ncopy={copy}\n")
    found.path.parent.chmod(0o555)
    try:
        done = without_override(tree, "--overdue")
    finally:
        found.path.parent.chmod(0o755)
    assert (done.returncode, found.path.read_text()) == (1, found.wanted)
    assert trial.exists()
    assert off(tree, "--overdue").returncode == 0
    assert found.path.read_text() == found.now
    assert not trial.exists()


@pytest.mark.parametrize("words", ["openvpn", "--all"])
def test_a_file_that_cannot_be_removed(machine: Machine, words: str) -> None:
    """A service that is still on is not called off, and the exit status says so."""
    tree = machine("debian-12", "unix")
    new = turn_on(tree, "openvpn", Variant.COLLECT)
    new.path.parent.chmod(0o555)
    try:
        done = without_override(tree, words)
    finally:
        new.path.parent.chmod(0o755)
    assert new.path.exists()
    assert done.returncode == 1
    assert f"{new.path} could not be removed" in done.stderr


def test_nothing_in_a_directory_of_somebody_else(machine: Machine, tmp_path: Path) -> None:
    """TMPDIR, which may be anybody's, holds nothing that becomes a stack."""
    tree = machine("debian-12", "unix")
    found = turn_on(tree, "sshd")
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    before = theirs.stat().st_mtime_ns
    command = [SCRIPT, "--root", tree.root, "sshd"]
    subprocess.run(command, check=True, env={"PATH": os.defpath, "TMPDIR": str(theirs)}, timeout=60)
    assert found.path.read_text() == found.now
    assert theirs.stat().st_mtime_ns == before
