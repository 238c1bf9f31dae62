"""`pam-totp enroll --from` and `--group`."""

from __future__ import annotations

import grp
import json
import os
import pwd
import re
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pam_totp import invitation
from pam_totp.account import AccountState
from pam_totp.bulk import enroller
from pam_totp.cli.terminal import local
from pam_totp.errors import StoreError
from pam_totp.event import Event
from pam_totp.store.directory import DirectoryStore

from .test_enroll import ended

if TYPE_CHECKING:
    from .conftest import Host

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


@pytest.fixture(name="people")
def people_fixture(host: Host) -> Path:
    """A list of three people."""
    path = host.data.parent / "people.csv"
    path.write_text("user\ndaemon\nbin\nsys\n")
    return path


def sheets_of(host: Host) -> Path:
    """Return a place for sheets."""
    return host.data.parent / "sheets.html"


def test_a_file_and_its_sheets(host: Host, people: Path) -> None:
    """One command enrolls everybody in a file, writes a page for each, and says what it did."""
    done = host.does("enroll", "--from", str(people), "--sheets", str(sheets_of(host)), "--yes")
    assert done.out == "3 enrolled\n"
    assert "has 3 pages, each with a secret" in done.err
    text = sheets_of(host).read_text()
    assert text.count("<section>") == 3
    assert "rc-" not in text
    found = host.does("status", "--json").json
    assert [one["account"] for one in found] == ["bin", "daemon", "sys"]
    assert {tuple(one["authenticators"]) for one in found} == {("phone",)}


def test_the_log_has_a_line_for_each(host: Host, people: Path, log_lines: list[str]) -> None:
    """Each enrollment is an act in the log, with no secret in it."""
    done = host.does("enroll", "--from", str(people), "--json", "--yes")
    acts = [line for line in log_lines if line.startswith("act=enrolled")]
    assert [re.findall(r"account=(\w+)", line) for line in acts] == [["daemon"], ["bin"], ["sys"]]
    for one in done.json["people"]:
        assert not any(one["secret"] in line for line in log_lines)


def test_json_is_all_that_a_script_gets(host: Host, people: Path) -> None:
    """With --json all is on stdout: the counts, and for each what became of them and what they
    are handed; where that goes to files, no secret is in it."""
    words = ("enroll", "--from", str(people), "--json", "--yes", "--recovery-codes")
    done = host.does(*words)
    answer = done.json
    assert (answer["enrolled"], answer["failed"], done.err) == (3, 0, "")
    for one in answer["people"]:
        assert one["outcome"] == "enrolled"
        assert f"secret={one['secret']}&issuer=Example" in one["uri"]
        assert len(one["recovery_codes"]) == 10
    again = host.does(*words, "--sheets", str(sheets_of(host))).json
    assert again["shown_again"] == 3
    assert [sorted(one) for one in again["people"]] == [["account", "outcome"]] * 3
    assert len(re.findall(r"\brc-", sheets_of(host).read_text())) == 30


def test_a_group(host: Host) -> None:
    """A group's listed and primary members are enrolled, under the name and with the settings
    that the command line says."""
    group = grp.getgrgid(pwd.getpwnam("daemon").pw_gid).gr_name
    words = ("--name", "app", "--digits", "8", "--json", "--yes")
    (one,) = host.does("enroll", "--group", group, *words).json["people"]
    assert one["account"] == "daemon"
    assert one["uri"].endswith("&digits=8")
    assert host.does("status", "daemon", "--json").json["authenticators"] == ["app"]


def test_who_has_enrolled_is_left(host: Host, people: Path) -> None:
    """Who has confirmed an authenticator is named, and not changed."""
    host.does("enroll", "--from", str(people), "--json", "--yes")
    world = host.world()
    world.store.change_state("bin", lambda state: (_confirmed(state), _event()))
    done = host.does("enroll", "--from", str(people), "--sheets", str(sheets_of(host)), "--yes")
    assert done.out == "2 shown again, 1 left as they were\n"
    assert "pam-totp: has enrolled: nothing was changed: bin\n" in done.err
    assert sheets_of(host).read_text().count("<section>") == 2


def test_where_nobody_gets_anything(host: Host, people: Path) -> None:
    """Where everybody has enrolled nothing is asked, and no document is made."""
    people.write_text("bin\n")
    host.does("enroll", "--from", str(people), "--json", "--yes")
    world = host.world()
    world.store.change_state("bin", lambda state: (_confirmed(state), _event()))
    done = host.does("enroll", "--from", str(people), "--sheets", str(sheets_of(host)))
    assert done.out == "1 left as they were\n"
    assert not sheets_of(host).exists()


def _confirmed(state: AccountState) -> AccountState:
    """A code of it was right."""
    (id_,) = state.authenticators
    return state.with_authenticator(id_, replace(state.authenticators[id_], confirmed=True))


def _event() -> Event:
    """That is kept."""
    return Event(0, "bin", "accepted")


def test_a_bad_file_changes_nothing(host: Host, people: Path) -> None:
    """Every fault is a line on stderr with file, line and form; nobody is enrolled, nothing is
    written."""
    people.write_text(f"user,secret\ndaemon,{SECRET}\nnobody-at-all,\nbin,JBSWY3DP\ndaemon,\n")
    done = host.run("enroll", "--from", str(people), "--sheets", str(sheets_of(host)), "--yes")
    assert (done.code, done.out) == (1, "")
    *faults, count, hint = done.err.splitlines()
    assert [re.findall(r"people\.csv, line (\d+): .+; expected: .+", f) for f in faults] == [
        ["3"],
        ["4"],
        ["5"],
    ]
    assert count == f"pam-totp: {people}: 3 errors; nothing was changed"
    assert hint == "hint: put the file right and run the same command again"
    assert host.does("status", "--json").json == []
    assert not sheets_of(host).exists()


def test_a_file_from_excel(host: Host, people: Path) -> None:
    """A byte-order mark and Windows line ends are taken, with one sentence; secrets that others
    can read are pointed at."""
    people.write_bytes(b"\xef\xbb\xbfuser;secret\r\ndaemon;" + SECRET.encode() + b"\r\n")
    people.chmod(0o644)
    done = host.does("enroll", "--from", str(people), "--json", "--yes")
    assert done.json["people"][0]["secret"] == SECRET
    taken = "a byte-order mark at its beginning and Windows line ends: taken as they are"
    assert done.err.splitlines() == [
        f"pam-totp: {people} has {taken}",
        f"pam-totp: {people} holds secrets, and others can read it",
        f"hint: chmod 0600 {people}",
    ]
    people.chmod(0o600)
    assert "others" not in host.does("enroll", "--from", str(people), "--json", "--yes").err


def test_settings_that_apps_ignore(host: Host, people: Path) -> None:
    """Unusual settings are pointed at, on the terminal and on the page."""
    people.write_text("user,digits\ndaemon,8\nbin,6\n")
    done = host.does("enroll", "--from", str(people), "--sheets", str(sheets_of(host)), "--yes")
    assert "settings that not every app goes by, for 1 person" in done.err
    text = sheets_of(host).read_text()
    assert text.count("These settings are not the usual ones") == 1


def test_tokens_need_no_page(host: Host, people: Path) -> None:
    """Where everybody has a token that knows its secret, nothing needs to be written."""
    people.write_text(f"user,type,secret\ndaemon,hotp,{SECRET}\n")
    assert host.does("enroll", "--from", str(people), "--yes").out == "1 enrolled\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "--files and --yes go with --from and --group"),
        (("daemon", "--group", "daemon"), "one of USER, --from FILE and --group GROUP"),
        (("--from", "x", "--group", "daemon"), "one of USER, --from FILE and --group GROUP"),
        (("daemon", "--files", "x"), "--files and --yes go with --from and --group"),
        (("--group", "daemon", "--files", "x", "--sheets", "y"), "one of --sheet and --files"),
        (("--group", "daemon"), "say where their secrets go"),
        (("--group", "daemon", "--json", "--qr", "x.png"), "--from and --group go with"),
        (("--group", "daemon", "--json", "--show"), "--from and --group go with"),
        (("--group", "daemon", "--json", "--with-secret"), "--from and --group go with"),
    ],
)
def test_what_does_not_go_together(host: Host, words: tuple[str, ...], said: str) -> None:
    """Options that contradict each other end with 2 and change nothing."""
    done = host.run("enroll", *words, "--yes")
    assert done.code == 2, done.err
    assert said in done.err
    assert host.does("status", "--json").json == []


def test_a_group_that_is_none(host: Host) -> None:
    """A group that NSS does not know is an error, with the command that asks for it."""
    done = host.run("enroll", "--group", "no-such-group", "--json", "--yes")
    assert (done.code, done.out) == (1, "")
    assert "there is no group called 'no-such-group'\nhint: getent group no-such-group" in done.err


def test_some_fail(host: Host, people: Path) -> None:
    """Who fails is named with the reason, the others are done, and the exit code is 1."""
    host.does("enroll", "--from", str(people), "--json", "--yes")
    (host.data / "secrets/bin").write_bytes(b"")
    done = host.run("enroll", "--from", str(people), "--sheets", str(sheets_of(host)), "--yes")
    assert (done.code, done.out) == (1, "2 shown again, 1 failed\n")
    assert "pam-totp: the secret of 'bin'" in done.err or "bin: " in done.err
    assert "pam-totp: 1 of 3 failed\nhint: " in done.err
    assert sheets_of(host).read_text().count("<section>") == 2


def test_cut_short(host: Host, people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that cannot go on says how many are done and what to run; there is no document, and
    the same command again has everybody on it."""
    monkeypatch.setattr(enroller, "BATCH", 1)
    words = ("enroll", "--from", str(people), "--sheets", str(sheets_of(host)), "--yes")
    real, calls = DirectoryStore.change_credentials_of, iter(range(1000))

    def failing(store: DirectoryStore, changes: Any) -> Any:
        if next(calls) == 2:
            raise StoreError("state.db: disk full", hint="make room")
        return real(store, changes)

    with monkeypatch.context() as patched:
        patched.setattr(DirectoryStore, "change_credentials_of", failing)
        done = host.run(*words)
    assert (done.code, done.out) == (1, "")
    assert "cut short after 2 people, who are done" in done.err
    assert f"hint: pam-totp --config {host.path} enroll --from" in done.err
    assert done.err.endswith("pam-totp: state.db: disk full\nhint: make room\n")
    assert not sheets_of(host).exists()
    assert host.does(*words).out == "1 enrolled, 2 shown again\n"
    assert sheets_of(host).read_text().count("<section>") == 3


def test_a_place_that_cannot_be(host: Host, people: Path) -> None:
    """Where the document cannot be written nobody is enrolled."""
    done = host.run("enroll", "--from", str(people), "--sheets", "/proc/none/s.html", "--yes")
    assert done.code == 1
    assert host.does("status", "--json").json == []


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files to people")
def test_a_file_for_each(host: Host, people: Path) -> None:
    """With --files each has a page that they own and alone can read."""
    place = host.data.parent / "out"
    done = host.does("enroll", "--from", str(people), "--files", str(place), "--yes")
    assert "has a file for each" in done.err
    for name in ("daemon", "bin", "sys"):
        found = (place / f"{name}.html").stat()
        assert (found.st_uid, found.st_mode & 0o777) == (pwd.getpwnam(name).pw_uid, 0o400)


def test_it_asks(host: Host, people: Path) -> None:
    """Before anything changes it is asked, with how many and what that means for them; anything
    but yes changes nothing."""
    person = host.at_terminal("enroll", "--from", str(people), "--sheets", str(sheets_of(host)))
    person.expect("Newly enrolled: 3 people. From then on each of them needs a code")
    person.expect("hand the pages out first.")
    person.expect(re.escape("Go on? [y/N] "))
    person.sendline("n")
    person.expect("nothing was changed")
    assert ended(person) == 1
    assert host.does("status", "--json").json == []
    assert not sheets_of(host).exists()


def test_it_asks_what_becomes_void(host: Host, people: Path) -> None:
    """Who is shown the same again is counted in the question, and that their recovery codes
    become void is said; a yes goes on."""
    host.does("enroll", "--from", str(people), "--json", "--yes")
    person = host.at_terminal(
        "enroll", "--from", str(people), "--sheets", str(sheets_of(host)), "--recovery-codes"
    )
    person.expect(r"with new recovery codes \(earlier ones become void\): 3 people")
    person.expect(re.escape("Go on? [y/N] "))
    person.sendline("y")
    person.expect("3 shown again")
    assert ended(person) == 0
    assert len(re.findall(r"\brc-", sheets_of(host).read_text())) == 30


def test_without_a_terminal_it_asks_nobody(host: Host, people: Path) -> None:
    """Where there is nobody to ask, the way without a question is said."""
    person = host.at_terminal(
        "enroll", "--from", str(people), "--json", through='exec setsid -w "$@" </dev/null'
    )
    person.expect("there is no terminal to ask on")
    person.expect("hint: pam-totp .*enroll .*--yes")
    assert ended(person) == 1


def test_how_far_it_has_come(host: Host, people: Path) -> None:
    """On a terminal a bar shows how far it has come, and is gone at the end."""
    person = host.at_terminal("enroll", "--from", str(people), "--json", "--yes")
    person.expect("3/3")
    person.expect('"enrolled": 3')
    assert ended(person) == 0


def test_json_is_json(host: Host, people: Path) -> None:
    """What a pipe gets is JSON alone."""
    out = host.data.parent / "out.json"
    person = host.at_terminal(
        "enroll", "--from", str(people), "--json", "--yes", through=f'exec "$@" >{out}'
    )
    assert ended(person) == 0
    assert json.loads(out.read_text())["enrolled"] == 3


# -- invite -----------------------------------------------------------------------------------


def test_everybody_is_invited(host: Host, people: Path) -> None:
    """One command invites everybody in a file, for as long as is said, on a page each; who has
    enrolled is left as they are, and earlier invitations are void."""
    host.does("enroll", "bin", "--no-confirm", "--json")
    earlier = host.does("invite", "sys", "--json").json["invitation"]
    words = ("invite", "--from", str(people), "--valid", "24h")
    done = host.does(*words, "--sheet", str(sheets_of(host)), "--yes")
    assert done.out == "2 invited, 1 left as they were\n"
    text = sheets_of(host).read_text()
    (daemon, sys_) = re.findall(r"\bin-\w{5}-\w{5}-\w{5}\b", text)
    world = host.world()
    for name, word in (("daemon", daemon), ("sys", sys_)):
        kept = world.store.look(name).invitation
        assert kept is not None
        assert invitation.matches(kept, word)
        assert kept.until - kept.at == 24 * 3600
        assert f"{local(kept.until):%Y-%m-%d %H:%M}" in text
    assert not invitation.matches(world.store.look("sys").invitation, earlier)
    assert world.store.look("bin").invitation is None


def test_invitations_for_a_script(host: Host, people: Path) -> None:
    """With --json the words are on stdout, and until when they are good."""
    answer = host.does("invite", "--from", str(people), "--json", "--yes").json
    assert answer["invited"] == 3
    for one in answer["people"]:
        kept = host.world().store.look(one["account"]).invitation
        assert kept is not None
        assert invitation.matches(kept, one["invitation"])
        assert datetime.fromisoformat(one["until"]).timestamp() == kept.until


def test_invitations_are_asked_about(host: Host, people: Path) -> None:
    """What becomes void is said, and nothing is changed without a yes."""
    host.does("invite", "sys", "--json")
    before = host.world().store.look("sys").invitation
    person = host.at_terminal("invite", "--from", str(people), "--json")
    person.expect("Earlier invitations become void, of 1 person.")
    person.expect(re.escape("Invite 3 people? [y/N] "))
    person.sendline("n")
    assert ended(person) == 1
    assert host.world().store.look("sys").invitation == before


def test_who_is_invited_is_said_once(host: Host, people: Path) -> None:
    """USER, a file and a group exclude each other, and --withdraw is for one."""
    for words in ((), ("daemon", "--from", str(people)), ("--from", str(people), "--withdraw")):
        assert host.run("invite", *words, "--json").code == 2
    assert host.run("invite", "--from", str(people), "--yes").code == 2
