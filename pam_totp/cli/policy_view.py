"""How the policy is shown."""

from __future__ import annotations

import click

from pam_totp.cli.terminal import plain, say
from pam_totp.governance import Basis
from pam_totp.policy.document import EVERYBODY, Rule
from pam_totp.policy.keys import KEYS, Key


def show(basis: Basis) -> None:
    """Print the rules, the least specific first, and the defaults in force."""
    broken(basis)
    for rule in basis.policy.rules:
        _rule(rule)
    defaults = [key for key in KEYS if key.name not in basis.policy.rule(EVERYBODY).values]
    lines = [(key.name, _default(key)) for key in defaults]
    click.echo("not set, and so for everybody:" if basis.policy.rules else "the defaults:")
    _values(lines)


def broken(basis: Basis) -> None:
    """Say that the newest version cannot be used, and which one logins go by."""
    if basis.broken and basis.used:
        say(f"{plain(basis.broken)}; logins go by version {basis.used}")
    elif basis.broken:
        say(f"{plain(basis.broken)}; no earlier version can be used: every login is refused")


def _rule(rule: Rule) -> None:
    click.echo(f"{plain(str(rule.target))}:")
    _values([(k.name, k.kind.text(rule.values[k.name])) for k in KEYS if k.name in rule.values])
    click.echo()


def _values(lines: list[tuple[str, str]]) -> None:
    width = max(len(name) for name, _ in lines) + 2
    for name, text in lines:
        click.echo(f"  {name:{width}}{plain(text)}")


def _default(key: Key) -> str:
    return "none" if key.default is None else key.kind.text(key.default)
