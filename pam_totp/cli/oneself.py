"""Who looks after their own account: the commands without USER, over admin.socket.

The service knows from the kernel who asks, and decides; nothing here needs root.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import Any, Final

import click

from pam_totp import authenticator as authenticators
from pam_totp import clock, config, invitation
from pam_totp.cli.administrator import Administrator
from pam_totp.cli.enrollment_page import Drafted, Kept, Page, Wrong
from pam_totp.cli.papers import Papers
from pam_totp.cli.terminal import Terminal, plain, terminal
from pam_totp.cli.token_options import TokenKind
from pam_totp.enrollment import TRIES
from pam_totp.errors import ConfigError, EnrollmentError
from pam_totp.outward import clock_at
from pam_totp.selfservice.client import Account, Client, Refused, Shown
from pam_totp.speech import Speech, language_of, speech
from pam_totp.verdict import Verdict
from pam_totp.words import console, enrollment, login, selfservice

Command = Callable[..., None]
_AGAIN: Final = frozenset(
    {
        Verdict.WRONG_CODE.value,
        Verdict.REPEATED_CODE.value,
        Verdict.REPLAYED_CODE.value,
        Verdict.WRONG_PASSWORD.value,
        Verdict.WRONG_INVITATION.value,
    }
)
_AT_A_TERMINAL: Final = "run it at a terminal, for instance by ssh -t"


def is_meant(administrator: Administrator, user: str | None) -> bool:
    """Whether a command is about the account of whoever runs it.

    Raises click.UsageError for root by way of sudo, who can mean either account.
    """
    if user is None:
        called = os.environ.get("SUDO_USER", "root")
        if os.geteuid() == 0 and called != "root":
            mine = administrator.again()
            raise click.UsageError(
                f"whose? For your own account leave out sudo: {mine}; else name the USER"
            )
        return True
    return administrator.is_usual and os.geteuid() != 0 and user == _own_name()


class Oneself:
    """A conversation with the service about one's own account."""

    def __init__(self, client: Client) -> None:
        language = language_of(os.environ)
        self.client = client
        self.account: Account = client.hello(language)
        self.say: Speech = speech(language)

    def must_have_enrolled(self, enroll: str) -> None:
        """Raise EnrollmentError where there is nothing yet to change; `enroll` is how there is."""
        if not self.account.enrolled:
            raise EnrollmentError(self.say(selfservice.NOT_ENROLLED), hint=enroll)

    def locked(self) -> str:
        """Return until when the account is locked, in words, "" where it is not."""
        account = self.account
        if account.locked_until is not None:
            return self.say(console.LOCKED_UNTIL, clock=clock_at(account.locked_until, clock.now()))
        if account.locked == "administrator":
            return self.say(login.LOCKED_BY_ADMINISTRATOR)
        return ""

    def must_be_open(self) -> None:
        """Raise EnrollmentError where the person may change nothing, now or at all."""
        if not self.account.self_enrollment:
            raise EnrollmentError(self.account.why_not)
        locked = self.locked()
        if locked:
            raise EnrollmentError(locked)

    def prove(self, person: Terminal) -> None:
        """Let the person prove who it is, as the service wants it.  Raises Refused."""
        self.must_be_open()
        either = self.account.proves == (("password",), ("invitation",))
        if either:
            self._until_right(person, "password", console.ASK_PASSWORD_OR_INVITATION)
            return
        for kind in self.account.proves[0]:
            self._until_right(person, kind, _QUESTIONS[kind])

    def _until_right(self, person: Terminal, kind: str, question: str) -> None:
        for left in reversed(range(TRIES)):
            given = _given(person, self.say(question), hidden=kind == "password")
            is_word = question == console.ASK_PASSWORD_OR_INVITATION
            is_word = is_word and invitation.normalise(given) is not None
            try:
                self.client.prove("invitation" if is_word else kind, given)
            except Refused as refused:
                if refused.kind not in _AGAIN or not left:
                    raise
                person.show(str(refused))
            else:
                return


_QUESTIONS: Final = {
    "password": console.ASK_PASSWORD,
    "invitation": console.ASK_INVITATION,
    "code": console.ASK_PROOF,
}


class OverSocket:
    """An enrollment under way, whose draft the service holds."""

    def __init__(self, client: Client, shown: Shown) -> None:
        self._client = client
        self.is_kept = False
        self.drafted = Drafted(
            plain(shown.account),
            shown.issuer,
            shown.uris,
            shown.key,
            shown.parameters,
            shown.counter,
            token=not shown.key,
        )

    def confirm(self, code: str) -> Kept | Wrong:
        """Keep it if that is its code.  Raises Refused."""
        try:
            codes = self._client.confirm(code)
        except Refused as refused:
            if refused.kind != Verdict.WRONG_CODE.value:
                raise
            return Wrong(refused.drift, refused.tries_left)
        self.is_kept = True
        return Kept(codes)

    def kept(self) -> bool:
        """Whether it is enrolled."""
        return self.is_kept


@contextmanager
def conversation(administrator: Administrator) -> Iterator[Oneself]:
    """Talk with the service.  Raises ServiceGone, Refused."""
    with Client.connect(_directory(administrator)) as client:
        yield Oneself(client)


def enroll(  # noqa: PLR0913 -- what is enrolled, and how it is shown
    administrator: Administrator,
    kind: TokenKind,
    papers: Papers,
    *,
    name: str | None,
    draws: bool,
    replaces: str = "",
) -> None:
    """Give oneself an authenticator, the first, a further one, or one in place of another."""
    if papers.codes:
        raise click.UsageError("--recovery-codes is for administrators: yours are shown")
    with conversation(administrator) as oneself, terminal(_AT_A_TERMINAL) as person:
        if replaces:
            oneself.must_have_enrolled(administrator.command("enroll"))
        called = name or replaces or _free_name(administrator, oneself, kind.usual_name)
        oneself.prove(person)
        wanted = kind.wanted(_AT_A_TERMINAL)
        secret = f"base32:{authenticators.base32(wanted.secret)}" if wanted.secret else ""
        shown = oneself.client.draft(
            called, kind.parameters, replaces=replaces, secret=secret, counter=kind.counter
        )
        under_way = OverSocket(oneself.client, shown)
        page = Page(under_way.drafted, oneself.say, draws=draws)
        with papers.written(under_way.drafted, (), oneself.say, under_way.kept):
            kept = page.enroll(person, under_way, administrator.again())
        if kept.recovery_codes:
            person.show(f"{oneself.say(enrollment.NEW_ONES)}\n")
        done = console.REPLACED if replaces else console.ADDED
        person.show(oneself.say(done, name=plain(called), old=plain(replaces)))


def _free_name(administrator: Administrator, oneself: Oneself, usual: str) -> str:
    """Return what an authenticator is called where nobody says.  Raises EnrollmentError where
    that is taken: one more is to be added, or that one to be replaced."""
    taken = {one.name for one in oneself.account.devices}
    if usual not in taken:
        return usual
    free = next(n for n in ("tablet", *(f"{usual}-{i}" for i in range(2, 30))) if n not in taken)
    replace = administrator.command("authenticator", "replace", usual)
    raise EnrollmentError(
        oneself.say(console.TAKEN, name=usual),
        hint=oneself.say(
            console.MORE_OR_INSTEAD, more=administrator.again("--name", free), instead=replace
        ),
    )


def _directory(administrator: Administrator) -> Path:
    """Return where the service listens, which a person may not be let read."""
    with suppress(ConfigError):
        return config.load(administrator.path).runtime_directory
    return Path("/run/pam-totp")


def _own_name() -> str:
    with suppress(KeyError):
        return pwd.getpwuid(os.getuid()).pw_name
    return ""


def ask_again(person: Terminal, say: Speech) -> str:
    """Return a code of the app, asked for until something is typed."""
    return _given(person, say(enrollment.ASK))


def _given(person: Terminal, question: str, *, hidden: bool = False) -> str:
    """Return what was typed; Enter alone is no answer, and is asked again."""
    while True:
        typed = person.ask_hidden(question) if hidden else person.ask(question)
        if typed.strip():
            return typed


def whose_and(*names: str) -> Callable[[Command], Command]:
    """Give a command the arguments `[USER] NAME...`, of which the first may be left out."""

    def decorated(command: Command) -> Command:
        @click.argument("words", nargs=-1, metavar=" ".join(["[USER]", *map(str.upper, names)]))
        @wraps(command)
        def called(*args: Any, words: tuple[str, ...], **given: Any) -> None:
            if len(words) not in (len(names), len(names) + 1):
                wanted = " ".join(["[USER]", *map(str.upper, names)])
                raise click.UsageError(f"expected {wanted}")
            user = words[0] if len(words) > len(names) else None
            said = dict(zip(names, words[-len(names) :], strict=True))
            command(*args, user=user, **said, **given)

        return called

    return decorated
