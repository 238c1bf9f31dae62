"""Changing the policy at the terminal: shown, asked, and only then put in force."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import click

from pam_totp import governance, nss
from pam_totp.cli import policy_impact
from pam_totp.cli.administrator import Administrator, account, noted
from pam_totp.cli.terminal import confirm, hint, plain, say
from pam_totp.context import Context
from pam_totp.errors import NameServiceError, PamTotpError, UnknownAccount
from pam_totp.governance import Basis, Change, Signature
from pam_totp.policy.document import Policy, Rule, Target, checked
from pam_totp.policy.values import midnight


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


@contextmanager
def offering_force() -> Iterator[None]:
    """Say of names that NSS does not know how to take them as they are."""
    try:
        yield
    except (UnknownAccount, UnknownGroup, NameServiceError) as error:
        hint = f"{error.hint}; to name it all the same: --force"
        raise type(error)(str(error), hint=hint) from None


def by_nss(world: Context, old: Policy, new: Policy, *, force: bool = False) -> Policy:
    """Return a policy whose new rules are for people and groups by the names that NSS has for
    them; with `force`, for names that it does not know as well.

    Raises UnknownAccount, UnknownGroup, and NameServiceError where NSS cannot say.
    """
    known = {rule.target for rule in old.rules}
    named = (
        rule
        if rule.target in known
        else replace(rule, target=named_by_nss(world, rule.target, force=force))
        for rule in new.rules
    )
    return checked(list(named))


def named_by_nss(world: Context, typed: Target, *, force: bool) -> Target:
    """Return for whom and where a rule is; raises as `by_nss`."""
    user = None if typed.user is None else _user(world, typed.user, force=force)
    group = None if typed.group is None else _group(typed.group, force=force)
    return replace(typed, user=user, group=group)


def _user(world: Context, typed: str, *, force: bool) -> str:
    try:
        return account(world, typed)
    except (UnknownAccount, NameServiceError):
        if force:
            return typed
        raise


def _group(typed: str, *, force: bool) -> str:
    try:
        return group_by_nss(typed)
    except (UnknownGroup, NameServiceError):
        if force:
            return typed
        raise


def group_by_nss(typed: str) -> str:
    """Return a group's own name.  Raises UnknownGroup, NameServiceError."""
    found = nss.group(typed)
    if found is None:
        look = f"getent group {shlex.quote(typed)}"
        raise UnknownGroup(f"there is no group called {typed!r}", hint=look)
    return found[0]


def say_from_when(administrator: Administrator, rule: Rule, now: float) -> None:
    """Say of a rule that is as it was asked to be that it only counts from a later day on."""
    day, target = rule.values.get("mfa-from"), rule.target
    if day is None or midnight(day) <= now:
        return
    say(f"mfa=required for {plain(str(target))} counts from {day} on; to let it count now:")
    places = {
        "--user": target.user,
        "--group": target.group,
        "--service": target.service,
        "--from": None if target.network is None else str(target.network),
    }
    options = [word for pair in places.items() if pair[1] is not None for word in pair]
    hint(administrator.command("policy", "unset", "mfa-from", *map(str, options)))


def _say_basis(basis: Basis) -> None:
    if basis.broken and basis.used:
        say(f"{plain(basis.broken)}: this changes version {basis.used}, which logins go by")
    elif basis.broken:
        say(f"{plain(basis.broken)}, and no earlier version can be used: this begins anew")
