"""What `pam-totp stack` shows: how services ask for a code, and what would change."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import click

from pam_totp.cli.administrator import PROGRAM, Administrator
from pam_totp.cli.terminal import hint, moment, plain, say
from pam_totp.context import Context
from pam_totp.policy.resolve import asks_in
from pam_totp.policy.values import LOGIN_SHELLS
from pam_totp.stack import sshd, trial
from pam_totp.stack.change import Change
from pam_totp.stack.pamfile import StackError
from pam_totp.stack.reading import NoPassword
from pam_totp.stack.switch import Look, State, look
from pam_totp.stack.tree import MODULE, Tree


def row(tree: Tree, service: str) -> tuple[str, str, str] | None:
    """Return a service's line, or None for one that checks no password."""
    try:
        found = look(tree, service)
    except NoPassword:
        return None
    except StackError as error:
        return service, "no", f"cannot be composed: {error}"
    return service, found.state.value, ""


def one(found: Look) -> None:
    """Print how a service asks for a code, and what enabling it would change."""
    service = plain(found.service)
    click.echo(f"{service}: asks for a code: {found.state.value}")
    if found.composition is None:
        click.echo(plain(found.said))
        return
    composition = found.composition
    if found.state is not State.OFF:
        click.echo(f"\n{composition.now}", nl=False)
    if found.wants_change:
        click.echo(f"\nwhat `{PROGRAM} stack enable {service}` would change:")
        change_of = composition.path, composition.now or "", composition.wanted
        click.echo(difference(*change_of), nl=False)
    notes(found)


def notes(found: Look) -> None:
    """Say what stays beside our lines and matters."""
    for note in found.composition.notes if found.composition else ():
        say(plain(note))


def policy_of(world: Context, services: Sequence[str]) -> None:
    """Say where the lines alone would ask nobody."""
    policy = world.policy()
    unnamed = [name for name in services if not asks_in(policy, name)]
    if unnamed:
        everywhere = ",".join([*policy.everywhere("services"), *unnamed])
        say(
            f"the policy does not name {', '.join(unnamed)}: nobody is asked for a code there until"
        )
        hint(f"{PROGRAM} policy set services={everywhere}")


def login_shells_of(tree: Tree, services: Sequence[str]) -> None:
    """Say which stacks of `su -` and `sudo -i` go on asking for the password alone."""
    for other, service in LOGIN_SHELLS.items():
        if service in services and other not in services and _is_apart(tree, other, service):
            say(f"{other} (a login shell by {service}) has a stack of its own, and does not ask")
            hint(f"{PROGRAM} stack enable {other}")


def _is_apart(tree: Tree, other: str, service: str) -> bool:
    """Whether a stack is there, does not include the other service's, and does not ask."""
    if tree.file(other) is None:
        return False
    with suppress(StackError):  # through such a one libpam lets nobody in
        return not any(
            rule.line.name == MODULE or service in (line.module for line in rule.through)
            for rule in tree.stack(other, "auth")
        )
    return False


def trial_of(administrator: Administrator, root: Path, now: float) -> None:
    """Say which trial is under way."""
    try:
        running = trial.current(root)
    except PermissionError:
        return  # root's to see
    if running is not None:
        until = moment(running.until, now, seconds=True)
        say(f"{', '.join(running.services)}: on trial until {until}")
        hint(f"from a second login: {administrator.command('stack', 'confirm')}")


def change(made: Change) -> str:
    """Return what a change does; of sshd's drop-in, where it is new, what counts in it."""
    if made.path != sshd.DROP_IN or made.before is not None:
        return difference(made.path, made.before or "", made.after)
    lines = [line for line in made.after.splitlines() if line and not line.startswith("#")]
    return "".join(
        f"{line}\n" for line in (f"+++ {made.path} (comments left out)", *(f"+{x}" for x in lines))
    )


def difference(path: Path, before: str, after: str) -> str:
    """Return a unified diff, as a terminal can show it."""
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), str(path), str(path), lineterm=""
    )
    return "".join(f"{plain(line.expandtabs(8))}\n" for line in lines)
