"""`pam-totp recovery-codes`: how many are left, and new ones."""

from __future__ import annotations

import json
from pathlib import Path

import click

from pam_totp import administration, private_file, sheet, upkeep
from pam_totp.cli import oneself, oneself_upkeep
from pam_totp.cli.administrator import Administrator, account, noted
from pam_totp.cli.enrolling import spoken
from pam_totp.cli.enrollment_page import show_recovery_codes
from pam_totp.cli.papers import document, name_paper, sheet_option
from pam_totp.cli.terminal import confirm, hint, many, plain, say, terminal
from pam_totp.context import Context
from pam_totp.errors import UnknownAuthenticator
from pam_totp.recovery import FEW


@click.command("recovery-codes", short_help="Count recovery codes, or make new ones.")
@click.argument("user", required=False)
@click.option("--new", is_flag=True, help="Make ten new ones; all earlier ones become void.")
@sheet_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="For scripts: print JSON (--yes).")
@click.pass_obj
def recovery_codes(  # noqa: PLR0913 -- one parameter for each option
    administrator: Administrator,
    user: str | None,
    *,
    new: bool,
    sheet_file: Path | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Show how many recovery codes you, or USER, have left, or make new ones.

    Each is good for one login in the place of a code. They are shown when they are made, and
    never again.
    """
    if sheet_file and not new:
        raise click.UsageError("--sheet goes with --new: the codes that there are cannot be shown")
    if oneself.is_meant(administrator, user) or user is None:
        oneself_upkeep.recovery_codes(administrator, sheet_file, new=new, yes=yes, as_json=as_json)
        return
    if new and as_json and not yes:
        raise click.UsageError("--new --json asks nothing and goes with --yes")
    world = administrator.context()
    name = account(world, user)
    left = _left(world, name)
    if not new:
        if as_json:
            click.echo(json.dumps({"account": name, "left": left}))
        else:
            click.echo(f"{plain(name)}: {many(left, 'recovery code')} left")
            say_few(administrator, name, left)
        return
    confirm(
        f"Make new recovery codes for {plain(name)}? The {left} that are left become void.",
        yes=yes,
        instead=administrator.again("--yes", "--json"),
    )
    if sheet_file:
        codes = _on_sheet(administrator, world, name, sheet_file)
    elif as_json:
        codes = _made(administrator, world, name)
    else:
        codes = _at_terminal(administrator, world, name)
    if as_json:
        click.echo(json.dumps({"account": name, "recovery_codes": codes}, indent=2))
    else:
        made = many(len(codes), "new recovery code")
        click.echo(f"{plain(name)}: {made}; earlier ones count no longer")


def say_few(administrator: Administrator, name: str, left: int) -> None:
    """Say so where few are left, with the line that makes new ones."""
    if left <= FEW:
        say(f"few: whoever loses the phone with none left needs `reset {plain(name)}`")
        hint(administrator.command("recovery-codes", name, "--new"))


def _left(world: Context, name: str) -> int:
    """Return how many are left.  Raises UnknownAuthenticator for who has not enrolled."""
    found = administration.status(world.store, name, world.now(), world.limits(name))
    if not found.enrolled:
        raise UnknownAuthenticator(f"{name} has not enrolled", hint=f"pam-totp enroll {name}")
    return found.recovery_codes


def _made(administrator: Administrator, world: Context, name: str) -> tuple[str, ...]:
    codes, event = upkeep.new_recovery_codes(world.store, name, administrator.by(world))
    noted(world, event)
    return codes


def _at_terminal(administrator: Administrator, world: Context, name: str) -> tuple[str, ...]:
    with terminal(administrator.again("--yes", "--json")) as person:
        codes = _made(administrator, world, name)
        show_recovery_codes(person, codes, spoken(world))
    return codes


def _on_sheet(
    administrator: Administrator, world: Context, name: str, path: Path
) -> tuple[str, ...]:
    with private_file.PrivateFile(path) as file:
        codes = _made(administrator, world, name)
        say_ = world.speech()
        page = sheet.recovery_page(sheet.RecoveryPage(name, world.config.issuer, codes), say_)
        file.write(document(name, page, say_))
    name_paper(path)
    return codes
