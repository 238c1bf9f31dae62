"""`pam-totp policy`: who needs a code, from when and where."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, TypeVar, cast

import click

from pam_totp import governance
from pam_totp.cli import policy_change, policy_edit, policy_explain, policy_impact, policy_view
from pam_totp.cli.administrator import Administrator
from pam_totp.cli.policy_change import Manner
from pam_totp.cli.terminal import many
from pam_totp.errors import PamTotpError, PolicyError
from pam_totp.governance import Basis, Change, without
from pam_totp.policy.document import Policy, Target, target_of
from pam_totp.policy.keys import KEYS
from pam_totp.policy.paper import from_yaml, to_yaml

_F = TypeVar("_F", bound=Callable[..., Any])
_LARGEST: Final = 1 << 20  # bytes


@click.group()
def policy() -> None:
    """Who needs a code, from when and where."""


def _keys() -> str:
    """Return every key with the form of its values, as help shows it."""
    width = max(len(key.name) for key in KEYS)
    rows = [f"  {key.name:{width}}  {key.kind.form}" for key in KEYS]
    return "\n".join(("\b", "Keys:", *rows))


def _target(command: _F) -> _F:
    """Give a command the target that its options say: whom and where a rule is for."""

    @click.option("--user", metavar="USER", help="This user.")
    @click.option("--group", metavar="GROUP", help="The members of this group.")
    @click.option("--service", metavar="SERVICE", help="Logins at this PAM service.")
    @click.option("--from", "network", metavar="NETWORK", help="Logins from there: 192.0.2.0/24.")
    @functools.wraps(command)
    def with_target(
        *words: Any,
        user: str | None,
        group: str | None,
        service: str | None,
        network: str | None,
        **more: Any,
    ) -> Any:
        typed = target_of(user=user, group=group, service=service, network=network)
        return command(*words, typed=typed, **more)

    return cast("_F", with_target)


def _manner(command: _F) -> _F:
    """Give a command the manner that its options say: how a change is made."""

    @click.option("--yes", is_flag=True, help="Do not ask.")
    @click.option("--force", is_flag=True, help="Even if it locks administrators out.")
    @click.option("--note", default="", metavar="TEXT", help="Why, for those who look later.")
    @functools.wraps(command)
    def with_manner(*words: Any, yes: bool, force: bool, note: str, **more: Any) -> Any:
        return command(*words, manner=Manner(yes=yes, force=force, note=note), **more)

    return cast("_F", with_manner)


@policy.command("set", short_help="Set keys of a rule.", epilog=_keys())
@click.argument("pairs", metavar="KEY=VALUE...", nargs=-1, required=True)
@_target
@_manner
@click.pass_obj
def set_(
    administrator: Administrator, pairs: tuple[str, ...], *, typed: Target, manner: Manner
) -> None:
    """Set keys of the rule for everybody, or for whom and where the options say.

    Before it takes effect it is shown who would be refused now, and who would be asked. What
    the keys do: /usr/share/doc/libpam-totp/docs/policy.md.
    """
    words = _words(pairs)
    world = administrator.context()
    with policy_change.offering_force():
        target = policy_change.named_by_nss(world, typed, force=manner.force)
    change = governance.proposed(world.store, lambda old: old.setting(target, words))
    policy_change.make(administrator, world, manner, change)
    if "mfa" in words and not change.worth_keeping:
        policy_change.say_from_when(administrator, change.policy.rule(target), world.now())


@policy.command(short_help="Leave keys to what is less specific.")
@click.argument("names", metavar="[KEY]...", nargs=-1)
@_target
@_manner
@click.pass_obj
def unset(
    administrator: Administrator, names: tuple[str, ...], *, typed: Target, manner: Manner
) -> None:
    """Leave keys to what is less specific; all of the rule's, if none is named."""
    world = administrator.context()
    # A rule for a name that is gone must go too.
    target = policy_change.named_by_nss(world, typed, force=True)
    change = governance.proposed(world.store, lambda old: without(old, target, names))
    policy_change.make(administrator, world, manner, change)


@policy.command(short_help="Show the rules, and what is not set.")
@click.option("--json", "as_json", is_flag=True, help="For scripts: print JSON.")
@click.option("--yaml", "as_yaml", is_flag=True, help="As `edit` opens it, and `check` reads it.")
@click.pass_obj
def show(administrator: Administrator, *, as_json: bool, as_yaml: bool) -> None:
    """Show the rules, the least specific first, and the defaults in force."""
    found = governance.basis(administrator.context().store)
    if as_json:
        click.echo(policy_view.as_json(found))
    elif as_yaml:
        click.echo(to_yaml(found.policy), nl=False)
    else:
        policy_view.show(found)


@policy.command(short_help="Say what becomes of a login of USER, and why.")
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


@policy.command(short_help="Check a policy in a file, and what it would change.")
@click.argument("file", metavar="[FILE|-]", required=False)
@click.pass_obj
def check(administrator: Administrator, file: str | None) -> None:
    """Check a policy in a file (- for standard input) and say what it would do; nothing changes.

    Without a FILE, check the newest version in the store.
    """
    world = administrator.context()
    found = governance.basis(world.store)
    if file is None:
        _check_newest(found)
        return
    name = "standard input" if file == "-" else file
    new = from_yaml(_read(file), name)
    try:
        new = policy_change.by_nss(world, found.policy, new)
    except PamTotpError as error:
        raise PolicyError(f"{name}: {error}", hint=error.hint) from None
    seen = policy_impact.outlook(world, Change(found, new), administrator.name)
    policy_impact.show(seen)
    policy_impact.check(seen, force=True)


@policy.command(short_help="Edit all rules at once, in an editor.")
@_manner
@click.pass_obj
def edit(administrator: Administrator, *, manner: Manner) -> None:
    """Edit the policy in $VISUAL or $EDITOR; it is asked before the result is in force."""
    world, force = administrator.context(), manner.force
    found = governance.basis(world.store)

    def tried(new: Policy) -> Change:
        with policy_change.offering_force():
            named = policy_change.by_nss(world, found.policy, new, force=force)
        change = Change(found, named)
        policy_impact.check(policy_impact.outlook(world, change, administrator.name), force=force)
        return change

    instead = administrator.command("policy", "check", "FILE")
    new = policy_edit.edited(found.policy, tried, instead)
    if new is None:
        click.echo("nothing to change")
    else:
        policy_change.make(administrator, world, manner, new)


@policy.command(short_help="Show each version: who made it, when, and what.")
@click.option("--json", "as_json", is_flag=True, help="For scripts: print JSON.")
@click.pass_obj
def history(administrator: Administrator, *, as_json: bool) -> None:
    """Show every version of the policy: who made it, when, from where, and what changed."""
    world = administrator.context()
    found = governance.history(world.store)
    if as_json:
        click.echo(policy_view.history_as_json(found))
    else:
        policy_view.history(found, world.now())


@policy.command(short_help="Put a version in force again.")
@click.argument("version", metavar="VERSION", type=click.IntRange(1))
@_manner
@click.pass_obj
def revert(administrator: Administrator, version: int, *, manner: Manner) -> None:
    """Put a version of the policy in force again; `history` shows their numbers."""
    world = administrator.context()
    manner = replace(manner, note=manner.note or f"back to version {version}")
    change = governance.proposed(world.store, lambda _: governance.version(world.store, version))
    policy_change.make(administrator, world, manner, change)


def _check_newest(found: Basis) -> None:
    if found.broken:
        policy_view.broken(found)
        hint = f"pam-totp policy revert {found.used}" if found.used else "pam-totp policy edit"
        raise PolicyError(found.broken, hint=hint)
    click.echo(f"version {found.newest} can be used: {many(len(found.policy.rules), 'rule')}")


def _read(file: str) -> str:
    try:
        raw = sys.stdin.buffer.read(_LARGEST + 1) if file == "-" else _bytes(file)
        text = raw.decode()
    except UnicodeDecodeError:
        raise PolicyError(f"{file}: expected UTF-8") from None
    if len(raw) > _LARGEST:
        raise PolicyError(f"{file}: {_LARGEST} bytes are the most")
    return text


def _bytes(file: str) -> bytes:
    with open(file, "rb") as opened:
        return opened.read(_LARGEST + 1)


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
