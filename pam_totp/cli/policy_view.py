"""How the policy is shown."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click

from pam_totp.cli.terminal import local, moment, plain, say, table
from pam_totp.governance import Basis, Version
from pam_totp.policy.document import EVERYBODY, Rule, to_data
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


def as_json(basis: Basis) -> str:
    """Return the same for scripts."""
    said = {
        "version": basis.used,
        "broken": basis.broken or None,
        "rules": to_data(basis.policy),
        "defaults": {key.name: _default(key) for key in KEYS},
    }
    return json.dumps(said, indent=2)


def history(versions: Sequence[Version], now: float) -> None:
    """Print every version, the newest first."""
    good = next((one.record.id for one in versions if not one.broken), None)
    rows = [_version(one, now, in_force=one.record.id == good) for one in versions]
    table(("Version", "When", "Who", "From", "Changed", "Note"), rows, ("Version", "When"))


def history_as_json(versions: Sequence[Version]) -> str:
    """Return the same for scripts."""
    said = [
        {
            "version": one.record.id,
            "at": local(one.record.at).isoformat(timespec="seconds") if one.record.at else None,
            "actor": one.record.actor,
            "origin": one.record.origin,
            "note": one.record.note,
            "changed": list(one.changed),
            "broken": one.broken or None,
        }
        for one in versions
    ]
    return json.dumps(said, indent=2)


def _version(one: Version, now: float, *, in_force: bool) -> tuple[str, ...]:
    record = one.record
    changed = "; ".join(one.changed) or "nothing"
    return (
        f"{record.id} (in force)" if in_force else str(record.id),
        moment(record.at, now) if record.at else "at the start",
        record.actor,
        record.origin,
        f"broken: {one.broken}" if one.broken else changed,
        record.note,
    )


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
