"""`pam-totp enroll`."""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING

import pexpect
import pytest

from pam_totp import administration, clock
from pam_totp.cli.administrator import Administrator

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Host

PROMPT = "Code that the app shows: "
RECOVERY_CODE = re.compile(r"\brc-\w{5}-\w{5}-\w{5}\b")


def test_json_is_all_that_a_script_gets(host: Host) -> None:
    """`--no-confirm --json` prints one object on stdout, and nothing beside it."""
    done = host.does("enroll", "daemon", "--no-confirm", "--json")
    answer = done.json
    assert list(answer) == ["account", "authenticator", "secret", "uri", "recovery_codes"]
    assert (answer["account"], answer["authenticator"]) == ("daemon", "phone")
    assert f"secret={answer['secret']}&issuer=Example" in answer["uri"]
    assert all(RECOVERY_CODE.fullmatch(code) for code in answer["recovery_codes"])
    assert len(set(answer["recovery_codes"])) == 10
    assert done.err == ""


def test_without_json_it_is_text(host: Host) -> None:
    """`--no-confirm` alone prints the key in groups of four, the URI and the codes; the QR
    code only where it can be seen."""
    out = host.does("enroll", "daemon", "--no-confirm").out
    assert re.search(r"^ +Key: +(?:[A-Z2-7]{4} ){7}[A-Z2-7]{4}$", out, re.MULTILINE)
    assert len(RECOVERY_CODE.findall(out)) == 10
    assert re.search(r"^URI: otpauth://totp/Example:daemon\?secret=", out, re.MULTILINE)
    assert "█" not in out


def test_a_second_authenticator_leaves_the_recovery_codes(host: Host) -> None:
    """Recovery codes are made once; a second authenticator brings none."""
    host.does("enroll", "daemon", "--no-confirm")
    second = host.does("enroll", "daemon", "--no-confirm", "--json", "--name", "tablet").json
    assert second["recovery_codes"] == []
    assert host.does("status", "daemon", "--json").json["authenticators"] == ["phone", "tablet"]


def test_a_name_is_taken_once(host: Host) -> None:
    """Who has a phone already is to get another authenticator or another phone: the hint has
    both lines, and the first of them can be run as it stands."""
    host.does("enroll", "daemon", "--no-confirm")
    done = host.run("enroll", "daemon", "--no-confirm")
    assert done.code == 1
    ours = f"pam-totp --config {host.path}"
    more, instead = f"{ours} enroll daemon --no-confirm --name tablet", "authenticator replace"
    assert f"hint: for one more: {more}; in its place: {ours} {instead} daemon phone" in done.err
    host.does(*more.split()[3:])
    assert "--name phone-2\n" in host.run("enroll", "daemon").err.replace("; in", "\n")
    done = host.run("enroll", "daemon", "--no-confirm", "--name", "phone")
    assert (done.code, "called 'phone' already" in done.err) == (1, True)


def test_who_is_no_account_cannot_enroll(host: Host) -> None:
    """A name that NSS does not know is refused, with the command that asks for it."""
    done = host.run("enroll", "no-such-user", "--no-confirm", "--json")
    assert (done.code, done.out) == (1, "")
    assert (
        done.err
        == "pam-totp: there is no account called 'no-such-user'\nhint: getent passwd no-such-user\n"
    )


def test_parameters_that_apps_ignore(host: Host) -> None:
    """Unusual parameters are used, and it is said that many apps ignore them."""
    words = ("--digits", "8", "--period", "60", "--algorithm", "sha256")
    done = host.does("enroll", "daemon", "--no-confirm", "--json", *words)
    assert done.json["uri"].endswith("&algorithm=SHA256&digits=8&period=60")
    apps = "Google Authenticator and Microsoft Authenticator"
    assert f"not every version of {apps} goes by algorithm, digits and period" in done.err


@pytest.mark.parametrize(
    "words",
    [
        "--digits 9",
        "--period 5",
        "--algorithm MD5",
        "--json",
        "--counter 3",
        "--type hotp --period 60",
        "--recovery-codes",
        "--qr picture.gif",
        "--show --digits 8",
        "--show --no-confirm",
    ],
)
def test_what_cannot_be_is_a_usage_error(host: Host, words: str) -> None:
    """Parameters outside RFC 6238, and options that do not go together, end with 2 and change
    nothing."""
    assert host.run("enroll", "daemon", *words.split()).code == 2
    assert host.does("status", "--json").json == []


def test_a_person_enrolls(host: Host, code_of: Callable[[str, float], str]) -> None:
    """Two wrong codes, then the right one: enrolled, and the code is spent by it."""
    person = host.at_terminal("enroll", "daemon")
    secret = shown_secret(person)
    for _ in range(2):
        person.expect(PROMPT)
        person.sendline("12 34")
        person.expect("Wrong.\r\nType what the app shows now.")
    person.expect(PROMPT)
    person.sendline("")
    assert shown_secret(person) == secret
    person.expect(PROMPT)
    person.sendline(f" {code_of(secret, time.time())} ")
    person.expect("Right: it is set up.")
    person.expect("This code is used up: the first login takes the next one.")
    person.expect("daemon: enrolled")
    assert len(RECOVERY_CODE.findall(person.before or "")) == 10
    assert ended(person) == 0
    world = host.world()
    (state,) = world.store.look("daemon").authenticators.values()
    assert abs(state.last_step - time.time() // 30) <= 2


def test_a_phone_whose_clock_is_off(host: Host, code_of: Callable[[str, float], str]) -> None:
    """A code of four minutes ago proves nothing; the person is told that it is the clock, and
    the code of now enrolls."""
    person = host.at_terminal("enroll", "daemon")
    secret = shown_secret(person)
    person.expect(PROMPT)
    person.sendline(code_of(secret, time.time() - 240))
    person.expect("Wrong.\r\nYour phone's clock is 240 seconds slow. Set it to automatic time")
    unsure = "This machine's clock is not synchronised"
    person.expect(PROMPT)
    assert (unsure in (person.before or "")) == (clock.synchronised() is False)
    person.sendline(code_of(secret, time.time()))
    person.expect("daemon: enrolled")
    assert ended(person) == 0
    (state,) = host.world().store.look("daemon").authenticators.values()
    assert (state.drift, state.offset) == (None, 0)


def test_three_wrong_codes_keep_nothing(host: Host) -> None:
    """Without a right code nobody is enrolled, and the way on is said."""
    person = host.at_terminal("enroll", "daemon")
    for _ in range(3):
        person.expect(PROMPT)
        person.sendline("wrong")
    person.expect("pam-totp: 3 wrong codes: nothing was set up.")
    person.expect("hint: pam-totp --config .* enroll daemon")
    assert ended(person) == 1
    assert host.does("status", "--json").json == []


def test_ctrl_c_keeps_nothing(host: Host) -> None:
    """Ctrl-C at the prompt ends with 130 and leaves no trace."""
    person = host.at_terminal("enroll", "daemon")
    person.expect(PROMPT)
    person.sendintr()
    assert ended(person) == 130
    assert host.does("status", "--json").json == []


def test_secrets_go_to_the_terminal_and_not_to_a_pipe(host: Host) -> None:
    """A person's secrets are shown at /dev/tty, wherever stdout and stderr go."""
    log = host.data.parent / "log"
    person = host.at_terminal("enroll", "daemon", through=f'exec "$@" >{log} 2>&1')
    shown_secret(person)
    person.expect(PROMPT)
    person.sendeof()
    assert ended(person) == 1
    assert log.read_text() == "pam-totp: no answer; nothing was changed\n"


def test_what_is_above_the_prompt(host: Host) -> None:
    """At the prompt the QR code stands above the key, with nothing between, and no URI; where
    there is none the key stands alone, with the account and the issuer."""
    person = host.at_terminal("enroll", "daemon")
    person.expect(PROMPT)
    first, *_, last_of_code, key, rest = (person.before or "").split("\r\n")
    assert first == "Scan this with the app, or type the key into it:   (Ctrl-C keeps nothing)"
    assert "\u2580" in last_of_code or "\u2588" in last_of_code
    assert (key[:5], len(key) <= 80, rest) == ("Key: ", True, "")
    assert "otpauth:" not in (person.before or "")
    person.sendintr()
    assert ended(person) == 130
    person = host.at_terminal("enroll", "daemon", "--no-qr")
    person.expect(PROMPT)
    lines = (person.before or "").split("\r\n")
    begin = "Type this key into the app (choose: time-based):   (Ctrl-C keeps nothing)"
    assert lines[0] == begin
    assert [line.split(":")[0].strip() for line in lines[1:-1]] == ["Key", "Account", "Issuer"]
    person.sendintr()
    assert ended(person) == 130


def test_the_record_says_who_it_was(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """An enrollment is recorded with the name of whoever called sudo; without root's rights
    nobody's word is taken for it."""
    monkeypatch.setenv("SUDO_USER", "carol")
    expected = "carol" if os.geteuid() == 0 else Administrator([]).name
    host.does("enroll", "daemon", "--no-confirm")
    world = host.world()
    (event,) = world.store.events("daemon")
    assert (event.what, event.actor) == ("enrolled", expected)
    assert administration.known(world.store, "daemon")


def shown_secret(person: pexpect.spawn[str]) -> str:
    """Return the key that the screen shows."""
    person.expect(r"Key: +([A-Z2-7 ]{39}) ")
    assert person.match is not None
    return str(person.match[1]).replace(" ", "")


def ended(person: pexpect.spawn[str]) -> int:
    """Return the exit code."""
    person.expect(pexpect.EOF)
    return int(person.wait())
