"""The policy that logins go by, and what a broken one does."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from pam_totp.errors import PolicyError
from pam_totp.policy.document import Policy
from pam_totp.policy.record import PolicyRecord, to_text
from pam_totp.verdict import Verdict
from tests.unit.world import NOON, Talk, World


def put(world: World, text: str) -> None:
    """Put a text in the place of the newest policy, as a fault of the disk would."""
    with closing(sqlite3.connect(world.directory / "state.db")) as connection, connection:
        connection.execute(
            "INSERT INTO policy (at, actor, origin, note, document) VALUES (?, 'x', '', '', ?)",
            (NOON, text),
        )


def test_a_new_store_has_a_policy(world: World) -> None:
    """The first version is as shipped: every key at its default."""
    (record,) = world.store.policies(10)
    assert (record.policy, record.note) == (Policy(), "as shipped")
    assert world.context.policy() == Policy()


def test_a_change_counts_at_the_next_login(world: World) -> None:
    """A login goes by the newest version, in a process that has read an older one."""
    phone = world.enroll()
    assert world.check(phone.code(NOON)) is Verdict.ACCEPTED
    world.sets("mfa=off")
    talk = Talk("alice")
    assert world.login(talk).check() is Verdict.NOT_NEEDED
    world.sets("mfa=required")
    assert world.check("000000", "bob") is Verdict.NOT_ENROLLED


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "{}",
        '[{"mfa":"perhaps"}]',
        '[{"x":"y"}]',
        "[[]]",
        "\x00",
        pytest.param("[" * 99_999, id="deep"),
    ],
)
def test_a_broken_policy_widens_nothing(world: World, broken: str) -> None:
    """The last good version stays in force, and every login says so and what to do."""
    world.sets("mfa=required")
    good = world.store.policies(1)[0].id
    put(world, broken)
    for _ in range(2):
        world.lines.clear()
        assert world.check("000000", "bob") is Verdict.NOT_ENROLLED
        (said,) = (line for line in world.lines if line.startswith("policy=broken"))
        assert f"in-force={good}" in said
        assert f'hint="pam-totp policy revert {good}"' in said
    with pytest.raises(PolicyError):
        _ = world.store.policies(1)[0].policy


def test_without_any_policy_logins_are_refused(world: World) -> None:
    """No version that can be used, or none at all, refuses with what to do."""
    phone = world.enroll()
    with closing(sqlite3.connect(world.directory / "state.db")) as connection, connection:
        connection.execute("DELETE FROM policy")
    assert world.login(Talk("alice")).check() is Verdict.UNAVAILABLE
    assert "no policy" in world.lines[-1]
    put(world, "broken")
    assert world.login(Talk("alice")).check() is Verdict.UNAVAILABLE
    assert world.login(Talk("bob")).wrong_password() is Verdict.UNAVAILABLE
    assert world.login(Talk("bob")).account() is Verdict.UNAVAILABLE
    assert phone.code(NOON) not in " ".join(world.lines)


def test_two_administrators_at_once(world: World) -> None:
    """A change that was made from a version that is not the newest any more is refused."""
    newest = world.store.policies(1)[0]
    world.sets("mfa=required")
    late = PolicyRecord(newest.id, NOON, "bob", "", "", to_text(Policy()))
    with pytest.raises(PolicyError, match="root changed the policy in the meantime"):
        world.store.change_policy(late, world.act("policy"))
    assert world.store.policies(1)[0].policy != Policy()
    assert [event.what for event in world.events(None)] == ["policy"]


def test_every_version_is_kept(world: World) -> None:
    """Each version stays, with who made it and when."""
    world.sets("mfa=required")
    world.clock.now += 60
    world.sets("mfa=off")
    found = [(r.at, r.actor, str(r.policy.rules[-1])) for r in world.store.policies(10)[:2]]
    assert found == [
        (NOON + 60, "root", "mfa=off for everybody"),
        (NOON, "root", "mfa=required for everybody"),
    ]


def test_an_older_database(world: World) -> None:
    """A database of the schema before comes to ours at its first use, with what it holds."""
    phone = world.enroll()
    world.store._database.close()
    with closing(sqlite3.connect(world.directory / "state.db")) as connection:
        connection.executescript(
            "DROP TABLE local; DROP TABLE policy; DROP INDEX account_uid;"
            "ALTER TABLE account DROP COLUMN uid;"
            "ALTER TABLE event DROP COLUMN actor; PRAGMA user_version = 1"
        )
    assert world.context.policy() == Policy()
    assert world.check(phone.code(NOON)) is Verdict.ACCEPTED
    assert [event.what for event in world.events()] == ["enrolled", "accepted"]
