"""`pam-totp lock`, `unlock`: what administrators do to accounts."""

from __future__ import annotations

import syslog

import click

from pam_totp import administration, locks
from pam_totp.administration import Status
from pam_totp.cli.administrator import Administrator, account, noted
from pam_totp.cli.terminal import confirm, plain
from pam_totp.context import Context


@click.command()
@click.argument("user")
@click.option("--reason", default="", metavar="TEXT", help="Why, for those who look later.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def lock(administrator: Administrator, user: str, *, reason: str, yes: bool) -> None:
    """Refuse USER, even with a right code, until `unlock`."""
    world = administrator.context()
    name = account(world, user)
    instead = administrator.command("lock", user, "--yes")
    confirm(f"Lock {plain(name)} out until you unlock it?", yes=yes, instead=instead)
    now, by = world.now(), administrator.name
    origin = administrator.origin
    noted(world, administration.lock(world.store, name, now, by, reason, origin=origin))
    world.log(syslog.LOG_NOTICE, locks.begins_without_end(name, by, reason))
    click.echo(f"{plain(name)}: locked; to lift it: {administrator.command('unlock', name)}")


@click.command()
@click.argument("user")
@click.pass_obj
def unlock(administrator: Administrator, user: str) -> None:
    """Lift every lock of USER, and forget the failures."""
    world = administrator.context()
    name = account(world, user)
    before = administration.status(world.store, name, world.now(), world.limits(name))
    held = _held(world, name, before)
    now, by = world.now(), administrator.name
    noted(world, administration.unlock(world.store, name, now, by, origin=administrator.origin))
    if held:
        world.log(syslog.LOG_NOTICE, locks.lifted(name, by))
    was = "unlocked" if held else "the account was not locked"
    click.echo(f"{plain(name)}: {was}; wrong codes and passwords until now count no longer")


def _held(world: Context, name: str, found: Status) -> bool:
    """Whether any lock holds, one of an address or of the person's own programs included."""
    timed = world.store.timed_locks(world.now())
    return found.locked != "no" or any(lock.account == name for lock in timed)
