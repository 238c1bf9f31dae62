"""Whom the call names as the one who started the application."""

from __future__ import annotations

import pytest
from fake_service import Peer
from host_program import Bridge

NOBODY = 65534


def callers(bridge: Bridge, *options: str, uid: int | None = None) -> list[int]:
    """Log in once, through both functions, and give whom the calls name."""
    seen: list[int] = []

    def script(peer: Peer) -> None:
        seen.append(peer.call().caller)
        peer.finish()

    conditions = {} if uid is None else {"uid": uid}
    with bridge.service(script, script):
        bridge.login("authenticate", "acct_mgmt", options=options, **conditions)
    return seen


def test_programs_of_root(bridge: Bridge) -> None:
    """A program that root started is root's."""
    assert callers(bridge) == [0, 0]


def test_programs_of_others(bridge: Bridge) -> None:
    """A program that somebody else started, or that root made theirs, is theirs."""
    assert callers(bridge, uid=NOBODY) == [NOBODY] * 2
    assert callers(bridge, "--uid", str(NOBODY)) == [NOBODY] * 2


@pytest.mark.parametrize("options", [(), ("--uid", "0")], ids=["effective uid 0", "all uids 0"])
def test_set_user_id_programs(set_user_id: Bridge, options: tuple[str, ...]) -> None:
    """A set-user-id program names who started it, also once all its uids are 0."""
    assert callers(set_user_id, *options, uid=NOBODY) == [NOBODY] * 2


def test_set_user_id_program_of_root(set_user_id: Bridge) -> None:
    """The same program started by root is root's."""
    assert callers(set_user_id) == [0, 0]
