"""`pam-totp key`: the sealing keys are listed, rotated, copied, put back, and lost."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pexpect
import pytest

from pam_totp import keyfile, passphrase, rotation
from pam_totp.account import Person
from pam_totp.context import Context
from pam_totp.enrollment import draft, keep
from pam_totp.passphrase import PassphraseError
from pam_totp.store.directory import DirectoryStore
from pam_totp.store.protocol import CredentialsChange
from pam_totp.store.seal import Keyring

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


def test_damaged(crowd: Host) -> None:
    """A secret that does not open stops no other; the old key stays for it, and goes once it is
    reset."""
    ((old, _, _),) = keys(crowd)
    secret = crowd.data / "secrets" / "bin"
    data = secret.read_bytes()
    secret.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    done = crowd.run("key", "rotate")
    assert (done.code, "'bin': altered" in done.err) == (1, True)
    assert f"{old} stays" in done.err
    assert f"pam-totp --config {crowd.path} reset bin; then pam-totp" in done.err
    assert sorted(number for _, number, _ in keys(crowd)) == [1, 4]
    for name in set(NAMES) - {"bin"}:
        assert crowd.world().store.credentials(name) is not None
    crowd.does("reset", "bin", "--yes", "--no-invitation")
    assert crowd.does("key", "rotate", "--json").json["removed"] == [old]
    assert [number for _, number, _ in keys(crowd)] == [4]


def test_of_what_may_not_be_read(crowd: Host) -> None:
    """No key goes while a file cannot be looked at: it may be sealed under it."""
    (crowd.data / "secrets" / "bin").chmod(0o644)
    done = crowd.run("key", "rotate")
    assert (done.code, "lets others in" in done.err) == (1, True)
    assert len(keys(crowd)) == 2
    (crowd.data / "secrets" / "bin").chmod(0o600)
    assert crowd.does("key", "rotate", "--json").json["resealed"] == 1
    assert len(keys(crowd)) == 1
    assert all_open(crowd.world())


def test_nothing_is_left_behind(crowd: Host) -> None:
    """What somebody had written who was killed goes with the next rotation; what is somebody
    else's stays."""
    old = crowd.key.read_bytes()
    left = [crowd.key.with_name(".new-1-0"), crowd.data / "secrets/.new-1-0"]
    left[0].write_bytes(old)
    left[1].write_bytes((crowd.data / "secrets/bin").read_bytes())
    other = crowd.key.with_name(".new-1-1")
    other.write_bytes(b"issuer: Example\n")
    for path in (*left, other):
        path.chmod(0o600)
    crowd.does("key", "rotate")
    assert [path.exists() for path in (*left, other)] == [False, False, True]


def test_days(crowd: Host) -> None:
    """Keys that were made here have a day; one of before is of an unknown one."""
    listed = crowd.does("key", "list", "--json").json
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", listed[0]["made"])
    text = crowd.key.read_text()
    crowd.key.chmod(0o600)
    crowd.key.write_text("".join(f"{line}\n" for line in text.splitlines() if "made" not in line))
    crowd.key.chmod(0o400)
    assert "unknown" in crowd.does("key", "list").out
    crowd.does("key", "rotate")
    assert "unknown" not in crowd.does("key", "list").out


def test_on_paper(crowd: Host, tmp_path: Path) -> None:
    """--paper writes a file of the owner's alone, or shows the keys at the terminal; imported
    where the file was lost, everything opens again."""
    file = tmp_path / "paper"
    crowd.does("key", "export", "--paper", str(file))
    assert file.stat().st_mode & 0o777 == 0o600
    person = crowd.at_terminal("key", "export", "--paper")
    ((id_, _, _),) = keys(crowd)
    person.expect(f"key {id_}, current")
    person.expect(pexpect.EOF)
    crowd.key.unlink()
    done = crowd.does("key", "import", str(file))
    assert f"{id_} put back; 5 secrets opened by it" in done.out
    assert all_open(crowd.world())


def test_a_copy_of_the_file(crowd: Host, tmp_path: Path) -> None:
    """The copy that `setup` asks for is put back by the same command; a file that is damaged
    stays beside it."""
    copy = tmp_path / "copy"
    copy.write_bytes(crowd.key.read_bytes())
    crowd.key.chmod(0o600)
    crowd.key.write_text("damaged\n")
    crowd.key.chmod(0o400)
    crowd.does("key", "import", str(copy))
    assert crowd.key.read_bytes() == copy.read_bytes()
    (kept,) = crowd.key.parent.glob("seal.key.*")
    assert kept.read_text() == "damaged\n"


def test_the_keys_of_another_machine(crowd: Host, tmp_path: Path) -> None:
    """They are not taken, though the key file is gone: they open nothing here."""
    foreign = tmp_path / "foreign"
    keyfile.create(foreign)
    crowd.key.unlink()
    done = crowd.run("key", "import", str(foreign))
    assert (done.code, "open nothing that is closed" in done.err) == (1, True)
    assert not crowd.key.exists()


def test_a_key_of_the_same_name(crowd: Host, tmp_path: Path) -> None:
    """A key that only has the right id opens nothing, and is not taken."""
    ((id_, _, _),) = keys(crowd)
    false = tmp_path / "false"
    false.write_text(f"{id_} {'0' * 64}\n")
    crowd.key.unlink()
    assert crowd.run("key", "import", str(false)).code == 1
    assert not crowd.key.exists()


@pytest.mark.parametrize("command", [("lost", "--yes"), ("import",)])
def test_a_key_that_others_can_read(crowd: Host, tmp_path: Path, command: tuple[str, ...]) -> None:
    """It is not lost: nothing changes, and the hint puts it right."""
    copy = tmp_path / "copy"
    copy.write_bytes(crowd.key.read_bytes())
    crowd.key.chmod(0o444)
    words = (*command, str(copy)) if command == ("import",) else command
    done = crowd.run("key", *words)
    assert (done.code, "hint: chmod" in done.err) == (1, True)
    crowd.key.chmod(0o400)
    assert all_open(crowd.world())


def test_what_is_damaged_is_not_lost(crowd: Host) -> None:
    """`key lost` resets whose key is missing, and not whose secret is damaged otherwise."""
    (crowd.data / "secrets" / "bin").unlink()
    done = crowd.run("key", "lost", "--yes")
    assert (done.code, "nothing is lost" in done.err) == (1, True)
    assert crowd.world().store.look("bin").enrolled is not None


def test_lost_and_cut_short(crowd: Host) -> None:
    """Where it was interrupted, the next one resets who is left."""
    crowd.key.unlink()
    keyfile.create(crowd.key)
    crowd.does("reset", "bin", "--yes", "--no-invitation")
    assert "4 accounts must enroll anew" in crowd.does("key", "lost", "--yes").out
    assert keys(crowd)[0][1:] == (0, "current")


@pytest.fixture(name="given")
def given_fixture(crowd: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The key is a credential; returns the file that systemd gives."""
    directory = tmp_path / "credentials"
    directory.mkdir()
    crowd.key.rename(directory / "seal.key")
    crowd.path.write_text(
        crowd.path.read_text().replace(str(crowd.key), "credential:seal.key") + "\n"
    )
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(directory))
    return directory / "seal.key"


def test_a_credential(crowd: Host, given: Path, tmp_path: Path) -> None:
    """It is used and not written: a rotation writes what it is to be, first with both keys, then
    without the old one."""
    before = given.read_bytes()
    assert all_open(crowd.world())
    done = crowd.run("key", "rotate")
    assert (done.code, "rotate --to FILE" in done.err) == (1, True)
    two, one = tmp_path / "two", tmp_path / "one"
    assert "LoadCredential=" in crowd.does("key", "rotate", "--to", str(two)).err
    assert given.read_bytes() == before
    two.chmod(0o400)
    two.rename(given)
    assert [is_ for _, _, is_ in keys(crowd)] == ["current", "old"]
    assert "seals nothing any more" in crowd.does("key", "rotate").err
    assert sorted(number for _, number, _ in keys(crowd)) == [0, 5]
    crowd.does("key", "rotate", "--to", str(one))
    one.chmod(0o400)
    one.rename(given)
    assert [(number, is_) for _, number, is_ in keys(crowd)] == [(5, "current")]
    assert all_open(crowd.world())
    crowd.does("setup", "--yes", "--ignore-clock")


def test_a_credential_is_not_ours(
    crowd: Host, given: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`import` writes none, and without it every command says to start the service."""
    copy = tmp_path / "copy"
    copy.write_bytes(given.read_bytes())
    assert "LoadCredential=" in crowd.run("key", "import", str(copy)).err
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    for words in (("key", "list"), ("key", "rotate"), ("key", "lost", "--yes"), ("status",)):
        done = crowd.run(*words)
        assert (done.code, "hint: systemctl start pam-totpd" in done.err) == (1, True)


def test_usage(host: Host, tmp_path: Path) -> None:
    """--to is for credentials alone, and an export goes somewhere."""
    assert host.run("key", "rotate", "--to", str(tmp_path / "x")).code == 2
    assert host.run("key", "export").code == 2


def test_rotated_in_the_middle_of_a_look(crowd: Host) -> None:
    """Between the look at a secret and that at the key file the key may change once more: the
    secret is read again too."""
    old = keyfile.load(crowd.key)
    crowd.does("key", "rotate")

    def later() -> Keyring:
        crowd.does("key", "rotate")
        return keyfile.load(crowd.key)

    store = DirectoryStore(crowd.data, Keyring(old.current, old.keys, later))
    assert store.credentials("daemon") is not None
    store.close()


def test_enrolled_by_who_knows_the_old_key_alone(crowd: Host) -> None:
    """What somebody seals for the first time who had the keys from before is under the new one."""
    stale = crowd.world()
    crowd.does("key", "rotate")
    drafted = draft(stale.store, Person("lp", 7), "phone", 0.0)
    keep(stale.store, drafted, 0.0, "a test", 0)
    assert [(number, is_) for _, number, is_ in keys(crowd)] == [(6, "current")]
    assert crowd.world().store.credentials("lp") is not None


def test_enrolled_while_the_old_key_goes(crowd: Host) -> None:
    """Whoever waits for the lock under which the old key goes seals under the new one."""
    waiting, store = crowd.world(), crowd.world().store
    assert isinstance(store, DirectoryStore)
    drafted = draft(waiting.store, Person("lp", 7), "phone", 0.0)
    thread = threading.Thread(target=keep, args=(waiting.store, drafted, 0.0, "a test", 0))
    with store.writers_lock():
        thread.start()
        new = keyfile.made(others=keyfile.load(crowd.key))
        keyfile.write(crowd.key, new)
        assert store.files.reseal(NAMES) == {}
        keyfile.write(crowd.key, Keyring(new.current, {new.current: new.keys[new.current]}))
    thread.join()
    assert keys(crowd) == [(new.current, 6, "current")]
    assert crowd.world().store.credentials("lp") is not None
