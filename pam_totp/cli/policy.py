"""`pam-totp policy`: who needs a code, from when and where."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from pam_totp import governance
from pam_totp.cli import policy_change, policy_explain, policy_view
from pam_totp.cli.administrator import Administrator
from pam_totp.cli.policy_change import Manner
from pam_totp.governance import without

_F = TypeVar("_F", bound=Callable[..., Any])


@click.group()
def policy() -> None:
    """Who needs a code, from when and where: show it, change it, explain it."""


def _targets(command: _F) -> _F:
    """Add the options that say whom and where a rule is for."""
    for option in (
        click.option(
            "--from", "network", metavar="NETWORK", help="Logins from there: 192.0.2.0/24."
        ),
        click.option("--service", metavar="SERVICE", help="Logins at this PAM service."),
        click.option("--group", metavar="GROUP", help="The members of this group."),
        click.option("--user", metavar="USER", help="This user."),
    ):
        command = option(command)
    return command


def _manner(command: _F) -> _F:
    """Add the options that say how a change is made."""
    for option in (
        click.option("--note", default="", metavar="TEXT", help="Why, for those who look later."),
        click.option("--force", is_flag=True, help="Even if it locks administrators out."),
        click.option("--yes", is_flag=True, help="Do not ask."),
    ):
        command = option(command)
    return command


@policy.command("set")
@click.argument("pairs", metavar="KEY=VALUE...", nargs=-1, required=True)
@_targets
@_manner
@click.pass_obj
def set_(  # noqa: PLR0913 -- one parameter for each option
    administrator: Administrator,
    pairs: tuple[str, ...],
    *,
    user: str | None,
    group: str | None,
    service: str | None,
    network: str | None,
    yes: bool,
    force: bool,
    note: str,
) -> None:
    """Set keys of the rule for everybody, or for whom and where the options say.

    Before it takes effect it is shown who would be refused now, and who would be asked.
    """
    words = _words(pairs)
    world = administrator.context()
    target = policy_change.target(world, user, group, service, network, force=force)
    manner = Manner(yes=yes, force=force, note=note)
    policy_change.make(administrator, world, manner, lambda old: old.setting(target, words))


@policy.command()
@click.argument("names", metavar="[KEY]...", nargs=-1)
@_targets
@_manner
@click.pass_obj
def unset(  # noqa: PLR0913 -- one parameter for each option
    administrator: Administrator,
    names: tuple[str, ...],
    *,
    user: str | None,
    group: str | None,
    service: str | None,
    network: str | None,
    yes: bool,
    force: bool,
    note: str,
) -> None:
    """Leave keys to what is less specific; all of the rule's, if none is named."""
    world = administrator.context()
    # A rule for a name that is gone must go too.
    target = policy_change.target(world, user, group, service, network, force=True)
    manner = Manner(yes=yes, force=force, note=note)
    policy_change.make(administrator, world, manner, lambda old: without(old, target, names))


@policy.command()
@click.pass_obj
def show(administrator: Administrator) -> None:
    """Show the rules, the least specific first, and the defaults in force."""
    policy_view.show(governance.basis(administrator.context().store))


@policy.command()
@click.argument("user")
@click.option("--service", metavar="SERVICE", help="The PAM service that is logged in to.")
@click.option("--from", "address", metavar="ADDRESS", help="Where the login is from.")
@click.option(
    "--key", "name", default="mfa", show_default=True, metavar="KEY", help="Which key, or all."
)
@click.option("--json", "as_json", is_flag=True, help="For scripts: print JSON.")
@click.pass_obj
def explain(  # noqa: PLR0913 -- one parameter for each option
    administrator: Administrator,
    user: str,
    *,
    service: str | None,
    address: str | None,
    name: str,
    as_json: bool,
) -> None:
    """Say what becomes of a login of USER, each rule about it, and which one won."""
    asked = policy_explain.question(administrator.context(), user, service, address)
    if as_json:
        click.echo(policy_explain.as_json(asked, name))
    else:
        policy_explain.show(asked, name)


def _words(pairs: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not (name and sign):
            raise click.BadArgumentUsage(
                f"expected KEY=VALUE, found {pair!r}", click.get_current_context()
            )
        if name in found:
            raise click.BadArgumentUsage(f"{name} is set twice", click.get_current_context())
        found[name] = value
    return found
