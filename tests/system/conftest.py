"""What the system tests share.  They run in the lab (scripts/lab), where the package is
installed: they use its programs, and change the lab's accounts and /etc as they like.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from tests.system.lab import ssh
from tests.system.lab.journal import Collector, Journal
from tests.system.lab.person import Person
from tests.system.lab.product import COMMAND, Service, configure, pam_totp


@pytest.fixture(scope="session", autouse=True)
def lab() -> None:
    """Refuse to run anywhere but in the lab: these tests change accounts and /etc."""
    if os.uname().nodename != "lab" or not os.path.exists(COMMAND):
        pytest.exit("system tests run in the lab alone: sudo scripts/test -- tests/system", 2)


@pytest.fixture(scope="session")
def collector(lab: None) -> Iterator[Collector]:
    """The lab's syslog."""
    collector = Collector()
    yield collector
    collector.close()


@pytest.fixture
def journal(collector: Collector) -> Journal:
    """What is logged from here on."""
    return Journal(collector)


@pytest.fixture(scope="session")
def world(collector: Collector) -> None:
    """The product set up as the documentation says, at its usual places, and turned on for
    SSH.  Refusals are not delayed by it, to save the tests' time."""
    pam_totp("setup", "--yes", "--ignore-clock", "--services", "all")
    configure("fail-delay", "0")
    ssh.turn_on_for_ssh()


@pytest.fixture(scope="session")
def _service(world: None) -> Iterator[Service]:
    service = Service()
    yield service
    service.stop()


@pytest.fixture
def service(_service: Service) -> Iterator[Service]:
    """The service, running.  A test may stop it or kill it; the next one finds it running."""
    _service.ensure()
    yield _service
    if _service.running:
        _service.resume()


@pytest.fixture
def people(service: Service) -> Iterator[Callable[[], Person]]:
    """Makes people who have a system account and a password, and have not enrolled."""
    made: list[Person] = []

    def make() -> Person:
        made.append(Person())
        return made[-1]

    yield make
    for person in made:
        person.remove()


@pytest.fixture
def newcomer(people: Callable[[], Person]) -> Person:
    """Somebody who has not enrolled."""
    return people()


@pytest.fixture
def person(people: Callable[[], Person]) -> Person:
    """Somebody who has enrolled."""
    person = people()
    person.enroll()
    return person
