"""What a notice says: to a person as a text, to a command as facts.

SECURITY: account, service, address and terminal are what a client sent.  Each is one line of
printable characters here, and no longer than it needs to be.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from pam_totp.event import Event
from pam_totp.notices.kind import Kind
from pam_totp.notices.outbox import Waiting
from pam_totp.speech import Speech
from pam_totp.words import notice as words

_LONGEST: Final = 200


@dataclass(frozen=True, slots=True)
class Words:
    """What is said of one kind: in the subject, of what happened, and what to do about it;
    `advised` is for what an administrator did."""

    subject: str
    happened: str
    advice: str
    advised: str = words.ASK


_WORDS: Final[Mapping[Kind, Words]] = {
    Kind.ENROLLED: Words(words.ENROLLED_SUBJECT, words.ENROLLED, words.SOMEBODY_GETS_IN),
    Kind.ADDED: Words(words.ADDED_SUBJECT, words.ADDED, words.SOMEBODY_GETS_IN),
    Kind.REPLACED: Words(words.REPLACED_SUBJECT, words.REPLACED, words.SOMEBODY_GETS_IN),
    Kind.REMOVED: Words(words.REMOVED_SUBJECT, words.REMOVED, words.SOMEBODY_GETS_IN),
    Kind.RECOVERY_CODES: Words(words.CODES_SUBJECT, words.CODES, words.SOMEBODY_GETS_IN),
    Kind.RECOVERY_CODE_USED: Words(words.USED_SUBJECT, words.USED, words.SOMEBODY_HAS_CODES),
    Kind.RESET: Words(words.RESET_SUBJECT, words.RESET, words.ASK),
    Kind.LOCKED: Words(words.LOCKED_SUBJECT, words.LOCKED, words.SOMEBODY_GUESSES),
    Kind.LOCKED_OWN: Words(words.OWN_SUBJECT, words.OWN, words.SOMEBODY_AT_SESSION),
    Kind.LOCKED_FOR_GOOD: Words(words.FOR_GOOD_SUBJECT, words.FOR_GOOD, words.SOMEBODY_KNOWS),
    Kind.LOCKED_BY_ADMINISTRATOR: Words(
        words.ADMINISTRATOR_SUBJECT, words.ADMINISTRATOR, words.ASK_WHY, words.ASK_WHY
    ),
}


@dataclass(frozen=True, slots=True)
class Message:
    """A notice in its reader's language; `facts` are for programs, by their names."""

    id: int
    account: str
    at: float
    subject: str
    text: str
    facts: Mapping[str, str]


def message(waiting: Waiting, host: str, speech: Speech) -> Message:
    """Return what a waiting notice says.  `host` is the machine's name."""
    event = _cleaned(waiting.event)
    said = _WORDS[waiting.kind]
    values = {
        "account": event.account,
        "host": host,
        "authenticator": event.authenticator,
        "service": event.service,
        "address": event.rhost,
        "tty": event.tty,
        "actor": event.actor,
        "when": _local(event.at),
        "count": str(waiting.times),
    }
    subject = speech(said.subject, **values)
    what = [said.happened] + ([words.SEVERAL] if waiting.times > 1 else [])
    advice = said.advised if event.actor else said.advice
    parts = (what, [words.WHEN, *_where(event)], [advice])
    text = "\n\n".join("\n".join(speech(one, **values) for one in part) for part in parts)
    facts = _facts(waiting, event, host, subject)
    return Message(event.id, event.account, event.at, subject, f"{text}\n", facts)


def _where(event: Event) -> list[str]:
    if event.actor:
        return [words.BY_FROM if event.rhost else words.BY]
    if not event.service:
        return []
    if event.rhost:
        return [words.SERVICE_FROM]
    return [words.SERVICE_AT if event.tty else words.SERVICE]


def _facts(waiting: Waiting, event: Event, host: str, subject: str) -> Mapping[str, str]:
    return {
        "PAM_TOTP_ID": str(event.id),
        "PAM_TOTP_WHAT": waiting.kind.value,
        "PAM_TOTP_ACCOUNT": event.account,
        "PAM_TOTP_HOST": host,
        "PAM_TOTP_AT": datetime.fromtimestamp(event.at, UTC).isoformat(timespec="seconds"),
        "PAM_TOTP_TIMES": str(waiting.times),
        "PAM_TOTP_SERVICE": event.service,
        "PAM_TOTP_ADDRESS": event.rhost,
        "PAM_TOTP_TTY": event.tty,
        "PAM_TOTP_AUTHENTICATOR": event.authenticator,
        "PAM_TOTP_BY": event.actor,
        "PAM_TOTP_SUBJECT": subject,
    }


def _cleaned(event: Event) -> Event:
    return replace(
        event,
        account=_line(event.account),
        service=_line(event.service),
        rhost=_line(event.rhost),
        tty=_line(event.tty),
        authenticator=_line(event.authenticator),
        actor=_line(event.actor),
    )


def _line(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text[:_LONGEST])


def _local(at: float) -> str:
    """Return a moment (UTC seconds) as this machine's clocks show it, with the zone's name."""
    return f"{datetime.fromtimestamp(at, UTC).astimezone():%Y-%m-%d %H:%M %Z}"
