"""Which events are told to their person, and as what."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from pam_totp.cli.words import _ACTS
from pam_totp.errors import EnrollmentError
from pam_totp.event import Event
from pam_totp.notices.kind import ACTS, LOCKING, SILENT, Kind, kind_of
from pam_totp.verdict import Verdict
from tests.unit.world import CODE_PROMPT, NOON, Talk, World

PACKAGE = Path(__file__).parents[3] / "pam_totp"


def named_acts() -> set[str]:
    """Return what is given out as an event's `what`, wherever the package makes one."""
    calls = (
        node
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Event"
    )
    whats = (call.args[2] for call in calls if len(call.args) > 2)
    return {w.value for w in whats if isinstance(w, ast.Constant) and w.value}


def test_the_table_is_closed() -> None:
    """Every verdict and every act stands in one place of the table: it is told, can begin a
    lock, or is silent; and nothing stands there that cannot happen."""
    everything = {v.value for v in Verdict} | set(_ACTS) | named_acts()
    places = [set(ACTS), set(LOCKING), set(SILENT), {"accepted"}]
    assert set().union(*places) == everything
    assert sum(map(len, places)) == len(everything)


@pytest.mark.parametrize("what", sorted(SILENT | {"accepted", "of-a-later-release"}))
def test_silence(what: str) -> None:
    """What is silent is told to nobody, whatever else its event says."""
    assert kind_of(Event(NOON, "alice", what, authenticator="phone", detail="this locks")) is None


@pytest.mark.parametrize(("what", "kind"), ACTS.items())
def test_acts(what: str, kind: Kind) -> None:
    """An act is told whoever did it."""
    for actor in ("root", ""):
        assert kind_of(Event(NOON, "alice", what, actor=actor)) is kind


def kinds(world: World) -> list[Kind]:
    """Return what is told of all that has happened."""
    return [kind for event in world.events(None) if (kind := kind_of(event))]


def test_a_recovery_code(world: World) -> None:
    """A login with a recovery code is told; one with a code is not."""
    phone = world.enroll()
    assert world.check(phone.code(NOON)) is Verdict.ACCEPTED
    assert world.check(phone.recovery_codes[0]) is Verdict.ACCEPTED
    assert kinds(world) == [Kind.ENROLLED, Kind.RECOVERY_CODE_USED]


def test_no_phone_is_called_a_recovery_code(world: World) -> None:
    """Nobody can give a phone the name by which events tell recovery codes."""
    with pytest.raises(EnrollmentError, match="cannot be an authenticator's name"):
        world.enroll(name=" recovery-code ")
    assert kinds(world) == []


def test_a_lock_for_a_time(world: World) -> None:
    """Of wrong codes the one that begins the lock is told, and what comes under it is not."""
    phone = world.enroll()
    for code in phone.wrong(NOON, 8):
        world.check(code)
    assert kinds(world) == [Kind.ENROLLED, Kind.LOCKED]


def test_a_lock_with_a_clock_that_is_off(world: World) -> None:
    """The lock is told also where its event has more to say."""
    phone = world.enroll()
    for code in (*phone.wrong(NOON, 4), phone.code(NOON, 5)):
        world.check(code)
    assert "clock" in world.events()[-1].detail
    assert kinds(world) == [Kind.ENROLLED, Kind.LOCKED]


def test_the_hard_stop(world: World) -> None:
    """The hard stop is told as what it is."""
    phone = world.enroll()
    world.sets("hard-stop=10", "lockout-failures=100")
    for code in phone.wrong(NOON, 12):
        world.check(code)
    assert kinds(world) == [Kind.ENROLLED, Kind.LOCKED_FOR_GOOD]


def test_a_lock_of_the_own_door(world: World) -> None:
    """A lock of the person's own programs is told as one of those."""
    phone = world.enroll()
    for code in phone.wrong(NOON, 5):
        world.check(code, host_uid=world.people["alice"].uid)
    assert kinds(world) == [Kind.ENROLLED, Kind.LOCKED_OWN]


@pytest.mark.parametrize("name", ["alice", "nobody"])
def test_wrong_passwords_of_a_stranger(world: World, name: str) -> None:
    """An address that is locked is told to nobody, whether the account exists or not, also
    while an administrator has locked it."""
    world.enroll()
    before = kinds(world)
    for _ in range(6):
        script = [(CODE_PROMPT, "")] if name == "alice" else []
        world.login(Talk(name, list(script), rhost="198.51.100.9")).wrong_password()
    assert "this locks the address" in [event.detail for event in world.events(None)]
    assert kinds(world) == before


def test_wrong_passwords_that_count_against_the_account(world: World) -> None:
    """Where wrong passwords lock the account, that is told."""
    world.enroll()
    world.sets("lockout-scope=account")
    for _ in range(5):
        world.login(Talk("alice", [(CODE_PROMPT, "")])).wrong_password()
    assert kinds(world) == [Kind.ENROLLED, Kind.LOCKED]


def test_a_name_that_nobody_has(world: World) -> None:
    """Guesses at a name that does not exist make no notice."""
    world.sets("mfa=required")
    for code in ("111111", "222222", "333333", "444444", "555555", "666666"):
        world.check(code, name="nobody")
    assert kinds(world) == []
