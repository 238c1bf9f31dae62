"""`pam-totp key`: the sealing keys are listed, rotated, copied, put back, and lost."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pam_totp import keyfile, passphrase, rotation
from pam_totp.context import Context
from pam_totp.passphrase import PassphraseError
from pam_totp.store.directory import DirectoryStore
from pam_totp.store.protocol import CredentialsChange

from .conftest import ENTRY, Done, Host

NAMES = ("daemon", "bin", "sys", "games", "man")
PHRASE = "a long walk in the rain"


@pytest.fixture(name="crowd")
def crowd_fixture(host: Host) -> Host:
    """Five people have enrolled."""
    for name in NAMES:
        host.does("enroll", name, "--no-confirm")
    return host


def keys(host: Host) -> list[tuple[str, int, str]]:
    """Return what `key list` says of each key."""
    listed = host.does("key", "list", "--json").json
    return [(one["id"], one["secrets"], one["is"]) for one in listed]


def all_open(world: Context) -> bool:
    """Whether every secret opens."""
    return all(world.store.credentials(name) is not None for name in NAMES)


def typed(host: Host, monkeypatch: pytest.MonkeyPatch, text: str, *words: str) -> Done:
    """Run a command that reads standard input."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))
    return host.run("key", *words)


def test_listed(crowd: Host) -> None:
    """One key, current, with as many secrets as there are people; and nothing of the key."""
    ((id_, secrets, is_),) = keys(crowd)
    assert (secrets, is_) == (5, "current")
    done = crowd.does("key", "list")
    assert id_ in done.out
    assert keyfile.load(crowd.key).keys[id_].reveal().hex() not in done.out


def test_rotated(crowd: Host) -> None:
    """A new key alone opens everything; the old one is gone from the file."""
    ((old, _, _),) = keys(crowd)
    secret = keyfile.load(crowd.key).keys[old].reveal().hex()
    done = crowd.does("key", "rotate")
    ((new, secrets, is_),) = keys(crowd)
    assert new != old
    assert (secrets, is_) == (5, "current")
    assert f"5 secrets under the new key {new}; {old} is gone" in done.out
    assert "key export FILE" in done.err
    assert secret not in crowd.key.read_text()
    assert crowd.key.stat().st_mode & 0o777 == 0o400
    assert all_open(crowd.world())
    crowd.does("status", "daemon")


def test_who_knows_the_old_key_alone(crowd: Host) -> None:
    """A process from before goes on, however often the key changes: it reads, and what it seals
    is under the newest."""
    before = crowd.world()
    assert all_open(before)
    for _ in range(3):
        crowd.does("key", "rotate")
    assert all_open(before)
    stale = crowd.world()
    crowd.does("key", "rotate")
    change = before.store.credentials("daemon")
    assert change is not None
    stale.store.change_credentials("daemon", lambda _: CredentialsChange(change, lambda s: s))
    ((_, secrets, is_),) = keys(crowd)
    assert (secrets, is_) == (5, "current")


def test_cut_short(crowd: Host) -> None:
    """A rotation that was begun is gone on with; meanwhile everything opens, and the list says
    what to do."""
    store = crowd.world().store
    assert isinstance(store, DirectoryStore)
    assert rotation.begin(store, crowd.key, 0.0)
    with store.writers_lock():
        store.files.reseal(["bin", "daemon"])
    assert sorted(number for _, number, _ in keys(crowd)) == [2, 3]
    assert all_open(crowd.world())
    assert "ends the rotation" in crowd.does("key", "list").err
    done = crowd.does("key", "rotate")
    assert "going on with a rotation" in done.err
    assert [number for _, number, _ in keys(crowd)] == [5]
    assert all_open(crowd.world())


def test_killed_at_any_moment(crowd: Host) -> None:
    """Killed again and again, every secret opens after each, and the next one ends it."""
    command = [sys.executable, "-I", "-c", ENTRY, "--config", str(crowd.path), "key", "rotate"]
    reader = crowd.world()
    for delay in (0.1, 0.15, 0.2, 0.25, 0.3, 0.35):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        timer = threading.Timer(delay, os.kill, (process.pid, signal.SIGKILL))
        timer.start()
        process.wait()
        timer.cancel()
        assert all_open(reader)
        assert all_open(crowd.world())
    crowd.does("key", "rotate")
    assert [(number, is_) for _, number, is_ in keys(crowd)] == [(5, "current")]


def test_a_key_file_that_cannot_be_written(crowd: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then nothing is sealed anew."""
    before = crowd.key.read_bytes()

    def full(*_: object, **_more: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "rename", full)
    done = crowd.run("key", "rotate")
    assert (done.code, "No space left" in done.err) == (1, True)
    monkeypatch.undo()
    assert crowd.key.read_bytes() == before
    assert len(keys(crowd)) == 1


def test_there_and_back(crowd: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An exported key opens nothing by itself; imported where the key file was lost, everything
    opens again."""
    file = tmp_path / "copy"
    assert typed(crowd, monkeypatch, f"{PHRASE}\n", "export", str(file)).code == 0
    assert file.stat().st_mode & 0o777 == 0o600
    ((id_, _, _),) = keys(crowd)
    assert keyfile.load(crowd.key).keys[id_].reveal().hex() not in file.read_text()
    crowd.key.unlink()
    wrong = typed(crowd, monkeypatch, "another phrase here\n", "import", str(file))
    assert (wrong.code, "another passphrase" in wrong.err) == (1, True)
    assert not crowd.key.exists()
    assert typed(crowd, monkeypatch, f"{PHRASE}\n", "import", str(file)).code == 0
    assert crowd.key.stat().st_mode & 0o777 == 0o400
    assert all_open(crowd.world())
    again = typed(crowd, monkeypatch, f"{PHRASE}\n", "import", str(file))
    assert (again.code, "open nothing that is closed" in again.err) == (1, True)
    over = typed(crowd, monkeypatch, f"{PHRASE}\n", "export", str(file))
    assert over.code == 1


def test_a_short_passphrase(crowd: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It keeps nothing safe."""
    done = typed(crowd, monkeypatch, "short\n", "export", str(tmp_path / "copy"))
    assert (done.code, "15 characters or more" in done.err) == (1, True)
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"v": 1}', b"\xff"])
def test_files_that_are_none(data: bytes) -> None:
    """Each gets a sentence."""
    with pytest.raises(PassphraseError, match="expected a key file"):
        passphrase.unseal("key file", data, PHRASE)


def test_altered_and_of_another_kind() -> None:
    """What was altered, wherever, does not open; nor does one thing as another."""
    sealed = passphrase.seal("key file", b"secret", PHRASE)
    assert passphrase.unseal("key file", sealed, PHRASE) == b"secret"
    with pytest.raises(PassphraseError):
        passphrase.unseal("backup", sealed, PHRASE)
    with pytest.raises(PassphraseError):
        passphrase.unseal("backup", sealed.replace(b"key file", b"backup"), PHRASE)
    weaker = sealed.replace(b"131072", b"65536")
    assert weaker != sealed
    with pytest.raises(PassphraseError):
        passphrase.unseal("key file", weaker, PHRASE)


def test_lost_for_good(crowd: Host) -> None:
    """Who must enroll anew is named; they do so by invitation, and all else stays: policy, a
    lock, a local account with its password."""
    crowd.does("policy", "set", "mfa=required", "--yes", "--force")
    crowd.does("lock", "sys", "--yes")
    crowd.does("account", "add", "carol", "--one-time")
    crowd.key.unlink()
    done = crowd.run("key", "lost")
    assert (done.code, "no terminal to ask on" in done.err) == (1, True)
    assert "daemon must enroll anew" in done.out
    assert not crowd.key.exists()
    done = crowd.does("key", "lost", "--yes")
    assert "5 accounts must enroll anew, by invitation" in done.out
    world = crowd.world()
    for name in NAMES:
        state = world.store.look(name)
        assert (state.enrolled, state.only_invited) == (None, True)
    assert world.store.look("sys").lock is not None
    assert world.policy().rules
    assert world.store.local_accounts.get("carol") is not None
    crowd.does("enroll", "daemon", "--no-confirm")
    assert world.store.credentials("daemon") is not None


def test_one_key_of_two_is_lost(crowd: Host) -> None:
    """Only those go whose secrets nothing opens."""
    store = crowd.world().store
    assert isinstance(store, DirectoryStore)
    rotation.begin(store, crowd.key, 0.0)
    with store.writers_lock():
        store.files.reseal(["bin", "daemon"])
    ring = keyfile.load(crowd.key)
    keyfile.write(crowd.key, type(ring)(ring.current, {ring.current: ring.keys[ring.current]}))
    assert "missing: what it sealed cannot be opened" in crowd.does("key", "list").out
    done = crowd.does("key", "lost", "--yes")
    assert "3 accounts must enroll anew" in done.out
    assert crowd.world().store.credentials("bin") is not None


def test_not_lost(crowd: Host) -> None:
    """Where the key is there and opens everything, nothing is started over."""
    done = crowd.run("key", "lost", "--yes")
    assert (done.code, "nothing is lost" in done.err) == (1, True)
    assert all_open(crowd.world())


def test_a_damaged_key_file(crowd: Host) -> None:
    """It stays beside the new one."""
    crowd.key.chmod(0o600)
    crowd.key.write_text("damaged\n")
    crowd.key.chmod(0o400)
    crowd.does("key", "lost", "--yes")
    kept = [path for path in crowd.key.parent.iterdir() if path.name.startswith("seal.key.")]
    assert [path.read_text() for path in kept] == ["damaged\n"]
