"""`pam-totp invite`: a word that lets somebody enroll once."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import click

from pam_totp import administration, invitation, private_file, sheet
from pam_totp.account import Invitation, Person
from pam_totp.cli.administrator import Administrator, account, noted, unknown
from pam_totp.cli.bulk import invite_many, many_options
from pam_totp.cli.bulk_run import Many
from pam_totp.cli.papers import document, name_paper, sheets_option
from pam_totp.cli.terminal import Terminal, hint, local, moment, plain, say, terminal
from pam_totp.context import Context
from pam_totp.errors import EnrollmentError
from pam_totp.policy import values
from pam_totp.policy.values import Mfa, SelfEnrollment, Unenrolled

_DURATION: Final = values.duration(3_600, invitation.LONGEST)


@dataclass(frozen=True, slots=True)
class Given:
    """An invitation that is given out, and what is kept of it."""

    word: str = field(repr=False)
    kept: Invitation


class Valid(click.ParamType):
    """An option whose value is how long an invitation is good, in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return seconds."""
        try:
            return int(_DURATION.parse(value))
        except ValueError:
            self.fail(f"{value!r}: expected {_DURATION.form}", param, ctx)


valid_option: Final = click.option(
    "--valid",
    type=Valid(),
    default="72h",
    show_default=True,
    metavar="DURATION",
    help="How long the invitation is good.",
)


@click.command(short_help="Give USER, or many, a word that lets enroll once.")
@click.argument("user", required=False)
@valid_option
@click.option("--withdraw", is_flag=True, help="Make the invitation void.")
@sheets_option
@many_options
@click.option("--json", "as_json", is_flag=True, help="For scripts: print JSON.")
@click.pass_obj
def invite(  # noqa: PLR0913 -- one parameter for each option
    administrator: Administrator,
    user: str | None,
    *,
    many: Many,
    valid: int,
    withdraw: bool,
    sheet_file: Path | None,
    as_json: bool,
) -> None:
    """Give out an invitation: a word that lets USER enroll once.

    It is shown this once, and asked for beside the password where the policy says
    invitations=required, and after a reset. An earlier one becomes void.

    Of many people (--from, --group), whoever has enrolled is left as they are.
    """
    many = replace(many, sheets=sheet_file if many else None, json=as_json)
    many.check(user)
    if user is None and not many:
        raise click.UsageError("one of USER, --from FILE and --group GROUP")
    if user is None:
        if withdraw:
            raise click.UsageError("--withdraw goes with USER")
        invite_many(administrator, many, valid)
        return
    world = administrator.context()
    if withdraw:
        if as_json or sheet_file:
            raise click.UsageError("--withdraw goes without --json and --sheet")
        _withdraw(administrator, world, account(world, user))
        return
    person = world.person(user)
    if person is None:
        raise unknown(user)
    _check(world, person)
    given = made(administrator, world, valid)
    if as_json or sheet_file:
        with on_sheet(world, sheet_file, person.name, given):
            _keep(administrator, world, person.name, given)
    else:
        with terminal(administrator.again("--json")) as at:
            _keep(administrator, world, person.name, given)
            show(world, at, person.name, given)
    if as_json:
        click.echo(json.dumps(as_json_object(person.name, given), indent=2))
    else:
        until = moment(given.kept.until, world.now())
        click.echo(f"{plain(person.name)}: invited, until {until}")
        _say_what_counts(administrator, world, person.name)


def made(administrator: Administrator, world: Context, valid: int) -> Given:
    """Return a new invitation, which is not kept yet."""
    salt = os.urandom(16)
    return Given(*invitation.new(world.now(), administrator.name, secrets.choice, salt, valid))


@contextmanager
def on_sheet(world: Context, path: Path | None, name: str, given: Given | None) -> Iterator[None]:
    """Write an invitation to a page that is to be printed; where the block raises it is gone.
    Raises NotWritten."""
    if path is None or given is None:
        yield
        return
    spoken, when = world.speech(), f"{local(given.kept.until):%Y-%m-%d %H:%M}"
    page = sheet.InvitationPage(name, world.config.issuer, given.word, when)
    private_file.create(path, document(name, sheet.invitation_page(page, spoken), spoken))
    try:
        yield
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    name_paper(path)


def show(world: Context, at: Terminal, name: str, given: Given) -> None:
    """Show an invitation, for the only time."""
    ruled, who = world.anywhere(name), plain(name)
    until = moment(given.kept.until, world.now())
    asks = ruled.mfa is Mfa.REQUIRED and ruled.unenrolled is Unenrolled.ENROLL
    place = "at the next login (SSH, console), or " if asks else ""
    at.show(
        f"Invitation for {who}, shown this once:\n\n    {given.word}\n\n"
        f"It is good for one enrollment, until {until}.\n"
        "Give it in person: whoever has it and the password can enroll.\n"
        f"It is asked for {place}by: pam-totp enroll"
    )


def as_json_object(name: str, given: Given | None) -> dict[str, Any]:
    """Return what scripts are told of an invitation, or of there being none."""
    word, until = (given.word, local(given.kept.until).isoformat()) if given else (None, None)
    return {"account": name, "invitation": word, "until": until}


def _say_what_counts(administrator: Administrator, world: Context, name: str) -> None:
    """Say so where nobody will ask for the invitation."""
    ruled, who = world.anywhere(name), plain(name)
    if ruled.self_enrollment is SelfEnrollment.OFF:
        say(f"the policy does not let {who} enroll alone (self-enrollment=off)")
        hint(administrator.command("policy", "explain", name, "--key", "self-enrollment"))
    elif not invitation.wanted(world.store.look(name), ruled.invitations):
        say(f"the policy asks {who} for no invitation: the password alone lets enroll")
        hint(administrator.command("policy", "set", "invitations=required"))


def _check(world: Context, person: Person) -> None:
    """Raise EnrollmentError for who has enrolled, before anything is made or asked."""
    if world.store.look(person.name).enrolled is not None:
        raise EnrollmentError(
            f"{person.name} has enrolled and needs no invitation",
            hint=f"pam-totp reset {person.name}, if the phone is gone: that gives one out too",
        )


def _keep(administrator: Administrator, world: Context, name: str, given: Given) -> None:
    origin = administrator.origin
    noted(world, administration.invite(world.store, name, given.kept, origin=origin))


def _withdraw(administrator: Administrator, world: Context, name: str) -> None:
    now, by, origin = world.now(), administrator.name, administrator.origin
    noted(world, administration.withdraw(world.store, name, now, by, origin=origin))
    click.echo(f"{plain(name)}: the invitation is void")
    ruled = world.anywhere(name)
    if invitation.wanted(world.store.look(name), ruled.invitations):
        hint(f"to enroll, {plain(name)} needs another: {administrator.command('invite', name)}")
