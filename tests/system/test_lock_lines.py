"""The log lines of locks: when they begin, and when they end."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from typing import Final

import pytest

from tests.system.lab import host, records, stacks
from tests.system.lab.journal import Journal
from tests.system.lab.person import Person
from tests.system.lab.product import DATA, Service

STACK: Final = "lab-lock-lines"
DURATION: Final = 900


@pytest.fixture(autouse=True)
def stack(service: Service) -> Iterator[None]:
    """The shipped stack that asks for the code alone."""
    with stacks.installed(STACK, stacks.shipped(stacks.CODE_ALONE)):
        yield


def guess(person: Person) -> None:
    """Give wrong codes until the account is locked."""
    for _ in range(5):
        host.login(STACK, person.name, code=person.wrong_code())


def bring_forward(person: Person, seconds: float) -> None:
    """Let the lock of an account end so soon, as if it had begun long ago."""
    state = records.state(person.name)
    state["codes"][0] = time.time() + seconds
    with closing(sqlite3.connect(DATA / "state.db")) as connection, connection:
        changed = (json.dumps(state), person.name)
        connection.execute("UPDATE account SET state = ? WHERE name = ?", changed)


def test_begin_and_end_by_itself(person: Person, service: Service, journal: Journal) -> None:
    """The fifth wrong code logs that a lock begins and until when; a service that is started
    later logs the end at the moment when it is over, once, with nobody logging in."""
    before = time.time()
    guess(person)
    line = journal.wait_for("lock=begins")
    assert (line.fields["account"], line.fields["kind"]) == (person.name, "codes")
    until = datetime.fromisoformat(line.fields["until"]).timestamp()
    assert before + DURATION <= until <= time.time() + DURATION + 1
    service.stop()
    bring_forward(person, 3.0)
    end = time.time() + 3.0
    service.start()
    ended = journal.wait_for("lock=ends")
    assert time.time() >= end - 0.1
    assert str(ended).endswith(f"lock=ends account={person.name} kind=codes how=time")
    assert host.login(STACK, person.name, code=person.fresh_code()).result == host.SUCCESS
    assert len([line for line in journal.lines if "lock=ends" in line]) == 1


def test_end_by_unlock(person: Person, journal: Journal) -> None:
    """`pam-totp unlock` logs the act and the end, with who it was, from a process of its own."""
    guess(person)
    journal.wait_for("lock=begins")
    person.unlock()
    assert "pam-totp" in journal.wait_for("act=unlock")
    ended = journal.wait_for("lock=ends").fields
    assert (ended["account"], ended["how"], ended["by"]) == (person.name, "unlock", "root")
