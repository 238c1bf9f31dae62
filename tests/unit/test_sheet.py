"""Sheets as HTML; that they are printed and read is tried in tests/system."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from pam_totp import picture, sheet
from pam_totp.otp import Parameters
from pam_totp.sheet import InvitationPage, Page, RecoveryPage
from pam_totp.speech import speech
from pam_totp.words import sheet as words

ENGLISH = speech("en")
KEY = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
URI = f"otpauth://totp/Example:alice?secret={KEY}&issuer=Example"
CODES = tuple(f"rc-7k2mq-x9d4w-hn3v{last}" for last in "abcdefghjk")
WORD = "in-7k2mq-x9d4w-hn3ve"
NASTY = """'"><script src=https://example.com/x.js>alert(1)</script>&amp;{0}%s"""


class Reader(HTMLParser):
    """What a browser makes of a document: its tags, and the text of each kind of element."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(document)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open.append(tag)
        self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        while self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self._open:
            self.texts[self._open[-1]][-1] += data


def document(*pages: str) -> Reader:
    """Return what stands in a document of these pages."""
    return Reader(sheet.begin("Sheets", ENGLISH) + "".join(pages) + sheet.end())


def test_a_page_has_what_the_app_needs() -> None:
    """A page has greeting, account, issuer, QR code, key in groups of four, four sentences."""
    page = sheet.page(Page("alice", "Example", URI, KEY), ENGLISH)
    read = document(page)
    assert read.texts["h1"] == ["Hello alice,"]
    assert read.texts["dt"] == ["Account", "Issuer", "Key"]
    assert read.texts["dd"][:2] == ["alice", "Example"]
    assert read.texts["code"] == ["ABCD EFGH IJKL MNOP QRST UVWX YZ23 4567"]
    assert len(read.texts["li"]) == 4
    assert "the 6 digits" in read.texts["li"][2]
    assert "destroy this sheet" in read.texts["li"][3]
    assert picture.svg_inline(URI) in page


def test_recovery_codes_change_what_to_do_with_the_sheet() -> None:
    """Where recovery codes are printed, the sheet is to be kept and not destroyed."""
    read = document(sheet.page(Page("alice", "Example", URI, KEY, recovery_codes=CODES), ENGLISH))
    assert tuple(read.texts["code"][1:]) == CODES
    assert "Lock this sheet away" in read.texts["li"][3]


def test_unusual_settings_are_said() -> None:
    """What differs from the usual is said with a warning; what does not is not."""
    unusual = Page("alice", "Example", URI, KEY, Parameters("SHA256", 8, 60))
    read = document(sheet.page(unusual, ENGLISH))
    assert read.texts["dt"][3:] == ["Algorithm", "Digits", "Period"]
    assert read.texts["dd"][3:] == ["SHA256", "8", "60 seconds"]
    assert "Google Authenticator" in read.texts["p"][1]
    counted = Page("alice", "Example", URI, KEY, Parameters(type="hotp"))
    read = document(sheet.page(counted, ENGLISH))
    assert (read.texts["dt"][3:], read.texts["dd"][3:]) == (["Kind"], ["by counter (HOTP)"])


def test_codes_and_invitations_alone() -> None:
    """Recovery codes and an invitation have sheets of their own, without a QR code."""
    codes = document(sheet.recovery_page(RecoveryPage("alice", "Example", CODES), ENGLISH))
    assert tuple(codes.texts["code"]) == CODES
    invited = InvitationPage("alice", "Example", WORD, "2027-02-01 14:20", "ssh host")
    invitation = document(sheet.invitation_page(invited, ENGLISH))
    assert invitation.texts["code"] == [WORD]
    assert "2027-02-01 14:20" in invitation.texts["p"][0]
    assert invitation.texts["p"][-1] == "ssh host"
    for read in (codes, invitation):
        assert "svg" not in read.texts
        assert "alice" in read.texts["h1"][0]


def test_an_invitation_on_a_page() -> None:
    """Somebody who is given an invitation as well finds it on their page."""
    read = document(sheet.page(Page("alice", "Example", URI, KEY, invitation=WORD), ENGLISH))
    assert read.texts["code"][1] == WORD


def test_in_german_every_word_is_german(catalogs: Path) -> None:
    """A German document says so to the browser, and nothing of it is left in English."""
    german = speech("de_DE.UTF-8")
    assert '<html lang="de">' in sheet.begin("Blätter", german)
    assert '<html lang="en">' in sheet.begin("Sheets", ENGLISH)
    texts = [text for name, text in vars(words).items() if name.isupper() and isinstance(text, str)]
    assert len(texts) > 20
    assert [text for text in texts if german(text) == text] == []


def test_it_needs_nothing_and_runs_nothing() -> None:
    """A document, with names that try, has no script, and refers to no other place."""
    page = sheet.page(Page(NASTY, NASTY, URI, KEY, recovery_codes=[NASTY]), ENGLISH)
    invited = sheet.invitation_page(InvitationPage(NASTY, NASTY, WORD, NASTY, NASTY), ENGLISH)
    codes = sheet.recovery_page(RecoveryPage(NASTY, NASTY, [NASTY]), ENGLISH)
    text = sheet.begin(NASTY, ENGLISH) + page + invited + codes + sheet.end()
    read = Reader(text)
    assert read.texts["title"] == [NASTY]
    assert read.texts["h1"] == [
        f"Hello {NASTY},",
        f"Invitation for {NASTY}",
        f"Recovery codes for {NASTY}",
    ]
    assert not {tag for tag, _ in read.tags} & {"script", "link", "img", "iframe", "object", "a"}
    names = {name for _, attributes in read.tags for name in attributes}
    assert not {name for name in names if name in ("src", "href") or name.startswith("on")}
    assert not re.search(r"url\(|@import", text)
    policy = [attributes for tag, attributes in read.tags if tag == "meta"][1]
    assert policy["http-equiv"] == "Content-Security-Policy"
    assert "default-src 'none'" in (policy["content"] or "")


@given(st.text(max_size=60), st.text(max_size=60))
@settings(max_examples=50, deadline=None)
def test_no_name_leaves_its_place(account: str, issuer: str) -> None:
    """Whatever somebody is called, the document has the same tags, and can be written."""
    person = Page(account + "\udcff\0\u202e", issuer, URI, KEY)
    page = sheet.page(person, ENGLISH)
    usual = sheet.page(Page("alice", "Example", URI, KEY), ENGLISH)
    assert document(page).tags == document(usual).tags
    assert not {"\0", "\u202e", "\udcff"} & set(page)
    assert page.encode()


def test_secrets_do_not_show_themselves() -> None:
    """The text of a page's object holds no key, code or word."""
    pages = (
        Page("alice", "Example", URI, KEY, recovery_codes=CODES, invitation=WORD),
        RecoveryPage("alice", "Example", CODES),
        InvitationPage("alice", "Example", WORD, "2027-02-01 14:20"),
    )
    for page in pages:
        assert not any(secret in repr(page) for secret in (KEY, WORD, *CODES))
        assert "alice" in repr(page)
