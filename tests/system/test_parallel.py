"""Many logins of one account at the same moment, by real PAM clients."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Final

import pytest

from tests.system.lab import host, records, stacks
from tests.system.lab.host import AUTH_ERR, SUCCESS
from tests.system.lab.journal import Journal
from tests.system.lab.person import Person
from tests.system.lab.product import LOGIN_SOCKET, Service
from tests.system.lab.wait import wait_for

STACK: Final = "lab-parallel"
PROMPT: Final = "prompt echo_on"
CHECKED: Final = 5  # wrong codes that are looked at before the account locks
ROUNDS: Final = range(20)


@pytest.fixture(scope="module", autouse=True)
def stack(world: None) -> Iterator[None]:
    """The shipped stack that asks for the code alone."""
    with stacks.installed(STACK, stacks.shipped(stacks.CODE_ALONE)):
        yield


@pytest.fixture(params=["service", "one-shots"])
def many(request: pytest.FixtureRequest, service: Service) -> int:
    """Who answers, and how many logins at once; each one-shot is a Python of its own."""
    if request.param == "service":
        return 64
    service.stop()
    return 8


def at_once(account: str, code: str, many: int) -> Counter[str]:
    """Give one code in many threads of one program, all of which had been asked before."""
    options = ("--hold", f"--threads={many}")
    with host.started(STACK, account, *options, code=code) as running:
        running.waits_at(PROMPT, many)
        running.go_on(many)
        return Counter(running.end().results())


def each_at_once(account: str, codes: Sequence[str]) -> Counter[str]:
    """Give each code in a program of its own, all of which had been asked before."""
    with ExitStack() as stack:
        all_running = [
            stack.enter_context(host.started(STACK, account, "--hold", code=code)) for code in codes
        ]
        for running in all_running:
            running.waits_at(PROMPT)
        for running in all_running:
            running.go_on()
        return Counter(running.end().result for running in all_running)


@pytest.mark.parametrize("turn", ROUNDS)
def test_one_right_code(turn: int, person: Person, service: Service, journal: Journal) -> None:
    """Of 64 logins with one right code exactly one is accepted, in each of twenty rounds."""
    results = at_once(person.name, person.fresh_code(), 64)
    assert results == {SUCCESS: 1, AUTH_ERR: 63}
    verdicts = Counter(journal.verdicts(person.name))
    assert verdicts == {"accepted": 1, "replayed-code": 1, "repeated-code": 62}


def test_one_right_code_by_one_shots(person: Person, service: Service) -> None:
    """The same holds with the service stopped, for one-shots in parallel."""
    service.stop()
    assert at_once(person.name, person.fresh_code(), 8) == {SUCCESS: 1, AUTH_ERR: 7}


def test_one_right_code_through_both(person: Person, service: Service) -> None:
    """The same holds where the service and one-shots answer at the same moment."""
    code = person.fresh_code()
    options = ("--hold", "--threads=8")
    with host.started(STACK, person.name, *options, code=code) as asked_by_service:
        asked_by_service.waits_at(PROMPT, 8)
        os.kill(service.pid, signal.SIGTERM)  # those under way are answered to the end
        wait_for(lambda: not LOGIN_SOCKET.exists(), "end of the service's socket")
        with host.started(STACK, person.name, *options, code=code) as asked_by_one_shots:
            asked_by_one_shots.waits_at(PROMPT, 8)
            asked_by_service.go_on(8)
            asked_by_one_shots.go_on(8)
            results = Counter(asked_by_service.end().results())
            results += Counter(asked_by_one_shots.end().results())
    assert results == {SUCCESS: 1, AUTH_ERR: 15}


def test_different_wrong_codes(many: int, person: Person, journal: Journal) -> None:
    """However many wrong codes come at once, five are checked, then the account is locked, and
    the right code is refused."""
    results = each_at_once(person.name, [person.wrong_code() for _ in range(many)])
    assert results == {AUTH_ERR: many}
    verdicts = Counter(journal.verdicts(person.name))
    assert verdicts == {"wrong-code": CHECKED, "locked": many - CHECKED}
    assert records.state(person.name)["wrong"][0] == CHECKED
    assert host.login(STACK, person.name, code=person.fresh_code()).result == AUTH_ERR


def test_right_code_among_wrong_ones(person: Person, service: Service, journal: Journal) -> None:
    """A right code among 63 wrong ones is accepted at most once, and only before the lock."""
    right = person.fresh_code()
    codes = [person.wrong_code() for _ in range(63)]
    results = each_at_once(person.name, [*codes[:3], right, *codes[3:]])
    verdicts = journal.verdicts(person.name)
    assert results[SUCCESS] == verdicts.count("accepted") <= 1
    assert verdicts.count("wrong-code") <= CHECKED + (CHECKED - 1) * results[SUCCESS]
    assert "accepted" not in verdicts[verdicts.index("locked") :]


def test_same_wrong_code(many: int, person: Person, journal: Journal) -> None:
    """The same wrong code, however often at once, counts once, and the right one still gets
    in."""
    assert at_once(person.name, person.wrong_code(), many) == {AUTH_ERR: many}
    assert person.failures == 1
    verdicts = Counter(journal.verdicts(person.name))
    assert verdicts == {"wrong-code": 1, "repeated-code": many - 1}
    assert host.login(STACK, person.name, code=person.fresh_code()).result == SUCCESS


def test_recovery_code(many: int, person: Person) -> None:
    """A recovery code given many times at once is accepted once."""
    code = person.phone.recovery_codes[0]
    assert at_once(person.name, code, many) == {SUCCESS: 1, AUTH_ERR: many - 1}


def test_wrong_passwords(many: int, person: Person) -> None:
    """Wrong passwords from one address at once count no further than the lock."""
    text = stacks.with_password_module("pam-totp", "pam_debug.so auth=auth_err")
    with stacks.installed("lab-wrong-passwords", text) as name:
        options = (f"--threads={many}", "--rhost=192.0.2.1")
        ended = host.login(name, person.name, *options, code=person.wrong_code())
    assert Counter(ended.results()) == {AUTH_ERR: many}
    assert records.wrong_passwords(person.name) == {"192.0.2.1": 0}  # that is: locked
    assert person.failures == 0
