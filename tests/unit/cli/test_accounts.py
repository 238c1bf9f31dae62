"""`pam-totp status`, `lock`, `unlock`, `reset`."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pam_totp import enrollment
from pam_totp.account import AccountState, Person
from pam_totp.cli.administrator import Administrator
from pam_totp.decide import Subject
from pam_totp.event import Event
from pam_totp.lockout import Counter, Failure
from pam_totp.store.protocol import Change
from pam_totp.who import CANNOT_SHOW

if TYPE_CHECKING:
    from .conftest import Host

REPOSITORY = Path(__file__).parents[3]

KEYS = [
    "account",
    "mfa",
    "mfa_from",
    "state",
    "enrolled",
    "locked",
    "disabled",
    "locked_until",
    "reason",
    "failures",
    "authenticators",
    "unconfirmed",
    "recovery_codes",
    "invited_until",
    "invited_by",
    "invitation_wanted",
    "refused",
    "last_used",
    "drift",
    "damage",
]


@pytest.fixture(name="enrolled")
def enrolled_fixture(host: Host) -> Host:
    """A host where daemon has enrolled."""
    host.does("enroll", "daemon", "--no-confirm")
    return host


def put(host: Host, account: str, **counters: Counter) -> None:
    """Give an account a counter of wrong codes."""

    def change(state: AccountState) -> tuple[AccountState, Event]:
        return replace(state, **counters), Event(0, account, "test")

    host.world().store.change_state(account, change)


def test_status_for_scripts(enrolled: Host) -> None:
    """JSON has the same keys for everyone, and null where there is nothing to say."""
    one = enrolled.does("status", "daemon", "--json").json
    assert list(one) == KEYS
    assert enrolled.does("status", "--json").json == [one]
    assert one == {
        "account": "daemon",
        "mfa": "optional",
        "mfa_from": None,
        "disabled": False,
        "state": "enrolled",
        "enrolled": True,
        "locked": "no",
        "locked_until": None,
        "reason": "",
        "failures": 0,
        "authenticators": ["phone"],
        "unconfirmed": ["phone"],
        "recovery_codes": 10,
        "invited_until": None,
        "invited_by": None,
        "invitation_wanted": False,
        "refused": None,
        "last_used": None,
        "drift": None,
        "damage": None,
    }


def test_who_has_not_enrolled_has_a_status(host: Host) -> None:
    """A name that NSS knows and the store does not is "not enrolled"; one that neither knows
    is an error."""
    assert host.does("status", "daemon", "--json").json["enrolled"] is False
    done = host.run("status", "no-such-user")
    assert (done.code, done.out) == (1, "")
    assert done.err.endswith("hint: getent passwd no-such-user\n")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("two words", "getent passwd 'two words'"),
        ("-name", "getent passwd -- -name"),
        ("--", "getent passwd -- --"),
    ],
)
def test_the_hint_for_an_unknown_name_can_be_run(host: Host, name: str, hint: str) -> None:
    """Whatever the name, the command that is named asks for it and for nothing else."""
    done = host.run("status", "--", name)
    assert done.err.endswith(f"hint: {hint}\n")
    assert subprocess.run(shlex.split(hint), check=False, capture_output=True).returncode == 2


def test_nobody_is_no_error(host: Host) -> None:
    """An empty store says so on stderr, and how to begin."""
    done = host.does("status")
    assert done.out == ""
    assert "nobody has enrolled yet\nhint: pam-totp" in done.err


def test_a_lock_says_until_when(enrolled: Host) -> None:
    """`locked_until` is ISO 8601 with an offset, never earlier than the lock's end."""
    end = time.time() + 600.25
    put(enrolled, "daemon", codes=Counter((), end))
    one = enrolled.does("status", "daemon", "--json").json
    assert one["locked"] == "until"
    until = datetime.fromisoformat(one["locked_until"])
    assert until.tzinfo is not None
    assert end <= until.timestamp() < end + 1
    shown = datetime.fromtimestamp(end).astimezone()
    out = enrolled.does("status").out
    assert re.search(rf"until (?:[0-9-]+ )?{shown:%H:%M}", out)  # near midnight with its date
    assert "Authenticators" in out
    assert "Wrong codes" not in enrolled.does("status", "daemon").out  # they are the lock


def test_failures_are_counted(enrolled: Host) -> None:
    """The wrong codes of the moment are shown."""
    put(enrolled, "daemon", codes=Counter((Failure(time.time()), Failure(1.0))))
    assert enrolled.does("status", "daemon", "--json").json["failures"] == 1


def test_lock_and_unlock(enrolled: Host) -> None:
    """An administrator's lock is shown with its reason, and gone after unlock."""
    enrolled.does("lock", "daemon", "--yes", "--reason", "lost\x1b[2J phone")
    one = enrolled.does("status", "daemon", "--json").json
    assert (one["locked"], one["locked_until"]) == ("administrator", None)
    assert one["reason"] == "lost\x1b[2J phone"
    assert "lost\\x1b[2J phone" in enrolled.does("status", "daemon").out
    assert "by administrator" in enrolled.does("status").out
    assert enrolled.does("unlock", "daemon").out.startswith("daemon: unlocked; ")
    assert enrolled.does("status", "daemon", "--json").json["locked"] == "no"
    assert "the account was not locked" in enrolled.does("unlock", "daemon").out


def test_a_locked_address_is_shown(enrolled: Host) -> None:
    """Who is shut out from one address after wrong passwords is said to be, and is let in there
    again by unlock."""
    source, until = "192.0.2.7", time.time() + 600

    def guessed(subject: Subject) -> tuple[None, Change]:
        return None, Change(subject.state, Counter((), until), Event(0, "daemon", "test"))

    enrolled.world().store.step("daemon", source, guessed)
    shown = enrolled.does("status", "daemon").out
    assert "Locked:         no\nLocked from:    192.0.2.7, after wrong passwords, until " in shown
    why = ("policy", "explain", "daemon", "--service", "sshd", "--from")
    assert "daemon is refused at sshd from 192.0.2.7: locked" in enrolled.does(*why, source).out
    assert "must use a code" in enrolled.does(*why, "192.0.2.8").out
    assert enrolled.does("unlock", "daemon").out.startswith("daemon: unlocked; ")
    assert "Locked from" not in enrolled.does("status", "daemon").out
    assert "must use a code" in enrolled.does(*why, source).out


def test_what_is_done_is_logged(
    host: Host, log_lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each act is one line with who did it and why; a lock's begin and end are lines of their
    own, and where no lock was, none ends."""
    monkeypatch.setattr(Administrator, "name", "carol")
    host.does("enroll", "daemon", "--no-confirm")
    host.does("unlock", "daemon")
    host.does("lock", "daemon", "--yes", "--reason", "lost\nact=unlock")
    host.does("unlock", "daemon")
    host.does("reset", "daemon", "--yes", "--no-invitation")
    reason = r'reason="lost\x0aact=unlock"'
    assert log_lines == [
        "act=enrolled account=daemon by=carol authenticator=phone",
        "act=unlock account=daemon by=carol",
        f"act=lock account=daemon by=carol {reason}",
        f"lock=begins account=daemon kind=administrator by=carol {reason}",
        "act=unlock account=daemon by=carol",
        "lock=ends account=daemon how=unlock by=carol",
        "act=reset account=daemon by=carol",
    ]


@pytest.mark.parametrize("kind", ["codes", "own_codes"])
def test_the_end_of_a_lock_for_a_time(host: Host, log_lines: list[str], kind: str) -> None:
    """What `unlock` lifts has ended, whichever door it closed."""
    put(host, "daemon", **{kind: Counter((), time.time() + 600)})
    host.does("unlock", "daemon")
    assert log_lines[-1].startswith("lock=ends account=daemon how=unlock by=")


def test_reset(enrolled: Host) -> None:
    """A reset account is not enrolled; to say it twice is no failure; locks stay."""
    enrolled.does("lock", "daemon", "--yes")
    assert "still locked" in enrolled.does("reset", "daemon", "--yes", "--no-invitation").out
    assert (
        enrolled.does("reset", "daemon", "--yes", "--no-invitation").out
        == "daemon: not enrolled, nothing to reset\n"
    )
    one = enrolled.does("status", "daemon", "--json").json
    assert (one["enrolled"], one["locked"]) == (False, "administrator")
    enrolled.does("enroll", "daemon", "--no-confirm")


@pytest.mark.parametrize("command", ["lock", "reset"])
def test_what_cuts_off_asks_first(enrolled: Host, command: str) -> None:
    """Only "y" or "yes" goes on; anything else changes nothing."""
    before = enrolled.does("status", "daemon", "--json").json
    for answer, code in (("", 1), ("n", 1), ("yes please", 1), ("Y", 0)):
        assert enrolled.does("status", "daemon", "--json").json == before
        person = enrolled.at_terminal(command, "daemon")
        person.expect(r"\[y/N\] ")
        person.sendline(answer)
        person.expect("nothing was changed" if code else "daemon: ")
        person.wait()
        assert person.exitstatus == code
    assert enrolled.does("status", "daemon", "--json").json != before


def test_reset_says_what_becomes_of_logins(enrolled: Host) -> None:
    """Whoever must use a code is refused after a reset, and that is said before it."""
    for words, said in (
        (("mfa=optional",), "the password alone is enough to log in"),
        (("mfa=required",), "logins are refused where the policy requires a code"),
    ):
        enrolled.does("policy", "set", *words, "--user", "daemon", "--yes")
        person = enrolled.at_terminal("reset", "daemon")
        person.expect(f"Until the next enrollment {said}")
        person.sendline("n")
        person.wait()


@pytest.mark.parametrize("command", ["lock", "reset"])
def test_no_terminal_and_no_yes(enrolled: Host, command: str) -> None:
    """Where nobody can be asked, nothing is done, and the hint does not ask."""
    before = enrolled.does("status", "daemon", "--json").json
    log = enrolled.data.parent / "log"
    person = enrolled.at_terminal(command, "daemon", through=f'setsid -w "$@" 2>{log}')
    person.wait()
    assert person.exitstatus == 1
    assert "there is no terminal to ask on" in log.read_text()
    assert log.read_text().endswith(
        f"hint: pam-totp --config {enrolled.path} {command} daemon --yes\n"
    )
    assert enrolled.does("status", "daemon", "--json").json == before


def test_a_name_that_nss_has_forgotten(host: Host) -> None:
    """An account that only the store knows is handled by the name as typed."""
    store, now = host.world().store, time.time()
    drafted = enrollment.draft(store, Person("long gone", 4242), "phone", now)
    enrollment.keep(store, drafted, now, "test")
    one = host.does("status", "long gone", "--json").json
    assert one["enrolled"] is True
    assert one["damage"] == "enrolled as uid 4242, and the name is gone"
    host.does("lock", "long gone", "--yes")
    assert host.does("unlock", "long gone").out.startswith("long gone: unlocked; ")
    assert host.does("reset", "long gone", "--yes").out == "long gone: reset\n"


def test_a_name_that_is_gone_is_missing_nowhere(host: Host) -> None:
    """Somebody who has gone, and whose authenticators were removed, need not enroll any more."""
    store, now = host.world().store, time.time()
    drafted = enrollment.draft(store, Person("long gone", 4242), "phone", now)
    enrollment.keep(store, drafted, now, "test")
    host.does("policy", "set", "mfa=required", "--user", "root", "--yes", "--force")
    assert [one["account"] for one in host.does("status", "--json").json] == ["long gone", "root"]
    host.does("lock", "long gone", "--yes")
    host.does("policy", "set", "mfa=required", "--user", "long gone", "--yes", "--force")
    host.does("reset", "long gone", "--yes")
    pending = host.does("status", "--state", "pending", "--json").json
    assert [one["account"] for one in pending] == ["root"]
    host.does("unlock", "long gone")
    assert [one["account"] for one in host.does("status", "--json").json] == ["root"]


def test_a_name_that_is_somebody_elses_now(host: Host) -> None:
    """An account whose uid has changed is refused at every login, and shown as that."""
    store, now = host.world().store, time.time()
    drafted = enrollment.draft(store, Person("daemon", 4242), "phone", now)
    enrollment.keep(store, drafted, now, "test")
    (one,) = host.does("status", "--json").json
    assert one["damage"].startswith("enrolled as uid 4242, and the name is uid ")
    assert "daemon is refused: enrolled as uid 4242" in host.does("status").err


def test_damage_is_shown(enrolled: Host) -> None:
    """An account whose secret is gone is shown as damaged and refused, with a way out."""
    (enrolled.data / "secrets/daemon").unlink()
    one = enrolled.does("status", "daemon", "--json").json
    assert one["enrolled"] is True
    assert "is gone" in one["damage"]
    done = enrolled.does("status")
    assert "damaged" in done.out
    assert "daemon is refused" in done.err
    assert "reset daemon" in enrolled.does("status", "daemon").err
    enrolled.does("reset", "daemon", "--yes", "--no-invitation")


def test_the_table_is_not_cut_in_a_pipe(host: Host) -> None:
    """What a program reads holds every name whole."""
    for number in range(5):
        name = f"authenticator-{number}-of-somebody-with-many"
        host.does("enroll", "daemon", "--no-confirm", "--name", name)
    (line,) = (li for li in host.does("status").out.splitlines() if li.startswith("daemon"))
    assert line.count("of-somebody-with-many") == 5


def test_where_an_act_is_from(
    host: Host, log_lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an administrator does is kept and logged with the address of the ssh session."""
    monkeypatch.setenv("SSH_CONNECTION", "2001:db8::7 50000 192.0.2.1 22")
    monkeypatch.setattr(os, "ttyname", lambda _fd: "/dev/pts/7")
    host.does("enroll", "daemon", "--no-confirm")
    host.does("lock", "daemon", "--yes", "--reason", "on leave")
    host.does("unlock", "daemon")
    host.does("reset", "daemon", "--yes", "--no-invitation")
    host.does("policy", "set", "grace=15m", "--yes")
    found = host.world().store.events()
    assert [event.what for event in found] == ["enrolled", "lock", "unlock", "reset", "policy"]
    assert {(event.rhost, event.tty) for event in found} == {("2001:db8::7", "pts/7")}
    assert len([line for line in log_lines if "from=2001:db8::7 tty=pts/7" in line]) == 5
    assert host.does("policy", "history", "--json").json[0]["origin"] == "2001:db8::7"


def test_sudo_hides_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """The session's address is found in the shell above, where sudo has dropped it; what is no
    address is none."""
    for connection, expected in (("198.51.100.9 1 192.0.2.1 22", "198.51.100.9"), ("a b", "")):
        code = "import sys; sys.path.insert(0, sys.argv[1]); from pam_totp.cli.origin import "
        code += "origin; print(origin().address)"
        line = f"SSH_CONNECTION='{connection}' sh -c 'env -u SSH_CONNECTION \"$@\"; true' sh \"$@\""
        done = subprocess.run(
            ["sh", "-c", line, "sh", sys.executable, "-c", code, str(REPOSITORY)],
            capture_output=True,
            text=True,
            check=True,
            env={"PATH": "/usr/bin:/bin"},
        )
        if not expected and os.environ.get("SSH_CONNECTION"):
            continue  # whoever runs the tests has come by ssh
        assert done.stdout.strip() == expected


def states(host: Host, *words: str) -> dict[str, str]:
    """Return who is listed, each with the state."""
    return {one["account"]: one["state"] for one in host.does("status", "--json", *words).json}


def test_who_is_missing(enrolled: Host) -> None:
    """Whoever must use a code and has not enrolled is pending, from a date on too; the rest is
    found by its own state and by group."""
    enrolled.does("policy", "set", "mfa=required", "mfa-from=2099-02-01", "--user", "bin", "--yes")
    enrolled.does("policy", "set", "mfa=required", "--group", "daemon", "--yes")
    enrolled.does("policy", "set", "mfa=off", "--user", "sys", "--yes")
    enrolled.does("lock", "sys", "--yes")
    enrolled.does("policy", "set", "mfa=required", "--group", "bin", "--yes")
    assert states(enrolled) == {"bin": "pending", "daemon": "enrolled", "sys": "locked"}
    assert states(enrolled, "--state", "pending") == {"bin": "pending"}
    assert states(enrolled, "--state", "enrolled") == {"daemon": "enrolled"}
    assert states(enrolled, "--state", "off") == {"sys": "locked"}
    assert states(enrolled, "--state", "locked") == {"sys": "locked"}
    assert states(enrolled, "--group", "bin") == {"bin": "pending"}
    assert states(enrolled, "--group", "daemon", "--state", "pending") == {}
    one = enrolled.does("status", "bin", "--json").json
    assert (one["mfa"], one["mfa_from"]) == ("optional", "2099-02-01")
    out = enrolled.does("status").out
    assert re.search(r"^bin +required from 2099-02-01 +no +no", out, re.MULTILINE)
    assert out.endswith("3 accounts, 1 locked, 1 pending\n")
    assert "required from 2099-02-01" in enrolled.does("status", "bin").out


def test_who_may_enroll_is_listed_on_request(host: Host) -> None:
    """Whoever may enroll and has not is in the lists that ask for it, and in no other."""
    assert "root" not in states(host)
    assert states(host, "--state", "open")["root"] == "open"
    assert states(host, "--group", "root")["root"] == "open"
    done = host.run("status", "--group", "no-such-group")
    assert done.code == 1
    assert done.err.endswith("hint: getent group no-such-group\n")
    assert host.run("status", "root", "--state", "open").code == 2


def test_a_clock_that_is_off(enrolled: Host) -> None:
    """How far a phone's clock was off when a code was refused for that is shown, in seconds."""

    def off(state: AccountState) -> tuple[AccountState, Event]:
        (id_,) = state.authenticators
        known = state.authenticators[id_]
        return state.with_authenticator(id_, replace(known, drift=-240)), Event(0, "", "test")

    enrolled.world().store.change_state("daemon", off)
    assert enrolled.does("status", "daemon", "--json").json["drift"] == -240
    assert "phone is 240 s slow" in enrolled.does("status", "daemon").out
    assert "phone (240 s slow)" in enrolled.does("status").out


def test_how_an_invitation_stands(host: Host) -> None:
    """Who was invited is in the list, with until when and by whom; where one is wanted and none
    is good, the line that gives one out is named."""
    until = host.does("invite", "daemon", "--json").json["until"]
    one = host.does("status", "daemon", "--json").json
    assert (one["invited_until"], one["invitation_wanted"]) == (until, False)
    assert one["invited_by"] == Administrator([]).name
    done = host.does("status", "daemon")
    assert re.search(
        r"^Invitation: +good until 2\d{3}-.*, given out by \w+$", done.out, re.MULTILINE
    )
    assert done.err == ""
    out = host.does("status").out
    assert re.search(r"^daemon +optional +no, invited", out, re.MULTILINE)
    assert out.endswith("1 account, 0 locked, 0 pending, 1 invited\n")
    host.does("policy", "set", "invitations=required", "--yes")
    host.does("invite", "daemon", "--withdraw")
    done = host.does("status", "daemon")
    assert "Invitation:     wanted, and none is good now" in done.out
    assert done.err == f"hint: pam-totp --config {host.path} invite daemon\n"
    assert host.does("status", "daemon", "--json").json["invitation_wanted"] is True
    host.does("enroll", "daemon", "--no-confirm")
    assert "Invitation" not in host.does("status", "daemon").out


def test_few_recovery_codes(enrolled: Host) -> None:
    """With three left it is said, with the line that makes new ones; with four it is not."""
    credentials = enrolled.world().store.credentials("daemon")
    assert credentials is not None

    def spend(number: int) -> None:
        used = frozenset(credentials.recovery_codes[:number])
        change = lambda state: (replace(state, spent=used), Event(0, "daemon", "test"))  # noqa: E731
        enrolled.world().store.change_state("daemon", change)

    spend(6)
    assert enrolled.does("status", "daemon").err == ""
    assert "few recovery codes" not in enrolled.does("status").out
    spend(7)
    new = f"hint: pam-totp --config {enrolled.path} recovery-codes daemon --new\n"
    for words in (("status", "daemon"), ("recovery-codes", "daemon")):
        done = enrolled.does(*words)
        assert "3" in done.out
        assert done.err.endswith(new)
    assert enrolled.does("status").out.endswith("1 with few recovery codes\n")


def test_where_it_could_not_be_shown(host: Host) -> None:
    """Why a login could not enroll somebody who must use a code is said, with when and where."""
    host.does("policy", "set", "mfa=required", "unenrolled=enroll", "--user", "daemon", "--yes")
    event = Event(time.time(), "daemon", "not-enrolled", "openvpn", detail=CANNOT_SHOW)
    host.world().store.change_state("daemon", lambda state: (state, event))
    out = host.does("status", "daemon").out
    assert re.search(
        rf"^Last refused: +\d\d:\d\d, openvpn: {re.escape(CANNOT_SHOW)}$", out, re.MULTILINE
    )
    refused = host.does("status", "daemon", "--json").json["refused"]
    assert (refused["service"], refused["why"]) == ("openvpn", CANNOT_SHOW)
    assert host.does("status", "--json").json[0]["refused"] == refused


def test_what_was_never_used(enrolled: Host) -> None:
    """What no code has confirmed yet is marked, in the list and of one account."""
    assert "phone (not used yet)" in enrolled.does("status").out
    assert "Authenticators: phone (not used yet)\n" in enrolled.does("status", "daemon").out
