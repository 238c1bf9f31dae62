"""`pam-totp prune`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pam_totp import disabling
from pam_totp.account import Person
from pam_totp.cli.administrator import Administrator
from pam_totp.context import Context
from pam_totp.errors import NameServiceError
from pam_totp.upkeep import By

from .conftest import Host

NAMES = {"daemon": 1, "bin": 2, "sys": 3, "games": 5, "man": 6}


@pytest.fixture(name="names")
def names_fixture(monkeypatch: pytest.MonkeyPatch) -> dict[str, int | None]:
    """What the name service knows: uids by name, None for what it cannot say."""
    known: dict[str, int | None] = dict(NAMES)

    def lookup(name: str) -> Person | None:
        if name in known and known[name] is None:
            raise NameServiceError(f"NSS could not look up {name!r}")
        uid = known.get(name)
        return None if uid is None else Person(name, uid)

    usual = Administrator.context

    def looking(self: Administrator) -> Context:
        return replace(usual(self), lookup=lookup)

    monkeypatch.setattr(Administrator, "context", looking)
    return known


@pytest.fixture(name="crowd")
def crowd_fixture(host: Host, names: dict[str, int | None]) -> Host:
    """Five people have enrolled."""
    for name in names:
        host.does("enroll", name, "--no-confirm")
    return host


def enrolled(host: Host) -> list[str]:
    """Return who has enrolled."""
    states = host.world().store.accounts()
    return sorted(name for name, state in states if state.enrolled is not None)


def test_nobody(crowd: Host) -> None:
    """Where all are there, nothing is asked and nothing goes."""
    assert crowd.does("prune").out == "nobody is gone\n"
    assert enrolled(crowd) == sorted(NAMES)


def test_gone_and_changed(crowd: Host, names: dict[str, int | None]) -> None:
    """A name that is gone, and one that is another uid's now, are shown and lose what they had;
    whom the name service cannot say anything of stays."""
    del names["daemon"]
    names["bin"], names["sys"] = 4242, None
    done = crowd.run("prune")
    assert (done.code, "no terminal to ask on" in done.err) == (1, True)
    assert enrolled(crowd) == sorted(NAMES)
    done = crowd.does("prune", "--yes")
    assert "2 accounts pruned" in done.out
    assert "uid 4242's" in done.out
    assert "sys could not be looked up, and stays" in done.err
    assert enrolled(crowd) == ["games", "man", "sys"]
    events = [event.what for event in crowd.world().store.events("daemon")]
    assert events[-1] == "pruned"
    assert not (crowd.data / "secrets" / "daemon").exists()


def test_the_next_of_that_name(crowd: Host, names: dict[str, int | None]) -> None:
    """Inherits nothing, but for a lock and that the account is disabled."""
    disabling.disable(crowd.world().store, "bin", By(0, "root"))
    names["bin"] = 4242
    crowd.does("prune", "--yes")
    state = crowd.world().store.look("bin")
    assert (state.enrolled, state.uid, state.authenticators) == (None, None, {})
    assert state.disabled is not None
    crowd.does("enroll", "bin", "--no-confirm")
    assert crowd.world().store.look("bin").uid == 4242


def test_a_directory_that_says_nobody(crowd: Host, names: dict[str, int | None]) -> None:
    """Where most people seem to be gone, it wants --force."""
    for name in ("daemon", "bin", "sys", "games"):
        del names[name]
    done = crowd.run("prune", "--yes")
    assert (done.code, "it may be down; nothing was removed" in done.err) == (1, True)
    assert enrolled(crowd) == sorted(NAMES)
    assert crowd.does("prune", "--yes", "--force", "--json").json == {
        "pruned": [
            {"account": name, "uid": NAMES[name], "uid_now": None}
            for name in ("bin", "daemon", "games", "sys")
        ],
        "unsure": [],
    }
    assert enrolled(crowd) == ["man"]


def test_local_accounts_are_no_leavers(crowd: Host) -> None:
    """The name service does not know them, and need not."""
    crowd.does("account", "add", "carol", "--one-time")
    crowd.does("enroll", "carol", "--no-confirm")
    assert crowd.does("prune", "--yes").out == "nobody is gone\n"
    assert "carol" in enrolled(crowd)


def test_usage(host: Host) -> None:
    """--json asks nothing."""
    assert host.run("prune", "--json").code == 2
