"""`pam-totp events`."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from pam_totp.event import Event

if TYPE_CHECKING:
    from .conftest import Done, Host

KEYS = [
    "id",
    "at",
    "account",
    "what",
    "words",
    "service",
    "rhost",
    "tty",
    "authenticator",
    "by",
    "detail",
]
YESTERDAY = time.time() - 86_400


def keep(host: Host, *events: Event) -> None:
    """Keep events as logins leave them."""
    store = host.world().store
    for event in events:
        store.change_state(event.account, lambda state, event=event: (state, event))


def shown(done: Done) -> list[dict[str, Any]]:
    """Return what was printed with --json."""
    return [json.loads(line) for line in done.out.splitlines()]


@pytest.fixture(name="busy")
def busy_fixture(host: Host) -> Host:
    """A host where something has happened."""
    keep(
        host,
        Event(YESTERDAY, "daemon", "wrong-code", "sshd", "192.0.2.1", "ssh"),
        Event(YESTERDAY + 60, "bin", "accepted", "openvpn", "2001:db8::1", "", "phone"),
        Event(YESTERDAY + 120, "daemon", "lock", detail="lost phone", actor="carol"),
        Event(YESTERDAY + 180.25, "nobody here", "wrong-password", "sshd", "\x1b[2J\nx", "ssh"),
    )
    return host


def test_for_people(busy: Host) -> None:
    """One line each, the newest last: local time, account, service, address and what it means;
    nothing in it is obeyed by a terminal."""
    header, *lines = busy.does("events").out.splitlines()
    assert header.split() == ["Time", "Account", "Service", "From", "What"]
    then = datetime.fromtimestamp(YESTERDAY).astimezone()
    assert lines[0].startswith(f"{then:%Y-%m-%d %H:%M:%S}  daemon        sshd      192.0.2.1 ")
    assert lines[0].endswith("  wrong code, counted")
    assert lines[1].endswith("  2001:db8::1      accepted by authenticator phone")
    assert lines[2].endswith("  locked by carol; lost phone")
    assert r"  \x1b[2J\x0ax  " in lines[3]
    assert len(lines) == 4


def test_a_name_like_columns(host: Host) -> None:
    """A name that looks like a whole line stays one column."""
    keep(host, Event(YESTERDAY, 'root   sshd  "x"  accepted', "wrong-password", "sshd", "a b"))
    _, line = host.does("events").out.splitlines()
    assert r'  "root   sshd  \x22x\x22  accepted"  sshd      "a b"  ' in line


def test_for_scripts(busy: Host) -> None:
    """One object a line, all with the same keys, times in UTC with their offset."""
    records = shown(busy.does("events", "--json"))
    assert [list(record) for record in records] == [KEYS] * 4
    assert sorted(record["id"] for record in records) == [record["id"] for record in records]
    at = datetime.fromisoformat(records[3]["at"])
    assert records[3]["at"].endswith("+00:00")
    assert abs(at.timestamp() - (YESTERDAY + 180.25)) < 0.001
    assert records[0] == {
        "id": records[0]["id"],
        "at": datetime.fromtimestamp(YESTERDAY, UTC).isoformat(timespec="milliseconds"),
        "account": "daemon",
        "what": "wrong-code",
        "words": "wrong code, counted",
        "service": "sshd",
        "rhost": "192.0.2.1",
        "tty": "ssh",
        "authenticator": "",
        "by": "",
        "detail": "",
    }


@pytest.mark.parametrize(
    ("options", "whats"),
    [
        (["daemon"], ["wrong-code", "lock"]),
        (["nobody here"], ["wrong-password"]),
        (["--service", "sshd"], ["wrong-code", "wrong-password"]),
        (["--verdict", "accepted", "--verdict", "wrong-code"], ["wrong-code", "accepted"]),
        (["--acts"], ["lock"]),
        (["--limit", "2"], ["lock", "wrong-password"]),
        (["--limit", "1", "--verdict", "wrong-code"], ["wrong-code"]),
        (["--since", "2h"], []),
        (["--since", "3d"], ["wrong-code", "accepted", "lock", "wrong-password"]),
        (["--since", "{:.3f}+60"], ["accepted", "lock", "wrong-password"]),
        (["--until", "{:.3f}+60"], ["wrong-code"]),
        (["daemon", "--service", "sshd", "--since", "3d", "--limit", "5"], ["wrong-code"]),
    ],
)
def test_which(busy: Host, options: list[str], whats: list[str]) -> None:
    """Account, service, verdict, time and number narrow what is shown, together too."""

    def moment(option: str) -> str:
        if "+60" not in option:
            return option
        return datetime.fromtimestamp(YESTERDAY + 59, UTC).isoformat()

    done = busy.does("events", "--json", *map(moment, options))
    assert [record["what"] for record in shown(done)] == whats
    assert ("nothing of the kind is kept" in done.err) == (not whats)


@pytest.mark.parametrize("page", [1, 2, 3, 4, 5])
def test_page_by_page(busy: Host, monkeypatch: pytest.MonkeyPatch, page: int) -> None:
    """However few are read at once, the newest that are wanted are found, in their order."""
    monkeypatch.setattr("pam_totp.cli.events._PAGE", page)
    whats = ["wrong-code", "accepted", "lock", "wrong-password"]
    for limit in range(1, 6):
        done = busy.does("events", "--json", "--limit", str(limit))
        assert [record["what"] for record in shown(done)] == whats[-limit:]
    done = busy.does("events", "--json", "--limit", "1", "--verdict", "wrong-code")
    assert [record["what"] for record in shown(done)] == ["wrong-code"]


def test_a_name_that_nobody_has(busy: Host) -> None:
    """A name that neither NSS, the store nor an event knows is an error."""
    done = busy.run("events", "no-such-user")
    assert (done.code, done.out) == (1, "")
    assert "there is no account called 'no-such-user'" in done.err


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--since", "soon"], "'soon': expected 2h, "),
        (["--verdict", "maybe"], "'maybe' is not one of 'accepted'"),
        (["--limit", "0"], "0 is not in the range"),
        (["--follow", "--until", "2h"], "--follow has no end"),
        (["--acts", "--verdict", "locked"], "--acts are no verdicts"),
    ],
)
def test_what_is_not_understood(busy: Host, options: list[str], says: str) -> None:
    """What cannot be meant is a usage error that says why, and shows nothing."""
    done = busy.run("events", *options)
    assert (done.code, done.out) == (2, "")
    assert says in done.err


def test_following(busy: Host) -> None:
    """The newest are shown, then what comes, each once, past a store that is away for a while,
    until Ctrl-C ends it with 130."""
    person = busy.at_terminal("events", "--follow", "--limit", "1")
    person.expect("What\r\n")
    person.expect('"nobody here" .*wrong password[^\n]*\r\n')
    keep(busy, Event(time.time(), "bin", "locked", "openvpn"))
    person.expect("[^\n]* bin .*locked for a time,\r\n {21}after wrong codes\r\n")
    state = busy.data / "state.db"
    state.rename(busy.data / "away")
    person.expect("pam-totp: .*trying on\r\n")
    (busy.data / "away").rename(state)
    keep(busy, Event(time.time(), "daemon", "unlock", actor="root"))
    person.expect("^[^\n]* daemon .*unlocked[^\n]*\r\n")
    person.sendintr()
    person.expect_exact("^C\r\n")
    person.wait()
    assert person.exitstatus == 130


def test_following_for_scripts(busy: Host) -> None:
    """What follows comes as JSON at once, and only of the kind that was asked for."""
    person = busy.at_terminal("events", "bin", "-f", "--json")
    assert json.loads(person.readline())["what"] == "accepted"
    keep(busy, Event(time.time(), "daemon", "locked"), Event(time.time(), "bin", "locked"))
    assert json.loads(person.readline())["account"] == "bin"
    person.sendintr()
    person.wait()
    assert person.exitstatus == 130


def test_acts_of_people_themselves(busy: Host) -> None:
    """What people do to their own account is an act as what administrators do, and no login."""
    own = Event(time.time(), "daemon", "authenticator-added", "pam-totp", authenticator="tablet")
    busy.world().store.change_state("daemon", lambda state: (state, own))
    done = busy.does("events", "--acts", "--json")
    assert [record["what"] for record in shown(done)] == ["lock", "authenticator-added"]
    assert "authenticator tablet added\n" in busy.does("events", "--acts").out
