"""`pam-totp authenticator rename | remove | replace`, and `recovery-codes`."""

from __future__ import annotations

import stat
import time
from typing import TYPE_CHECKING

import pytest

from .test_enroll import PROMPT, RECOVERY_CODE, ended, shown_secret

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .conftest import Host

ALONE = 'exec setsid -w "$@"'


@pytest.fixture(name="enrolled")
def enrolled_fixture(host: Host) -> Host:
    """A host where daemon has a phone and a tablet."""
    host.does("enroll", "daemon", "--no-confirm")
    host.does("enroll", "daemon", "--no-confirm", "--name", "tablet")
    return host


def names(host: Host) -> list[str]:
    """Return what daemon has."""
    return [one["name"] for one in host.does("authenticator", "list", "daemon", "--json").json]


def last_event(host: Host) -> tuple[str, str, str]:
    """Return what happened last: the act, the authenticator and the detail."""
    event = host.world().store.events("daemon", 1)[0]
    return event.what, event.authenticator, event.detail


def test_rename(enrolled: Host, log_lines: list[str]) -> None:
    """A new name takes the place of the old one, in the log too; one that is taken or no name
    is refused."""
    out = enrolled.does("authenticator", "rename", "daemon", "phone", "old phone").out
    assert out == "daemon: phone is called old phone now\n"
    assert names(enrolled) == ["old phone", "tablet"]
    assert last_event(enrolled) == ("authenticator-renamed", "old phone", "was phone")
    assert "act=authenticator-renamed account=daemon" in log_lines[-1]
    for new in ("tablet", "", "two\nlines"):
        assert enrolled.run("authenticator", "rename", "daemon", "old phone", new).code == 1
    assert enrolled.run("authenticator", "rename", "daemon", "phone", "x").code == 1
    assert names(enrolled) == ["old phone", "tablet"]


def test_remove(enrolled: Host) -> None:
    """It asks before it removes; without a terminal it wants --yes, which it says."""
    person = enrolled.at_terminal("authenticator", "remove", "daemon", "phone", through=ALONE)
    person.expect("hint: pam-totp --config .* authenticator remove daemon phone --yes")
    assert ended(person) == 1
    assert names(enrolled) == ["phone", "tablet"]
    person = enrolled.at_terminal("authenticator", "remove", "daemon", "phone")
    person.expect(r"Remove phone of daemon\? Its codes count no longer then. \[y/N\] ")
    person.sendline("y")
    person.expect("daemon: phone removed; left: tablet")
    assert ended(person) == 0
    assert names(enrolled) == ["tablet"]
    assert last_event(enrolled) == ("authenticator-removed", "phone", "")


def test_the_only_one_stays(host: Host) -> None:
    """The only one cannot be removed, which is said before anything is asked, with both ways."""
    host.does("enroll", "daemon", "--no-confirm", "--name", "my phone")
    done = host.run("authenticator", "remove", "daemon", "my phone")
    assert (done.code, "the only authenticator of daemon" in done.err) == (1, True)
    ours = f"pam-totp --config {host.path}"
    ways = f"{ours} authenticator replace daemon 'my phone', or, to start over: {ours} reset daemon"
    assert done.err.endswith(f"hint: {ways}\n")
    done = host.run("authenticator", "remove", "daemon", "tablet")
    assert (done.code, "no authenticator called 'tablet'" in done.err) == (1, True)


def test_replace(enrolled: Host, code_of: Callable[[str, float], str]) -> None:
    """In one step the new phone is proved and the old one gone, under the old one's name; the
    recovery codes stay."""
    (before, _) = enrolled.does("authenticator", "list", "daemon", "--json").json
    person = enrolled.at_terminal("authenticator", "replace", "daemon", "phone")
    secret = shown_secret(person)
    person.expect(PROMPT)
    assert names(enrolled) == ["phone", "tablet"], "nothing has changed yet"
    person.sendline(code_of(secret, time.time()))
    person.expect("Right: it is set up.")
    person.expect("The recovery codes from before stay valid.")
    person.expect("daemon: phone replaced")
    assert ended(person) == 0
    found = enrolled.does("authenticator", "list", "daemon", "--json").json
    assert [one["name"] for one in found] == ["tablet", "phone"]
    assert before["id"] not in [one["id"] for one in found]
    assert [one["confirmed"] for one in found] == [False, True]
    assert last_event(enrolled) == ("authenticator-replaced", "phone", "phone")
    assert enrolled.does("status", "daemon", "--json").json["recovery_codes"] == 10


def test_replace_given_up(enrolled: Host) -> None:
    """Without a right code the old one stays, and the hint begins anew."""
    person = enrolled.at_terminal("authenticator", "replace", "daemon", "phone", "--no-qr")
    for _ in range(3):
        person.expect(PROMPT)
        person.sendline("123456")
    person.expect("3 wrong codes: nothing was set up")
    person.expect("hint: pam-totp --config .* authenticator replace daemon phone --no-qr")
    assert ended(person) == 1
    assert names(enrolled) == ["phone", "tablet"]


def test_replace_the_only_one_where_one_is_allowed(host: Host) -> None:
    """The limit does not stand in the way: the old one goes; a new name is taken if given."""
    host.does("policy", "set", "authenticators=1", "--yes")
    host.does("enroll", "daemon", "--no-confirm")
    words = ("--no-confirm", "--json", "--name", "new phone")
    done = host.does("authenticator", "replace", "daemon", "phone", *words).json
    assert (done["authenticator"], done["recovery_codes"]) == ("new phone", [])
    assert names(host) == ["new phone"]
    assert host.run("authenticator", "replace", "daemon", "phone", *words).code == 1


def test_the_list_says_what_was_never_used(enrolled: Host) -> None:
    """Of which no code was ever right is in the list, with the line that shows its key."""
    done = enrolled.does("authenticator", "list", "daemon")
    assert done.out.count("not used yet") == 2
    assert f"hint: pam-totp --config {enrolled.path} enroll daemon --show --name tablet" in done.err


def test_how_many_recovery_codes(enrolled: Host) -> None:
    """Without --new their number is said, never the codes, and nothing is made."""
    done = enrolled.does("recovery-codes", "daemon")
    assert (done.out, done.err) == ("daemon: 10 recovery codes left\n", "")
    assert enrolled.does("recovery-codes", "daemon", "--json").json == {
        "account": "daemon",
        "left": 10,
    }
    done = enrolled.run("recovery-codes", "bin")
    assert (done.code, "bin has not enrolled" in done.err) == (1, True)
    assert enrolled.run("recovery-codes", "daemon", "--sheet", "page.html").code == 2


def test_new_recovery_codes(enrolled: Host) -> None:
    """It asks first, shows ten new ones at the terminal alone, and the others are void."""
    out = enrolled.data.parent / "out"
    before = enrolled.world().store.credentials("daemon")
    person = enrolled.at_terminal("recovery-codes", "daemon", "--new", through=f'exec "$@" >{out}')
    person.expect(r"Make new recovery codes for daemon\? The 10 that are left become void.")
    person.sendline("y")
    assert ended(person) == 0
    assert len(RECOVERY_CODE.findall(person.before or "")) == 10
    assert out.read_text() == "daemon: 10 new recovery codes; earlier ones count no longer\n"
    after = enrolled.world().store.credentials("daemon")
    assert before is not None
    assert after is not None
    assert not set(before.recovery_codes) & set(after.recovery_codes)
    assert last_event(enrolled) == ("recovery-codes", "", "")


def test_new_recovery_codes_for_scripts(enrolled: Host, tmp_path: Path) -> None:
    """`--yes --json` prints them; `--sheet` writes them instead; --json alone ends with 2."""
    assert enrolled.run("recovery-codes", "daemon", "--new", "--json").code == 2
    codes = enrolled.does("recovery-codes", "daemon", "--new", "--yes", "--json").json
    assert len(codes["recovery_codes"]) == 10
    page = tmp_path / "page.html"
    done = enrolled.does("recovery-codes", "daemon", "--new", "--yes", "--sheet", str(page))
    assert len(RECOVERY_CODE.findall(page.read_text())) == 10
    assert not RECOVERY_CODE.search(done.out + done.err)
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    kept = enrolled.world().store.credentials("daemon")
    assert (
        enrolled.run("recovery-codes", "daemon", "--new", "--yes", "--sheet", str(page)).code == 1
    )
    assert enrolled.world().store.credentials("daemon") == kept, "no paper, no new codes"
