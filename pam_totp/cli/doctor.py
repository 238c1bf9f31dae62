"""`pam-totp doctor`: what is wrong with this machine's set-up, and what puts it right."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Final

import click

from pam_totp.cli.administrator import Administrator
from pam_totp.cli.terminal import many, plain, with_sudo, wrapped
from pam_totp.doctor.examine import NAMES, SUBJECTS, examine
from pam_totp.doctor.finding import Finding, Level
from pam_totp.doctor.machine import Machine

_STATUS: Final = {Level.ERROR: 2, Level.WARNING: 1}
_QUIET: Final = (Level.OK, Level.UNCHECKED)
_INDENT: Final = 13 * " "


@click.command()
@click.argument("wanted", nargs=-1, metavar="[CHECK]...")
@click.option("--json", "as_json", is_flag=True, help="For scripts: print JSON.")
@click.option("-v", "--verbose", is_flag=True, help="Show what is in order too.")
@click.pass_context
def doctor(
    context: click.Context, wanted: tuple[str, ...], *, as_json: bool, verbose: bool
) -> None:
    """Say what is wrong with the set-up, and what to run.

    Changes nothing. CHECK is a subject (ssh) or the name of one check (key-mode); all are made
    by default. Exit status: 0 nothing found, 1 warnings, 2 errors.
    """
    _known(wanted)
    administrator: Administrator = context.obj
    found = _examined(administrator, wanted)
    shown = [one for one in found if verbose or one.level not in _QUIET]
    if as_json:
        click.echo(json.dumps([asdict(one) for one in shown], indent=2))
    else:
        _show(shown, administrator)
        click.echo(_summary(found))
    context.exit(max(_STATUS.get(one.level, 0) for one in found))


def _known(wanted: tuple[str, ...]) -> None:
    for word in wanted:
        if word not in NAMES:
            subjects = ", ".join(subject.name for subject in SUBJECTS)
            raise click.UsageError(f"no check called {word!r}; subjects: {subjects}")


def _examined(administrator: Administrator, wanted: tuple[str, ...]) -> list[Finding]:
    """Return what is found.  Raises NeedsRoot."""
    administrator.check(administrator.path)
    machine = Machine(administrator.path)
    try:
        return list(examine(machine, wanted))
    finally:
        machine.close()


def _show(shown: Sequence[Finding], administrator: Administrator) -> None:
    for subject, findings in groupby(shown, key=lambda one: one.subject):
        click.echo(subject)
        for one in findings:
            found = f"  {one.level:9}  {one.check}: {plain(one.found)}"
            click.echo(wrapped(found, sys.stdout, _INDENT))
            if one.do:
                click.echo(f"{_INDENT}{with_sudo(administrator.here(plain(one.do)))}")
        click.echo()


def _summary(found: Sequence[Finding]) -> str:
    errors = sum(one.level is Level.ERROR for one in found)
    warnings = sum(one.level is Level.WARNING for one in found)
    said = [many(errors, "error")] * bool(errors) + [many(warnings, "warning")] * bool(warnings)
    return ", ".join(said) or "nothing found"
