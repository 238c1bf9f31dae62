"""`pam-totp account`: accounts as a whole."""

from __future__ import annotations

import syslog

import click

from pam_totp import disabling, locks
from pam_totp.cli import local_accounts
from pam_totp.cli.administrator import Administrator, noted
from pam_totp.cli.administrator import account as account_named
from pam_totp.cli.terminal import confirm, plain
from pam_totp.cli.way_in import keep_a_way_in


@click.group()
def account() -> None:
    """Accounts as a whole: who may sign in at all."""


@account.command(short_help="Refuse an account at every service.")
@click.argument("user")
@click.option("--reason", default="", metavar="TEXT", help="Why, for those who look later.")
@click.option("--force", is_flag=True, help="Even the last administrator who gets in.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def disable(
    administrator: Administrator, user: str, *, reason: str, force: bool, yes: bool
) -> None:
    """Refuse USER at every service that has a line of pam_totp.so.

    Whatever the policy says of the service and of USER, also where no code is asked for, with a
    right password or an SSH key. `account enable` lifts it, `unlock` does not.
    """
    world = administrator.context()
    name = account_named(world, user)
    keep_a_way_in(world, administrator, name, force=force)
    question = f"Refuse {plain(name)} at every service until you enable the account again?"
    confirm(question, yes=yes, instead=administrator.again("--yes"))
    by = administrator.by(world)
    noted(world, disabling.disable(world.store, name, by, reason))
    world.log(syslog.LOG_NOTICE, locks.begins_without_end(name, by.name, reason))
    enable_it = administrator.command("account", "enable", name)
    click.echo(f"{plain(name)}: disabled; sessions that are open go on. To lift it: {enable_it}")


@account.command(short_help="Let a disabled account sign in again.")
@click.argument("user")
@click.pass_obj
def enable(administrator: Administrator, user: str) -> None:
    """Let USER sign in again; locks stay."""
    world = administrator.context()
    name = account_named(world, user)
    noted(world, disabling.enable(world.store, name, administrator.by(world)))
    click.echo(f"{plain(name)}: enabled")


for _command in (
    local_accounts.add,
    local_accounts.passwd,
    local_accounts.list_,
    local_accounts.remove,
    local_accounts.grant_admin,
    local_accounts.revoke_admin,
):
    account.add_command(_command)
