"""What a notice says, to a person and to a program."""

from __future__ import annotations

import email
from dataclasses import replace
from email import policy
from email.headerregistry import AddressHeader
from email.message import EmailMessage

import pytest

from pam_totp import config
from pam_totp.config import Config
from pam_totp.event import Event
from pam_totp.notices.channel import channel, mail, program
from pam_totp.notices.kind import Kind
from pam_totp.notices.message import Message, message
from pam_totp.notices.outbox import Waiting
from pam_totp.notices.run import NotSent
from pam_totp.speech import speech
from tests.unit.world import NOON

EVENT = Event(NOON, "alice", "x", "sshd", "192.0.2.7", "ssh", "phone", id=7)
LANGUAGES = ("en", "de")
HOSTILE = "x\r\nBcc: all@example.org\n\n\x00\x1b[2J\udcff" + "y" * 500


def said(kind: Kind, event: Event = EVENT, language: str = "en", times: int = 1) -> Message:
    """Return the message of an event."""
    return message(Waiting(kind, event, NOON, times), "example", speech(language))


def host(**options: object) -> Config:
    """Return a configuration."""
    return replace(config.parse("notify: mail", "a test"), **options)  # type: ignore[arg-type]


def sent(made: Message, loaded: Config | None = None) -> EmailMessage:
    """Return the mail as its reader's program takes it apart."""
    raw = bytes(mail(made, loaded or host()))
    assert raw.isascii()
    assert max(map(len, raw.splitlines())) <= 998
    return email.message_from_bytes(raw, policy=policy.default)  # type: ignore[return-value]


@pytest.mark.usefixtures("catalogs")
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_words(kind: Kind, language: str) -> None:
    """Each kind has a subject that names machine and account, and a text that says when, from
    where, and what to do; none leaves a place open."""
    made = said(kind, language=language)
    assert made.subject.startswith("example: ")
    assert "alice" in made.subject
    for part in ("2030-03-17", "sshd", "192.0.2.7", "example"):
        assert part in made.text
    assert made.text.count("\n\n") == 2
    assert not set("{}") & set(made.subject + made.text)


@pytest.mark.usefixtures("catalogs")
@pytest.mark.parametrize("kind", Kind)
def test_german_is_complete(kind: Kind) -> None:
    """No line of a German notice is an English one."""
    for event in (EVENT, replace(EVENT, actor="root"), replace(EVENT, rhost="")):
        english, german = (said(kind, event, language, times=2) for language in LANGUAGES)
        assert not {*english.text.split("\n")} & {*german.text.split("\n")} - {""}
        assert english.subject != german.subject


def test_a_text() -> None:
    """A notice is short, and reads like this."""
    made = said(Kind.RECOVERY_CODE_USED, replace(EVENT, authenticator="recovery-code"))
    assert made.subject == "example: a recovery code of alice was used"
    what, where, advice = made.text.split("\n\n")
    assert what == (
        "A recovery code of your account alice was used on example. It does not work again."
    )
    assert where.endswith("\nWhere: sshd, from 192.0.2.7")
    assert advice.startswith("If that was not you, ")


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (EVENT, "Where: sshd, from 192.0.2.7"),
        (replace(EVENT, rhost=""), "Where: sshd, at ssh"),
        (replace(EVENT, rhost="", tty=""), "Where: sshd"),
        (replace(EVENT, service="", actor="root"), "By: the administrator root, from 192.0.2.7"),
        (replace(EVENT, rhost="", actor="root"), "By: the administrator root"),
    ],
)
def test_from_where(event: Event, line: str) -> None:
    """A notice says where it came from as far as that is known, or which administrator it was."""
    assert said(Kind.ADDED, event).text.split("\n\n")[1].splitlines()[1:] == [line]


def test_of_an_unknown_place() -> None:
    """Where nothing is known of the place, nothing is said of it."""
    made = said(Kind.LOCKED_OWN, replace(EVENT, service="", rhost="", tty=""))
    assert "Where" not in made.text


def test_what_an_administrator_did() -> None:
    """What an administrator did is no reason to change a password."""
    assert "password" not in said(Kind.ENROLLED, replace(EVENT, actor="root")).text
    assert "password" in said(Kind.ENROLLED).text


def test_several() -> None:
    """A notice that stands for several says for how many."""
    assert "This has happened 97 times." in said(Kind.LOCKED, times=97).text
    assert "times" not in said(Kind.LOCKED).text
    assert said(Kind.LOCKED, times=97).facts["PAM_TOTP_TIMES"] == "97"


def test_hostile_values() -> None:
    """What a client sent is one line of printable characters wherever it goes: no value of it
    makes a line of the text, a header, or ends a variable."""
    hostile = replace(EVENT, rhost=HOSTILE, service=HOSTILE, tty=HOSTILE, authenticator=HOSTILE)
    made = said(Kind.ADDED, hostile)
    assert len(made.text.splitlines()) == len(said(Kind.ADDED).text.splitlines())
    for value in (made.subject, *made.facts.values()):
        assert value.isprintable()
        assert len(value) < 400
    headers = sent(made)
    assert headers["Bcc"] is None
    assert set(headers.keys()) == set(sent(said(Kind.ADDED)).keys())


@pytest.mark.parametrize(
    "account", ["-oQ/tmp", "a b", "|id", "/etc/x", ":include:/x", "a@b@c", "é", "a\nb", "a,b", '"a']
)
def test_names_that_make_no_address(account: str) -> None:
    """A name that a mail program could take for something else is mailed to nobody, and the
    error says what to do."""
    with pytest.raises(NotSent, match="makes no mail address") as caught:
        mail(said(Kind.LOCKED, replace(EVENT, account=account)), host())
    assert caught.value.hint
    assert caught.value.final


@pytest.mark.usefixtures("catalogs")
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_mail(language: str) -> None:
    """The mail is what RFC 5322 asks for, says that a program wrote it (RFC 3834), and its text
    comes through whole, umlauts included."""
    made = said(Kind.LOCKED_FOR_GOOD, language=language)
    read = sent(made, host(notify_mail="{account}@example.org", notify_from="it@example.org"))
    assert isinstance(read["To"], AddressHeader)
    assert [str(address) for address in read["To"].addresses] == ["alice@example.org"]
    assert (read["From"], read["Auto-Submitted"]) == ("it@example.org", "auto-generated")
    assert read["Date"].datetime.timestamp() == NOON
    assert read["Subject"] == made.subject
    assert read.get_content() == made.text


def test_one_that_is_sent_twice() -> None:
    """A notice that is sent again has the same Message-ID, another one another."""
    first = sent(said(Kind.LOCKED))["Message-ID"]
    assert first == sent(said(Kind.LOCKED))["Message-ID"]
    assert first != sent(said(Kind.LOCKED, replace(EVENT, id=8)))["Message-ID"]


def test_ways() -> None:
    """Off is no way, mail is sendmail's, and a command is its own."""
    off = host(notify=None)
    assert (channel(off), program(off)) == (None, None)
    assert program(host()) == "/usr/sbin/sendmail"
    assert program(host(notify=("/bin/tell", "x"))) == "/bin/tell"
