"""Changing the policy at the terminal: shown, asked, and only then put in force."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace

import click

from pam_totp import governance, nss
from pam_totp.cli import policy_impact
from pam_totp.cli.administrator import Administrator, account, noted
from pam_totp.cli.terminal import confirm, plain, say
from pam_totp.context import Context
from pam_totp.errors import NameServiceError, PamTotpError, UnknownAccount
from pam_totp.governance import Basis, Change, Signature
from pam_totp.policy.document import Policy, Target, checked, target_of


class UnknownGroup(PamTotpError):
    """NSS knows no group of that name."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How a change is made."""

    yes: bool
    force: bool
    note: str


def make(administrator: Administrator, world: Context, manner: Manner, change: Change) -> None:
    """Show a change of the policy, ask, and put it in force.

    Raises LocksOut, PolicyError, NoAnswer, NoTerminal and StoreError; then nothing has changed.
    """
    _say_basis(change.basis)
    if not change.worth_keeping:
        click.echo("nothing to change")
        return
    seen = policy_impact.outlook(world, change, administrator.name)
    policy_impact.show(seen)
    policy_impact.check(seen, force=manner.force)
    confirm("Put this in force?", yes=manner.yes, instead=administrator.again("--yes"))
    signed = Signature(administrator.name, administrator.origin, world.now(), manner.note)
    noted(world, governance.keep(world.store, change, signed))
    click.echo("in force from the next login on")


def by_nss(world: Context, old: Policy, new: Policy, *, force: bool) -> Policy:
    """Return a policy with the names of its new rules as NSS has them; raises as `target`."""
    known = {rule.target for rule in old.rules}
    return checked(
        [
            r if r.target in known else replace(r, target=_named(world, r.target, force=force))
            for r in new.rules
        ]
    )


def target(  # noqa: PLR0913 -- whom and where have as many sides
    world: Context,
    user: str | None,
    group: str | None,
    service: str | None,
    network: str | None,
    *,
    force: bool,
) -> Target:
    """Return whom and where a rule is for, by the names that NSS has for them.

    Raises PolicyError; UnknownAccount and UnknownGroup for what NSS does not know and
    NameServiceError where it cannot say, unless `force` takes the names as they are.
    """
    typed = target_of(user=user, group=group, service=service, network=network)
    return _named(world, typed, force=force)


def _named(world: Context, typed: Target, *, force: bool) -> Target:
    user = None if typed.user is None else _user(world, typed.user, force=force)
    group = None if typed.group is None else _group(typed.group, force=force)
    return replace(typed, user=user, group=group)


def _user(world: Context, typed: str, *, force: bool) -> str:
    try:
        return account(world, typed)
    except (UnknownAccount, NameServiceError) as error:
        if force:
            return typed
        raise type(error)(str(error), hint=_or_force(error)) from None


def _group(typed: str, *, force: bool) -> str:
    try:
        found = nss.group(typed)
    except NameServiceError as error:
        if force:
            return typed
        raise NameServiceError(str(error), hint=_or_force(error)) from None
    if found is not None:
        return found[0]
    if force:
        return typed
    raise UnknownGroup(
        f"there is no group called {typed!r}",
        hint=f"getent group {shlex.quote(typed)}; to name it all the same: --force",
    )


def _or_force(error: PamTotpError) -> str:
    return f"{error.hint}; to name it all the same: --force"


def _say_basis(basis: Basis) -> None:
    if basis.broken and basis.used:
        say(f"{plain(basis.broken)}: this changes version {basis.used}, which logins go by")
    elif basis.broken:
        say(f"{plain(basis.broken)}, and no earlier version can be used: this begins anew")
