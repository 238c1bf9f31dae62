"""`pam-totp enroll` for tokens that have a secret of their own, and what it writes and shows
again."""

from __future__ import annotations

import base64
import io
import re
import stat
import sys
from typing import TYPE_CHECKING

import pytest

from tests.unit.world import totp

from .test_enroll import PROMPT, RECOVERY_CODE, ended

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Host

RAW = b"12345678901234567890"  # RFC 4226, appendix D
BASE32 = base64.b32encode(RAW).decode()
SECRET_PROMPT = r"Secret of the token \(base32 or hex, Ctrl-C keeps nothing\): "
TOKEN_PROMPT = "Code that the token shows: "
HOTP = ("--type", "hotp")


def on_stdin(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Give the command a text on stdin, which is no terminal."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def test_a_token_at_the_terminal(host: Host) -> None:
    """A token's secret is typed in hex, a code of a counter to come proves it, and its secret
    is not shown: it has it."""
    person = host.at_terminal("enroll", "daemon", *HOTP, "--with-secret", "--counter", "3")
    person.expect(SECRET_PROMPT)
    person.sendline(RAW.hex(" "))
    person.expect(TOKEN_PROMPT)
    assert "Key" not in (person.before or "")
    person.sendline(totp(RAW, 2))
    person.expect("Wrong.\r\nLet it show the next code, and type that one.")
    person.expect(TOKEN_PROMPT)
    person.sendline(totp(RAW, 4))
    person.expect("daemon: enrolled")
    assert len(RECOVERY_CODE.findall(person.before or "")) == 10
    assert ended(person) == 0
    (one,) = host.does("authenticator", "list", "daemon", "--json").json
    assert (one["name"], one["type"], one["counter"]) == ("token", "hotp", 5)


def test_a_secret_on_stdin(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script gives a token's secret as the first line of stdin, in base32 or hex."""
    on_stdin(monkeypatch, f"{BASE32.lower()}\nnot read\n")
    words = ("--with-secret", "--no-confirm", "--json", "--digits", "8")
    done = host.does("enroll", "daemon", *words)
    assert (done.json["secret"], done.json["authenticator"], done.err) == (BASE32, "token", "")
    on_stdin(monkeypatch, f"hex:{RAW.hex()}\n")
    assert (
        host.does("enroll", "bin", *HOTP, *words, "--counter", "7")
        .json["uri"]
        .endswith("&digits=8&counter=7")
    )


@pytest.mark.parametrize("text", ["", "\n", "JBSWY3DPEHPK3PXP\n", "Hello, World! 12345\n"])
def test_what_is_no_secret(host: Host, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Nothing, a short one and what is no base32 are refused; nothing is enrolled, and no word
    of what was typed is said."""
    on_stdin(monkeypatch, text)
    done = host.run("enroll", "daemon", "--with-secret", "--no-confirm", "--json")
    assert (done.code, done.out) == (1, "")
    assert re.search(r"^hint: ", done.err, re.MULTILINE)
    assert not text.strip() or text.strip() not in done.err
    assert host.does("status", "--json").json == []


def test_an_app_that_counts(host: Host) -> None:
    """A new secret that counts is shown with its counter, and it is said that not every app
    goes by it."""
    person = host.at_terminal("enroll", "daemon", *HOTP, "--counter", "5", "--no-qr")
    person.expect("not every version of Microsoft Authenticator goes by type")
    person.expect(r"choose: counter-based\)")
    person.expect(r"Key: +([A-Z2-7 ]{39})\r")
    assert person.match is not None
    raw = base64.b32decode(str(person.match[1]).replace(" ", ""))
    person.expect("Settings, which not every app goes by: SHA1, 6 digits, counter 5")
    person.expect(PROMPT)
    person.sendline(totp(raw, 5))
    person.expect("daemon: enrolled")
    assert ended(person) == 0


def test_what_it_writes(host: Host, tmp_path: Path) -> None:
    """Picture and sheet are files of whoever asked for them; the recovery codes stand on the
    sheet only where that was asked for."""
    drawn, page = tmp_path / "alice.png", tmp_path / "alice.html"
    words = ("--no-confirm", "--json", "--qr", str(drawn), "--sheet", str(page))
    done = host.does("enroll", "daemon", *words)
    assert drawn.read_bytes().startswith(b"\x89PNG\r\n")
    assert not RECOVERY_CODE.search(page.read_text())
    assert [stat.S_IMODE(path.stat().st_mode) for path in (drawn, page)] == [0o600, 0o600]
    assert f"{page} is written: a secret that you alone can read" in done.err
    other = tmp_path / "bin.html"
    out = host.does("enroll", "bin", "--no-confirm", "--sheet", str(other), "--recovery-codes").out
    assert len(RECOVERY_CODE.findall(other.read_text())) == 10
    assert out == "", "what stands on the sheet is not printed beside it"


def test_what_it_cannot_write(host: Host, tmp_path: Path) -> None:
    """Where a file is there already nobody is enrolled, and of several files none is left."""
    page, drawn = tmp_path / "page.html", tmp_path / "picture.svg"
    page.write_text("mine")
    done = host.run("enroll", "daemon", "--no-confirm", "--sheet", str(page), "--qr", str(drawn))
    assert (done.code, page.read_text(), drawn.exists()) == (1, "mine", False)
    assert host.does("status", "--json").json == []


def test_given_up_it_leaves_no_file(host: Host, tmp_path: Path) -> None:
    """The picture is there while the code is asked for, and gone where nothing was enrolled."""
    drawn = tmp_path / "picture.svg"
    person = host.at_terminal("enroll", "daemon", "--qr", str(drawn))
    person.expect(PROMPT)
    assert drawn.exists()
    person.sendintr()
    assert ended(person) == 130
    assert not drawn.exists()


def test_shown_again(host: Host, log_lines: list[str]) -> None:
    """What was enrolled without a code can be shown again, which is recorded."""
    first = host.does("enroll", "daemon", "--no-confirm", "--json").json
    again = host.does("enroll", "daemon", "--show", "--json").json
    assert again == first | {"recovery_codes": []}
    assert "act=shown account=daemon" in log_lines[-1]
    assert "the key of authenticator phone shown again" in host.does("events", "--acts").out
    person = host.at_terminal("enroll", "daemon", "--show")
    person.expect(r"Key: +([A-Z2-7 ]{39}) ")
    person.expect("the first right one confirms it")
    assert ended(person) == 0


def test_in_use_it_is_never_shown(host: Host) -> None:
    """A confirmed secret is not shown; the error names the way, which is another one."""
    person = host.at_terminal("enroll", "daemon", "--with-secret", *HOTP)
    person.expect(SECRET_PROMPT)
    person.sendline(BASE32)
    person.expect(TOKEN_PROMPT)
    person.sendline(totp(RAW, 0))
    assert ended(person) == 0
    for words in ((), ("--name", "token")):
        done = host.run("enroll", "daemon", "--show", "--json", *words)
        assert (done.code, done.out) == (1, "")
        assert done.err.endswith("authenticator replace daemon token\n")
    done = host.run("enroll", "bin", "--show")
    assert (done.code, "bin has not enrolled" in done.err) == (1, True)


def test_several_that_are_not_confirmed(host: Host) -> None:
    """Among several the name is asked for, and each of them can be shown."""
    for name in ("phone", "tablet"):
        host.does("enroll", "daemon", "--no-confirm", "--name", name)
    done = host.run("enroll", "daemon", "--show", "--json")
    assert (done.code, "phone, tablet" in done.err) == (1, True)
    words = done.err.splitlines()[-1].removeprefix("hint: pam-totp --config ").split()[1:]
    assert host.does(*words, "--json").json["authenticator"] == "phone"


def test_as_many_as_the_policy_allows(host: Host) -> None:
    """The policy's limit of authenticators holds for administrators too."""
    host.does("policy", "set", "authenticators=1", "--yes")
    host.does("enroll", "daemon", "--no-confirm")
    done = host.run("enroll", "daemon", "--no-confirm", "--name", "tablet")
    assert (done.code, "the policy allows 1" in done.err) == (1, True)


def test_where_no_code_will_be_asked_for(host: Host) -> None:
    """Who is enrolled and never asked hears it from whoever enrolls them."""
    host.does("policy", "set", "mfa=off", "--user", "daemon", "--yes", "--force")
    done = host.does("enroll", "daemon", "--no-confirm")
    assert "the policy asks daemon for no code (mfa=off)" in done.err
    assert done.err.endswith(f"hint: pam-totp --config {host.path} policy explain daemon\n")


def test_the_terminal_speaks_its_language(host: Host, catalogs: Path) -> None:
    """The page is in the language of the environment; what administrators read is not."""
    german = 'unset LC_ALL; LANG=de_DE.UTF-8 LC_CTYPE=C.UTF-8 exec "$@"'
    person = host.at_terminal("enroll", "daemon", through=german, catalogs=catalogs)
    for _ in range(3):
        person.expect("Code, den die App zeigt: ")
        person.sendline("falsch")
    person.expect("3 falsche Codes: Es wurde nichts eingerichtet")
    person.expect("hint: pam-totp --config .* enroll daemon")
    assert ended(person) == 1
