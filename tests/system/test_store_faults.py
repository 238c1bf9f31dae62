"""A store that is not there, damaged, read-only or full: refused, with a log line that says
what to do, and nothing is lost."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.system.lab import host, stacks
from tests.system.lab.host import SUCCESS, UNAVAILABLE
from tests.system.lab.journal import Journal
from tests.system.lab.person import Person
from tests.system.lab.product import (
    COMMAND,
    CONFIGURATION,
    LOGIN_SOCKET,
    Service,
    configure,
    pam_totp,
)
from tests.system.lab.wait import DEADLINE, wait_for

STACK: Final = "lab-store"
SMALL: Final = Path("/run/lab-store")
KEY: Final = Path("/etc/pam-totp/seal.key")


@pytest.fixture(scope="module", autouse=True)
def stack(world: None) -> Iterator[None]:
    """The shipped stack that asks for the code alone."""
    with stacks.installed(STACK, stacks.shipped(stacks.CODE_ALONE)):
        yield


@pytest.fixture
def data(service: Service) -> Iterator[Path]:
    """A store of its own in a small file system, which the configuration names meanwhile."""
    service.stop()
    before = CONFIGURATION.read_text()
    SMALL.mkdir()
    mount("-t", "tmpfs", "-o", "size=2m,mode=700", "tmpfs", str(SMALL))
    configure("data-directory", str(SMALL))
    pam_totp("setup", "--yes", "--ignore-clock", "--services", "all")
    try:
        yield SMALL
    finally:
        service.stop()
        CONFIGURATION.write_text(before)
        wait_for(unmounted, "end of the last one-shot")
        SMALL.rmdir()


@pytest.fixture
def member(data: Path, newcomer: Person) -> Person:
    """Somebody who has enrolled in that store."""
    newcomer.enroll()
    return newcomer


@pytest.fixture(params=["service", "one-shot"])
def answered_by(request: pytest.FixtureRequest) -> str:
    """Who answers logins."""
    return str(request.param)


@pytest.fixture
def store(member: Person, data: Path, answered_by: str, service: Service) -> Path:
    """The directory of the store in which the member has enrolled, its service running or not."""
    if answered_by == "service":
        service.start()
    return data


def unmounted() -> bool:
    """Unmount the small file system, if nobody uses it any more."""
    return subprocess.run(["umount", SMALL], check=False, capture_output=True).returncode == 0


def mount(*arguments: str) -> None:
    """Run mount."""
    subprocess.run(["mount", *arguments], check=True)


@contextmanager
def moved_away(path: Path) -> Iterator[None]:
    """Let a file be gone for a while."""
    away = path.with_name(f"{path.name}.away")
    path.rename(away)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        away.rename(path)


@contextmanager
def full(directory: Path) -> Iterator[None]:
    """Let the file system of a directory be full for a while."""
    filler, log = directory / "filler", directory / "state.db-wal"
    if not LOGIN_SOCKET.exists():
        # The last one-shot to end makes room, because it folds the log into the database.
        wait_for(lambda: not log.exists(), "end of the last one-shot")
    with filler.open("wb", buffering=0) as file:
        while True:
            try:
                file.write(bytes(4096))
            except OSError:
                break
    try:
        yield
    finally:
        filler.unlink()


def refused(account: str, journal: Journal, what: str, hint: str, *, code: str = "123456") -> None:
    """Check that a login is refused at once or after the code, and that the log says what to
    do."""
    with host.started(STACK, account, code=code) as running:
        output, _ = running.process.communicate(timeout=DEADLINE)
    assert f"authenticate -> {UNAVAILABLE}" in output, output
    line = journal.wait_for(what)
    assert line.facility == 10
    assert line.severity == 3
    assert hint in line, line


def test_secret_is_gone(store: Path, member: Person, journal: Journal) -> None:
    """Somebody enrolled whose secret is gone is refused as damage, never "not enrolled"."""
    code = member.fresh_code()
    with moved_away(store / "secrets" / member.name):
        refused(member.name, journal, "is gone, though the account is enrolled", "pam-totp reset")
    assert host.login(STACK, member.name, code=code).result == SUCCESS


def test_secret_is_altered(store: Path, member: Person, journal: Journal) -> None:
    """A secret in which one bit has changed is refused."""
    path, code = store / "secrets" / member.name, member.fresh_code()
    before = path.read_bytes()
    path.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    refused(member.name, journal, "altered", "back from its copy")
    path.write_bytes(before)
    assert host.login(STACK, member.name, code=code).result == SUCCESS


def test_secret_that_others_can_read(store: Path, member: Person, journal: Journal) -> None:
    """A secret that others can read is not trusted, and the log says how to close it."""
    path = store / "secrets" / member.name
    path.chmod(0o640)
    refused(member.name, journal, "lets others in", "chmod 0600")
    path.chmod(0o600)
    assert host.login(STACK, member.name, code=member.fresh_code()).result == SUCCESS


def test_state_is_gone(store: Path, member: Person, service: Service, journal: Journal) -> None:
    """With state.db gone everybody is refused, who has not enrolled as well."""
    code = member.fresh_code()
    if service.running:
        host.login(STACK, member.name, code=member.wrong_code())
    with moved_away(store / "state.db"):
        refused(member.name, journal, "state.db: gone", "pam-totp store renew")
        refused("root", journal, "state.db: gone", "pam-totp store renew")
    assert host.login(STACK, member.name, code=code).result == SUCCESS


def test_state_of_another_store(
    store: Path, member: Person, service: Service, journal: Journal
) -> None:
    """With a new, empty state.db in the place of the old one everybody is refused."""
    was_running = service.running
    service.stop()
    before, other = CONFIGURATION.read_text(), SMALL / "other"
    configure("data-directory", str(other))
    pam_totp("setup", "--yes", "--ignore-clock", "--services", "all")
    CONFIGURATION.write_text(before)
    if was_running:
        service.start()
    with moved_away(store / "state.db"):
        (other / "state.db").rename(store / "state.db")
        refused(member.name, journal, "of different generations", "pam-totp store renew")
        refused("root", journal, "of different generations", "pam-totp store renew")
    assert host.login(STACK, member.name, code=member.fresh_code()).result == SUCCESS


def test_disk_is_full(store: Path, member: Person, journal: Journal) -> None:
    """On a full disk logins are refused, and when there is room again what was counted and
    spent before is remembered."""
    used, code = member.fresh_code(), member.fresh_code()
    assert host.login(STACK, member.name, code=used).result == SUCCESS
    host.login(STACK, member.name, code=member.wrong_code())
    with full(store):
        refused(member.name, journal, "verdict=unavailable", "room", code=code)
        refused(member.name, journal, "verdict=unavailable", "room", code=member.wrong_code())
    assert member.failures == 1
    assert host.login(STACK, member.name, code=used).result != SUCCESS
    assert host.login(STACK, member.name, code=code).result == SUCCESS


def test_enrolling_on_a_full_disk(
    store: Path, member: Person, people: Callable[[], Person]
) -> None:
    """An enrollment that finds no room says so and leaves the account as it was."""
    other = people()
    with full(store):
        command = [COMMAND, "enroll", other.name, "--no-confirm", "--json"]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert done.returncode != 0
        assert "hint: make room" in done.stderr
    assert not other.status()["enrolled"]
    assert host.login(STACK, other.name).result == SUCCESS  # no code: as before
    other.enroll()
    assert host.login(STACK, other.name, code=other.fresh_code()).result == SUCCESS


def test_read_only(
    store: Path, member: Person, answered_by: str, service: Service, journal: Journal
) -> None:
    """On a file system that is mounted read-only logins are refused, nothing is lost, and when
    it is writable again the code still works."""
    code = member.fresh_code()
    service.stop()
    mount("-o", "remount,ro", str(store))
    if answered_by == "service":
        service.start()
    refused(member.name, journal, "verdict=unavailable", "writable")
    mount("-o", "remount,rw", str(store))
    assert host.login(STACK, member.name, code=code).result == SUCCESS


def test_key_is_gone(member: Person, service: Service, journal: Journal) -> None:
    """Without the key a one-shot refuses and the service does not start; the log says so."""
    with moved_away(KEY):
        refused(member.name, journal, "the key is not there", "from its copy")
        done = subprocess.run(["/usr/sbin/pam-totpd"], check=False, capture_output=True, text=True)
        assert done.returncode == 1
        assert "hint: put" in done.stderr
        assert "from its copy" in journal.wait_for("does not start")
    assert host.login(STACK, member.name, code=member.fresh_code()).result == SUCCESS


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("data-directory", "/run/nothing-here", "pam-totp setup"),
        ("fail-delay", "soon", "0 to 60"),
        ("no-such-option", "1", "known: "),
    ],
)
def test_configuration(
    option: str, value: str, says: str, member: Person, journal: Journal
) -> None:
    """With a store that was not set up, or a broken configuration, a one-shot refuses who has
    enrolled and who has not, and says what to do."""
    before = CONFIGURATION.read_text()
    configure(option, value)
    try:
        refused(member.name, journal, "verdict=unavailable", says)
        refused("root", journal, "verdict=unavailable", says)
    finally:
        CONFIGURATION.write_text(before)
    assert host.login(STACK, member.name, code=member.fresh_code()).result == SUCCESS


def test_nothing_is_set_up(member: Person, journal: Journal) -> None:
    """Before `pam-totp setup` a stack with our lines refuses everybody and names the command."""
    with moved_away(CONFIGURATION):
        refused(member.name, journal, "verdict=unavailable", "pam-totp setup")
