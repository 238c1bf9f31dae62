"""`pam-totp authenticator rename | remove | replace`: what an account has is changed."""

from __future__ import annotations

import click

from pam_totp import enrollment, upkeep
from pam_totp.cli import oneself, oneself_upkeep
from pam_totp.cli.administrator import Administrator, account, noted, unknown
from pam_totp.cli.enrolling import Manner, OnStore, run
from pam_totp.cli.oneself import whose_and
from pam_totp.cli.papers import Papers, paper_options
from pam_totp.cli.terminal import confirm, plain
from pam_totp.cli.token_options import TokenKind, token_options
from pam_totp.resync import authenticator_of


@click.command(short_help="Call one something else.")
@whose_and("name", "new")
@click.pass_obj
def rename(administrator: Administrator, user: str | None, name: str, new: str) -> None:
    """Call the authenticator NAME, yours or that of USER, something else."""
    if oneself.is_meant(administrator, user) or user is None:
        oneself_upkeep.rename(administrator, name, new)
        return
    world = administrator.context()
    whose = account(world, user)
    event = upkeep.rename(world.store, whose, name, new, administrator.by(world))
    noted(world, event)
    click.echo(f"{plain(whose)}: {plain(name)} is called {plain(event.authenticator)} now")


@click.command(short_help="Remove one.")
@whose_and("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def remove(administrator: Administrator, user: str | None, name: str, *, yes: bool) -> None:
    """Remove the authenticator NAME, yours or that of USER: its codes count no longer.

    The only one cannot be removed: `replace` gives another one, `reset` starts over.
    """
    if oneself.is_meant(administrator, user) or user is None:
        oneself_upkeep.remove(administrator, name, yes=yes)
        return
    world = administrator.context()
    whose = account(world, user)
    # Before anybody is asked.
    others = upkeep.staying(world.store.credentials(whose), whose, name)
    confirm(
        f"Remove {plain(name)} of {plain(whose)}? Its codes count no longer then.",
        yes=yes,
        instead=administrator.again("--yes"),
    )
    noted(world, upkeep.remove(world.store, whose, name, administrator.by(world)))
    left = plain(", ".join(one.name for one in others))
    click.echo(f"{plain(whose)}: {plain(name)} removed; left: {left}")


@click.command(short_help="Put a new one in the place of one.")
@whose_and("old")
@click.option("--name", metavar="NEW", help="What to call the new one, if not as the old one.")
@token_options
@paper_options
@click.option("--no-qr", is_flag=True, help="Draw no QR code on the terminal.")
@click.option("--no-confirm", is_flag=True, help="Replace without asking for a code.")
@click.option("--json", "as_json", is_flag=True, help="For scripts: print JSON (--no-confirm).")
@click.pass_obj
def replace(  # noqa: PLR0913 -- one parameter for each option
    administrator: Administrator,
    user: str | None,
    old: str,
    *,
    name: str | None,
    kind: TokenKind,
    papers: Papers,
    no_qr: bool,
    no_confirm: bool,
    as_json: bool,
) -> None:
    """Put a new authenticator in the place of OLD, yours or that of USER.

    For a new phone. The new one is shown and proved by a code as `enroll` does it, and with
    that the old one is gone. The recovery codes stay.
    """
    if oneself.is_meant(administrator, user) or user is None:
        if no_confirm or as_json:
            raise click.UsageError("--no-confirm and --json go with USER, for root")
        draws = not no_qr
        oneself.enroll(administrator, kind, papers, name=name, draws=draws, replaces=old)
        return
    manner = Manner(draws=not no_qr, confirm=not no_confirm, json=as_json)
    world = administrator.context()
    person = world.person(user)
    if person is None:
        raise unknown(user)
    authenticator_of(world.store.credentials(person.name), person.name, old)
    draft = enrollment.draft(
        world.store,
        person,
        name or old,
        world.now(),
        kind.wanted(administrator.again("--no-confirm", "--json")),
        limit=world.anywhere(person.name).authenticators,
        replacing=old,
    )
    run(administrator, world, OnStore(administrator, world, draft, kind), manner, papers)
    if manner.confirm:
        named = "" if draft.authenticator.name == old else f" by {draft.authenticator.name}"
        click.echo(f"{plain(person.name)}: {plain(old + ' replaced' + named)}")
