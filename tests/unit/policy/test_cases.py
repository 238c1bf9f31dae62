"""What a policy makes of a login, as data (cases.yaml): each case is a login of its own over a
real store."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from pam_totp import administration
from pam_totp.policy.document import from_data
from pam_totp.policy.record import PolicyRecord, to_text
from pam_totp.verdict import Verdict
from tests.unit.world import ALICE, CODE_PROMPT, Phone, Talk, World

CASES = yaml.load((Path(__file__).parent / "cases.yaml").read_text(), yaml.BaseLoader)
MEMBERSHIP = {"in": True, "out": False, "unknown": None}


def test_there_are_enough_cases() -> None:
    """Each claim is made once, and there are at least sixty."""
    claims = [case["claim"] for case in CASES]
    assert len(set(claims)) == len(claims) >= 60


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["claim"])
def test_case(case: dict[str, Any], world: World) -> None:
    """The login comes out as the case says."""
    put_in_force(world, case.get("policy", []))
    groups = {name: MEMBERSHIP[word] for name, word in case.get("groups", {}).items()}
    world.groups = groups
    at = datetime.fromisoformat(case.get("at", "2027-03-01 12:00:00")).timestamp()
    world.clock.now = at - 100_000
    phone = world.enroll() if case.get("enrolled", "yes") == "yes" else Phone(b"x" * 20)
    if "earlier" in case:
        was_here_before(world, phone, case["earlier"], at)
    world.clock.now = at
    talk = Talk(
        case.get("user", "alice"),
        [(CODE_PROMPT, phone.code(at))],
        service=case.get("service", "sshd"),
        rhost=case.get("from", "192.0.2.7"),
    )
    verdict = world.login(talk).check()
    assert outcome(verdict, asked=not talk.script) == case["outcome"]


def outcome(verdict: Verdict, *, asked: bool) -> str:
    """Return what the case calls it."""
    words = {
        (Verdict.ACCEPTED, True): "code",
        (Verdict.NOT_ENROLLED, True): "refused",
        (Verdict.UNKNOWN_ACCOUNT, True): "refused",
        (Verdict.UNKNOWN_ACCOUNT, False): "stranger",
        (Verdict.NOT_NEEDED, False): "free",
        (Verdict.NOT_NAMED, False): "silent",
    }
    return words.get((verdict, asked), f"{verdict}, asked: {asked}")


def put_in_force(world: World, rules: list[Any]) -> None:
    """Make a document the policy."""
    newest = world.store.policies(1)[0]
    text = to_text(from_data(rules))
    world.store.change_policy(PolicyRecord(newest.id, 0, "root", "", "", text), world.act("policy"))


def was_here_before(world: World, phone: Phone, what: str, at: float) -> None:
    """Log in earlier, and do what came between."""
    login, _, between = what.partition(", ")
    minutes, service, address = login.split(" ", 2)
    world.clock.now = at - 60 * float(minutes)
    code = phone.code(world.clock.now)
    assert world.check(code, service=service, rhost=address) is Verdict.ACCEPTED
    world.clock.now += 30
    if between:
        BETWEEN[between](world, phone, address)


def wrong_code(world: World, phone: Phone, address: str) -> None:
    """Type a wrong code from there, where a code is asked for."""
    wrong = phone.wrong(world.clock.now)[0]
    assert world.check(wrong, rhost=address, service="login") is Verdict.WRONG_CODE


def wrong_password(world: World, phone: Phone, address: str) -> None:
    """Give a wrong password from there."""
    talk = Talk("alice", [(CODE_PROMPT, "1")], rhost=address)
    assert world.login(talk).wrong_password() is Verdict.WRONG_PASSWORD


def lock_and_unlock(world: World, phone: Phone, address: str) -> None:
    """Lock the account, and free it again."""
    administration.lock(world.store, ALICE.name, world.clock.now, "root")
    administration.unlock(world.store, ALICE.name, world.clock.now, "root")


BETWEEN: dict[str, Callable[[World, Phone, str], None]] = {
    "wrong-code": wrong_code,
    "other-wrong-code": lambda world, phone, _: wrong_code(world, phone, "198.51.100.9"),
    "wrong-password": wrong_password,
    "lock+unlock": lock_and_unlock,
}
