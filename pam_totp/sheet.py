"""Sheets to be printed: one HTML document, a page for each person.

A document is `begin`, the pages, `end`, so that it can be written while it is made.  It needs
nothing from elsewhere and runs nothing.

SECURITY: names come from a directory that others may write; everything is escaped, and the
document forbids scripts and other files besides.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from pam_totp import picture
from pam_totp.authenticator import in_groups
from pam_totp.otp import Parameters
from pam_totp.speech import Speech
from pam_totp.words import sheet as words

_USUAL: Final = Parameters()
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
# No size of paper is said: A4 or Letter is the printer's choice.
_STYLE: Final = """\
:root { color-scheme: light; }
@page { margin: 14mm 20mm; }
* { box-sizing: border-box; }
body { margin: 0; background: #fff; color: #000; font: 11pt/1.4 sans-serif; }
section { max-width: 170mm; margin: 0 auto; padding: 15mm 0; overflow-wrap: anywhere; }
section + section { break-before: page; border-top: 1px dashed #999; }
h1 { margin: 0 0 2mm; font-size: 18pt; line-height: 1.2; }
h2 { margin: 0 0 1mm; font-size: 12pt; }
p { margin: 0; }
p + p { margin-top: 2mm; }
ol { flex: 1; margin: 0; padding-left: 6mm; }
ol li + li { margin-top: 2mm; }
ul { display: grid; grid-template-columns: 1fr 1fr; margin: 2mm 0 0; padding: 0; list-style: none; }
svg { flex: none; width: 62mm; height: 62mm; margin: -4mm; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 1mm 6mm; margin: 0; }
dt { color: #444; }
dd { margin: 0; }
code { font: 13pt/1.25 monospace; white-space: pre-wrap; }
.steps { display: flex; gap: 10mm; align-items: flex-start; margin: 6mm 0; }
.box { margin-top: 4mm; padding: 2.5mm 5mm; border: 1px solid #000; break-inside: avoid; }
@media print {
  section { max-width: none; padding: 0; }
  section + section { border: 0; }
}
"""


@dataclass(frozen=True, slots=True)
class Page:
    """What somebody needs who was given an authenticator; `key` is its secret in base32."""

    account: str
    issuer: str
    uri: str = field(repr=False)
    key: str = field(repr=False)
    parameters: Parameters = _USUAL
    recovery_codes: Sequence[str] = field(default=(), repr=False)
    invitation: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class RecoveryPage:
    """Recovery codes alone."""

    account: str
    issuer: str
    recovery_codes: Sequence[str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class InvitationPage:
    """An invitation alone: its word, until when it is good as people say it, and what the
    administrator says besides, such as where to log in."""

    account: str
    issuer: str
    word: str = field(repr=False)
    until: str
    how: str = ""


def begin(title: str, speech: Speech) -> str:
    """Return what stands in front of the first page."""
    return (
        f'<!DOCTYPE html>\n<html lang="{_text(speech(words.LANGUAGE))}">\n<head>\n'
        '<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f"<title>{_text(title)}</title>\n<style>\n{_STYLE}</style>\n</head>\n<body>\n"
    )


def end() -> str:
    """Return what stands behind the last page."""
    return "</body>\n</html>\n"


def page(person: Page, speech: Speech) -> str:
    """Return the page of somebody who was given an authenticator."""
    steps = (
        speech(words.INSTALL),
        speech(words.SCAN),
        speech(words.LOG_IN, digits=person.parameters.digits),
        speech(words.KEEP if person.recovery_codes else words.DESTROY),
    )
    parts = [
        _heading(speech(words.HELLO, account=person.account)),
        _paragraph(speech(words.SECOND_STEP, issuer=person.issuer)),
        _steps(steps, picture.svg_inline(person.uri)),
        _list(_settings(person, speech)),
    ]
    if person.parameters != _USUAL:
        parts.append(_box(_paragraph(speech(words.UNUSUAL))))
    if person.invitation is not None:
        parts.append(_invitation(person.invitation, speech))
    if person.recovery_codes:
        heading = f"<h2>{_text(speech(words.RECOVERY_CODES))}</h2>"
        parts.append(_box(heading + _recovery_codes(person.recovery_codes, speech)))
    return _section(parts)


def recovery_page(person: RecoveryPage, speech: Speech) -> str:
    """Return the page of somebody who was given recovery codes alone."""
    return _section(
        (
            _heading(speech(words.RECOVERY_CODES_FOR, account=person.account)),
            _paragraph(speech(words.FOR_LOGIN_TO, issuer=person.issuer)),
            _paragraph(speech(words.KEEP)),
            _box(_recovery_codes(person.recovery_codes, speech)),
        )
    )


def invitation_page(person: InvitationPage, speech: Speech) -> str:
    """Return the page of somebody who was invited."""
    until = speech(words.LETS_SET_UP, issuer=person.issuer, until=person.until)
    steps = (words.INSTALL, words.TYPE_WORD, words.PROVE, words.TILL_THEN)
    parts = [
        _heading(speech(words.INVITATION_FOR, account=person.account)),
        _paragraph(until),
        _box(_code(person.word)),
        _steps([speech(step) for step in steps]),
    ]
    if person.how:
        parts.append(_paragraph(person.how))
    return _section(parts)


def _settings(person: Page, speech: Speech) -> Iterator[tuple[str, str]]:
    """Yield the names and values (HTML) of what is typed into an app."""
    yield speech(words.ACCOUNT), _text(person.account)
    yield speech(words.ISSUER), _text(person.issuer)
    yield speech(words.KEY), _code(in_groups(person.key))
    how = person.parameters
    if how.type == "hotp":
        yield speech(words.KIND), _text(speech(words.BY_COUNTER))
    if how.algorithm != _USUAL.algorithm:
        yield speech(words.ALGORITHM), _text(how.algorithm)
    if how.digits != _USUAL.digits:
        yield speech(words.DIGITS), _text(str(how.digits))
    if how.type == "totp" and how.period != _USUAL.period:
        yield speech(words.PERIOD), _text(speech(words.SECONDS, seconds=how.period))


def _recovery_codes(codes: Iterable[str], speech: Speech) -> str:
    items = "".join(f"<li>{_code(code)}</li>" for code in codes)
    return f"{_paragraph(speech(words.WITHOUT_PHONE))}<ul>{items}</ul>"


def _invitation(word: str, speech: Speech) -> str:
    return _box(
        f"<h2>{_text(speech(words.INVITATION))}</h2>{_paragraph(speech(words.IF_ASKED))}"
        f"<p>{_code(word)}</p>"
    )


def _section(parts: Iterable[str]) -> str:
    return "<section>\n{}\n</section>\n".format("\n".join(parts))


def _heading(text: str) -> str:
    return f"<h1>{_text(text)}</h1>"


def _paragraph(text: str) -> str:
    return f"<p>{_text(text)}</p>"


def _steps(steps: Iterable[str], drawn: str = "") -> str:
    """Return numbered sentences beside what is drawn (HTML)."""
    items = "".join(f"<li>{_text(step)}</li>" for step in steps)
    return f'<div class="steps"><ol>{items}</ol>{drawn}</div>'


def _list(rows: Iterable[tuple[str, str]]) -> str:
    items = "".join(f"<dt>{_text(name)}</dt><dd>{value}</dd>" for name, value in rows)
    return f"<dl>{items}</dl>"


def _box(content: str) -> str:
    return f'<div class="box">{content}</div>'


def _code(text: str) -> str:
    return f"<code>{_text(text)}</code>"


def _text(text: str) -> str:
    """Return text as HTML; what cannot be printed (control characters, what turns the
    direction of writing, what was no UTF-8) is replaced."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else "\ufffd" for c in text)
    return html.escape(text)
