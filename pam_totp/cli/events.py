"""`pam-totp events`: what happened, the newest last."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NoReturn

import click

from pam_totp.cli import moments
from pam_totp.cli.administrator import Administrator, account
from pam_totp.cli.terminal import local, plain, say, wrapped
from pam_totp.cli.words import words
from pam_totp.context import Context
from pam_totp.errors import StoreError, UnknownAccount
from pam_totp.event import Event
from pam_totp.store.protocol import Store
from pam_totp.verdict import Verdict

_VERDICTS: Final = tuple(verdict.value for verdict in Verdict)
_USUAL: Final = 100
_USUAL_BEFORE_FOLLOWING: Final = 10
_PAGE: Final = 5_000  # events that are read at once
_EVERY: Final = 0.5  # seconds between two looks
_COLUMNS: Final = "{:19}  {:12}  {:8}  {:15}  {}"
_INDENT: Final = 21 * " "  # below the account
_HEADERS: Final = ("Time", "Account", "Service", "From", "What")


class Moment(click.ParamType):
    """An option whose value is a moment, in UTC seconds once it is given the present one."""

    name = "moment"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Callable[[float], float]:
        """Check the form at once."""
        try:
            moments.parse(value, now=_DAY)
        except ValueError as error:
            self.fail(f"{value!r}: {error}", param, ctx)
        return lambda now: moments.parse(value, now)


_DAY: Final = 86_400.0  # any moment will do to check a form


@click.command()
@click.argument("user", required=False)
@click.option(
    "--since", type=Moment(), metavar="WHEN", help=f"From then on. WHEN is {moments.FORM}."
)
@click.option("--until", type=Moment(), metavar="WHEN", help="Before that.")
@click.option(
    "--verdict",
    "verdicts",
    multiple=True,
    type=click.Choice(_VERDICTS),
    metavar="VERDICT",
    help=f"Only logins that came to this; can be given several times. One of: "
    f"{', '.join(_VERDICTS)}.",
)
@click.option(
    "--acts", is_flag=True, help="Only what was done to accounts and the policy, and no logins."
)
@click.option("--service", metavar="NAME", help="Only logins to this service.")
@click.option(
    "--limit", type=click.IntRange(1), metavar="N", help="The newest N: 100; with --follow 10."
)
@click.option("--follow", "-f", is_flag=True, help="Show those to come as well, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="For scripts: one JSON object a line.")
@click.pass_obj
def events(  # noqa: PLR0913 -- one parameter for each option
    administrator: Administrator,
    user: str | None,
    *,
    since: Callable[[float], float] | None,
    until: Callable[[float], float] | None,
    verdicts: tuple[str, ...],
    acts: bool,
    service: str | None,
    limit: int | None,
    follow: bool,
    as_json: bool,
) -> None:
    """Show what happened, to USER or to all, the newest last.

    That is logins with what came of them, and what administrators and people themselves did.
    Logins that needed no code are in the log alone.
    """
    if follow and until:
        raise click.UsageError("--follow has no end, and does not go with --until")
    if acts and verdicts:
        raise click.UsageError("--acts are no verdicts, and do not go with --verdict")
    world = administrator.context()
    now = world.now()
    wanted = Wanted(
        account=_account(world, user),
        since=since(now) if since else 0.0,
        until=until(now) if until else None,
        verdicts=verdicts,
        acts=acts,
        service=service,
    )
    limit = limit or (_USUAL_BEFORE_FOLLOWING if follow else _USUAL)
    show = _show_json if as_json else _show_line
    if follow:
        _follow(world.store, wanted, limit, show)
    _all(world.store, wanted, limit, show)


_Show = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events are asked for; moments are UTC seconds."""

    account: str | None
    since: float
    until: float | None
    verdicts: tuple[str, ...]
    acts: bool
    service: str | None

    def __call__(self, event: Event) -> bool:
        """Whether it is one of them, beyond what the store is asked for."""
        return (
            (self.until is None or event.at < self.until)
            and (not self.verdicts or event.what in self.verdicts)
            and (not self.acts or event.what not in _VERDICTS)
            and (self.service is None or event.service == self.service)
        )


def _account(world: Context, user: str | None) -> str | None:
    """Return the account that was meant.  Logins of names that nobody has are kept as well."""
    if user is None:
        return None
    try:
        return account(world, user)
    except UnknownAccount:
        if world.store.events(user, 1):
            return user
        raise


def _newest(store: Store, wanted: Wanted, limit: int, after: int = 0) -> list[Event]:
    """Return the newest events that are wanted, the oldest of them first."""
    found: list[Event] = []
    before = None
    while len(found) < limit:
        page = store.events(wanted.account, _PAGE, since=wanted.since, after=after, before=before)
        found += filter(wanted, reversed(page))
        if len(page) < _PAGE:
            break
        before = page[0].id
    return found[:limit][::-1]


def _all(store: Store, wanted: Wanted, limit: int, show: _Show) -> None:
    found = _newest(store, wanted, limit)
    if not found:
        say("nothing of the kind is kept")
        return
    _head(show)
    for event in found:
        show(event)


def _follow(store: Store, wanted: Wanted, limit: int, show: _Show) -> NoReturn:
    """Show what is there and what comes, until Ctrl-C.

    It looks at the store and not at the service, which may come and go.
    """
    _head(show)
    seen, failed = 0, False
    while True:
        try:
            newest = max((event.id for event in store.events(limit=1)), default=0)
            found = _newest(store, wanted, limit if seen == 0 else _PAGE, seen)
        except StoreError as error:
            if not failed:  # said once, until it works again
                say(f"{plain(str(error))}; trying on")
            failed = True
        else:
            for event in found:
                show(event)
            failed, seen = False, max([seen, newest, *(event.id for event in found)])
        time.sleep(_EVERY)


def _head(show: _Show) -> None:
    if show is _show_line:
        click.echo(_COLUMNS.format(*_HEADERS))


def _show_line(event: Event) -> None:
    then = f"{local(event.at):%Y-%m-%d %H:%M:%S}"
    origin = event.rhost or event.tty
    columns = (then, *map(_cell, (event.account, event.service, origin)), plain(_what(event)))
    click.echo(wrapped(_COLUMNS.format(*columns).rstrip(), sys.stdout, _INDENT))


def _cell(text: str) -> str:
    """Return what a client chose, as one column.

    SECURITY: a name with blanks in it must not look like the columns behind it.
    """
    shown = plain(text)
    return '"{}"'.format(shown.replace('"', "\\x22")) if " " in shown else shown


def _what(event: Event) -> str:
    by = f" by {event.actor}" if event.actor else ""
    return f"{words(event)}{by}" + (f"; {event.detail}" if event.detail else "")


def _show_json(event: Event) -> None:
    record = {
        "id": event.id,
        "at": datetime.fromtimestamp(event.at, UTC).isoformat(timespec="milliseconds"),
        "account": event.account,
        "what": event.what,
        "words": words(event),
        "service": event.service,
        "rhost": event.rhost,
        "tty": event.tty,
        "authenticator": event.authenticator,
        "by": event.actor,
        "detail": event.detail,
    }
    click.echo(json.dumps(record))
