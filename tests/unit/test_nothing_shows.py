"""No code, password or secret in a log line, an event, a repr or a traceback."""

from __future__ import annotations

import base64
import string
import traceback
from dataclasses import dataclass, replace
from typing import NoReturn

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pam_totp import administration, answer, enrollment
from pam_totp.decide import Attempt, Rules, Subject, decide
from pam_totp.errors import StoreError
from pam_totp.verdict import Verdict
from tests.unit.world import ALICE, CODE_PROMPT, NOON, PASSWORD_PROMPT, Phone, Talk, World


def forms(secret: bytes) -> list[str]:
    """Return the ways in which bytes are written."""
    base32 = base64.b32encode(secret).decode()
    return [
        repr(secret)[2:-1],
        secret.hex(),
        base32,
        base64.b64encode(secret).decode(),
        base32[:12],
    ]


def shown(text: str, *secrets: str) -> list[str]:
    """Return which secrets a text shows, whatever the case."""
    return [s for s in secrets if s and s.lower() in text.lower()]


def typed_code(phone: Phone, kind: str, now: float) -> str:
    """Return what somebody types as a code."""
    return {
        "right": phone.code(now),
        "wrong": phone.wrong(now)[0],
        "recovery": phone.recovery_codes[0],
        "word": "correct-horse-battery",
        "none": "",
    }[kind]


def everything_said(world: World) -> str:
    """Return all log lines and the texts of all events."""
    events = [repr(replace(event, at=0)) for event in world.events(None)]
    return "\n".join([*world.lines, *events])


@dataclass(frozen=True)
class Sent:
    """What a client sends: a password, a kind of code, packed in some form, to a line."""

    password: str
    kind: str
    packed: str
    line: str
    name_service_down: bool = False


SENT = st.builds(
    Sent,
    password=st.text(string.ascii_letters + "!#%&", min_size=12, max_size=20),
    kind=st.sampled_from(["right", "wrong", "recovery", "word", "none"]),
    packed=st.sampled_from(["prompt", "end", "scrv1", "broken scrv1"]),
    line=st.sampled_from(["check", "wrong_password", "collect, check", "collect, wrong_password"]),
    name_service_down=st.booleans(),
)


@given(SENT)
@example(Sent("x" * 12, "right", "scrv1", "collect, check"))
@example(Sent("x" * 12, "wrong", "broken scrv1", "collect, check"))
@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_login_shows_anything(world: World, sent: Sent) -> None:
    """Whatever somebody sends, at whichever line and in whichever form, no log line and no
    event shows the password, the code or the secret."""
    world.name_service_down = False
    world.clock.now += 10_000
    administration.reset(world.store, "alice", NOON, "root")
    phone, now = world.enroll(), world.clock.now
    world.name_service_down = sent.name_service_down
    code = typed_code(phone, sent.kind, now)
    login = world.login(Conversation(field(sent, code), code if sent.packed == "prompt" else ""))
    for line in sent.line.split(", "):
        if getattr(login, line)() is not Verdict.NOT_NEEDED:
            break
    assert world.lines
    secrets = [sent.password, code, *forms(phone.secret), *phone.recovery_codes]
    assert not shown(everything_said(world), *secrets)


class Conversation(Talk):
    """One that answers the two prompts as often as it is asked."""

    def __init__(self, password: str, code: str) -> None:
        super().__init__("alice")
        self.answers = {PASSWORD_PROMPT: password, CODE_PROMPT: code}

    def ask(self, prompt: str) -> str | None:
        return self.answers[prompt]


def field(sent: Sent, code: str) -> str:
    """Return the password field of a client."""
    if sent.packed == "prompt":
        return sent.password
    if sent.packed == "end":
        return sent.password + code
    parts = [base64.b64encode(part.encode()).decode() for part in (sent.password, code)]
    broken = sent.packed == "broken scrv1"
    return f"SCRV1:{sent.password}:{code}" if broken else ":".join(["SCRV1", *parts])


@pytest.fixture(name="phone")
def phone_fixture(world: World) -> Phone:
    """Alice has enrolled, and has logged in once, with a recovery code."""
    phone = world.enroll()
    world.check(phone.recovery_codes[0])
    return phone


def test_no_repr_shows_anything(world: World, phone: Phone) -> None:
    """No object that a login or an enrollment handles shows the secret or a recovery code in
    its repr, and what was typed is not shown by what it was taken apart into."""
    subject = world.store.subject("alice")
    parsed = answer.parse(phone.code(NOON))
    assert parsed is not None
    attempt = Attempt(ALICE, parsed, "", NOON, "192.0.2.7")
    made = decide(attempt, subject, Rules())
    drafted = enrollment.draft(world.store, ALICE, "tablet", NOON)
    first = enrollment.draft(world.store, replace(ALICE, name="carol"), "phone", NOON)
    texts = repr([subject, made, drafted, first, world.context, world.login(Talk("alice"))])
    for draft in (drafted, first):
        assert not shown(texts, *forms(draft.authenticator.secret.reveal()), *draft.recovery_codes)
    assert not shown(texts, *forms(phone.secret), *phone.recovery_codes, "k" * 32)
    taken_apart = [
        attempt,
        parsed,
        answer.split_code_from_end("hunter2" + phone.code(NOON), 6),
        answer.split_static_challenge("SCRV1:aHVudGVyMg==:MTIzNDU2"),
    ]
    assert not shown(repr(taken_apart), phone.code(NOON), "hunter2", "123456")
    assert parsed.digits == phone.code(NOON)


@pytest.mark.parametrize("error", [StoreError("disk full"), RuntimeError("a fault of ours")])
@pytest.mark.parametrize("kind", ["right", "wrong", "recovery", "word"])
def test_no_traceback_shows_anything(
    world: World, phone: Phone, monkeypatch: pytest.MonkeyPatch, error: Exception, kind: str
) -> None:
    """Where the store fails in the middle of a decision, neither the traceback of what comes
    out nor the log line shows what was typed."""
    code = typed_code(phone, kind, NOON)

    def fail(_account: str, _source: str, decision: object) -> NoReturn:
        assert callable(decision)
        decision(Subject(None, world.store.look("alice"), world.store.subject("alice").source))
        raise error

    monkeypatch.setattr(world.store, "step", fail)
    text = ""
    try:
        assert world.check(code) is Verdict.UNAVAILABLE
    except RuntimeError as caught:
        text = "".join(traceback.format_exception(caught))
        assert "a fault of ours" in text
    assert not shown(text + "".join(world.lines), code, *forms(phone.secret))


@pytest.mark.parametrize(
    "field", ["SCRV1:hunter2!:123456", "SCRV1:aHVudGVyMoA=:MTIzNDU2", "SCRV1:aHVudGVyMgA=:MTIzNDU2"]
)
def test_no_traceback_of_a_malformed_field(field: str) -> None:
    """Taking a malformed static challenge apart fails without showing what was in it."""
    try:
        answer.split_static_challenge(field)
    except answer.Malformed as error:
        text = "".join(traceback.format_exception(error))
    assert "Malformed" in text
    assert not shown(text, "hunter2", "aHVudGVyM", "123456", "MTIzNDU2")
