"""`pam-totp authenticator`: an account's apps and tokens, their clocks and counters."""

from __future__ import annotations

import json
from typing import Any, Final

import click

from pam_totp import administration, clock, resync
from pam_totp.administration import AuthenticatorStatus
from pam_totp.cli import oneself, oneself_upkeep
from pam_totp.cli.administrator import Administrator, account, noted
from pam_totp.cli.authenticator_change import remove, rename, replace
from pam_totp.cli.oneself import whose_and
from pam_totp.cli.terminal import Terminal, hint, local, plain, say, table, terminal

_HEADERS: Final = ("Name", "Id", "Codes", "Created", "Last used", "Clock", "Set to")
_UNBROKEN: Final = ("Id", "Codes", "Created", "Last used")


@click.group()
def authenticator() -> None:
    """Apps and tokens of an account, and their clocks."""


@authenticator.command("list")
@click.argument("user", required=False)
@click.option("--json", "as_json", is_flag=True, help="For scripts: print JSON.")
@click.pass_obj
def list_(administrator: Administrator, user: str | None, *, as_json: bool) -> None:
    """Show your authenticators, or those of USER.

    "Clock" is how far off the device's clock was when a code was refused for that alone, since
    the last accepted one; "Set to" is what `resync` has set. Of a token that counts (HOTP)
    there is the counter that is expected next instead. "not used yet" is one of which no code
    was ever right: its key can be shown again.
    """
    if oneself.is_meant(administrator, user) or user is None:
        oneself_upkeep.status(administrator, as_json=as_json)
        return
    world = administrator.context()
    name = account(world, user)
    found = administration.authenticators(world.store, name)
    if as_json:
        click.echo(json.dumps([_as_json(one) for one in found], indent=2))
    elif found:
        table(_HEADERS, [_row(one) for one in found], _UNBROKEN)
        _say_what_helps(administrator, name, found)
    else:
        say(f"{plain(name)} has not enrolled")
        hint(administrator.command("enroll", name))


for _command in (rename, remove, replace):
    authenticator.add_command(_command)


@authenticator.command("resync", short_help="Set one to its device's clock or counter.")
@whose_and("name")
@click.pass_obj
def resync_(administrator: Administrator, user: str | None, name: str) -> None:
    """Set the authenticator NAME, yours or that of USER, to its device's clock or counter.

    Asks for two codes, one right after the other, of within a day of now. For a device whose
    clock cannot be set, and for an account that logged in while this machine's clock was ahead:
    until then every right code counts as used. A token that counts (HOTP) is searched for among
    its next thousand codes, and never set back. Both codes are used up by it; locks stay.
    """
    if oneself.is_meant(administrator, user) or user is None:
        oneself_upkeep.resync(administrator, name)
        return
    world = administrator.context()
    whose = account(world, user)
    # Before anybody waits for codes.
    found = resync.authenticator_of(world.store.credentials(whose), whose, name)
    with terminal(f"run it at a terminal: {administrator.command(*_WORDS, user, name)}") as person:
        codes = _asked(person, resync.next_one(found))
    now, by = world.now(), administrator.name
    done = resync.resync(
        world.store, whose, name, codes, now=now, by=by, origin=administrator.origin
    )
    noted(world, done.event)
    off = f"its clock is {clock.off(done.drift)}" if done.drift else done.event.detail
    click.echo(f"{plain(whose)}: {plain(name)} is in step, {off}; the next login takes a new code")
    if done.reopened:
        say("codes that were used while the clock was ahead can be used once more when their")
        say("time comes; if somebody may have seen one, give the account a new secret")
        hint(administrator.command("reset", whose))


_WORDS: Final = ("authenticator", "resync")


def _asked(person: Terminal, next_one: str) -> tuple[str, str]:
    first = second = ""
    while not first:
        first = person.ask("Code: ")
    person.show(f"{next_one.capitalize()}.")
    while not second or second == first:
        second = person.ask("Next code: ")
    return first, second


def _say_what_helps(
    administrator: Administrator, account: str, found: list[AuthenticatorStatus]
) -> None:
    off = [one for one in found if one.drift is not None]
    if off:
        again = administrator.command(*_WORDS, account, off[0].name)
        hint(f"set the device's clock to automatic time; where that cannot be: {again}")
    for one in found:
        if not one.confirmed:
            say(f"no code of {plain(one.name)} was right yet; to show its key again:")
            hint(administrator.command("enroll", account, "--show", "--name", one.name))
        if one.out_of_step:
            say(f"no code of {plain(one.name)} counts until two in a row say where it stands")
            hint(administrator.command(*_WORDS, account, one.name))


def _row(one: AuthenticatorStatus) -> tuple[str, ...]:
    return (
        one.name,
        one.id,
        _codes(one),
        f"{local(one.created):%Y-%m-%d}",
        _last_used(one),
        clock.off(one.drift) if one.drift is not None else "",
        clock.off(one.offset) if one.offset else "",
    )


def _last_used(one: AuthenticatorStatus) -> str:
    if one.last_used:
        return f"{local(one.last_used):%Y-%m-%d %H:%M}"
    return "never" if one.confirmed else "not used yet"


def _codes(one: AuthenticatorStatus) -> str:
    p = one.parameters
    if p.type == "totp":
        return f"{p.algorithm}, {p.digits} digits, {p.period} s"
    hashed = "HOTP" if p.algorithm == "SHA1" else f"HOTP, {p.algorithm}"
    return f"{hashed}, {p.digits} digits, counter {one.counter}"


def _as_json(one: AuthenticatorStatus) -> dict[str, Any]:
    """Return it as scripts read it: times as ISO 8601, clocks in seconds (negative: slow).
    A clock and a period are of TOTP, a counter is of HOTP; the other has null."""
    return {
        "name": one.name,
        "id": one.id,
        "type": one.parameters.type,
        "algorithm": one.parameters.algorithm,
        "digits": one.parameters.digits,
        "period": one.parameters.period if one.counter is None else None,
        "counter": one.counter,
        "out_of_step": one.out_of_step,
        "created": local(one.created).isoformat(),
        "confirmed": one.confirmed,
        "last_used": local(one.last_used).isoformat() if one.last_used else None,
        "offset": one.offset,
        "drift": one.drift,
    }
