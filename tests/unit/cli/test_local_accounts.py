"""`pam-totp account`."""

from __future__ import annotations

import io
import re
import sys

import pytest

from .conftest import Done, Host

GOOD = "seven green bicycles"


def typed(host: Host, monkeypatch: pytest.MonkeyPatch, text: str, *words: str) -> Done:
    """Run a command that reads standard input."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))
    return host.run("account", *words)


@pytest.fixture(name="carol")
def carol_fixture(host: Host, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A host with a local account, carol."""
    assert typed(host, monkeypatch, f"{GOOD}\n", "add", "carol").code == 0
    return host


def test_made(carol: Host) -> None:
    """It is there, with its own password, and is no administrator."""
    (one,) = carol.does("account", "list", "--json").json
    assert (one["account"], one["administrator"], one["first"]) == ("carol", False, False)
    assert (one["enrolled"], one["disabled"]) == (False, False)
    world = carol.world()
    account = world.store.local_accounts.get("carol")
    assert account is not None
    assert account.verifier.matches(GOOD)
    assert GOOD.encode() not in (carol.data / "state.db").read_bytes()


def test_listed(carol: Host) -> None:
    """The list is a table; without accounts it says how to make one."""
    out = carol.does("account", "list").out
    assert re.search(r"^carol +no +own, of \d{4}-\d\d-\d\d +no +no *$", out, re.MULTILINE)


def test_nobody_yet(host: Host) -> None:
    """Without any, the list says how to make one."""
    done = host.does("account", "list")
    assert done.out == "no local accounts\n"
    assert "account add NAME" in done.err


def test_a_password_for_one_sign_in(host: Host) -> None:
    """It is shown once, is right, and the account says that it is the first."""
    out = host.does("account", "add", "pam-totp-admin", "--admin", "--one-time").out
    shown = re.search(r"^    ((?:\w{5}-){4}\w{5})$", out, re.MULTILINE)
    assert shown
    assert "Shown this once." in out
    account = host.world().store.local_accounts.get("pam-totp-admin")
    assert account is not None
    assert account.verifier.matches(shown[1])
    assert (account.administrator, account.first) == (True, True)
    assert re.search(
        r"^pam-totp-admin +yes +for one sign-in", host.does("account", "list").out, re.MULTILINE
    )


@pytest.mark.parametrize(
    ("name", "password", "why"),
    [
        ("daemon", GOOD, "daemon is an account of this machine"),
        ("Carol", GOOD, "'Carol' cannot be an account's name"),
        ("carol", "short", "at least 15 characters"),
        ("carol", "passwordpassword", "first passwords that are tried"),
    ],
)
def test_what_is_refused(
    host: Host, monkeypatch: pytest.MonkeyPatch, name: str, password: str, why: str
) -> None:
    """Names that are the machine's, names and passwords that cannot be: a sentence, and nothing
    is made."""
    done = typed(host, monkeypatch, f"{password}\n", "add", name)
    assert done.code == 1
    assert why in done.err
    assert host.does("account", "list", "--json").json == []


def test_twice(carol: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name is given once."""
    done = typed(carol, monkeypatch, f"{GOOD}\n", "add", "carol")
    assert (done.code, "local account carol already" in done.err) == (1, True)
    assert "account passwd carol" in done.err


def test_another_password(carol: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old one is void."""
    assert typed(carol, monkeypatch, "eight blue bicycles\n", "passwd", "carol").code == 0
    account = carol.world().store.local_accounts.get("carol")
    assert account is not None
    assert account.verifier.matches("eight blue bicycles")
    assert not account.verifier.matches(GOOD)
    assert typed(carol, monkeypatch, "x\n", "passwd", "nobody-here").code == 1


def test_at_a_terminal(host: Host) -> None:
    """The password is asked for twice, unseen, until both are the same."""
    person = host.at_terminal("account", "add", "carol")
    for first, second in ((GOOD, "another one altogether"), (GOOD, GOOD)):
        person.expect_exact("Password: ")
        person.waitnoecho()
        person.sendline(first)
        person.expect_exact("The same again: ")
        person.sendline(second)
    person.expect_exact("carol: made")
    assert GOOD not in person.before
    person.wait()


def test_administrators(carol: Host) -> None:
    """Granting and revoking."""
    carol.does("account", "grant-admin", "carol")
    assert carol.does("account", "list", "--json").json[0]["administrator"]
    carol.does("account", "revoke-admin", "carol")
    assert not carol.does("account", "list", "--json").json[0]["administrator"]
    assert carol.run("account", "grant-admin", "daemon").code == 1


def test_removed(carol: Host) -> None:
    """It is gone, with what it has enrolled; a new one of that name begins at nothing."""
    carol.does("enroll", "carol", "--no-confirm")
    assert carol.does("status", "carol", "--json").json["enrolled"]
    carol.does("account", "remove", "carol", "--yes")
    assert carol.does("account", "list", "--json").json == []
    assert carol.run("account", "remove", "carol", "--yes").code == 1
    state = carol.world().store.look("carol")
    assert (state.enrolled, state.only_invited, state.uid) == (None, False, None)


def test_commands_know_them(carol: Host) -> None:
    """Whatever is for an account is for a local one."""
    carol.does("enroll", "carol", "--no-confirm")
    assert carol.does("status", "carol", "--json").json["damage"] is None
    assert "carol" in carol.does("status").out
    carol.does("lock", "carol", "--yes")
    carol.does("unlock", "carol")
    assert "carol" in carol.does("policy", "explain", "carol").out
    carol.does("reset", "carol", "--yes", "--no-invitation")
    carol.does("invite", "carol", "--json")


def test_disabled_and_enabled(host: Host) -> None:
    """An account of the machine is disabled and enabled; `unlock` leaves it disabled."""
    out = host.does("account", "disable", "daemon", "--reason", "left us", "--yes").out
    lifts = f"pam-totp --config {host.path} account enable daemon"
    assert out == f"daemon: disabled; sessions that are open go on. To lift it: {lifts}\n"
    one = host.does("status", "daemon", "--json").json
    assert (one["disabled"], one["locked"], one["reason"]) == (True, "administrator", "left us")
    assert one["state"] == "disabled"
    host.does("unlock", "daemon")
    assert host.does("status", "daemon", "--json").json["disabled"]
    assert "is refused" in host.does("policy", "explain", "daemon").out
    assert host.does("account", "enable", "daemon").out == "daemon: enabled\n"
    assert not host.does("status", "daemon", "--json").json["disabled"]
    done = host.run("account", "enable", "daemon")
    assert (done.code, "daemon is not disabled" in done.err) == (1, True)
    assert host.run("account", "disable", "no-such-user", "--yes").code == 1


def test_the_last_way_in(host: Host) -> None:
    """The only administrator who gets in is not cut off without --force."""
    with host.path.open("a") as configuration:
        configuration.write("\nadministrator-groups: []\n")
    done = host.run("account", "disable", "root", "--yes")
    assert (done.code, "only administrator who gets in" in done.err) == (1, True)
    host.does("account", "add", "carol", "--admin", "--one-time")
    host.does("account", "disable", "root", "--yes")
    for words in (("remove", "carol", "--yes"), ("revoke-admin", "carol"), ("disable", "carol")):
        assert "only administrator" in host.run("account", *words).err
    host.does("account", "disable", "carol", "--yes", "--force")
