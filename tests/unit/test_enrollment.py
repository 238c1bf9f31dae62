"""Enrolling: what proves an authenticator, and what is known of its clock."""

from __future__ import annotations

import pytest

from pam_totp import enrollment
from tests.unit.world import ALICE, NOON, World, phone_of


@pytest.mark.parametrize("beside", range(-22, 23))
def test_what_proves_and_what_drifts(world: World, beside: int) -> None:
    """The codes of the window prove; those of up to twenty steps away prove nothing and say by
    how many seconds the clock is off; those further away say nothing."""
    drafted = enrollment.draft(world.store, ALICE, "phone", NOON)
    typed = phone_of(drafted).code(NOON, beside)
    inside, near = abs(beside) <= 1, abs(beside) <= 20
    proof = enrollment.proves(drafted, typed, NOON)
    assert proof == (int(NOON // 30) + beside if inside else None)
    if not inside:
        assert enrollment.drift(drafted, typed, NOON) == (30 * beside if near else None)


@pytest.mark.parametrize("typed", ["", "  ", "12 34", "no code", "\u0661" * 6])
def test_what_is_no_code(world: World, typed: str) -> None:
    """What cannot be a code proves nothing and says nothing of a clock."""
    drafted = enrollment.draft(world.store, ALICE, "phone", NOON)
    assert enrollment.proves(drafted, typed, NOON) is None
    assert enrollment.drift(drafted, typed, NOON) is None
    assert enrollment.proves(drafted, drafted.recovery_codes[0], NOON) is None


def test_no_drift_remembered(world: World) -> None:
    """An enrollment that took two tries begins with a clean state, its code spent."""
    drafted = enrollment.draft(world.store, ALICE, "phone", NOON)
    phone = phone_of(drafted)
    assert enrollment.drift(drafted, phone.code(NOON, -8), NOON) == -240
    step = enrollment.proves(drafted, phone.code(NOON, 1), NOON)
    enrollment.keep(world.store, drafted, NOON, "root", step)
    (state,) = world.store.look("alice").authenticators.values()
    assert (state.last_step, state.drift, state.offset) == (int(NOON // 30) + 1, None, 0)
