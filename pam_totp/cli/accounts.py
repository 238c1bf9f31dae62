"""`pam-totp lock`, `unlock`, `reset`: what administrators do to accounts."""

from __future__ import annotations

import syslog

import click

from pam_totp import administration, locks
from pam_totp.administration import Status
from pam_totp.cli.administrator import Administrator, account, noted
from pam_totp.cli.terminal import confirm, plain
from pam_totp.context import Context
from pam_totp.policy.values import Mfa


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


@click.command()
@click.argument("user")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def reset(administrator: Administrator, user: str, *, yes: bool) -> None:
    """Remove USER's authenticators and recovery codes.

    Until USER enrolls again, the policy says whether the password alone is enough to log in.
    Locks stay.
    """
    world = administrator.context()
    name = account(world, user)
    before = administration.status(world.store, name, world.now(), world.limits(name))
    if not before.enrolled:
        # No failure, so that a script may say it twice.
        click.echo(f"{plain(name)}: not enrolled, nothing to reset")
        return
    what = f" ({', '.join(before.authenticators)})" if before.authenticators else ""
    confirm(
        f"Remove authenticators{plain(what)} and recovery codes of {plain(name)}?\n"
        f"Until the next enrollment {_meanwhile(world, name)}.",
        yes=yes,
        instead=administrator.command("reset", user, "--yes"),
    )
    now, by = world.now(), administrator.name
    noted(world, administration.reset(world.store, name, now, by, origin=administrator.origin))
    click.echo(f"{plain(name)}: reset; to enroll anew: {administrator.command('enroll', name)}")
    if before.locked != "no":
        click.echo(f"{plain(name)}: still locked; {administrator.command('unlock', name)}")


def _meanwhile(world: Context, name: str) -> str:
    """Return what becomes of the logins of somebody who has nothing enrolled."""
    if world.anywhere(name).mfa is Mfa.REQUIRED:
        return "logins are refused where the policy requires a code"
    return "the password alone is enough to log in"


def _held(world: Context, name: str, found: Status) -> bool:
    """Whether any lock holds, one of an address or of the person's own programs included."""
    timed = world.store.timed_locks(world.now())
    return found.locked != "no" or any(lock.account == name for lock in timed)
