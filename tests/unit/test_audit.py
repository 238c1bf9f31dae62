"""Log lines that nobody can forge or split."""

from __future__ import annotations

import re
import syslog
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pam_totp import audit
from pam_totp.event import Event

_FIELD = re.compile(r'([a-z]+)=(?:([A-Za-z0-9._:/@%+-]+)|"((?:[^"\\]|\\["\\]|\\x[0-9a-f]{2})*)")')
_ESCAPE = re.compile(rb'\\(?:x([0-9a-f]{2})|(["\\]))')
# Bytes that are no UTF-8 come as PAM's strings do: surrogates U+DC80 to U+DCFF.
VALUES = st.binary(max_size=80).map(lambda raw: raw.decode("utf-8", "surrogateescape"))

# Pieces that split lines, end quotes, begin keys, hide or turn text round, or command a terminal.
PIECES = st.sampled_from(
    [
        *("\n", "\r", "\x0b", "\x85", "\u2028", "\u2029", "\x00", "\t", " ", "=", '"', "\\"),
        *("\\x0a", '\\"', " rhost=192.0.2.1", "\nverdict=accepted", '" account=root tty="'),
        *("\u202e", "\u2066", "\u200b", "\ufeff", "\u00ad", "\x1b[2J", "\x9b2J", "\x07", "\x7f"),
        *("...", "%n", "\udcff", "\U0001f600", "a"),
    ]
)
HOSTILE = st.lists(PIECES, max_size=12).map("".join) | st.text() | VALUES
KEYS = ["verdict", "account", "service", "rhost", "tty", "detail", "hint"]


def read(line: str) -> dict[str, str]:
    """Read a line as a program would that knows docs/log.md."""
    found, at = {}, 0
    while at < len(line):
        match = _FIELD.match(line, at)
        assert match, line[at:]
        found[match[1]] = match[2] or _unquoted(match[3])
        at = match.end()
        assert at == len(line) or line[at] == " "
        at += 1
    return found


def _unquoted(text: str) -> str:
    raw = _ESCAPE.sub(lambda m: bytes.fromhex(m[1].decode()) if m[1] else m[2], text.encode())
    return raw.decode("utf-8", "surrogateescape")


@given(st.dictionaries(st.sampled_from(["verdict", "account", "rhost", "detail"]), VALUES))
def test_a_line_is_read_back(fields: dict[str, str]) -> None:
    """Whatever the values, a line is printable ASCII and reads back as the same fields."""
    line = audit.line(fields)
    assert line.isascii()
    assert line.isprintable() or not line
    assert read(line) == {key: value for key, value in fields.items() if value}


@given(st.lists(HOSTILE, min_size=len(KEYS), max_size=len(KEYS)))
def test_no_value_forges_or_splits(values: list[str]) -> None:
    """Whatever a client sends, there is one line of printable ASCII with the keys that we gave,
    in our order, each once, and nothing before, between or behind them."""
    line = audit.line(dict(zip(KEYS, values, strict=True)))
    assert re.fullmatch(r"[ -~]*", line)
    found = re.sub(r'"(?:[^"\\]|\\.)*"', "*", line).split(" ") if line else []
    given_keys = [key for key, value in zip(KEYS, values, strict=True) if value]
    assert [pair.split("=")[0] for pair in found] == given_keys
    assert all(pair.count("=") == 1 for pair in found)


def test_an_act() -> None:
    """What an administrator did is a line in a fixed order, without what is not known."""
    event = Event(0, "al ice", "lock", rhost="192.0.2.1", detail="lost", actor="root")
    line = 'act=lock account="al ice" by=root from=192.0.2.1 reason=lost'
    assert audit.act(event) == line
    assert audit.act(replace(event, authenticator="phone", tty="pts/1", detail="")) == (
        'act=lock account="al ice" by=root from=192.0.2.1 tty=pts/1 authenticator=phone'
    )
    assert audit.act(Event(0, "", "policy", actor="root")) == "act=policy by=root"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("alice", "alice"),
        ("a b", '"a b"'),
        ("x\nverdict=accepted", r'"x\x0averdict=accepted"'),
        ('" verdict=accepted account="root', r'"\" verdict=accepted account=\"root"'),
        ("back\\slash", r'"back\\slash"'),
        ("\x1b[2J", r'"\x1b[2J"'),
        ("\u202e", r'"\xe2\x80\xae"'),
        ("\udcff", r'"\xff"'),
        ("alice\n", r'"alice\x0a"'),
        ("%n%s", "%n%s"),
        ("a=b", '"a=b"'),
    ],
)
def test_values(value: str, shown: str) -> None:
    """A value that is not plain stands in quotes, every strange byte escaped."""
    assert audit.line({"account": value}) == f"account={shown}"


def test_a_long_value_is_cut() -> None:
    """A client cannot fill the log with one line: what is long is cut, and says so."""
    line = audit.line({"account": "a" * 100_000, "rhost": "\xff" * 100_000})
    assert len(line) < 3000
    assert line.count('..."') == 2


def test_to_authpriv(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines go to syslog's authpriv; a `%` is no format there."""
    calls: list[tuple[int, str]] = []
    monkeypatch.setattr(syslog, "syslog", lambda *call: calls.append(call))
    audit.to_syslog(syslog.LOG_NOTICE, "account=%n")
    assert calls == [(syslog.LOG_AUTHPRIV | syslog.LOG_NOTICE, "account=%n")]
