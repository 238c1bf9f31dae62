"""`pam-totp reset`: the phone is gone, or somebody else has it."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

import click

from pam_totp import administration
from pam_totp.administration import Status
from pam_totp.cli import invite
from pam_totp.cli.administrator import Administrator, account, noted
from pam_totp.cli.invite import Given
from pam_totp.cli.papers import sheet_option
from pam_totp.cli.terminal import NoTerminal, Terminal, confirm, hint, plain, terminal
from pam_totp.context import Context
from pam_totp.errors import NameServiceError
from pam_totp.policy.values import Mfa


@click.command(short_help="Remove USER's authenticators, for a phone that is gone.")
@click.argument("user")
@click.option("--no-invitation", is_flag=True, help="Give no invitation out.")
@invite.valid_option
@sheet_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="For scripts: print JSON (--yes).")
@click.pass_obj
def reset(  # noqa: PLR0913 -- one parameter for each option
    administrator: Administrator,
    user: str,
    *,
    no_invitation: bool,
    valid: int,
    sheet_file: Path | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Remove USER's authenticators and recovery codes, and give out an invitation.

    To enroll anew USER needs the invitation, whatever the policy says: somebody else may have
    the phone, and know the password. An administrator's `enroll USER` needs none. Until then
    the policy says whether the password alone is enough to log in. Locks stay.
    """
    if as_json and not yes:
        raise click.UsageError("--json asks nothing and goes with --yes")
    if no_invitation and sheet_file:
        raise click.UsageError("with --no-invitation there is nothing for a --sheet")
    world = administrator.context()
    name = account(world, user)
    before = administration.status(world.store, name, world.now(), world.limits(name))
    if not before.enrolled:
        _say_nothing_to_do(name, as_json=as_json)
        return
    _ask(administrator, world, before, yes=yes)
    gone = _is_gone(world, name)
    no_invitation = no_invitation or gone
    with ExitStack() as opened:
        at = None if no_invitation or as_json or sheet_file else _terminal(opened)
        wanted = not no_invitation and (at or as_json or sheet_file)
        given = invite.made(administrator, world, valid) if wanted else None
        with invite.on_sheet(world, sheet_file, name, given):
            _reset(administrator, world, name, given)
        if at is not None and given is not None:
            invite.show(world, at, name, given)
    if as_json:
        click.echo(json.dumps({"reset": True} | invite.as_json_object(name, given), indent=2))
    elif gone:
        click.echo(f"{plain(name)}: reset")
    else:
        _say_what_next(administrator, before, given)


def _say_nothing_to_do(name: str, *, as_json: bool) -> None:
    """Say that there was nothing; no failure, so that a script may say it twice."""
    if as_json:
        click.echo(json.dumps({"reset": False} | invite.as_json_object(name, None), indent=2))
    else:
        click.echo(f"{plain(name)}: not enrolled, nothing to reset")


def _ask(administrator: Administrator, world: Context, before: Status, *, yes: bool) -> None:
    name = before.account
    what = f" ({', '.join(before.authenticators)})" if before.authenticators else ""
    confirm(
        f"Remove authenticators{plain(what)} and recovery codes of {plain(name)}?\n"
        f"Until the next enrollment {_meanwhile(world, name)}.",
        yes=yes,
        instead=administrator.again("--yes"),
    )


def _meanwhile(world: Context, name: str) -> str:
    """Return what becomes of the logins of somebody who has nothing enrolled."""
    if world.anywhere(name).mfa is Mfa.REQUIRED:
        return "logins are refused where the policy requires a code"
    return "the password alone is enough to log in"


def _is_gone(world: Context, name: str) -> bool:
    """Whether nobody has the name any more, so that nobody can enroll under it."""
    try:
        return world.person(name) is None
    except NameServiceError:
        return False


def _terminal(opened: ExitStack) -> Terminal | None:
    """Return where the invitation is shown.  A phone that somebody has must not count on: where
    there is no terminal the reset goes on, without an invitation."""
    try:
        return opened.enter_context(terminal(""))
    except NoTerminal:
        return None


def _reset(administrator: Administrator, world: Context, name: str, given: Given | None) -> None:
    kept = given.kept if given else None
    now, by, origin = world.now(), administrator.name, administrator.origin
    noted(world, administration.reset(world.store, name, now, by, kept, origin=origin))


def _say_what_next(administrator: Administrator, before: Status, given: Given | None) -> None:
    name = plain(before.account)
    click.echo(f"{name}: reset; enrolling anew takes an invitation")
    if given is None:
        one = administrator.command("invite", before.account)
        hint(f"{one}; or enroll {name} yourself: {administrator.command('enroll', before.account)}")
    if before.locked != "no":
        click.echo(f"{name}: still locked; {administrator.command('unlock', before.account)}")
