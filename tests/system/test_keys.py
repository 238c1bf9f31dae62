"""The sealing keys while logins go on: rotated, killed, lost and put back."""

from __future__ import annotations

import random
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Self

import pytest

from tests.system.lab import host, stacks
from tests.system.lab.host import SUCCESS, UNAVAILABLE
from tests.system.lab.journal import Journal
from tests.system.lab.person import Person
from tests.system.lab.phone import totp
from tests.system.lab.product import COMMAND, DATA, Service, ask_pam_totp, pam_totp
from tests.system.lab.wait import DEADLINE

STACK: Final = "lab-keys"
KEY: Final = Path("/etc/pam-totp/seal.key")
SECRETS: Final = DATA / "secrets"
PASSWD: Final = Path("/etc/passwd")
GID: Final = 40_000
ARCHIVED: Final = 170
KILLS: Final = 50
PHRASE: Final = "a long walk in the rain\n"

People = Callable[[], Person]


@pytest.fixture(autouse=True)
def stack(service: Service) -> Iterator[None]:
    """The shipped stack, without the delays of refusals."""
    with stacks.installed(STACK, stacks.without_delay(stacks.shipped("pam-totp"))):
        yield


class Counting:
    """Somebody with a token that counts, who can log in as often as they like."""

    def __init__(self, person: Person) -> None:
        said = ask_pam_totp("enroll", person.name, "--type", "hotp", "--no-confirm")
        self._secret: str = said["secret"]
        self._person = person
        self._counter = 0

    def logs_in(self) -> str:
        """Log in with the next code, and return PAM's answer."""
        code = totp(self._secret, self._counter)
        self._counter += 1
        person = self._person
        return host.login(STACK, person.name, password=person.password, code=code).result


class Load(threading.Thread):
    """Does something over and over until it is told to stop."""

    def __init__(self, what: Callable[[], list[str]]) -> None:
        super().__init__()
        self.results: list[str] = []
        self._what = what
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.is_set():
            self.results += self._what()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Let what is under way be the last."""
        self._over.set()
        self.join()


def damaged() -> list[str]:
    """Return the accounts whose secret does not open."""
    return [one["account"] for one in ask_pam_totp("status") if one["damage"]]


def in_the_key_file() -> list[str]:
    """Return the ids of the keys in the key file."""
    return [line[:8] for line in KEY.read_text().splitlines() if not line.startswith("#")]


def marks() -> list[int]:
    """Return what only a rotation changes: the key file, and the secrets of who never logs in."""
    return [KEY.stat().st_ino, *(path.stat().st_ino for path in SECRETS.glob("archive*"))]


def rotation() -> subprocess.Popen[bytes]:
    """Start a rotation."""
    nowhere = subprocess.DEVNULL
    return subprocess.Popen([COMMAND, "key", "rotate"], stdout=nowhere, stderr=nowhere)


def begun(process: subprocess.Popen[bytes]) -> None:
    """Wait until it writes, or has ended."""
    before = marks()
    while process.poll() is None and marks() == before:
        time.sleep(0.0005)


def how_long() -> float:
    """Return how long a rotation takes from the new key to the end of the old one, in seconds."""
    process = rotation()
    begun(process)
    at = time.monotonic()
    while len(in_the_key_file()) > 1:
        time.sleep(0.0005)
    writing = time.monotonic() - at
    assert process.wait(DEADLINE) == 0
    return writing


@pytest.fixture
def archive(service: Service) -> Iterator[None]:
    """More secrets than are sealed anew at a time, of people who are long gone."""
    lines = [f"archive{n:03}:x:{40_000 + n}:{GID}::/:/usr/sbin/nologin\n" for n in range(ARCHIVED)]
    before = PASSWD.read_text()
    subprocess.run(["groupadd", "--gid", str(GID), "archive"], check=True)
    PASSWD.write_text(before + "".join(lines))
    ask_pam_totp("enroll", "--group", "archive", "--yes")
    yield
    kept = [line for line in PASSWD.read_text().splitlines() if not line.startswith("archive")]
    PASSWD.write_text("".join(f"{line}\n" for line in kept))
    subprocess.run(["groupdel", "archive"], check=True)
    pam_totp("prune", "--yes", "--force")


@pytest.mark.timeout(900)
def test_rotated_under_load_and_killed(archive: None, people: People, service: Service) -> None:
    """Fifty rotations killed at random moments, most of them while they write, while people log
    in and enroll: after each one every secret opens; no login and no enrollment fails; and the
    next rotation ends with one key, under which everybody logs in."""
    crowd = [Counting(people()) for _ in range(3)]
    busy, pid, moments, halfway = people(), service.pid, random.Random(), 0

    def log_in() -> list[str]:
        return [one.logs_in() for one in crowd]

    def enroll() -> list[str]:
        busy.enroll()
        pam_totp("reset", busy.name, "--yes", "--no-invitation")
        return ["enrolled"]

    writing = how_long()
    with Load(log_in) as logins, Load(enroll) as enrollments:
        for number in range(KILLS):
            process = rotation()
            if number % 5:
                begun(process)
                time.sleep(moments.uniform(0.0, writing))
            else:
                time.sleep(moments.uniform(0.0, 1.0))
            process.kill()
            process.wait()
            halfway += len(in_the_key_file()) > 1
            assert damaged() == []
    assert set(logins.results) == {SUCCESS}
    assert len(logins.results) > KILLS
    assert len(enrollments.results) > KILLS // 10
    assert halfway >= KILLS // 5, "too few were killed while they had two keys"
    pam_totp("key", "rotate")
    assert damaged() == []
    assert len(in_the_key_file()) == 1
    assert [log_in() for _ in range(2)] == [[SUCCESS] * len(crowd)] * 2
    busy.enroll()
    ended = host.login(STACK, busy.name, password=busy.password, code=busy.fresh_code())
    assert (ended.result, service.pid) == (SUCCESS, pid)
    # Nothing is left of what those had written who were killed: old keys above all.
    assert [path for place in (KEY.parent, SECRETS) for path in place.glob(".new-*")] == []


def test_without_the_service(person: Person, service: Service) -> None:
    """The one-shot finds the new key."""
    service.stop()
    pam_totp("key", "rotate")
    code = person.fresh_code()
    assert host.login(STACK, person.name, password=person.password, code=code).result == SUCCESS


def typed(text: str, *words: str) -> None:
    """Run a command that reads standard input."""
    command = [COMMAND, "key", *words]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_lost_and_put_back(
    person: Person, service: Service, journal: Journal, tmp_path: Path
) -> None:
    """Without the key nobody is let in, and the log says what to do; with its copy all are."""
    copy = tmp_path / "copy"
    typed(PHRASE, "export", str(copy))
    KEY.unlink()
    service.stop()
    refused = host.login(STACK, person.name, password=person.password).result
    assert refused == UNAVAILABLE
    assert "put /etc/pam-totp/seal.key back from its copy" in journal.wait_for("the key is not")
    typed(PHRASE, "import", str(copy))
    service.start()
    code = person.fresh_code()
    assert host.login(STACK, person.name, password=person.password, code=code).result == SUCCESS


def test_lost_for_good(person: Person, service: Service) -> None:
    """Starting over, people enroll anew, and the service goes on with the new key."""
    pid = service.pid
    KEY.unlink()
    pam_totp("key", "lost", "--yes")
    assert not person.status()["enrolled"]
    assert person.status()["invitation_wanted"]
    person.enroll()
    code = person.fresh_code()
    assert host.login(STACK, person.name, password=person.password, code=code).result == SUCCESS
    assert service.pid == pid
