"""Reading, sending and remembering, on a real store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pam_totp import administration
from pam_totp.errors import StoreError
from pam_totp.event import Event
from pam_totp.notices import clerk as clerks
from pam_totp.notices import progress
from pam_totp.notices.clerk import Clerk
from pam_totp.notices.message import Message, message
from pam_totp.notices.outbox import TRIES, Waiting
from pam_totp.notices.run import NotSent
from pam_totp.speech import speech
from pam_totp.store.directory import DirectoryStore
from pam_totp.store.protocol import Change
from tests.unit.world import ALICE, BOB, NOON, World, keyring


@dataclass
class Post:
    """Whoever carries the messages; fails while it is told to."""

    carried: list[Message] = field(default_factory=list)
    fails: Exception | None = None
    during: Callable[[], None] = lambda: None

    def __call__(self, message: Message) -> None:
        self.during()
        if self.fails is not None:
            raise self.fails
        self.carried.append(message)

    @property
    def said(self) -> list[tuple[str, str]]:
        """What was carried: to whom, and what."""
        return [(m.account, m.facts["PAM_TOTP_WHAT"]) for m in self.carried]


class Office:
    """Clerks who come and go, on one store."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.post = Post()
        self.clerk = self.comes()

    def comes(self) -> Clerk:
        """Let a new clerk begin: the one before had no time to say anything."""
        self.clerk = Clerk(
            self.world.store,
            self.world.directory,
            channel=self.post,
            compose=composed,
            log=self.world.log,
            now=self.world.clock.now,
        )
        return self.clerk

    def works(self) -> list[tuple[str, str]]:
        """Let the clerk work until there is nothing to do; return all that was carried."""
        while self.clerk.work(self.world.clock.now):
            pass
        return self.post.said


def composed(waiting: Waiting) -> Message:
    """Compose a message as the process does."""
    return message(waiting, "example", speech("en"))


def lock(world: World, account: str = "alice") -> None:
    """Lock an account as an administrator does."""
    administration.lock(world.store, account, world.clock.now, "root", "lost phone")


@pytest.fixture
def office(world: World) -> Office:
    """An office that opens on a host where something has happened already."""
    world.enroll(BOB)
    return Office(world)


def test_what_comes_is_told_once(office: Office) -> None:
    """Nobody is told of what was before the very first start; of what comes, each once."""
    assert office.works() == []
    office.world.enroll()
    lock(office.world)
    assert office.works() == [("alice", "enrolled"), ("alice", "locked-by-administrator")]
    office.comes()
    assert len(office.works()) == 2
    assert office.world.lines[-1] == "notice=sent account=alice what=locked-by-administrator"


def test_what_came_while_nobody_was_there(office: Office) -> None:
    """What happened while the process was down is told when it is up again, in its order."""
    office.world.enroll()
    office.world.clock.now += clerks.STALE - 60
    administration.reset(office.world.store, "alice", office.world.clock.now, "root")
    office.comes()
    assert office.works() == [("alice", "enrolled"), ("alice", "reset")]


def test_what_is_too_old(office: Office) -> None:
    """What is older than a day is not told, and a line says how much that was."""
    office.world.enroll()
    lock(office.world)
    office.world.clock.now += clerks.STALE + 1
    lock(office.world, "bob")
    office.comes()
    assert office.works() == [("bob", "locked-by-administrator")]
    assert 'notices="too old to be sent" count=2' in office.world.lines


def test_what_waited_too_long(office: Office) -> None:
    """A notice that waits for its next try while nobody is there for a day is dropped."""
    office.post.fails = NotSent("no")
    lock(office.world)
    office.works()
    office.world.clock.now += clerks.STALE + 1
    office.post.fails = None
    office.comes()
    assert office.works() == []
    assert office.world.lines[-1] == 'notices="too old to be sent" count=1'


def test_many_events_in_between(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many logins stand between, and however few are read at once, nothing is passed
    over."""
    monkeypatch.setattr("pam_totp.notices.follow.AT_ONCE", 3)
    phone = office.world.enroll()
    for code in phone.wrong(NOON, 20):
        office.world.check(code)
    lock(office.world)
    told = [("alice", "enrolled"), ("alice", "locked"), ("alice", "locked-by-administrator")]
    assert office.works() == told


def test_no_more_than_fits(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """More notices than may wait stay in the store until there is room, and come then."""
    monkeypatch.setattr(clerks, "FULL", 2)
    monkeypatch.setattr("pam_totp.notices.follow.AT_ONCE", 1)
    office.post.fails = NotSent("no")
    for number in range(5):
        lock(office.world, f"person{number}")
    office.works()
    saved = progress.load(office.world.directory)
    assert saved is not None
    assert len(saved.waiting) == 2
    office.post.fails = None
    office.comes()
    office.world.clock.now += 60
    assert sorted(office.works()) == [
        (f"person{number}", "locked-by-administrator") for number in range(5)
    ]


def test_a_crash_while_sending(office: Office) -> None:
    """Whoever dies between sending and remembering has it sent again: twice and never not."""

    def dies() -> None:
        raise KeyboardInterrupt

    office.post.during = dies
    lock(office.world)
    with pytest.raises(KeyboardInterrupt):
        office.works()
    office.post.during = lambda: None
    office.comes()
    assert office.works() == []
    office.world.clock.now += 60
    assert office.works() == [("alice", "locked-by-administrator")]


def test_failures(office: Office) -> None:
    """A notice that fails is logged with what to do, and holds back nobody else's; after its
    last try it is given up, with a line."""
    office.post.fails = NotSent("/bin/tell ended with status 3", hint="run /bin/tell by hand")
    lock(office.world)
    office.works()
    told = 'detail="/bin/tell ended with status 3" hint="run /bin/tell by hand"'
    what = "account=alice what=locked-by-administrator"
    assert office.world.lines == [f'notice="failed, is tried again" {what} {told}']
    office.post.fails = None
    lock(office.world, "bob")
    assert office.works() == [("bob", "locked-by-administrator")]
    office.post.fails = NotSent("no")
    for _ in range(TRIES + 3):
        office.world.clock.now += 3600
        office.works()
    assert [line for line in office.world.lines if "given up" in line] == [
        f'notice="given up" {what} detail=no'
    ]


def test_what_another_try_would_not_help(office: Office) -> None:
    """A notice that can never be sent is given up at once, and takes no place from others."""
    office.post.fails = NotSent("no address", final=True)
    lock(office.world)
    office.works()
    assert "given up" in office.world.lines[-1]
    saved = progress.load(office.world.directory)
    assert saved is not None
    assert saved.waiting == ()


def test_a_fault_of_the_program(office: Office) -> None:
    """A notice that cannot be composed or sent for a fault of ours is given up like any other,
    and its words are not in the log."""
    office.post.fails = ValueError("something that a client sent")
    lock(office.world)
    for _ in range(TRIES):
        office.works()
        office.world.clock.now += 3600
    assert "given up" in office.world.lines[-1]
    assert "client" not in "".join(office.world.lines)


def test_what_cannot_be_remembered_is_not_sent(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk notices wait, without a try that counts, and come when there is room."""

    def full(*_: object) -> None:
        raise StoreError("No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(progress, "save", full)
        lock(office.world)
        for _ in range(TRIES + 2):
            with pytest.raises(StoreError):
                office.works()
    assert office.post.said == []
    assert office.works() == [("alice", "locked-by-administrator")]


def test_a_store_that_was_put_back(office: Office, tmp_path: Path) -> None:
    """After a copy of the store was put back, what comes is told, and what was told is not."""
    world = office.world
    lock(world)
    assert len(office.works()) == 1
    with world.store._database.writing() as connection:
        connection.execute("DELETE FROM event")
    office.comes()
    assert len(office.works()) == 1
    world.clock.now += 60
    lock(world)
    assert len(office.works()) == 2


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"after": 1, "at": 0, "waiting": [1]}'])
def test_a_file_that_is_damaged(office: Office, content: bytes) -> None:
    """Where its own file cannot be read it begins with what comes next, and says so."""
    office.world.enroll()
    (office.world.directory / progress.FILE).write_bytes(content)
    office.comes()
    assert office.works() == []
    assert "begun anew" in office.world.lines[-1]
    lock(office.world)
    assert office.works() == [("alice", "locked-by-administrator")]


def test_hostile_words_are_kept(office: Office) -> None:
    """A notice that waits keeps every byte that a client sent, through a restart."""
    strange = Event(NOON, "alice", "reset", rhost="\udcff\n\x00é\x1b", actor="root")
    office.world.store.step(
        "alice", "", lambda subject: (None, Change(subject.state, subject.source, strange))
    )
    office.post.fails = NotSent("no")
    office.works()
    saved = progress.load(office.world.directory)
    assert saved is not None
    assert [one.event for one in saved.waiting] == [strange]
    office.post.fails = None
    office.world.clock.now += 60
    office.comes()
    office.works()
    assert office.post.carried[0].facts["PAM_TOTP_ADDRESS"] == "???é?"


def test_it_writes_nothing_for_logins_alone(office: Office) -> None:
    """Logins without a notice make it write once a minute at most."""
    phone = office.world.enroll()
    office.works()
    file = office.world.directory / progress.FILE
    before = file.stat().st_ino
    office.world.check(phone.code(NOON))
    office.works()
    assert file.stat().st_ino == before
    office.world.clock.now += clerks.SAVED_EVERY
    office.world.check(phone.code(NOON + 60))
    office.works()
    assert file.stat().st_ino != before


def test_one_at_a_time(office: Office) -> None:
    """A second process does not start; the doctor sees since when the first one runs."""
    directory = office.world.directory
    assert progress.running_since(directory) is None
    with progress.only_one(directory):
        assert progress.running_since(directory) == (directory / progress.LOCK).stat().st_mtime
        with pytest.raises(StoreError, match="runs already"), progress.only_one(directory):
            pass
    assert progress.running_since(directory) is None


def test_it_needs_no_key(office: Office) -> None:
    """It reads events with a key that opens nothing."""
    office.world.enroll()
    blind = DirectoryStore(office.world.directory, keyring("00000000", b"\0"))
    office.world.store = blind
    office.comes()
    assert office.works() == [("alice", "enrolled")]
    with pytest.raises(StoreError):
        blind.credentials(ALICE.name)
    blind.close()
