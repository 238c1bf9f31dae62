"""The sealing keys while logins go on: rotated, killed, lost and put back."""

from __future__ import annotations

import random
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.system.lab import host, stacks
from tests.system.lab.host import SUCCESS, UNAVAILABLE
from tests.system.lab.journal import Journal
from tests.system.lab.person import Person
from tests.system.lab.phone import totp
from tests.system.lab.product import COMMAND, Service, ask_pam_totp, pam_totp

STACK: Final = "lab-keys"
KEY: Final = Path("/etc/pam-totp/seal.key")
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
    """Logs in, one after the other, until it is told to stop."""

    def __init__(self, people: list[Counting]) -> None:
        super().__init__()
        self.results: list[str] = []
        self._people = people
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.is_set():
            self.results += [one.logs_in() for one in self._people]

    def stop(self) -> None:
        """Let the round under way be the last."""
        self._over.set()
        self.join()


def damaged() -> list[str]:
    """Return the accounts whose secret does not open."""
    return [one["account"] for one in ask_pam_totp("status") if one["damage"]]


def test_rotated_under_load_and_killed(people: People, service: Service) -> None:
    """Fifty rotations, killed at random moments, while people log in and enroll: after each one
    every secret opens, no login fails, and the last one ends with one key."""
    load = Load([Counting(people()) for _ in range(3)])
    for _ in range(20):
        people().enroll()
    newcomers, moments = [], random.Random(1)
    pid = service.pid
    load.start()
    try:
        for number in range(KILLS):
            process = subprocess.Popen(
                [COMMAND, "key", "rotate"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            try:
                process.wait(moments.uniform(0.0, 0.8))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            assert damaged() == []
            if number % 10 == 0:
                newcomers.append(people())
                newcomers[-1].enroll()
        pam_totp("key", "rotate")
    finally:
        load.stop()
    assert damaged() == []
    assert len(load.results) > KILLS
    assert set(load.results) == {SUCCESS}
    (only,) = ask_pam_totp("key", "list")
    assert (only["is"], service.pid) == ("current", pid)
    for person in newcomers:
        code = person.fresh_code()
        ended = host.login(STACK, person.name, password=person.password, code=code)
        assert ended.result == SUCCESS


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
