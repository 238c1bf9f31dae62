"""`pam-totp test`: a login in the terminal, to see what a service asks and answers."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import click

from pam_totp import context
from pam_totp.cli import application
from pam_totp.cli.administrator import PROGRAM, Administrator
from pam_totp.cli.application import Converse, Step
from pam_totp.cli.terminal import Terminal, hint, plain, terminal
from pam_totp.cli.words import words
from pam_totp.context import Context
from pam_totp.errors import NameServiceError, PamTotpError
from pam_totp.event import Event
from pam_totp.policy.resolve import asks_in
from pam_totp.stack import MODULE, StackError, Tree
from pam_totp.verdict import Verdict

_LOG: Final = "journalctl --no-pager -t pam-totpd -n 20"
_SHOW_STACK: Final = f"{PROGRAM} stack show"
_CLOCK: Final = "date, and compare the phone's clock with it; timedatectl"
_UNLOCK: Final = f"{PROGRAM} unlock {{}}"
_STATUS: Final = f"{PROGRAM} status {{}}"
_WHAT_NEXT: Final = {
    Verdict.WRONG_CODE.value: _CLOCK,
    Verdict.REPEATED_CODE.value: "wait until the app shows another code",
    Verdict.REPLAYED_CODE.value: "wait until the app shows another code",
    Verdict.LOCKED.value: _UNLOCK,
    Verdict.LOCKED_SOURCE.value: _UNLOCK,
    Verdict.LOCKED_BY_ADMINISTRATOR.value: _STATUS,
    Verdict.DISABLED.value: f"{PROGRAM} account enable {{}}",
    Verdict.NOT_ENROLLED.value: f"{PROGRAM} enroll {{}}",
    Verdict.OTHER_UID.value: _STATUS,
}
_VERDICTS: Final = frozenset(verdict.value for verdict in Verdict)


class NoService(PamTotpError):
    """libpam has no stack of that name."""


@click.command("test")
@click.argument("service")
@click.argument("user", required=False)
@click.option("--rhost", default="", metavar="ADDRESS", help="Where the login says it is from.")
@click.option("--tty", default="", metavar="NAME", help="The terminal that it says it is on.")
@click.pass_obj
def test(
    administrator: Administrator, service: str, user: str | None, *, rhost: str, tty: str
) -> None:
    """Log in to SERVICE here, and say what came of it.

    USER is, if left out, whoever called sudo. Each prompt is shown as SERVICE would show it.
    No session is opened, but otherwise it is a real login: a right code is used up by it, and
    what is wrong counts. The exit status is 0 if it is let in, and 1 if not.
    """
    world = administrator.context()
    login = Login(service, user or administrator.name, rhost, tty)
    if not _rehearse(world, login, administrator.here):
        raise click.exceptions.Exit(1)


def rehearse(service: str, user: str, *, rhost: str = "") -> bool:
    """Let the person at the terminal log in to `service` as `user`, say what came of it, and
    return whether they are let in.

    Raises PamTotpError where there is no terminal, no such service or no answer.
    """
    return _rehearse(context.current(), Login(service, user, rhost), str)


@dataclass(frozen=True, slots=True)
class Login:
    """The login that is to be rehearsed."""

    service: str
    user: str
    rhost: str = ""
    tty: str = ""

    @property
    def items(self) -> dict[int, str]:
        """What the application tells libpam of it."""
        said = {application.PAM_RHOST: self.rhost, application.PAM_TTY: self.tty}
        return {item: value for item, value in said.items() if value}


def _rehearse(world: Context, login: Login, here: Callable[[str], str]) -> bool:
    if Tree().file(login.service) is None:
        raise NoService(
            f"there is no stack for {login.service!r}", hint=f"ls /etc/pam.d; {_SHOW_STACK}"
        )
    before = _newest(world)
    with terminal(f"{PROGRAM} test, at a terminal") as person:
        person.show(f"A real login to {plain(login.service)} as {_who(login)}:")
        person.show("a right code is used up by it, and what is wrong counts.\n")
        steps = application.log_in(login.service, login.user, login.items, _asks(person))
    verdict = _verdict(world, login, before)
    _tell(world, login, steps, verdict)
    if not steps[-1].succeeded or not _asks_us(login.service):
        hint(here(_what_next(login, steps, verdict)))
    return steps[-1].succeeded


def _who(login: Login) -> str:
    return plain(login.user + (f" from {login.rhost}" if login.rhost else ""))


def _asks(person: Terminal) -> Converse:
    """Show messages as an application does, and say which are no prompts."""

    def converse(style: int, said: str) -> str | None:
        # A directory's words may be among a module's.
        text = "\n".join(plain(line.expandtabs()) for line in said.split("\n"))
        if style == application.PAM_PROMPT_ECHO_OFF:
            return person.ask_hidden(text)
        if style == application.PAM_PROMPT_ECHO_ON:
            return person.ask(text)
        kind = "error" if style == application.PAM_ERROR_MSG else "information"
        person.show(f"[{kind}] {text}")
        return None

    return converse


def _newest(world: Context) -> int:
    """Return the number of the newest event."""
    return max((event.id for event in world.store.events(limit=1)), default=0)


def _verdict(world: Context, login: Login, after: int) -> Event | None:
    """Return the last verdict on this login, None if none was kept."""
    found = [
        event
        for event in world.store.events(_account(world, login.user), after=after)
        if event.what in _VERDICTS and (event.service, event.rhost) == (login.service, login.rhost)
    ]
    return found[-1] if found else None


def _account(world: Context, user: str) -> str:
    try:
        person = world.person(user)
    except NameServiceError:
        return user
    return person.name if person else user


def _tell(world: Context, login: Login, steps: list[Step], verdict: Event | None) -> None:
    width = max(len(step.name) for step in steps)
    for step in steps:
        click.echo(f"{step.name:{width}}  {step.words}")
    came = "let in" if steps[-1].succeeded else "refused"
    because = _without_verdict(world, login, steps)
    if verdict:
        because = "; ".join(filter(None, (words(verdict), verdict.detail)))
    if verdict and steps[0].succeeded != steps[-1].succeeded:
        because = f"{because}, and then refused by the account line of {login.service}"
    click.echo(f"{plain(login.user)}: {came}: {plain(because)}")


def _without_verdict(world: Context, login: Login, steps: list[Step]) -> str:
    """Say what it means that pam_totp has kept no verdict."""
    if not _asks_us(login.service):
        return f"{login.service} does not ask pam_totp"
    if not asks_in(world.policy(), login.service):
        return f"the policy does not name {login.service}, so pam_totp has no say there"
    if steps[-1].succeeded:
        return "no code was needed"
    return "the password was wrong, or another module of the stack refused"


def _asks_us(service: str) -> bool:
    try:
        return any(rule.line.name == MODULE for rule in Tree().stack(service, "auth"))
    except StackError:
        return False


def _what_next(login: Login, steps: list[Step], verdict: Event | None) -> str:
    """Return what to look at, a command where there is one."""
    name = shlex.quote(login.user)
    if verdict is None:
        return _SHOW_STACK if not _asks_us(login.service) else _LOG
    if steps[0].succeeded:
        return f"look at the account lines: {_SHOW_STACK}; {_LOG}"
    what = _WHAT_NEXT.get(verdict.what, f"{PROGRAM} events {{}}; {_LOG}")
    return what.format(name)
