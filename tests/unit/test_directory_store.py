"""The directory store: what lies on the disk, what happens to it, and what that means."""

from __future__ import annotations

import gc
import os
import re
import resource
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pam_totp import administration
from pam_totp.account import NOBODY, AccountState, Credentials
from pam_totp.decide import Subject
from pam_totp.enrollment import draft, keep
from pam_totp.errors import EnrollmentError, StoreDamaged, StoreError
from pam_totp.event import Event
from pam_totp.lockout import Counter, Failure, Limits
from pam_totp.store import founding, rows, trust
from pam_totp.store.database import Database
from pam_totp.store.directory import DirectoryStore
from pam_totp.store.protocol import Change, CredentialsChange
from pam_totp.store.secret_files import SecretFiles
from pam_totp.verdict import Verdict
from tests.unit.world import (
    ALICE,
    BOB,
    CODE_PROMPT,
    NOON,
    OFFICE,
    Phone,
    Talk,
    World,
    credentials,
    in_processes,
    keyring,
    phone_of,
)

REPOSITORY = Path(__file__).parents[2]


class Crash(BaseException):
    """The process is gone: nothing of ours catches this."""


def enroll_more(store: DirectoryStore, name: str = "tablet") -> Phone:
    """Add an authenticator; return its phone."""
    drafted = draft(store, ALICE, name, NOON)
    keep(store, drafted, NOON, "a test", int(NOON // 30))
    return phone_of(drafted)


def secret_file(world: World, name: str = "alice") -> Path:
    """Return where an account's secret lies."""
    return world.directory / "secrets" / name


def refused(world: World, name: str = "alice") -> str:
    """Check that an account is refused as damage, by every way to look at it; return the log
    line of a login."""
    with pytest.raises(StoreDamaged):
        world.store.credentials(name)
    talk = Talk(name, [(CODE_PROMPT, "123456")])
    assert world.login(talk).check() is Verdict.UNAVAILABLE
    assert "verdict=unavailable" in world.lines[-1]
    assert "hint=" in world.lines[-1]
    return world.lines[-1]


# -- what lies on the disk --------------------------------------------------------------------


def test_a_store_that_is_dropped_leaves_no_directory_open(world: World, tmp_path: Path) -> None:
    """Neither a store that nobody has closed, nor one that could not be opened, leaves the
    descriptor of a directory behind."""
    before = open_directories()
    for _ in range(3):
        DirectoryStore(world.directory, keyring())
    half = tmp_path / "half"
    half.mkdir(mode=0o700)
    with pytest.raises(StoreError):
        DirectoryStore(half, keyring())
    gc.collect()
    assert open_directories() == before


def open_directories() -> list[str]:
    """Return the directories that this process has open."""
    links = (Path("/proc/self/fd") / name for name in os.listdir("/proc/self/fd"))
    return sorted(os.readlink(link) for link in links if link.is_dir())


def test_everything_is_its_owners_alone(world: World) -> None:
    """Whatever the umask, no file of a store lets others in, and no secret lies there in the
    clear."""
    before = os.umask(0)
    try:
        phone = world.enroll()
        world.check(phone.code(NOON))
    finally:
        os.umask(before)
    for path in [world.directory, *world.directory.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
        if path.is_file():
            data = path.read_bytes()
            assert phone.secret not in data
            assert phone.recovery_codes[0].encode() not in data


def test_a_store_that_others_can_enter(world: World) -> None:
    """A store whose directories let others in is not opened, and the hint closes them."""
    for path in (world.directory, world.directory / "secrets"):
        path.chmod(0o750)
        with pytest.raises(StoreDamaged) as caught:
            DirectoryStore(world.directory, keyring())
        assert "chmod 0700" in (caught.value.hint or "")
        path.chmod(0o700)


def test_a_store_that_was_not_set_up(tmp_path: Path) -> None:
    """Where there is no store the hint is the command that makes one."""
    with pytest.raises(StoreError) as caught:
        DirectoryStore(tmp_path / "none", keyring())
    assert caught.value.hint == "pam-totp setup"


def test_making_it_again_changes_nothing(world: World) -> None:
    """Making a store where one is leaves it alone; half a store is not completed."""
    phone = world.enroll()
    assert not founding.create(world.directory)
    assert world.check(phone.code(NOON)) is Verdict.ACCEPTED
    world.store.close()
    (world.directory / "state.db").unlink()
    with pytest.raises(StoreDamaged):
        founding.create(world.directory)
    assert not (world.directory / "state.db").exists()
    world.store = DirectoryStore.__new__(DirectoryStore)
    world.store.close = lambda: None  # type: ignore[method-assign]


# -- a secret that is damaged is never "not enrolled" -----------------------------------------


def alter(path: Path) -> None:
    """One bit has changed."""
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    """The end is missing."""
    path.write_bytes(path.read_bytes()[:-1])


def empty(path: Path) -> None:
    """Nothing is in it."""
    path.write_bytes(b"")


def swell(path: Path) -> None:
    """It is larger than any record."""
    path.write_bytes(path.read_bytes() + bytes(2 << 20))


def take_bobs(path: Path) -> None:
    """It is another account's."""
    shutil.copyfile(path.parent / "bob", path)


def open_to_group(path: Path) -> None:
    """A group may read it."""
    path.chmod(0o640)


def open_to_all(path: Path) -> None:
    """Everybody may write it."""
    path.chmod(0o602)


def hard_link(path: Path) -> None:
    """It has a second name."""
    path.with_name(".second").hardlink_to(path)


def symlink(path: Path) -> None:
    """It is a link to a good copy."""
    path.rename(path.with_name(".moved"))
    path.symlink_to(".moved")


def fifo(path: Path) -> None:
    """It is a pipe, whose reader would wait for ever."""
    path.unlink()
    os.mkfifo(path, 0o600)


def directory(path: Path) -> None:
    """It is a directory."""
    path.unlink()
    path.mkdir(0o700)


def gone(path: Path) -> None:
    """It is gone."""
    path.unlink()


DAMAGE = [
    alter,
    cut,
    empty,
    swell,
    take_bobs,
    open_to_group,
    open_to_all,
    hard_link,
    symlink,
    fifo,
    directory,
    gone,
]


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage(world: World, damage: Callable[[Path], None]) -> None:
    """Whatever happened to the secret of somebody enrolled: refused as damage, never "not
    enrolled", nothing counted, the others log in, and a reset puts it right."""
    phone, bobs = world.enroll(), world.enroll(BOB)
    before = world.store.look("alice")
    damage(secret_file(world))
    refused(world)
    assert phone.secret.hex() not in "".join(world.lines)
    assert world.store.look("alice") == before
    assert administration.status(world.store, "alice", NOON, Limits()).damage
    assert world.check(bobs.code(NOON), name="bob") is Verdict.ACCEPTED
    if damage is not directory:  # which no program of ours can have made, nor removes
        administration.reset(world.store, "alice", NOON, "root")
        assert world.login(Talk("alice")).check() is Verdict.NOT_NEEDED
        assert world.check(world.enroll().code(NOON)) is Verdict.ACCEPTED


def test_anothers_file(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that belongs to somebody else is not trusted, and the hint takes it back."""
    world.enroll()
    owner = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: owner)
    with pytest.raises(StoreDamaged, match=f"owned by uid {owner - 1}") as caught:
        trust.read(secret_file(world))
    assert "chown" in (caught.value.hint or "")


def test_an_older_copy(world: World) -> None:
    """A copy of the secret from before the last enrollment, put back, is refused: an
    authenticator that was removed would work again."""
    world.enroll()
    kept = secret_file(world).read_bytes()
    enroll_more(world.store)
    secret_file(world).write_bytes(kept)
    assert "older copy" in refused(world)


def test_a_copy_from_before_a_reset(world: World) -> None:
    """A copy from before a reset does not enroll, and does not count after a new enrollment."""
    world.enroll()
    kept = secret_file(world).read_bytes()
    administration.reset(world.store, "alice", NOON, "root")
    secret_file(world).write_bytes(kept)
    secret_file(world).chmod(0o600)
    assert world.login(Talk("alice")).check() is Verdict.NOT_NEEDED
    world.enroll()
    secret_file(world).write_bytes(kept)
    refused(world)


def test_another_stores_file(world: World, tmp_path: Path) -> None:
    """The file of the same account in another store, under the same key, does not open."""
    world.enroll()
    other = World(tmp_path / "other")
    other.enroll()
    shutil.copyfile(secret_file(other), secret_file(world))
    refused(world)
    other.store.close()


# -- the two halves ---------------------------------------------------------------------------


def test_state_is_lost_while_open(world: World) -> None:
    """Without state.db everybody is refused, who has not enrolled too; nothing new is made;
    put back, logins go on with all that was remembered."""
    phone = world.enroll()
    assert world.check(phone.code(NOON)) is Verdict.ACCEPTED
    state, aside = world.directory / "state.db", world.directory / "aside"
    state.rename(aside)
    for name in ("alice", "bob", "nobody-of-this-name"):
        assert world.login(Talk(name)).check() is Verdict.UNAVAILABLE
        assert "pam-totp store renew" in world.lines[-1]
        assert world.login(Talk(name)).wrong_password() is Verdict.UNAVAILABLE
    assert not state.exists()
    aside.rename(state)
    assert world.check(phone.code(NOON)) is Verdict.REPLAYED_CODE
    assert world.check(phone.code(NOON, 1)) is Verdict.ACCEPTED


def test_state_is_exchanged_while_open(world: World, tmp_path: Path) -> None:
    """With another store's state.db in the place of the own one, its log beside it, everybody
    is refused at once; with the own one back, all that was remembered still is."""
    phone = world.enroll()
    assert world.check(phone.code(NOON)) is Verdict.ACCEPTED
    founding.create(tmp_path / "other")
    aside = tmp_path / "aside"
    aside.mkdir()
    for path in world.directory.glob("state.db*"):
        path.rename(aside / path.name)
    shutil.copy2(tmp_path / "other/state.db", world.directory / "state.db")
    for name in ("alice", "bob"):
        assert world.login(Talk(name)).check() is Verdict.UNAVAILABLE
        assert "different generations" in world.lines[-1]
        assert world.login(Talk(name)).wrong_password() is Verdict.UNAVAILABLE
    for path in world.directory.glob("state.db*"):
        path.unlink()
    for path in aside.iterdir():
        path.rename(world.directory / path.name)
    assert world.check(phone.code(NOON)) is Verdict.REPLAYED_CODE
    assert world.check(phone.code(NOON, 1)) is Verdict.ACCEPTED


def test_state_that_others_can_reach(world: World) -> None:
    """A state.db that lets others in, or has two names, is not used."""
    world.enroll()
    state = world.directory / "state.db"
    state.chmod(0o644)
    refused(world)
    state.chmod(0o600)
    (world.directory / "second").hardlink_to(state)
    refused(world)


@pytest.mark.parametrize(
    "state", ["", "{}", "[]", "no json", '{"v":2,"version":1}', '{"v":1}', "7"]
)
def test_a_state_that_cannot_be_read(world: World, state: str) -> None:
    """A state that is not of this version's form is damage, and its text is in no message."""
    world.enroll()
    with sqlite3.connect(world.directory / "state.db") as connection:
        connection.execute("UPDATE account SET state = ?", (state,))
    connection.close()
    with pytest.raises(StoreDamaged) as caught:
        world.store.look("alice")
    assert "this version" in str(caught.value)


# -- enrolling, cut short ---------------------------------------------------------------------


CRASHES = [
    *[(one,) for one in (1, 2, 3, 4)],
    *[(one, two) for one in (1, 2, 3) for two in (1, 2, 3, 4)],
    (3, 2, 3),
    (3, 3, 2, 2, 3),
]


def crash_before(world: World, monkeypatch: pytest.MonkeyPatch, step: int, name: str) -> None:
    """Let alice's enrollment of an authenticator die before its n-th step: 1 a version is given
    out, 2 the file is written, 3 the state counts it; 4 is after all of them."""
    doing = iter(range(1, 5))
    put_state, write = rows.put_state, SecretFiles.write

    def next_step() -> None:
        if next(doing) == step:
            raise Crash

    def crashing_put(*args: Any) -> None:
        next_step()
        put_state(*args)

    def crashing_write(files: SecretFiles, given: Mapping[str, Credentials]) -> None:
        next_step()
        write(files, given)

    with monkeypatch.context() as patched, suppress(Crash):
        patched.setattr(rows, "put_state", crashing_put)
        patched.setattr(SecretFiles, "write", crashing_write)
        enroll_more(world.store, name)
    assert next(doing) == min(step + 1, 4)


def whole(world: World, before: Credentials | None) -> Credentials | None:
    """Check that the account is as before or as after, for whoever looks and whoever logs in;
    return its credentials."""
    found = world.store.credentials("alice")
    other = DirectoryStore(world.directory, keyring())
    assert other.credentials("alice") == found
    other.close()
    old = before.authenticators if before else ()
    new = found.authenticators if found else ()
    assert new[: len(old)] == old
    assert len(new) <= len(old) + 1
    return found


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("steps", CRASHES)
def test_enrolling_crashes(
    world: World, monkeypatch: pytest.MonkeyPatch, steps: tuple[int, ...], first: object
) -> None:
    """Wherever an enrollment dies, the first of an account or a further one, and wherever the
    next ones die as well, the account is as before or as after, and can enroll."""
    phone = None if first else world.enroll()
    for number, step in enumerate(steps):
        before = world.store.credentials("alice")
        crash_before(world, monkeypatch, step, f"new{number}")
        whole(world, before)
    if phone is not None:
        assert world.check(phone.code(NOON)) is Verdict.ACCEPTED
    last = enroll_more(world.store, "last")
    assert world.check(last.code(NOON, 1)) is Verdict.ACCEPTED
    for path in (world.directory / "secrets").iterdir():
        assert path.name in (".store", "alice")


@pytest.mark.parametrize("moment", ["written", "closed", "renamed"])
def test_a_write_is_killed(world: World, moment: str) -> None:
    """A process killed while it writes an account's file leaves the old one or the new one."""
    phone = world.enroll()
    before = world.store.credentials("alice")
    world.store._database.close()
    hook = {"written": "fsync", "closed": "rename", "renamed": "rename"}[moment]

    def die(_: int) -> None:
        store, real = DirectoryStore(world.directory, keyring()), getattr(os, hook)

        def dying(*args: Any, **more: Any) -> None:
            if moment == "renamed":
                real(*args, **more)
            os._exit(9)

        setattr(os, hook, dying)
        enroll_more(store)

    with pytest.raises(AssertionError, match="died"):
        in_processes(1, die)
    whole(world, before)
    assert world.check(phone.code(NOON)) is Verdict.ACCEPTED
    enroll_more(world.store, "another")


# -- many at once, cut short ------------------------------------------------------------------


MANY = tuple(f"user{number}" for number in range(5))
# What a process does for many: commit, write, rename, commit.  It dies at the n-th call of one.
DEATHS = [
    *(("posix_fadvise", number) for number in (1, 3)),
    *(("fsync", number) for number in (1, 3, 5, 6)),
    *(("rename", number) for number in (1, 2, 5)),
]


def enrolls_all(store: DirectoryStore, byte: bytes) -> None:
    """Give everybody of MANY, in one call, an authenticator whose secret is of that byte."""

    def giving(subject: Subject) -> CredentialsChange:
        known = subject.credentials.authenticators if subject.credentials else ()
        given = credentials(Phone(byte * 20))
        return CredentialsChange(
            replace(given, authenticators=(*known, *given.authenticators)), lambda state: state
        )

    assert store.change_credentials_of(dict.fromkeys(MANY, giving)) == {}


def secrets_of(store: DirectoryStore, name: str) -> bytes:
    """Return the first bytes of the secrets of an account, in their order."""
    found = store.credentials(name)
    return b"".join(a.secret.reveal()[:1] for a in found.authenticators) if found else b""


@pytest.mark.parametrize("further", [False, True])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(("call", "number"), DEATHS)
def test_many_are_killed(
    world: World, call: str, number: int, *, after: bool, further: bool
) -> None:
    """Wherever a process that enrolls many dies, in first enrollments or in further ones, each
    account is as before or as after, the accounts beside them are as they were, and the same
    call again enrolls all of them."""
    if further:
        enrolls_all(world.store, b"a")
    before = b"a" if further else b""
    phone = world.enroll()
    world.store._database.close()

    def die(_: int) -> None:
        store, real = DirectoryStore(world.directory, keyring()), getattr(os, call)
        counted = iter(range(1, 1000))

        def dying(*args: Any, **more: Any) -> None:
            if next(counted) < number:
                real(*args, **more)
                return
            if after:
                real(*args, **more)
            os._exit(9)

        setattr(os, call, dying)
        enrolls_all(store, b"b")

    with pytest.raises(AssertionError, match="died"):
        in_processes(1, die)
    between = {name: secrets_of(world.store, name) for name in MANY}
    assert set(between.values()) <= {before, before + b"b"}
    assert world.check(phone.code(NOON)) is Verdict.ACCEPTED
    enrolls_all(world.store, b"c")
    for name in MANY:
        assert secrets_of(world.store, name) == between[name] + b"c"


def test_many_are_on_the_disk_step_by_step(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a power failure may not lose, a killed process cannot show: the versions are committed
    before any file is written, all data is on the disk before the first name changes, the names
    are before any version counts, and there are three waits for the disk beside the files'."""
    steps: list[str] = []

    def recorded(name: str) -> None:
        real = getattr(os, name)

        def call(*args: Any, **more: Any) -> Any:
            on_directory = name == "fsync" and stat.S_ISDIR(os.fstat(args[0]).st_mode)
            steps.append("fsync directory" if on_directory else name)
            return real(*args, **more)

        monkeypatch.setattr(os, name, call)

    transaction = Database._transaction

    def committing(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
        yield from transaction(connection)
        steps.append("commit")

    monkeypatch.setattr(Database, "_transaction", staticmethod(committing))
    for name in ("fsync", "rename"):
        recorded(name)
    enrolls_all(world.store, b"a")
    many = len(MANY)
    files = ["fsync"] * many + ["rename"] * many + ["fsync directory"]
    assert steps == ["commit", *files, "commit"]


@pytest.mark.parametrize("step", range(len(MANY) * 2))
def test_many_die_between_the_states(
    world: World, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """A process that dies within either transaction leaves nobody half way."""
    calls, put_state = iter(range(1000)), rows.put_state

    def crashing(*args: Any) -> None:
        if next(calls) == step:
            raise Crash
        put_state(*args)

    with monkeypatch.context() as patched:
        patched.setattr(rows, "put_state", crashing)
        with pytest.raises(Crash):
            enrolls_all(world.store, b"a")
    assert {secrets_of(world.store, name) for name in MANY} == {b""}
    enrolls_all(world.store, b"b")
    assert {secrets_of(world.store, name) for name in MANY} == {b"b"}


def test_one_damaged_account_stops_nobody_else(world: World) -> None:
    """Of many, one whose secret is damaged is refused as damage; the others enroll."""
    world.enroll()
    alter(secret_file(world))
    given = credentials(Phone(b"n" * 20))

    def giving(_: object) -> CredentialsChange:
        return CredentialsChange(given, lambda state: state)

    refused = world.store.change_credentials_of({"alice": giving, "bob": giving})
    assert [type(error).__base__ for error in refused.values()] == [StoreDamaged]
    assert world.store.credentials("bob")


def test_no_room_for_many(world: World) -> None:
    """Where there is no room for the files of many, nobody is enrolled, and no file of theirs,
    whole or in part, stays."""
    phone = world.enroll()

    def enroll(own: World) -> str:
        with pytest.raises(StoreError) as caught:
            enrolls_all(own.store, b"x" * 100)
        return caught.value.hint or ""

    hint, _ = without_room(world, enroll)
    assert hint
    assert {secrets_of(world.store, name) for name in MANY} == {b""}
    assert sorted(os.listdir(world.directory / "secrets")) == [".store", "alice"]
    assert world.check(phone.code(NOON)) is Verdict.ACCEPTED


def test_others_log_in_meanwhile(world: World) -> None:
    """While one process enrolls many, again and again, another one's logins are decided, and
    each code counts once."""
    phones = [world.enroll(), world.enroll(BOB)]
    world.store._database.close()

    def work(number: int) -> list[str]:
        store = DirectoryStore(world.directory, keyring())
        if number == 0:
            for round_ in range(10):
                enrolls_all(store, bytes([round_]))
            return []
        own = World.__new__(World)
        own.__dict__.update(world.__dict__)
        own.store, own.context = store, replace(world.context, store=store)
        codes = [phone.code(NOON) for phone in phones]
        names = ["alice", "bob"]
        return [own.check(c, name=n).value for n, c in zip(names, codes, strict=True)]

    _, *verdicts = in_processes(4, work)
    for of_one in zip(*verdicts, strict=True):
        assert of_one.count("accepted") == 1
    assert len(secrets_of(world.store, "user0")) == 10


def test_the_file_changes_under_a_look(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks at an account at the moment at which another process enrolls, or resets
    it, finds it as before or as after."""
    world.enroll()
    other = DirectoryStore(world.directory, keyring())
    read = trust.read

    def late(act: Callable[[], Any]) -> Credentials | None:
        """Look, and let something happen between the state and the file."""
        pending = [act]

        def reading(name: Any, **more: Any) -> bytes:
            if name == "alice" and pending:
                with monkeypatch.context() as patched:
                    patched.setattr(trust, "read", read)
                    pending.pop()()
            return read(name, **more)

        with monkeypatch.context() as patched:
            patched.setattr(trust, "read", reading)
            return world.store.credentials("alice")

    found = late(lambda: enroll_more(other, "tablet"))
    assert found is not None
    assert found.named("phone")
    assert late(lambda: administration.reset(other, "alice", NOON, "root")) is None
    other.close()


def test_a_file_replaced_while_it_is_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that another process replaces after it was opened here is no file with too few
    links."""
    world.enroll()
    fstat, path = os.fstat, secret_file(world)
    copy = path.with_name(".copy")
    copy.write_bytes(path.read_bytes())
    copy.chmod(0o600)

    def late(fd: int) -> os.stat_result:
        if copy.exists():
            copy.rename(path)
        return fstat(fd)

    monkeypatch.setattr(os, "fstat", late)
    assert trust.read(path)


def test_who_was_enrolled_by_somebody_else_meanwhile(world: World) -> None:
    """Of two first enrollments at one time one is kept, and the other says so."""
    one, two = (draft(world.store, ALICE, name, NOON) for name in ("one", "two"))
    keep(world.store, one, NOON, "a test")
    with pytest.raises(EnrollmentError, match="meantime"):
        keep(world.store, two, NOON, "a test")
    assert world.check(phone_of(one).code(NOON)) is Verdict.ACCEPTED


# -- no room, no writing ----------------------------------------------------------------------


def without_room(world: World, act: Callable[[World], Any]) -> Any:
    """Do something in a process whose files cannot grow."""

    def limited(_: int) -> list[str]:
        own = World.__new__(World)
        own.__dict__.update(world.__dict__)
        own.store = DirectoryStore(world.directory, keyring())
        own.context = replace(world.context, store=own.store)
        own.store.look("alice")  # the connection is open before
        resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))
        return [str(act(own)), world.lines[-1] if world.lines else ""]

    return in_processes(1, limited)[0]


def test_no_room_for_a_login(world: World) -> None:
    """A login whose outcome cannot be written is refused, says why and what to do, and the
    code still works when there is room."""
    phone = world.enroll()
    before = world.store.look("alice")
    verdict, line = without_room(world, lambda own: own.check(phone.code(NOON)))
    assert verdict == str(Verdict.UNAVAILABLE)
    assert "state.db" in line
    assert "hint=" in line
    assert world.store.look("alice") == before
    assert world.check(phone.code(NOON)) is Verdict.ACCEPTED


def test_no_room_for_an_enrollment(world: World) -> None:
    """An enrollment that finds no room says so and changes nothing."""
    phone = world.enroll()
    before = world.store.credentials("alice")

    def enroll(own: World) -> str:
        with pytest.raises(StoreError) as caught:
            enroll_more(own.store)
        return caught.value.hint or ""

    hint, _ = without_room(world, enroll)
    assert hint
    assert world.store.credentials("alice") == before
    assert world.check(phone.code(NOON)) is Verdict.ACCEPTED


def test_no_room_for_a_file(world: World) -> None:
    """A file that cannot be written whole is not there afterwards, and the old one is."""
    path = world.directory / "secrets"
    fd = trust.open_directory(path)
    trust.write(fd, "record", b"old")

    def write(_: World) -> str:
        with pytest.raises(StoreError):
            trust.write(fd, "record", bytes(1000))
        return ""

    without_room(world, write)
    assert trust.read("record", directory=fd) == b"old"
    assert sorted(os.listdir(path)) == [".store", "record"]
    os.close(fd)


def test_a_read_only_file_system(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing can be removed either, the error is still the one that says why."""

    def read_only(*_: Any, **__: Any) -> None:
        raise OSError(30, "Read-only file system")

    fd = trust.open_directory(world.directory / "secrets")
    with monkeypatch.context() as patched:
        patched.setattr(os, "open", read_only)
        patched.setattr(os, "unlink", read_only)
        with pytest.raises(StoreError, match="record: Read-only") as caught:
            trust.write(fd, "record", b"new")
    assert caught.value.hint == "mount the file system writable"
    os.close(fd)


def test_a_disk_that_fails(world: World) -> None:
    """An error after which SQLite has ended the transaction by itself is told as it is."""

    def fail(transaction: AbstractContextManager[sqlite3.Connection]) -> None:
        with transaction as connection:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise sqlite3.OperationalError("disk I/O error")

    for transaction in (world.store._database.looking, world.store._database.writing):
        with pytest.raises(StoreError, match="disk I/O error") as caught:
            fail(transaction())
        assert caught.value.hint


# -- SQLite alone opens state.db --------------------------------------------------------------

_WATCHED = """
import os, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from tests.unit import world as w
from pam_totp import administration
from pam_totp.decide import Rules
from pam_totp.store import founding
from pam_totp.store.database import Database
from pam_totp.store.directory import DirectoryStore

def watch(event, args):
    if event == "open" and "state.db" in str(args[0]):
        print("opened", args[0], flush=True)
        os._exit(1)

sys.addaudithook(watch)
world = w.World(Path(sys.argv[2]))
phone = world.enroll()
assert world.check(phone.code(w.NOON)).value == "accepted"
administration.status(world.store, "alice", w.NOON, Rules().limits)
world.store.events()
world.store.close()
spend = lambda credentials, state: administration.spend(credentials, state, w.NOON, Rules())
founding.create(Path(sys.argv[2]))
founding.renew(Path(sys.argv[2]), w.keyring(), spend, w.NOON)
(Path(sys.argv[2]) / "secrets/.store").unlink()
founding.renew(Path(sys.argv[2]), w.keyring(), spend, w.NOON)
store = DirectoryStore(Path(sys.argv[2]), w.keyring())
administration.reset(store, "alice", w.NOON, "a test")
store.close()
print("done")
"""


def test_nobody_opens_state_db_beside_sqlite(tmp_path: Path) -> None:
    """In the whole life of a store no Python code opens state.db: that would drop SQLite's
    locks and lose committed logins."""
    done = subprocess.run(
        [sys.executable, "-c", _WATCHED, str(REPOSITORY), str(tmp_path / "data")],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout == "done\n", done.stdout + done.stderr


# -- what many clients leave ------------------------------------------------------------------


def test_many_addresses_fill_no_disk(world: World) -> None:
    """Whoever owns many addresses leaves a bounded number of rows, the newest."""
    with world.store._database.writing() as connection:
        for number in range(rows._SOURCES_KEPT + 50):
            counter = Counter((Failure(NOON + number),))
            rows.put_source(connection, "alice", f"source{number}", counter)
        found = connection.execute("SELECT source FROM source ORDER BY at").fetchall()
    assert len(found) <= rows._SOURCES_KEPT + 1
    assert found[-1] == (f"source{rows._SOURCES_KEPT + 49}",)


def test_events_have_a_bound(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest events of logins go when there are too many or they are too old; what
    administrators did stays."""
    monkeypatch.setattr(rows, "_PRUNE_EVERY", 100)
    world.sets("events-kept=1000", "events-days=1")
    with world.store._database.writing() as connection:
        rows.put_event(connection, Event(0, "alice", "lock", actor="root"))
        for number in range(2000):
            rows.put_event(connection, Event(NOON + number, "alice", "wrong-code"))
    kept = world.store.events("alice", limit=5000)
    assert [event.what for event in kept if event.actor] == ["lock"]
    assert 1000 <= len(kept) <= 1101
    with world.store._database.writing() as connection:
        for number in range(100):
            rows.put_event(connection, Event(NOON + 90_000 + number, "alice", "wrong-code"))
    left = world.store.events("alice", limit=5000)
    assert [event.what for event in left if event.actor] == ["lock"]
    assert all(event.at >= NOON + 90_000 + 99 - 86_400 for event in left if not event.actor)


def test_events_keep_what_clients_sent(world: World) -> None:
    """Whatever bytes a client sent, an event of them comes back; what is long is cut."""
    event = Event(1.5, "\udcff/x", "lock", "a\0b", "\udcfe", "é%41", "\n", "x" * 100_000)

    def step(_: object) -> tuple[None, Change]:
        return None, Change(NOBODY, Counter(), event)

    world.store.step("\udcff/x", OFFICE, step)
    (found,) = world.store.events()
    assert replace(found, detail="") == replace(event, detail="")
    assert re.fullmatch("x{300}", found.detail)
    assert world.store.look("\udcff/x") == AccountState()
