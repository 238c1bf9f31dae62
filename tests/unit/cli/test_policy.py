"""`pam-totp policy`: set, unset, show, explain."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from pam_totp.cli import policy_impact
from pam_totp.event import Event
from pam_totp.policy.record import PolicyRecord

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Host


@pytest.fixture(autouse=True)
def services(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The services of this host whose stacks use the module: none, until a test adds some."""
    using: list[str] = []
    monkeypatch.setattr(policy_impact, "services_using_module", lambda: using)
    monkeypatch.setenv("SUDO_USER", "root")
    return using


def test_a_key_is_set_and_in_force(host: Host, log_lines: list[str]) -> None:
    """What is set is what logins go by; it is kept and logged with who it was."""
    done = host.does("policy", "set", "mfa=required", "mfa-from=2099-02-01", "--yes")
    assert "mfa=required mfa-from=2099-02-01 for everybody" in done.out
    (rule,) = host.world().policy().rules
    assert str(rule) == "mfa=required mfa-from=2099-02-01 for everybody"
    (event,) = host.world().store.events()
    assert event.detail == "mfa=required mfa-from=2099-02-01 for everybody"
    assert [line for line in log_lines if line.startswith("act=policy by=")]


def test_names_are_those_of_nss(host: Host) -> None:
    """A user or a group that NSS does not know is refused, unless it is forced."""
    for option, database in (("--user", "passwd"), ("--group", "group")):
        done = host.run("policy", "set", "mfa=off", option, "no-such-name", "--yes")
        assert done.code == 1
        assert f"hint: getent {database} no-such-name; to name it all the same: --force" in done.err
        host.does("policy", "set", "mfa=off", option, "no-such-name", "--yes", "--force")
        host.does("policy", "unset", option, "no-such-name", "--yes")
    assert host.world().policy().rules == ()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("set", "mfa"), 2, "expected KEY=VALUE, found 'mfa'"),
        (("set", "mfa=off", "mfa=off"), 2, "mfa is set twice"),
        (("set", "mfa=always"), 1, "expected one of off, optional, required, found 'always'"),
        (("set", "colour=red"), 1, "unknown key 'colour'\nhint: known: mfa, mfa-from, "),
        (("set", "mfa=off", "--from", "192.0.2.7/24"), 1, "from: expected a network like"),
        (("set", "services=all", "--group", "root"), 1, "can be set for everybody only"),
        (("set", "mfa=off", "--user", "root", "--group", "root"), 1, "not for both"),
        (("unset", "mfa"), 1, "mfa is not set for everybody\nhint: pam-totp"),
        (("unset", "--group", "root"), 1, "there is no rule for group root"),
    ],
)
def test_what_cannot_be_is_refused(
    host: Host, words: tuple[str, ...], code: int, said: str
) -> None:
    """Each refusal names the key and the expected form, and nothing is kept."""
    done = host.run("policy", *words, "--yes")
    assert done.code == code
    assert said in done.err
    assert len(host.world().store.policies(9)) == 1


def test_what_is_shown(host: Host) -> None:
    """`show` prints the rules, the least specific first, and the defaults in force."""
    host.does("policy", "set", "mfa=off", "--from", "192.0.2.0/24", "--yes")
    host.does("policy", "set", "mfa=required", "grace=15m", "--group", "root", "--yes")
    out = host.does("policy", "show").out
    assert out.startswith(
        "group root:\n  mfa    required\n  grace  15m\n\n"
        "everybody, from 192.0.2.0/24:\n  mfa  off\n\n"
        "not set, and so for everybody:\n  mfa                optional\n"
    )


def test_what_it_does_is_said_first(host: Host, services: list[str]) -> None:
    """Who would be refused, where and from when is said before the change takes effect."""
    host.does("enroll", "root", "--no-confirm")
    services += ["sshd", "su"]
    group = ("--group", "daemon", "--yes")
    done = host.does("policy", "set", "mfa=required", *group, "--note", "since the incident")
    assert done.out == (
        "mfa=required for group daemon\n\nsshd: would be refused: daemon\n"
        "in force from the next login on\n"
    )
    assert "su: pam_totp is used, and not named by services=: nobody is asked there" in done.err
    done = host.does("policy", "set", "mfa-from=2099-02-01", *group)
    assert "sshd: no longer refused, and not asked for a code: daemon\n" in done.out
    assert "sshd, from 2099-02-01 on: would be refused: daemon" not in done.out  # as before
    done = host.does("policy", "set", "mfa=off", "--user", "daemon", "--yes")
    assert host.does("policy", "unset", "--user", "daemon", "--yes").out.splitlines()[0] == (
        "mfa unset for user daemon"
    )


def test_what_has_no_effect_is_said(host: Host, services: list[str]) -> None:
    """A rule over which another wins is named, and where people can enroll."""
    services += ["sshd"]
    host.does("policy", "set", "mfa=off", "--user", "daemon", "--yes")
    done = host.does("policy", "set", "mfa=required", "--group", "daemon", "--yes")
    assert (
        "mfa=required for group daemon has no effect for daemon: over it is mfa=off for user daemon"
    ) in done.err
    done = host.does("policy", "set", "mfa=required", "--service", "cups", "--yes")
    assert "the stack of cups on this host does not use pam_totp" in done.err
    done = host.does("policy", "set", "mfa=off", "--from", "192.0.2.0/24", "--yes")
    assert "a login without an address (console, su) is in 192.0.2.0/24 only where" in done.err
    done = host.does("policy", "set", "unenrolled=enroll", "--yes")
    assert "people can set up a code when they log in at sshd" in done.err


def test_who_locks_himself_out_is_stopped(host: Host, services: list[str]) -> None:
    """A change that refuses its author wants --force; one to come is made, with a warning."""
    services += ["sshd", "login"]
    words = ("policy", "set", "mfa=required", "--user", "root", "--yes")
    done = host.run(*words)
    assert done.code == 1
    assert "this would refuse you, root, at sshd, login: you have not enrolled" in done.err
    assert done.err.endswith("enroll root; or, all the same, with --force\n")
    assert host.world().policy().rules == ()
    done = host.does(*words, "mfa-from=2099-02-01")
    assert "from 2099-02-01 on this refuses you, root" in done.err
    assert "sshd, login, from 2099-02-01 on: would be refused: root" in done.out
    host.does("policy", "set", "mfa=required", "--user", "root", "--yes", "--force")


def test_the_last_administrator_is_not_locked_out(
    host: Host, services: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change after which no administrator could log in wants --force, whoever makes it."""
    monkeypatch.setenv("SUDO_USER", "daemon")
    host.does("enroll", "daemon", "--no-confirm")
    services += ["sshd"]
    done = host.run("policy", "set", "mfa=required", "--yes")
    assert done.code == 1
    assert "no administrator could log in at sshd any more: of root" in done.err
    host.does("enroll", "root", "--no-confirm")
    host.does("policy", "set", "mfa=required", "--yes")


def test_a_question_is_asked(host: Host) -> None:
    """Without --yes a person is asked, and only "yes" changes anything."""
    for answer, code in (("n", 1), ("y", 0)):
        assert len(host.world().store.policies(9)) == 1
        person = host.at_terminal("policy", "set", "grace=15m")
        person.expect(r"Put this in force\? \[y/N\] ")
        person.sendline(answer)
        person.expect("nothing was changed" if code else "in force")
        person.wait()
        assert person.exitstatus == code
    assert host.world().policy().rules[0].values == {"grace": 900}


def test_nobody_to_ask(host: Host) -> None:
    """Where nobody can be asked, the hint is the same line, and does not ask."""
    log = host.data.parent / "log"
    person = host.at_terminal(
        "policy", "set", "grace=15m", "--user", "root", through=f'setsid -w "$@" 2>{log}'
    )
    person.wait()
    assert person.exitstatus == 1
    assert log.read_text().endswith(
        f"hint: pam-totp --config {host.path} policy set grace=15m --user root --yes\n"
    )


EXPLAINED = [
    (("root",), "is not asked for a code: mfa=optional (default), and root has not enrolled"),
    (
        ("daemon", "--service", "sshd", "--from", "192.0.2.7"),
        "must use a code at sshd from 192.0.2.7: mfa=required for group daemon (since 2020-02-01)",
    ),
    (
        ("bin", "--service", "sshd"),
        "is refused at sshd: mfa=required for user bin, and bin has not enrolled",
    ),
    (
        ("daemon", "--from", "198.51.100.9"),
        "is not asked for a code from 198.51.100.9: mfa=off for everybody, from 198.51.100.0/24",
    ),
    (
        ("root", "--service", "cron"),
        "is not asked at cron: services=sshd,login,openvpn (default)",
    ),
    (
        ("no-such-user",),
        "is refused: neither NSS nor the store knows that name, and the strictest rules hold",
    ),
    (
        ("sys", "--service", "login"),
        "is not asked for a code at login: mfa=required for user sys (from 2099-02-01 on, and until then optional), and sys has not enrolled",  # noqa: E501
    ),
    (("root", "--key", "grace"), ": grace=0 (default)"),
    (("daemon", "--key", "grace"), ": grace=15m for group daemon"),
]


def test_why_a_login_is_as_it_is(host: Host) -> None:
    """`explain` ends in one sentence, which names the rule that won."""
    host.does("enroll", "daemon", "--no-confirm")
    since = ("mfa=required", "mfa-from=2020-02-01", "grace=15m")
    host.does("policy", "set", *since, "--group", "daemon", "--yes")
    host.does("policy", "set", "mfa=required", "--user", "bin", "--yes")
    host.does("policy", "set", "mfa=required", "mfa-from=2099-02-01", "--user", "sys", "--yes")
    host.does("policy", "set", "mfa=off", "--from", "198.51.100.0/24", "--yes")
    for words, sentence in EXPLAINED:
        last = host.does("policy", "explain", *words).out.splitlines()[-1]
        assert last == f"{words[0]}{sentence if sentence[0] == ':' else f' {sentence}'}"
    host.does("lock", "daemon", "--yes", "--reason", "lost phone")
    done = host.does("policy", "explain", "daemon", "--service", "sshd")
    assert done.out.endswith("daemon is refused at sshd: locked by root (lost phone)\n")


def test_required_later_is_not_required_now(host: Host) -> None:
    """Who asks for what is in force from a day on is told how to have it at once."""
    group = ("--group", "daemon")
    host.does("policy", "set", "mfa=required", "mfa-from=2099-02-01", *group, "--yes")
    done = host.does("policy", "set", "mfa=required", *group)
    assert done.out == "nothing to change\n"
    assert "for group daemon counts from 2099-02-01 on" in done.err
    assert done.err.endswith(" policy unset mfa-from --group daemon\n")
    host.does("policy", "unset", "mfa-from", *group, "--yes")
    assert host.does("policy", "set", "mfa=required", *group).err == ""


def test_a_service_that_is_not_here_is_said(host: Host, services: list[str]) -> None:
    """A slip in a service's name shows; one of the default's that is missing is none."""
    services += ["sshd"]
    done = host.does("policy", "set", "services=sshd,openvpn,loign", "--yes")
    assert "loign is named by the policy, and this machine has no such service" in done.err
    assert "openvpn" not in done.err


def test_each_rule_is_shown(host: Host) -> None:
    """The table has each rule that says something of the key, whether it applies, and why one
    won; scripts read the same."""
    host.does("policy", "set", "mfa=required", "--group", "daemon", "--yes")
    host.does("policy", "set", "mfa=off", "--user", "daemon", "--yes")
    host.does("policy", "set", "mfa=off", "--from", "198.51.100.0/24", "--yes")
    host.does("policy", "set", "mfa=required", "--group", "gone", "--yes", "--force")
    words = ("policy", "explain", "daemon", "--service", "sshd")
    rows = [" ".join(line.split()) for line in host.does(*words).out.splitlines()]
    assert rows[2:7] == [
        "default optional yes",
        "group daemon required yes",
        "group gone required cannot be told: NSS does not say who is in gone",
        "user daemon off yes won: more specific than group daemon",
        "everybody, from 198.51.100.0/24 off cannot be told: there is no address",
    ]
    found = host.does(*words, "--json").json
    assert (found["account"], found["service"], found["standing"]) == (
        "daemon",
        "sshd",
        "not asked",
    )
    mfa = found["keys"]["mfa"]
    assert (mfa["value"], mfa["rule"]) == ("off", "user daemon")
    assert [rule["applies"] for rule in mfa["rules"]] == [True, None, True, None]
    every = host.does(*words, "--json", "--key", "all").json["keys"]
    assert (every["grace"]["value"], every["grace"]["rule"]) == ("0", None)
    assert "hard-stop" in host.does(*words, "--key", "all").out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("root", "--from", "host.example"), "--from: expected an address like 192.0.2.7"),
        (("root", "--key", "colour"), "unknown key 'colour'\nhint: known: mfa, "),
    ],
)
def test_what_cannot_be_explained(host: Host, words: tuple[str, ...], said: str) -> None:
    """A question that cannot be asked is refused with the expected form."""
    done = host.run("policy", "explain", *words)
    assert done.code == 1
    assert said in done.err


GOOD = "- mfa: required\n- group: daemon\n  mfa: off\n"


def test_a_file_is_checked(host: Host, services: list[str], tmp_path: Path) -> None:
    """`check` says what a policy would do and changes nothing; what is wrong is an exit status
    of 1 with file, line, key and form."""
    services += ["sshd"]
    host.does("enroll", "root", "--no-confirm")
    file = tmp_path / "policy.yaml"
    file.write_text(GOOD)
    done = host.does("policy", "check", str(file))
    assert done.out.startswith("mfa=required for everybody\nmfa=off for group daemon\n\n")
    assert len(host.world().store.policies(9)) == 1
    for text, said in (
        ("- mfa: of\n", "line 1: mfa: expected one of off, optional, required, found 'of'"),
        ("- group: no-such-group\n  mfa: off\n", "there is no group called 'no-such-group'"),
    ):
        file.write_text(text)
        done = host.run("policy", "check", str(file))
        assert done.code == 1
        assert f"pam-totp: {file}" in done.err
        assert said in done.err
    file.write_bytes(b"\xff")
    assert "expected UTF-8" in host.run("policy", "check", str(file)).err
    assert "No such file" in host.run("policy", "check", str(tmp_path / "none")).err


def test_what_is_shown_can_be_checked(
    host: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What `show --yaml` prints is what `check -` reads, and no change."""
    host.does("policy", "set", "mfa=required", "--group", "daemon", "--yes")
    shown = host.does("policy", "show", "--yaml").out
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(shown.encode())))
    done = host.does("policy", "check", "-")
    assert done.out == "\nnobody is asked or refused otherwise than before\n"
    found = host.does("policy", "show", "--json").json
    assert found["rules"] == [{"group": "daemon", "mfa": "required"}]
    assert (found["version"], found["defaults"]["mfa"]) == (2, "optional")


def test_the_policy_is_edited(host: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`edit` opens the policy in an editor, in a file that is nobody else's, and puts the result
    in force; left as it is, nothing is done."""
    editor = tmp_path / "editor"
    editor.write_text(f'#!/bin/sh\nstat -c %a "$1" >{tmp_path}/mode\nprintf -- "{GOOD}" >"$1"\n')
    editor.chmod(0o755)
    monkeypatch.setenv("VISUAL", str(editor))
    host.does("policy", "edit", "--yes")
    assert (tmp_path / "mode").read_text() == "600\n"
    assert host.does("policy", "show", "--yaml").out == GOOD
    monkeypatch.setenv("VISUAL", "true")
    assert host.does("policy", "edit").out == "nothing to change\n"
    monkeypatch.setenv("VISUAL", "false")
    done = host.run("policy", "edit")
    assert done.code == 1
    assert "false ended with status 1; nothing was changed\nhint: EDITOR=" in done.err
    assert len(host.world().store.policies(9)) == 2


def test_an_error_can_be_edited_away(host: Host, tmp_path: Path) -> None:
    """What cannot be is said with its line, and the same text is opened again."""
    editor = tmp_path / "editor"
    editor.write_text(
        '#!/bin/sh\ngrep -q "mfa: of$" "$1" && sed -i "s/mfa: of$/mfa: off/" "$1" && exit\n'
        'printf -- "- mfa: of\\n" >"$1"\n'
    )
    editor.chmod(0o755)
    person = host.at_terminal("policy", "edit", through=f'VISUAL={editor} exec "$@"')
    person.expect(
        r"policy\.yaml, line 1: mfa: expected one of off, optional, required,\s+found 'of'"
    )
    person.expect(r"Edit again\? \[y/N\] ")
    person.sendline("y")
    person.expect(r"Put this in force\? \[y/N\] ")
    person.sendline("y")
    person.expect("in force from the next login on")
    person.wait()
    assert host.does("policy", "show", "--yaml").out == "- mfa: off\n"


def test_who_was_slower_changes_nothing(host: Host, tmp_path: Path) -> None:
    """Of two administrators who edit at once the second one is told, and loses nothing of the
    first one's."""
    person = host.at_terminal("policy", "set", "mfa=required", "--group", "daemon")
    person.expect(r"\[y/N\] ")
    host.does("policy", "set", "grace=15m", "--yes")
    person.sendline("y")
    person.expect("root changed the policy in the meantime; nothing was changed")
    person.wait()
    assert person.exitstatus == 1
    assert host.does("policy", "show", "--yaml").out == "- grace: 15m\n"


def test_history_and_the_way_back(host: Host) -> None:
    """Each version is shown with who, what and why; an earlier one can be put in force again."""
    host.does("policy", "set", "mfa=required", "--group", "daemon", "--yes", "--note", "by order")
    host.does("policy", "unset", "mfa", "--group", "daemon", "--yes")
    newest, second, first = host.does("policy", "history", "--json").json
    assert (newest["version"], newest["changed"]) == (3, ["mfa unset for group daemon"])
    assert (second["actor"], second["note"]) == ("root", "by order")
    assert second["changed"] == ["mfa=required for group daemon"]
    assert (first["at"], first["changed"]) == (None, [])
    lines = host.does("policy", "history").out.splitlines()
    assert lines[2].startswith("3 (in force)")
    host.does("policy", "revert", "2", "--yes")
    assert host.does("policy", "show", "--yaml").out == "- group: daemon\n  mfa: required\n"
    assert host.does("policy", "history", "--json").json[0]["note"] == "back to version 2"
    assert host.does("policy", "revert", "2", "--yes").out == "nothing to change\n"
    done = host.run("policy", "revert", "9", "--yes")
    assert "there is no version 9\nhint: pam-totp" in done.err


def test_a_broken_version(host: Host) -> None:
    """A newest version that cannot be used is marked; a change starts from the last good one and
    says so, and puts an end to it."""
    host.does("policy", "set", "mfa=off", "--user", "daemon", "--yes")
    store = host.world().store
    store.change_policy(PolicyRecord(2, 1.0, "root", "", "", "[{]"), Event(1.0, "", "policy"))
    assert "policy 3: not in this version's form; logins go by version 2" in (
        host.does("policy", "show").err
    )
    assert host.run("policy", "check").code == 1
    newest = host.does("policy", "history", "--json").json[0]
    assert newest["broken"] == "policy 3: not in this version's form"
    assert "2 (in force)" in host.does("policy", "history").out
    done = host.does("policy", "set", "grace=15m", "--yes")
    assert "this changes version 2, which logins go by" in done.err
    assert host.does("policy", "check").out == "version 4 can be used: 2 rules\n"
    store.change_policy(PolicyRecord(4, 1.0, "root", "", "", ""), Event(1.0, "", "policy"))
    host.does("policy", "revert", "4", "--yes")
    assert host.does("policy", "check").out == "version 6 can be used: 2 rules\n"
    assert host.run("policy", "revert", "5", "--yes").code == 1
