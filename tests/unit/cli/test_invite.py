"""`pam-totp invite` and `reset`: words that let people enroll."""

from __future__ import annotations

import re
import stat
import time
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from pam_totp import invitation

from .test_enroll import ended

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Host

WORD = re.compile(r"\bin-\w{5}-\w{5}-\w{5}\b")
ALONE = 'exec setsid -w "$@"'


def counts(host: Host, word: str) -> bool:
    """Whether a word lets daemon enroll."""
    kept = host.world().store.look("daemon").invitation
    return kept is not None and invitation.matches(kept, word) and kept.until > time.time()


def test_an_invitation_for_scripts(host: Host, log_lines: list[str]) -> None:
    """`--json` is all that a script gets: the word, which lets enroll, and until when."""
    done = host.does("invite", "daemon", "--json")
    assert list(done.json) == ["account", "invitation", "until"]
    assert (done.json["account"], done.err) == ("daemon", "")
    assert counts(host, done.json["invitation"])
    until = datetime.fromisoformat(done.json["until"]).timestamp()
    assert abs(until - time.time() - 72 * 3600) < 60
    assert "act=invited account=daemon" in log_lines[-1]
    assert done.json["invitation"] not in "".join(log_lines)


def test_an_invitation_at_the_terminal(host: Host) -> None:
    """A person sees the word at the terminal and not on stdout, with what to do with it; that
    the policy does not ask for it is said."""
    out = host.data.parent / "out"
    person = host.at_terminal("invite", "daemon", "--valid", "2h", through=f'exec "$@" >{out}')
    person.expect(r"Invitation for daemon, shown this once:\r\n\r\n +(in-[\w-]{17})\r\n")
    assert person.match is not None
    word = str(person.match[1])
    person.expect("one enrollment, until [0-9: -]+.\r\nGive it in person: whoever has it")
    person.expect("It is asked for by: pam-totp enroll")
    person.expect("the policy asks daemon for no invitation")
    person.expect("hint: pam-totp --config .* policy set invitations=required")
    assert ended(person) == 0
    assert counts(host, word)
    assert out.read_text().startswith("daemon: invited, until ")
    assert word not in out.read_text()


def test_where_it_is_asked_for(host: Host) -> None:
    """Who enrolls in the login is asked there, and where the policy wants it nothing is said."""
    host.does("policy", "set", "mfa=required", "unenrolled=enroll", "--user", "daemon", "--yes")
    host.does("policy", "set", "invitations=required", "--yes")
    person = host.at_terminal("invite", "daemon")
    person.expect(r"It is asked for at the next login \(SSH, console\), or by: pam-totp enroll")
    assert ended(person) == 0
    assert "the policy asks" not in (person.before or "")
    host.does("policy", "set", "self-enrollment=off", "--yes")
    person = host.at_terminal("invite", "daemon")
    person.expect(r"the policy does not let daemon enroll alone \(self-enrollment=off\)")
    assert ended(person) == 0


def test_another_one_makes_the_first_void(host: Host) -> None:
    """Of two invitations the second counts; withdrawn, none does."""
    first = host.does("invite", "daemon", "--json").json["invitation"]
    second = host.does("invite", "daemon", "--json").json["invitation"]
    assert (counts(host, first), counts(host, second)) == (False, True)
    assert host.does("invite", "daemon", "--withdraw").out == "daemon: the invitation is void\n"
    assert not counts(host, second)
    done = host.run("invite", "daemon", "--withdraw")
    assert (done.code, "daemon has no invitation" in done.err) == (1, True)


@pytest.mark.parametrize("valid", ["59m", "91d", "soon", "-1h", "2w"])
def test_how_long_it_may_be_good(host: Host, valid: str) -> None:
    """An hour to ninety days; anything else ends with 2 and the expected form."""
    done = host.run("invite", "daemon", "--json", f"--valid={valid}")
    assert done.code == 2
    assert "expected a duration like 90s, 15m, 12h or 30d, from 1h to 90d" in done.err
    assert host.world().store.look("daemon").invitation is None


def test_who_needs_none(host: Host) -> None:
    """Who has enrolled is not invited: the hint is what helps. Nobody's name is an error."""
    host.does("enroll", "daemon", "--no-confirm")
    done = host.run("invite", "daemon")
    assert (done.code, done.out) == (1, "")
    assert f"hint: pam-totp --config {host.path} reset daemon" in done.err
    assert host.run("invite", "no-such-name", "--json").code == 1


def test_without_a_terminal_nothing_is_given_out(host: Host) -> None:
    """Where it cannot be shown no word is made, and the way for scripts is named."""
    person = host.at_terminal("invite", "daemon", through=ALONE)
    person.expect("pam-totp: there is no terminal to ask on")
    person.expect("hint: pam-totp --config .* invite daemon --json")
    assert ended(person) == 1
    assert host.world().store.look("daemon").invitation is None


def test_an_invitation_on_paper(host: Host, tmp_path: Path) -> None:
    """The sheet holds the word, for its owner alone; what is there is not overwritten, and no
    word is given out then."""
    page = tmp_path / "page.html"
    done = host.does("invite", "daemon", "--sheet", str(page))
    (word,) = WORD.findall(page.read_text())
    assert counts(host, word)
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert word not in done.out + done.err
    assert host.run("invite", "bin", "--sheet", str(page)).code == 1
    assert host.world().store.look("bin").invitation is None
    assert WORD.findall(page.read_text()) == [word]


def test_reset_gives_one_out(host: Host) -> None:
    """A reset asks, removes what there was, and shows the invitation that the next enrollment
    wants whatever the policy says."""
    host.does("enroll", "daemon", "--no-confirm")
    person = host.at_terminal("reset", "daemon")
    person.expect(r"Remove authenticators \(phone\) and recovery codes of daemon\?")
    person.expect("Until the next enrollment the password alone is enough to log in.")
    person.expect(r"\[y/N\] ")
    person.sendline("y")
    person.expect(r"Invitation for daemon, shown this once:\r\n\r\n +(in-[\w-]{17})\r\n")
    assert person.match is not None
    word = str(person.match[1])
    person.expect("daemon: reset; enrolling anew takes an invitation")
    assert ended(person) == 0
    assert counts(host, word)
    state = host.world().store.look("daemon")
    assert (state.enrolled, state.only_invited) == (None, True)


def test_reset_asks_first(host: Host) -> None:
    """Without a yes nothing is removed."""
    host.does("enroll", "daemon", "--no-confirm")
    person = host.at_terminal("reset", "daemon")
    person.expect(r"\[y/N\] ")
    person.sendline("n")
    person.expect("nothing was changed")
    assert ended(person) == 1
    assert host.does("status", "daemon", "--json").json["enrolled"]


def test_reset_for_scripts(host: Host) -> None:
    """`--yes --json` prints the invitation, or null with --no-invitation and for who has not
    enrolled; --json alone asks nothing and ends with 2."""
    host.does("enroll", "daemon", "--no-confirm")
    assert host.run("reset", "daemon", "--json").code == 2
    done = host.does("reset", "daemon", "--yes", "--json").json
    assert list(done) == ["reset", "account", "invitation", "until"]
    assert done["reset"]
    assert counts(host, done["invitation"])
    again = host.does("reset", "daemon", "--yes", "--json").json
    assert (again["reset"], again["invitation"]) == (False, None)
    host.does("enroll", "daemon", "--no-confirm")
    done = host.does("reset", "daemon", "--yes", "--json", "--no-invitation").json
    assert (done["reset"], done["invitation"]) == (True, None)


def test_reset_where_nothing_can_be_shown(host: Host) -> None:
    """A phone that somebody has must not count on: without a terminal the reset is done all the
    same, no invitation is given out, and the line that gives one is named."""
    host.does("enroll", "daemon", "--no-confirm")
    person = host.at_terminal("reset", "daemon", "--yes", through=ALONE)
    person.expect("daemon: reset; enrolling anew takes an invitation")
    person.expect("hint: pam-totp --config .* invite daemon; or enroll daemon yourself: pam-totp")
    assert ended(person) == 0
    state = host.world().store.look("daemon")
    assert (state.enrolled, state.invitation, state.only_invited) == (None, None, True)


def test_reset_on_paper(host: Host, tmp_path: Path) -> None:
    """A sheet that cannot be written is said before anything is removed."""
    page = tmp_path / "page.html"
    host.does("enroll", "daemon", "--no-confirm")
    page.write_text("mine")
    assert host.run("reset", "daemon", "--yes", "--sheet", str(page)).code == 1
    assert host.does("status", "daemon", "--json").json["enrolled"]
    page.unlink()
    host.does("reset", "daemon", "--yes", "--sheet", str(page))
    (word,) = WORD.findall(page.read_text())
    assert counts(host, word)
