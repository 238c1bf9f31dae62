"""`pam-totp account add | passwd | list | remove | grant-admin | revoke-admin`: people whom the
machine does not know."""

from __future__ import annotations

import json
from typing import Final

import click

from pam_totp.cli import asked
from pam_totp.cli.administrator import Administrator, noted
from pam_totp.cli.terminal import confirm, hint, local, plain, table
from pam_totp.cli.way_in import keep_a_way_in
from pam_totp.context import Context
from pam_totp.errors import PamTotpError
from pam_totp.local import upkeep
from pam_totp.local.account import LocalAccount
from pam_totp.local.upkeep import NoSuchAccount, one_time_password

_HEADERS: Final = ("Account", "Administrator", "Password", "Enrolled", "Disabled")
_ONE_TIME: Final = "Make a password for one sign-in, which sets another one, and show it."


class KnownToTheMachine(PamTotpError):
    """The name service knows the name."""


@click.command(short_help="Make a local account.")
@click.argument("name")
@click.option("--admin", is_flag=True, help="It may administer.")
@click.option("--one-time", is_flag=True, help=_ONE_TIME)
@click.pass_obj
def add(administrator: Administrator, name: str, *, admin: bool, one_time: bool) -> None:
    """Make a local account, for somebody who has no account of this machine.

    Its password is asked for twice, or is the first line of standard input where that is no
    terminal: 15 characters or more. It signs in at services that `stack enable --local` has
    turned on for it, and only where these do not look for an account of the machine: the VPN,
    not SSH.
    """
    world = administrator.context()
    if world.lookup(name) is not None:
        raise KnownToTheMachine(
            f"{name} is an account of this machine, with a password of its own",
            hint=administrator.command("enroll", name),
        )
    password = one_time_password() if one_time else _chosen(administrator)
    by = administrator.by(world)
    noted(world, upkeep.add(world.store, name, password, by, first=one_time, administrator=admin))
    click.echo(f"{name}: made{', an administrator' if admin else ''}")
    _hand_over(name, password, one_time=one_time)


@click.command(short_help="Give a local account another password.")
@click.argument("name")
@click.option("--one-time", is_flag=True, help=_ONE_TIME)
@click.pass_obj
def passwd(administrator: Administrator, name: str, *, one_time: bool) -> None:
    """Give the local account NAME another password; the old one is void."""
    world = administrator.context()
    _there(world, name)
    password = one_time_password() if one_time else _chosen(administrator)
    by = administrator.by(world)
    noted(world, upkeep.set_password(world.store, name, password, by, first=one_time))
    click.echo(f"{name}: the password is set")
    _hand_over(name, password, one_time=one_time)


@click.command("list", short_help="Show the local accounts.")
@click.option("--json", "as_json", is_flag=True, help="For scripts: print JSON.")
@click.pass_obj
def list_(administrator: Administrator, *, as_json: bool) -> None:
    """Show the local accounts: who administers, who has not signed in yet, who is disabled."""
    world = administrator.context()
    found = [(one, world.store.look(one.name)) for one in world.store.local_accounts.all()]
    if as_json:
        shown = [
            {
                "account": one.name,
                "administrator": one.administrator,
                "first": one.first,
                "created": local(one.created).isoformat(),
                "password_set": local(one.changed).isoformat(),
                "enrolled": state.enrolled is not None,
                "disabled": state.disabled is not None,
            }
            for one, state in found
        ]
        click.echo(json.dumps(shown, indent=2))
        return
    if not found:
        click.echo("no local accounts")
        hint(administrator.command("account", "add", "NAME"))
        return
    yes = {True: "yes", False: "no"}
    rows = [
        (
            one.name,
            yes[one.administrator],
            "for one sign-in" if one.first else f"own, of {local(one.changed):%Y-%m-%d}",
            yes[state.enrolled is not None],
            yes[state.disabled is not None],
        )
        for one, state in found
    ]
    table(_HEADERS, rows)


@click.command(short_help="Remove a local account.")
@click.argument("name")
@click.option("--force", is_flag=True, help="Even the last administrator who gets in.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def remove(administrator: Administrator, name: str, *, force: bool, yes: bool) -> None:
    """Remove the local account NAME, with its authenticators and recovery codes."""
    world = administrator.context()
    _there(world, name)
    keep_a_way_in(world, administrator, name, force=force)
    question = f"Remove {plain(name)}, its password and its authenticators?"
    confirm(question, yes=yes, instead=administrator.again("--yes"))
    noted(world, upkeep.remove(world.store, name, administrator.by(world)))
    click.echo(f"{plain(name)}: removed")


@click.command("grant-admin", short_help="Let a local account administer.")
@click.argument("name")
@click.pass_obj
def grant_admin(administrator: Administrator, name: str) -> None:
    """Let the local account NAME administer.

    An account of the machine administers by its group: see `administrator-groups` in
    pam-totp.yaml.
    """
    world = administrator.context()
    by = administrator.by(world)
    noted(world, upkeep.appoint(world.store, name, by, administrator=True))
    click.echo(f"{plain(name)}: an administrator")


@click.command("revoke-admin", short_help="Let a local account administer no more.")
@click.argument("name")
@click.option("--force", is_flag=True, help="Even the last administrator who gets in.")
@click.pass_obj
def revoke_admin(administrator: Administrator, name: str, *, force: bool) -> None:
    """Let the local account NAME administer no more."""
    world = administrator.context()
    _there(world, name)
    keep_a_way_in(world, administrator, name, force=force)
    by = administrator.by(world)
    noted(world, upkeep.appoint(world.store, name, by, administrator=False))
    click.echo(f"{plain(name)}: an administrator no more")


def _there(world: Context, name: str) -> LocalAccount:
    """Return a local account.  Raises NoSuchAccount."""
    found = world.store.local_accounts.get(name)
    if found is None:
        raise NoSuchAccount(f"there is no local account {name}", hint="pam-totp account list")
    return found


def _chosen(administrator: Administrator) -> str:
    return asked.chosen("Password", administrator.again("--one-time"))


def _hand_over(name: str, password: str, *, one_time: bool) -> None:
    if one_time:
        click.echo(f"\n    {password}\n")
        click.echo(
            f"Shown this once. The first sign-in of {name} sets another password and enrolls."
        )
