"""The service stopped, killed, hung and ending, and hosts that are not root's."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Final

import pytest

from tests.system.lab import host, records, stacks
from tests.system.lab.host import AUTH_ERR, SUCCESS, UNAVAILABLE
from tests.system.lab.journal import Journal
from tests.system.lab.person import Person
from tests.system.lab.product import LOGIN_SOCKET, Service
from tests.system.lab.wait import DEADLINE, wait_for

STACK: Final = "lab-service"
PROMPT: Final = "prompt echo_on"
LIMIT: Final = 15.0  # seconds that the bridge waits for an answer
AT_ONCE: Final = 4  # conversations that one user's own programs may have


@pytest.fixture(scope="module", autouse=True)
def stack(world: None) -> Iterator[None]:
    """The shipped stack that asks for the code alone."""
    with stacks.installed(STACK, stacks.shipped(stacks.CODE_ALONE)):
        yield


def test_stopped(person: Person, service: Service, journal: Journal) -> None:
    """With the service stopped one-shots do all that it does: count, accept, refuse a replay;
    and what they did holds for the service."""
    service.stop()
    code = person.fresh_code()
    assert host.login(STACK, person.name, code=person.wrong_code()).result == AUTH_ERR
    assert person.failures == 1
    assert host.login(STACK, person.name, code=code).result == SUCCESS
    service.start()
    assert host.login(STACK, person.name, code=code).result == AUTH_ERR
    assert journal.verdicts(person.name) == ["wrong-code", "accepted", "replayed-code"]


def test_host_of_a_one_shot_is_unchanged(person: Person, service: Service) -> None:
    """A program that logs in by real one-shots has no child, signal or descriptor more."""
    service.stop()
    ended = host.login(STACK, person.name, "--report-children", code=person.fresh_code())
    assert (ended.status, ended.result) == (0, SUCCESS)


def test_killed_while_a_person_types(person: Person, service: Service, journal: Journal) -> None:
    """A login whose service is killed is refused; the next ones work with the same code, first
    by a one-shot, then by the service; and nothing that was counted is forgotten."""
    host.login(STACK, person.name, code=person.wrong_code())
    code = person.fresh_code()
    with host.started(STACK, person.name, "--hold", code=code) as running:
        running.waits_at(PROMPT)
        service.stop(signal.SIGKILL)
        assert LOGIN_SOCKET.exists()
        running.go_on()
        ended = running.end()
    assert (ended.result, len(ended.log)) == (UNAVAILABLE, 1)
    assert person.failures == 1
    assert host.login(STACK, person.name, code=code).result == SUCCESS
    service.start()
    assert host.login(STACK, person.name, code=code).result == AUTH_ERR
    assert host.login(STACK, person.name, code=person.fresh_code()).result == SUCCESS


def test_killed_in_a_crowd(person: Person, service: Service) -> None:
    """Whatever the moment of its death, a code that the service has accepted is spent."""
    codes = person.phone.recovery_codes
    with ExitStack() as open_logins:
        logins = [
            open_logins.enter_context(host.started(STACK, person.name, "--hold", code=code))
            for code in codes
        ]
        for running in logins:
            running.waits_at(PROMPT)
        for running in logins:
            running.go_on()
        first = logins[0].end().result
        service.stop(signal.SIGKILL)
        results = [first, *(running.end().result for running in logins[1:])]
    assert set(results) <= {SUCCESS, UNAVAILABLE}
    service.start()
    for code, result in zip(codes, results, strict=True):
        again = host.login(STACK, person.name, code=code).result
        assert result != SUCCESS or again == AUTH_ERR
        if again == AUTH_ERR:
            person.unlock()


def test_hung(person: Person, service: Service) -> None:
    """A login that finds the service hung is refused within its time limit, not let in and not
    kept; when the service goes on, nothing was counted or spent."""
    code = person.fresh_code()
    service.hang()
    began = time.monotonic()
    ended = host.login(STACK, person.name)
    assert time.monotonic() - began < LIMIT + DEADLINE
    assert (ended.result, ended.asked_for_code, len(ended.log)) == (UNAVAILABLE, False, 1)
    service.resume()
    assert person.failures == 0
    assert host.login(STACK, person.name, code=code).result == SUCCESS


def test_ends_after_those_under_way(person: Person, service: Service, journal: Journal) -> None:
    """SIGTERM lets a login under way finish, while new ones help themselves, and the service
    then ends well."""
    first, second = person.fresh_code(), person.fresh_code()
    with host.started(STACK, person.name, "--hold", code=second) as running:
        running.waits_at(PROMPT)
        os.kill(service.pid, signal.SIGTERM)
        wait_for(lambda: not LOGIN_SOCKET.exists(), "end of the socket")
        assert host.login(STACK, person.name, code=first).result == SUCCESS
        assert service.running
        running.go_on()
        assert running.end().result == SUCCESS
    assert service.process is not None
    assert service.process.wait(DEADLINE) == 0
    assert journal.verdicts(person.name) == ["accepted"] * 2


def test_ends_as_it_goes_on(service: Service) -> None:
    """A service that was stopped is told to go on and to end at one moment: it ends."""
    for _ in range(10):
        service.ensure()
        service.hang()
        service.resume()
        service.stop()


# -- hosts that are not root's --------------------------------------------------------------------


def own_login(person: Person, account: str, code: str | None = None) -> host.Ended:
    """Log in through a program that the person runs, as a screen locker does."""
    return host.login(STACK, account, f"--uid={person.uid}", code=code)


def test_own_login(person: Person, journal: Journal) -> None:
    """A person's own program may check the person's own code, and the code is spent."""
    code = person.fresh_code()
    assert own_login(person, person.name, code).result == SUCCESS
    assert own_login(person, person.name, code).result == AUTH_ERR
    assert host.login(STACK, person.name, code=code).result == AUTH_ERR
    assert journal.wait_for("verdict=accepted").fields["host"] == f"uid:{person.uid}"


def test_somebody_elses_login(
    people: Callable[[], Person], person: Person, newcomer: Person, journal: Journal
) -> None:
    """It may not check another's, root's or nobody's, enrolled or not: refused before a code is
    asked for, and not counted."""
    other = people()
    for account in (person.name, newcomer.name, "root", "no-such-person"):
        ended = own_login(other, account)
        assert (ended.result, ended.asked_for_code) == (AUTH_ERR, False)
        assert journal.verdicts(account) == ["not-allowed"]
    assert person.failures == 0


def test_failures_lock_the_own_door(person: Person, journal: Journal) -> None:
    """Wrong codes of a person's own programs lock those programs out, and no login by root."""
    for _ in range(5):
        assert own_login(person, person.name, person.wrong_code()).result == AUTH_ERR
    code = person.fresh_code()
    assert own_login(person, person.name, code).result == AUTH_ERR
    assert (person.failures, person.status()["locked"]) == (0, "no")
    assert host.login(STACK, person.name, code=code).result == SUCCESS
    assert own_login(person, person.name, person.fresh_code()).result == AUTH_ERR
    assert journal.verdicts(person.name)[5:] == ["locked", "accepted", "locked"]
    assert "wrong" not in records.state(person.name)  # no step towards the hard stop


def test_what_it_says_of_its_address(person: Person) -> None:
    """Wrong passwords that a person's own program claims from an address count at its own door
    alone."""
    text = stacks.with_password_module("pam-totp", "pam_debug.so auth=auth_err")
    with stacks.installed("lab-claim", text) as name:
        options = ("--rhost=192.0.2.1", f"--uid={person.uid}")
        host.login(name, person.name, *options, code=person.wrong_code())
    assert records.wrong_passwords(person.name) == {"own": 1}


def test_conversations_of_one_user(person: Person) -> None:
    """One user's programs have four conversations at a time, and root's are apart from them."""
    with ExitStack() as open_logins:
        for _ in range(AT_ONCE):
            options = ("--hold", f"--uid={person.uid}")
            running = host.started(STACK, person.name, *options, code=person.wrong_code())
            open_logins.enter_context(running).waits_at(PROMPT)
        assert own_login(person, person.name).result == UNAVAILABLE
        assert host.login(STACK, person.name, code=person.fresh_code()).result == SUCCESS


def test_own_login_without_the_service(person: Person, service: Service) -> None:
    """Without the service a program that is not root's is refused, with a line in the log."""
    service.stop()
    ended = own_login(person, person.name)
    assert (ended.result, len(ended.log)) == (UNAVAILABLE, 1)
    assert "this program needs it" in ended.log[0]
