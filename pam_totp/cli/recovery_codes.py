"""`pam-totp recovery-codes`: how many are left, and new ones."""

from __future__ import annotations

import json
from contextlib import ExitStack, contextmanager
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from pam_totp import administration, private_file, sheet, upkeep
from pam_totp.cli.administrator import Administrator, account, noted
from pam_totp.cli.enrolling import spoken
from pam_totp.cli.enrollment_page import show_recovery_codes
from pam_totp.cli.papers import document, name_paper, sheet_option
from pam_totp.cli.terminal import confirm, hint, many, plain, say, terminal
from pam_totp.context import Context
from pam_totp.errors import UnknownAuthenticator
from pam_totp.recovery import FEW


@click.command("recovery-codes")
@click.argument("user")
@click.option("--new", is_flag=True, help="Make ten new ones; all earlier ones become void.")
@sheet_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="For scripts: print JSON (--yes).")
@click.pass_obj
def recovery_codes(  # noqa: PLR0913 -- one parameter for each option
    administrator: Administrator,
    user: str,
    *,
    new: bool,
    sheet_file: Path | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Show how many recovery codes USER has left, or make new ones.

    Each is good for one login in the place of a code. They are shown when they are made, and
    never again.
    """
    if new and as_json and not yes:
        raise click.UsageError("--new --json asks nothing and goes with --yes")
    if sheet_file and not new:
        raise click.UsageError("--sheet goes with --new: the codes that there are cannot be shown")
    world = administrator.context()
    name = account(world, user)
    left = _left(world, name)
    if not new:
        if as_json:
            click.echo(json.dumps({"account": name, "left": left}))
        else:
            click.echo(f"{plain(name)}: {many(left, 'recovery code')} left")
            warn_of_few(administrator, name, left)
        return
    confirm(
        f"Make new recovery codes for {plain(name)}? The {left} that are left become void.",
        yes=yes,
        instead=administrator.again("--yes", "--json"),
    )
    codes = _made(administrator, world, name, sheet_file, as_json=as_json)
    if as_json:
        click.echo(json.dumps({"account": name, "recovery_codes": codes}, indent=2))
    else:
        click.echo(f"{plain(name)}: {many(len(codes), 'new recovery code')}, all others are void")
