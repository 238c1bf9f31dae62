"""`pam-totp setup`: the first administrator, whose password is good for one sign-in."""

from __future__ import annotations

from typing import Final

import click

from pam_totp.cli.administrator import Administrator, noted
from pam_totp.cli.terminal import terminal
from pam_totp.context import Context
from pam_totp.errors import PamTotpError
from pam_totp.local import upkeep
from pam_totp.local.account import check_name
from pam_totp.local.upkeep import one_time_password

USUAL: Final = "pam-totp-admin"
_NONE: Final = "-"
_WHAT: Final = (
    "An administrator of its own, who needs no account of this machine, administers",
    "from elsewhere than a root shell. It is under the policy and the lockout as",
    "everybody, and its first sign-in wants a code and a password of its own.",
)


class TakenName(PamTotpError):
    """The machine, or this program, knows the name."""


def make(administrator: Administrator, name: str | None, *, ask: bool) -> None:
    """Make a local administrator called `name`, or as the person says if `ask`.

    Raises TakenName, BadName.
    """
    world = administrator.context()
    if world.store.local_accounts.all() and name is None:
        return
    chosen = _asked(administrator, world) if ask and name is None else name
    if chosen is None:
        return
    _check(world, chosen)
    password = one_time_password()
    by = administrator.by(world)
    noted(world, upkeep.add(world.store, chosen, password, by, first=True, administrator=True))
    click.echo(f"Local administrator {chosen}, with a password for the first sign-in,")
    click.echo(f"shown this once:\n\n    {password}\n")


def _asked(administrator: Administrator, world: Context) -> str | None:
    with terminal(administrator.command("setup", "--yes")) as person:
        for line in _WHAT:
            person.show(line)
        while True:
            typed = person.ask(f"Its name, {_NONE} for none [{USUAL}]: ") or USUAL
            if typed == _NONE:
                return None
            try:
                _check(world, typed)
            except PamTotpError as wrong:
                person.show(f"{wrong}.")
            else:
                return typed


def _check(world: Context, name: str) -> None:
    """Raise TakenName or BadName unless a local account may be called so here."""
    check_name(name)
    if world.lookup(name) is not None:
        raise TakenName(f"{name} is an account of this machine", hint="choose another name")
    if world.store.local_accounts.get(name) is not None:
        raise TakenName(
            f"there is a local account {name} already",
            hint=f"pam-totp account grant-admin {name}",
        )
