"""`pam-totp prune`: what people have left behind who are gone."""

from __future__ import annotations

import json

import click

from pam_totp import leavers
from pam_totp.cli.administrator import Administrator, noted
from pam_totp.cli.terminal import confirm, hint, many, plain, say, table
from pam_totp.errors import PamTotpError
from pam_totp.leavers import Found


class TooMany(PamTotpError):
    """So many are gone that the name service is more likely to be."""


@click.command()
@click.option("--force", is_flag=True, help="Also where most people seem to be gone.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="For scripts: print JSON (--yes).")
@click.pass_obj
def prune(administrator: Administrator, *, force: bool, yes: bool, as_json: bool) -> None:
    """Remove what people have enrolled who are gone.

    Gone is whom the name service does not know any more, or knows under another uid: then the
    name is somebody else's. Their logins are refused anyway. Whom the name service cannot say
    anything of is left alone.
    """
    if as_json and not yes:
        raise click.UsageError("--json asks nothing and goes with --yes")
    world = administrator.context()
    found = leavers.find(world)
    for name in found.unsure:
        say(f"{plain(name)} could not be looked up, and stays")
    if found.is_suspicious and not force:
        raise TooMany(
            f"{len(found.gone)} of {many(found.enrolled, 'account')} are unknown to the name "
            "service: it may be down; nothing was removed",
            hint=f"getent passwd {found.gone[0].name}; if they are gone: "
            f"{administrator.again('--force')}",
        )
    if found.gone and not as_json:
        _show(found)
        question = f"Remove what {many(len(found.gone), 'account')} enrolled?"
        confirm(question, yes=yes, instead=administrator.again("--yes"))
    by = administrator.by(world)
    for one in found.gone:
        noted(world, leavers.prune(world.store, one, by))
    if as_json:
        gone = [{"account": one.name, "uid": one.uid, "uid_now": one.now} for one in found.gone]
        click.echo(json.dumps({"pruned": gone, "unsure": list(found.unsure)}, indent=2))
        return
    click.echo(f"{many(len(found.gone), 'account')} pruned" if found.gone else "nobody is gone")
    if any(one.now is not None for one in found.gone):
        hint("who has such a name now enrolls like anybody: pam-totp status --state pending")


def _show(found: Found) -> None:
    rows = [
        (one.name, str(one.uid), "nobody's" if one.now is None else f"uid {one.now}'s")
        for one in found.gone
    ]
    table(("Account", "Enrolled as uid", "The name is now"), rows)
    click.echo()
