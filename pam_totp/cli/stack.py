"""`pam-totp stack`: which services ask for a code, and turning that on and off."""

from __future__ import annotations

import re
import syslog
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from pam_totp import audit, clock
from pam_totp.cli import stack_view
from pam_totp.cli.administrator import PROGRAM, Administrator
from pam_totp.cli.rehearse import rehearse
from pam_totp.cli.terminal import confirm as ask
from pam_totp.cli.terminal import hint, moment, plain, say, table
from pam_totp.stack import change, session, sshd, switch, trial
from pam_totp.stack.change import Change
from pam_totp.stack.compose import Variant
from pam_totp.stack.pamfile import StackError
from pam_totp.stack.switch import Done, Look, Order
from pam_totp.stack.tree import Tree, is_meant_for_inclusion

_ROOT: Final = Path("/")
_STACKS: Final = Path("/etc/pam.d")
_UNITS: Final = {"s": 1, "m": 60, "h": 3600}
_SHORTEST, _LONGEST = 5, 86_400  # seconds


class Duration(click.ParamType):
    """`90s`, `10m`, `2h`: seconds."""

    name = "duration"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Return seconds, or fail with the expected form."""
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"(\d{1,6})([smh])", str(value))
        seconds = int(found[1]) * _UNITS[found[2]] if found else 0
        if not _SHORTEST <= seconds <= _LONGEST:
            self.fail(f"{value!r}, expected 5s to 24h, for instance 10m", param, ctx)
        return seconds


@click.group()
def stack() -> None:
    """Which services ask for a code: turn it on and off."""


@stack.command(short_help="Show how services ask for a code, or would.")
@click.argument("services", metavar="[SERVICE]...", nargs=-1)
@click.pass_obj
def show(administrator: Administrator, services: tuple[str, ...]) -> None:
    """Show how services ask for a code, or would.

    Without a SERVICE, one line each; with one, the lines in force and the difference to what
    `enable` would write now.
    """
    tree = Tree(_ROOT)
    if services:
        for service in services:
            stack_view.one(switch.look(tree, service))
    else:
        names = (name for name in tree.services() if not is_meant_for_inclusion(name))
        rows = [row for row in (stack_view.row(tree, name) for name in names) if row]
        table(("Service", "Asks for a code", "Remark"), rows)
    stack_view.trial_of(administrator, _ROOT, clock.now())


@stack.command(short_help="Let services ask for the code after the password.")
@click.argument("services", metavar="SERVICE...", nargs=-1, required=True)
@click.option(
    "--try",
    "seconds",
    type=Duration(),
    metavar="DURATION",
    help="Put everything back after this time (10m, 90s), unless `stack confirm` comes from a "
    "second login.",
)
@click.option("--code-only", is_flag=True, help="sshd: a key, then the code, and no password.")
@click.option(
    "--one-field",
    is_flag=True,
    help="For programs that ask for password and code in one field, or before PAM does, as "
    "openvpn does.",
)
@click.option("--local/--no-local", default=None, help="Whether local accounts sign in there.")
@click.option("--no-test", is_flag=True, help="Do not rehearse a login.")
@click.option("--user", metavar="USER", help="Who logs in at the rehearsal.  [default: you]")
@click.option("--yes", is_flag=True, help="Ask nothing, and do not rehearse.")
@click.pass_obj
def enable(  # noqa: PLR0913 -- click passes each option by its name
    administrator: Administrator,
    services: tuple[str, ...],
    *,
    seconds: int | None,
    code_only: bool,
    one_field: bool,
    local: bool | None,
    no_test: bool,
    user: str | None,
    yes: bool,
) -> None:
    """Let SERVICE... ask for the code after the password.

    Composes the stack from the password modules that the service uses today, shows the
    difference, asks, keeps a dated copy of each file, and lets you rehearse a login.
    """
    _start(administrator)
    world = administrator.context()  # where codes cannot be checked, nobody would get in
    variant = _variant(services, code_only=code_only, one_field=one_field)
    if local and code_only:
        raise click.UsageError("a local account has no key: --local goes without --code-only")
    tree, names = Tree(_ROOT), dict.fromkeys(services)
    looks = [switch.look(tree, name, variant, local=local) for name in names]
    code_only = any(one.asks_for_code_alone for one in looks)
    changes = _changes(looks, code_only=code_only)
    stack_view.policy_of(world, services)
    stack_view.login_shells_of(Tree(_ROOT), services)
    if not changes:
        _still_right(looks, code_only=code_only)
        click.echo("nothing to change")
        return
    ask(
        "Write this?", yes=yes, instead=administrator.command("stack", "enable", *services, "--yes")
    )
    done = switch.enable(
        _ROOT,
        Order(administrator.name, clock.now(), seconds),
        changes,
        lambda: _settle_sshd(changes, code_only=code_only),
    )
    try:
        if not (yes or no_test):
            _rehearse(administrator, services, user or administrator.name)
    except BaseException:
        _put_back(done)
        raise
    _finish(administrator, done, seconds)


@stack.command(short_help="Let services ask for no code any more.")
@click.argument("services", metavar="[SERVICE]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every service that asks for a code.")
@click.pass_obj
def disable(administrator: Administrator, services: tuple[str, ...], *, everything: bool) -> None:
    """Let SERVICE... ask for no code any more.

    Takes out what `enable` has written and leaves the rest of each file as it is now. If this
    program does not start: /usr/libexec/pam-totp/stack-off --all
    """
    if everything == bool(services):
        raise click.UsageError("name services, or say --all", click.get_current_context())
    administrator.check(_STACKS)
    words = ["--all"] if everything else [plain(name) for name in services]
    if change.stack_off(_ROOT, words):
        raise StackError("not everything could be turned off", hint="pam-totp stack show")


@stack.command(short_help="Let what is on trial stand.")
@click.pass_obj
def confirm(administrator: Administrator) -> None:
    """Let what is on trial stand.

    This wants a second login, which came after the trial began: it shows that people get in.
    """
    _start(administrator)
    running = trial.current(_ROOT)
    if running is None:
        raise StackError(
            "no trial is under way: it was confirmed, it is over, or there was none",
            hint="pam-totp stack show",
        )
    why = session.why_not(session.current(), running.login, running.audit, running.begun)
    if why:
        raise StackError(
            f"not confirmed: {why}",
            hint="log in a second time, through the new stack, and there: pam-totp stack confirm",
        )
    with change.lock(_ROOT, administrator.name):
        if trial.current(_ROOT) != running:
            raise StackError("the trial is over", hint="pam-totp stack show")
        trial.forget(_ROOT)
    _log("stack-confirm", running.services, administrator)
    click.echo(f"{', '.join(running.services)}: confirmed, and stays")


def _start(administrator: Administrator) -> None:
    """Make sure that it is root's to do, and end a trial that should have ended."""
    administrator.check(_STACKS)
    if trial.current(_ROOT) is not None:
        change.stack_off(_ROOT, ["--overdue"])


def _variant(services: Sequence[str], *, code_only: bool, one_field: bool) -> Variant | None:
    context = click.get_current_context()
    if code_only and one_field:
        raise click.UsageError("--code-only and --one-field exclude each other", context)
    if code_only and set(services) != {switch.SSHD}:
        raise click.UsageError("--code-only is for sshd alone, which checks the key", context)
    if code_only:
        return Variant.CODE
    return Variant.COLLECT if one_field else None


def _changes(looks: Sequence[Look], *, code_only: bool) -> list[Change]:
    """Show what would change, and return it."""
    changes: list[Change] = []
    for one in looks:
        if one.composition is None:
            say(plain(one.said))
        elif one.wants_change:
            found = one.composition
            changes.append(Change(one.service, found.path, found.now, found.wanted))
            stack_view.notes(one)
    if any(one.service == switch.SSHD for one in looks) and sshd.is_there():
        settings = switch.drop_in_change(code_only=code_only)
        changes += [settings] if settings else []
    for each in changes:
        click.echo(stack_view.change(each), nl=False)
    return changes


def _still_right(looks: Sequence[Look], *, code_only: bool) -> None:
    """Raise StackError where sshd has been told otherwise since its stack was written."""
    composed = any(one.service == switch.SSHD and one.composition for one in looks)
    if composed and sshd.is_there():
        sshd.check(code_only=code_only)


def _settle_sshd(changes: Sequence[Change], *, code_only: bool) -> None:
    """Make sure that sshd asks through PAM now, and let it know."""
    if not any(one.service == switch.SSHD for one in changes) or not sshd.is_there():
        return
    sshd.check(code_only=code_only)
    say(sshd.keys_go_on(sshd.effective()))
    undone = sshd.reload()
    if code_only:
        _no_login_without_key(undone)
    elif undone:
        hint(undone)


def _no_login_without_key(undone: str | None) -> None:
    """Raise StackError unless every login from here on has shown a key to sshd before."""
    if undone:
        raise StackError(
            "sshd could not be told its new settings, without which its stack "
            "would let in with no password",
            hint=undone,
        )
    say("waiting for logins that began under the old settings, two minutes at the most")
    sshd.wait_for_old_logins()


def _rehearse(administrator: Administrator, services: Sequence[str], user: str) -> None:
    """Let the administrator log in once at each service.  Raises StackError if that fails."""
    for service in services:
        if not rehearse(service, user):
            raise StackError(
                f"the rehearsal at {service} failed",
                hint=f"try again: {administrator.again()}; as another account: --user NAME; "
                "without a rehearsal: --no-test",
            )


def _put_back(done: Done) -> None:
    say("putting everything back")
    switch.put_back(_ROOT, done.copies)


def _finish(administrator: Administrator, done: Done, seconds: int | None) -> None:
    services = done.trial.services
    for place in done.copies:
        say(f"a copy of what was there is in {place}")
    _log("stack-try" if seconds else "stack-enable", services, administrator)
    if seconds is None:
        trial.forget(_ROOT)
        click.echo(f"{', '.join(services)}: turned on")
        hint(
            "keep this session until a second login has worked; the way back: "
            f"{PROGRAM} stack disable {' '.join(services)}"
        )
        return
    until = moment(done.trial.until, clock.now(), seconds=True)
    click.echo(f"{', '.join(services)}: on trial until {until}, and then put back")
    hint(f"log in a second time, and there: sudo {PROGRAM} stack confirm")


def _log(act: str, services: Sequence[str], administrator: Administrator) -> None:
    for service in services:
        fields = {"act": act, "service": service, "by": administrator.name}
        audit.to_syslog(syslog.LOG_NOTICE, audit.line(fields))
