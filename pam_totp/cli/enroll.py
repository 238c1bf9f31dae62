"""`pam-totp enroll`: an authenticator is shown, proved by its code, and only then kept."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Final

import click

from pam_totp import enrollment, upkeep
from pam_totp.account import Credentials, Person
from pam_totp.cli import oneself
from pam_totp.cli.administrator import Administrator, account, noted, unknown
from pam_totp.cli.bulk import enroll_many, many_options
from pam_totp.cli.bulk_run import Many
from pam_totp.cli.enrolling import Manner, OnStore, as_json_object, drafted_of, run, spoken
from pam_totp.cli.enrollment_page import Page
from pam_totp.cli.papers import Papers, papers_options
from pam_totp.cli.terminal import hint, plain, say, terminal
from pam_totp.cli.token_options import TokenKind, token_options
from pam_totp.context import Context
from pam_totp.errors import EnrollmentError
from pam_totp.policy.resolve import asks_in
from pam_totp.policy.values import Mfa
from pam_totp.stack import services_using_module

_SHOWN: Final = """
It was enrolled without a code: the first right one confirms it, and from then
on nobody can see this again."""


@click.command(short_help="Give yourself, USER or many people an authenticator.")
@click.argument("user", required=False)
@click.option(
    "--name", metavar="NAME", help="What to call the authenticator; phone, or token for a token."
)
@token_options
@papers_options
@many_options
@click.option("--no-qr", is_flag=True, help="Draw no QR code on the terminal.")
@click.option("--no-confirm", is_flag=True, help="Enroll without asking for a code.")
@click.option(
    "--show", "again", is_flag=True, help="Show again what no code has confirmed yet (see --name)."
)
@click.option("--json", "as_json", is_flag=True, help="For scripts: print JSON (--no-confirm).")
@click.pass_obj
def enroll(  # noqa: PLR0913 -- one parameter for each option
    administrator: Administrator,
    user: str | None,
    *,
    many: Many,
    name: str | None,
    kind: TokenKind,
    papers: Papers,
    no_qr: bool,
    no_confirm: bool,
    again: bool,
    as_json: bool,
) -> None:
    """Give yourself, USER or each of many people an authenticator.

    Without USER it is your own, and takes no root: the service asks for your password, or for a
    code if you have one already.

    Shows its QR code, asks for the code that the app makes of it, and keeps it only if that is
    right. The first time it shows ten recovery codes, once.

    One that was enrolled by --no-confirm can be shown again until a code of it was right; after
    that nobody can see its secret, and `authenticator replace` gives another one.

    Of many people (--from, --group) no code is asked. Whoever has enrolled is left as they are;
    who has not used what they got is shown it again, so that a run that was cut short is simply
    run again.
    """
    many = replace(many, sheets=papers.sheet if many else None, codes=papers.codes, json=as_json)
    many.check(user)
    if not many and oneself.is_meant(administrator, user):
        if no_confirm or again or as_json:
            raise click.UsageError("--no-confirm, --show and --json go with USER, for root")
        oneself.enroll(administrator, kind, papers, name=name, draws=not no_qr)
        return
    if user is None:
        if papers.qr is not None or no_qr or again or kind.own_secret or kind.counter:
            raise click.UsageError(
                "--from and --group go with --sheet, --files, --recovery-codes, --json, --yes, "
                "--name and what codes are made of"
            )
        enroll_many(administrator, many, name or kind.usual_name, kind.parameters)
        return
    manner = Manner(draws=not no_qr, confirm=not (no_confirm or again), json=as_json)
    world = administrator.context()
    if again:
        if kind != TokenKind() or papers.codes or no_confirm:
            raise click.UsageError("--show goes with --name, --qr, --no-qr, --sheet and --json")
        _show_again(administrator, world, account(world, user), name or "", manner, papers)
        return
    person = world.person(user)
    if person is None:
        raise unknown(user)
    known = world.store.credentials(person.name)
    called = name or _free_name(administrator, person, known, kind.usual_name)
    limit = world.anywhere(person.name).authenticators
    wanted = kind.wanted(administrator.again("--no-confirm", "--json"))
    draft = enrollment.draft(world.store, person, called, world.now(), wanted, limit=limit)
    under_way = OnStore(administrator, world, draft, kind)
    run(administrator, world, under_way, manner, papers)
    if not as_json:
        if manner.confirm:
            done = "enrolled" if known is None else f"{plain(called)} added"
            click.echo(f"{plain(person.name)}: {done}")
        _say_what_counts(administrator, world, person.name)


def _free_name(
    administrator: Administrator, person: Person, known: Credentials | None, usual: str
) -> str:
    """Return what an authenticator is called where nobody says.  Raises EnrollmentError where
    that is taken: one more is to be added, or that one to be replaced."""
    if known is None or known.named(usual) is None:
        return usual
    others = ("tablet", *(f"{usual}-{number}" for number in range(2, 30)))
    free = next(name for name in others if known.named(name) is None)
    replace = administrator.command("authenticator", "replace", person.name, usual)
    raise EnrollmentError(
        f"{person.name} has an authenticator called {usual!r} already",
        hint=f"for one more: {administrator.again('--name', free)}; in its place: {replace}",
    )


def _say_what_counts(administrator: Administrator, world: Context, name: str) -> None:
    """Say so where no code will be asked for."""
    if world.anywhere(name).mfa is Mfa.OFF:
        say(f"the policy asks {plain(name)} for no code (mfa=off), whatever is enrolled")
        hint(administrator.command("policy", "explain", name))
    elif not any(asks_in(world.policy(), service) for service in services_using_module()):
        say("no service of this machine asks for codes yet")
        hint(administrator.command("stack", "enable", "sshd", "--try", "10m"))


def _show_again(  # noqa: PLR0913, PLR0917 -- who asks, of whom, and how it is shown
    administrator: Administrator,
    world: Context,
    name: str,
    called: str,
    manner: Manner,
    papers: Papers,
) -> None:
    shown = upkeep.show_again(world.store, name, called, administrator.by(world))
    noted(world, shown.event)
    drafted = drafted_of(world, name, shown.authenticator, shown.counter)
    with papers.written(drafted, (), world.speech(), lambda: False):
        if manner.json:
            click.echo(json.dumps(as_json_object(drafted, shown.authenticator.name), indent=2))
        elif papers == Papers():
            with terminal(administrator.again("--json")) as person:
                Page(drafted, spoken(world), draws=manner.draws).show(person)
                person.show(_SHOWN)
