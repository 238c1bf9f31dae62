"""`pam-totp status`, `lock`, `unlock`, `reset`: what administrators see and do."""

from __future__ import annotations

import json
import math
import syslog
from dataclasses import replace
from typing import Any

import click

from pam_totp import administration, locks
from pam_totp.administration import Status
from pam_totp.cli.administrator import Administrator, account, noted
from pam_totp.cli.terminal import confirm, hint, local, many, moment, plain, say, table
from pam_totp.context import Context
from pam_totp.errors import NameServiceError, StoreError

_HEADERS = (
    "Account",
    "Enrolled",
    "Locked",
    "Authenticators",
    "Recovery\ncodes",
    "Wrong\ncodes",
    "Last used",
)
_UNBROKEN = ("Locked", "Last used")


@click.command()
@click.argument("user", required=False)
@click.option("--json", "as_json", is_flag=True, help="For scripts: print JSON.")
@click.pass_obj
def status(administrator: Administrator, user: str | None, *, as_json: bool) -> None:
    """Show who has enrolled and who is locked out.

    In JSON `locked` is "no", "until" (until `locked_until`, after wrong codes) or
    "administrator" (until `unlock`).
    """
    world = administrator.context()
    now = world.now()
    if user is not None:
        name = account(world, user)
        found = _seen(world, administration.status(world.store, name, now, world.limits(name)))
        if as_json:
            click.echo(json.dumps(_as_json(found), indent=2))
        else:
            _show_one(administrator, found, now)
        return
    known = administration.all_statuses(world.store, now, world.limits)
    everyone = [_seen(world, one) for one in known]
    if as_json:
        click.echo(json.dumps([_as_json(one) for one in everyone], indent=2))
    elif everyone:
        _show_all(administrator, everyone, now)
    else:
        say("nobody has enrolled yet")
        hint(f"{administrator.command('enroll')} USER")


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
    noted(world, administration.lock(world.store, name, world.now(), administrator.name, reason))
    line = locks.begins_without_end(name, administrator.name, reason)
    world.log(syslog.LOG_NOTICE, line)
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
    noted(world, administration.unlock(world.store, name, world.now(), administrator.name))
    if held:
        world.log(syslog.LOG_NOTICE, locks.lifted(name, administrator.name))
    was = "unlocked" if before.locked != "no" else "the account was not locked"
    click.echo(f"{plain(name)}: {was}; wrong codes and passwords until now count no longer")


@click.command()
@click.argument("user")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def reset(administrator: Administrator, user: str, *, yes: bool) -> None:
    """Remove USER's authenticators and recovery codes.

    Until USER enrolls again, the password alone is enough to log in. Locks stay.
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
        "Until the next enrollment the password alone is enough to log in.",
        yes=yes,
        instead=administrator.command("reset", user, "--yes"),
    )
    noted(world, administration.reset(world.store, name, world.now(), administrator.name))
    click.echo(f"{plain(name)}: reset; to enroll anew: {administrator.command('enroll', name)}")
    if before.locked != "no":
        click.echo(f"{plain(name)}: still locked; {administrator.command('unlock', name)}")


def _held(world: Context, name: str, found: Status) -> bool:
    """Whether any lock holds, one of an address or of the person's own programs included."""
    timed = world.store.timed_locks(world.now())
    return found.locked != "no" or any(lock.account == name for lock in timed)


def _seen(world: Context, found: Status) -> Status:
    """Return the status with what NSS says of the account: one whose name is gone, or is now
    somebody else's, is refused, and nothing else would show it."""
    if not found.enrolled or found.damage:
        return found
    try:
        person, credentials = world.lookup(found.account), world.store.credentials(found.account)
    except (NameServiceError, StoreError):
        return found  # not known at this moment
    if credentials is None or (person is not None and person.uid == credentials.uid):
        return found
    now = "the name is gone" if person is None else f"the name is uid {person.uid}'s now"
    return replace(found, damage=f"enrolled as uid {credentials.uid}, and {now}")


def _show_one(administrator: Administrator, found: Status, now: float) -> None:
    lines = [
        ("Account", found.account),
        ("Enrolled", _enrolled(found)),
        ("Locked", _locked(found, now)),
        ("Reason", found.reason),
        ("Wrong codes", _wrong_codes(found)),
        ("Authenticators", ", ".join(found.authenticators)),
        ("Recovery codes", f"{found.recovery_codes} left" if found.enrolled else ""),
        ("Last used", _last_used(found, now) if found.enrolled else ""),
        ("Damage", found.damage),
    ]
    for label, text in lines:
        if text:
            click.echo(f"{label + ':':16}{plain(text)}")
    if found.damage:
        hint(
            f"put the file back from its copy, or: {administrator.command('reset', found.account)}"
        )


def _show_all(administrator: Administrator, everyone: list[Status], now: float) -> None:
    table(_HEADERS, [_row(one, now) for one in everyone], _UNBROKEN)
    damaged = [one for one in everyone if one.damage]
    for one in damaged:
        say(f"{plain(one.account)} is refused: {plain(one.damage)}")
    if damaged:
        hint(administrator.command("status", damaged[0].account))
    locked = sum(one.locked != "no" for one in everyone)
    click.echo(f"\n{many(len(everyone), 'account')}, {locked} locked")


def _row(one: Status, now: float) -> tuple[str, ...]:
    return (
        one.account,
        _enrolled(one),
        _locked(one, now),
        ", ".join(one.authenticators),
        str(one.recovery_codes) if one.enrolled else "",
        _wrong_codes(one),
        _last_used(one, now) if one.enrolled else "",
    )


def _enrolled(one: Status) -> str:
    if one.damage:
        return "damaged"
    return "yes" if one.enrolled else "no"


def _locked(one: Status, now: float) -> str:
    if one.locked_until is not None:
        return f"until {moment(one.locked_until, now)}"
    return "by administrator" if one.locked == "administrator" else "no"


def _wrong_codes(one: Status) -> str:
    """Return how many count towards a lock; nothing where they have become one."""
    return "" if one.locked == "until" else str(one.failures)


def _last_used(one: Status, now: float) -> str:
    if not one.last_used:
        return "never"
    then = local(one.last_used)
    return f"{then:%H:%M}" if then.date() == local(now).date() else f"{then:%Y-%m-%d}"


def _as_json(one: Status) -> dict[str, Any]:
    """Return a status as scripts read it: times as ISO 8601, rounded up to whole seconds."""
    return {
        "account": one.account,
        "enrolled": one.enrolled,
        "locked": one.locked,
        "locked_until": _iso(one.locked_until),
        "reason": one.reason,
        "failures": one.failures,
        "authenticators": list(one.authenticators),
        "recovery_codes": one.recovery_codes,
        "last_used": _iso(one.last_used),
        "damage": one.damage or None,
    }


def _iso(at: float | None) -> str | None:
    return None if at is None else local(math.ceil(at)).isoformat()
