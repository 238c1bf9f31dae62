"""The log lines of locks that are over, with a real store and a clock of the test's own."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from pam_totp import administration
from pam_totp.bridge.lockwatch import LockWatch
from pam_totp.errors import StoreError
from tests.unit.world import CODE_PROMPT, OFFICE, Phone, Talk, World

LOCK = 900.0
ENDS = "lock=ends account=alice kind={} how=time"
BY_CODES = ENDS.format("codes")
Until = Callable[[Callable[[], bool]], None]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A host."""
    made = World(tmp_path / "data")
    yield made
    made.store.close()


@pytest.fixture
def watch(world: World) -> LockWatch:
    """The watch of its service, told of each lock, whose thread is not running."""
    made = LockWatch(world.context, longest=0.01)
    world.context = replace(world.context, lock_begun=made.add)
    return made


@pytest.fixture
def phone(world: World) -> Phone:
    """The phone of alice, whose account is locked for 900 s from now on."""
    phone = world.enroll()
    lock(world, phone)
    return phone


def lock(world: World, phone: Phone, **more: int) -> None:
    """Give wrong codes until the account is locked."""
    for code in phone.wrong(world.clock.now, 5):
        world.check(code, **more)
    assert "until=" in world.lines[-1]


def ends(world: World) -> list[str]:
    """Return the lines of locks that have ended so far."""
    return [line for line in world.lines if line.startswith("lock=ends")]


def test_the_end_is_logged_once(world: World, watch: LockWatch, phone: Phone) -> None:
    """Nothing is logged before the end; at it there is one line, and not one more later."""
    for seconds, expected in ((0.0, []), (LOCK - 1, []), (1.0, [BY_CODES]), (3600.0, [BY_CODES])):
        world.clock.now += seconds
        watch.look()
        assert ends(world) == expected


def test_each_kind_ends_on_its_own(world: World, watch: LockWatch) -> None:
    """Locks of the person's own programs, of the account and of an address end at their own
    time, and are named as what they are."""
    phone = world.enroll()
    lock(world, phone, host_uid=1001)
    world.clock.now += 60
    lock(world, phone)
    world.clock.now += 60
    for _ in range(5):
        world.login(Talk("alice", [(CODE_PROMPT, "")], rhost=OFFICE)).wrong_password()
    kinds = ("own-codes", "codes", f"passwords source={OFFICE}")
    for number in range(3):
        world.clock.now += LOCK - 120 if number == 0 else 60
        watch.look()
        assert ends(world) == [ENDS.format(kind) for kind in kinds[: number + 1]]


def test_unlocked_before(world: World, watch: LockWatch, phone: Phone) -> None:
    """What an administrator has lifted does not end a second time, nor does the lock that began
    after it end too early."""
    world.clock.now += 10
    administration.unlock(world.store, "alice", world.clock.now, "root")
    lock(world, phone)
    world.clock.now += LOCK - 10
    watch.look()
    assert ends(world) == []
    world.clock.now += 10
    watch.look()
    assert ends(world) == [BY_CODES]


def test_a_login_was_quicker(world: World, watch: LockWatch, phone: Phone) -> None:
    """A login right after the end, which clears the failures, does not hide the end."""
    world.clock.now += LOCK
    assert world.check(phone.code(world.clock.now)).value == "accepted"
    watch.look()
    assert ends(world) == [BY_CODES]


def test_found_at_the_start(world: World, phone: Phone) -> None:
    """A service that starts later, and was told of nothing, finds the locks that still hold, of
    accounts and of addresses; those that have ended it leaves alone."""
    lock(world, world.enroll(replace(world.people["bob"])), name="bob")
    for _ in range(5):
        world.login(Talk("bob", [(CODE_PROMPT, "")], rhost=OFFICE)).wrong_password()
    administration.unlock(world.store, "alice", world.clock.now, "root")
    watch = LockWatch(world.context)
    watch.find()
    watch.find()
    world.clock.now += LOCK
    watch.look()
    found = [line.replace("account=bob", "account=alice") for line in ends(world)]
    assert sorted(found) == [BY_CODES, ENDS.format(f"passwords source={OFFICE}")]
    later = LockWatch(world.context)
    later.find()
    later.look()
    assert len(ends(world)) == 2


def test_a_clock_that_is_set(world: World, watch: LockWatch, phone: Phone) -> None:
    """What counts is the clock that logins see: set back, the end comes later."""
    world.clock.now -= 7200
    watch.look()
    world.clock.now += 7200 + LOCK - 1
    watch.look()
    assert ends(world) == []
    world.clock.now += 1
    watch.look()
    assert ends(world) == [BY_CODES]


def test_a_store_that_cannot_be_read(world: World, watch: LockWatch, phone: Phone) -> None:
    """Without the store nothing is claimed; when it is back, the end is logged."""
    world.clock.now += LOCK
    state = world.directory / "state.db"
    world.store._database.close()
    with closing(sqlite3.connect(state)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    state.rename(world.directory / "away")
    with pytest.raises(StoreError):
        watch.look()
    assert ends(world) == []
    (world.directory / "away").rename(state)
    watch.look()
    assert ends(world) == [BY_CODES]


def test_the_thread(world: World, watch: LockWatch, until: Until) -> None:
    """The thread finds what is there, is woken by what begins, waits for ends, and goes on
    after a failure of any kind."""
    phone = world.enroll()
    lock(world, phone)
    failures = iter([RuntimeError("no such luck")])

    def locks_after_a_failure(now: float) -> object:
        for failure in failures:
            raise failure
        return type(world.store).timed_locks(world.store, now)

    store = world.store
    watch._context = replace(world.context, store=Failing(store, locks_after_a_failure))
    watch.start()
    world.clock.now += LOCK
    until(lambda: ends(world) == [BY_CODES])


class Failing:
    """A store one of whose methods is another."""

    def __init__(self, store: object, timed_locks: Callable[[float], object]) -> None:
        self._store = store
        self.timed_locks = timed_locks

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)
