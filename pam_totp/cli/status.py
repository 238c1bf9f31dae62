"""`pam-totp status`: who must use a code, who has enrolled, who is locked out."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final, get_args

import click

from pam_totp import administration, people
from pam_totp.administration import State, Status
from pam_totp.cli import oneself, oneself_upkeep
from pam_totp.cli.administrator import Administrator, account
from pam_totp.cli.policy_change import group_by_nss
from pam_totp.cli.status_view import as_json_object, show_all, show_one
from pam_totp.cli.terminal import hint, moment, say
from pam_totp.context import Context
from pam_totp.event import Event
from pam_totp.locks import Kind
from pam_totp.people import Known
from pam_totp.policy.document import Policy
from pam_totp.policy.resolve import Effective, Situation, effective, ruling
from pam_totp.policy.values import Invitations, Mfa
from pam_totp.verdict import Verdict

_OWN: Final = "their own programs, after wrong codes"
_LOOKED_AT: Final = 20  # events, of which one may say why somebody was refused


@click.command(short_help="Show who must, who has enrolled, who is locked out.")
@click.argument("user", required=False)
@click.option(
    "--state",
    type=click.Choice(get_args(State)),
    help="Only these: pending must use a code, now or from a day on, and have not enrolled; "
    "open may enroll and have not.",
)
@click.option("--group", metavar="GROUP", help="Only the members of this group.")
@click.option("--json", "as_json", is_flag=True, help="For scripts: print JSON.")
@click.pass_obj
def status(
    administrator: Administrator,
    user: str | None,
    *,
    state: State | None,
    group: str | None,
    as_json: bool,
) -> None:
    """Show who must, who has enrolled, who is locked out; to people, their own account.

    MFA is what the policy says wherever no rule for a service or network does. Without --state
    and --group these are all accounts that are enrolled, invited, locked or pending.

    In JSON `locked` is "no", "until" (until `locked_until`, after wrong codes) or
    "administrator" (until `unlock`).
    """
    about_all = os.geteuid() == 0 or state is not None or group is not None
    if not about_all and administrator.is_usual and oneself.is_meant(administrator, user):
        oneself_upkeep.status(administrator, as_json=as_json)
        return
    world = administrator.context()
    now = world.now()
    if user is not None:
        if state is not None or group is not None:
            raise click.UsageError("USER goes without --state and --group")
        (found,) = _statuses(world, [people.find(world, account(world, user))], now)
        if as_json:
            click.echo(json.dumps(as_json_object(found), indent=2))
        else:
            show_one(administrator, found, _from_where(world, found, now), now)
        return
    everyone = list(_wanted(world, state, group, now))
    if as_json:
        click.echo(json.dumps([as_json_object(one) for one in everyone], indent=2))
    elif everyone:
        show_all(administrator, everyone, now)
    elif state is None and group is None:
        say("nobody has enrolled yet")
        hint(f"{administrator.command('enroll')} USER")
    else:
        say("nobody")


def _wanted(world: Context, state: State | None, group: str | None, now: float) -> Iterator[Status]:
    """Yield whom the options name, by name."""
    if group is not None:
        group = group_by_nss(group)
    groups = {*world.policy().groups, *filter(None, (group,))}
    everybody: Iterable[Known] = filter(_is_of_use, people.known(world, groups))
    if group is not None:
        everybody = (k for k in everybody if k.person and world.belongs(k.person, group))
    for found in _statuses(world, everybody, now):
        if state is not None:
            if state in found.states:
                yield found
        elif group is not None or _matters(found):
            yield found


def _matters(found: Status) -> bool:
    return found.enrolled or found.locked != "no" or found.pending or found.invitation is not None


def _is_of_use(one: Known) -> bool:
    """Whether there is anything to say of somebody: a name that is gone enrolls no more."""
    return not one.gone or one.state.enrolled is not None or one.state.barred is not None


def _statuses(world: Context, everybody: Iterable[Known], now: float) -> Iterator[Status]:
    policy = world.policy()
    for one in everybody:
        situation = _situation(world, one, now)
        ruled = effective(policy, situation)
        found = administration.status(world.store, one.name, now, ruled.limits)
        found = replace(found, gone=one.gone)
        if found.enrolled and not found.damage:
            found = replace(found, damage=people.damage(world, one))
        found = _with_mfa(found, policy, situation)
        yield found if found.enrolled else _with_what_it_takes(world, found, ruled)


def _situation(world: Context, one: Known, now: float) -> Situation:
    person = one.person

    def member(group: str) -> bool | None:
        return None if person is None else world.belongs(person, group)

    return Situation(one.name, now, member, anywhere=True)


def _with_mfa(found: Status, policy: Policy, situation: Situation) -> Status:
    """Return the status with what the policy says."""
    made = ruling(policy, situation, "mfa")
    waits = made.rule is not None and made.rule.values["mfa"] is not made.value
    day = made.rule.values["mfa-from"] if made.rule is not None and waits else None
    return replace(found, mfa=made.value, mfa_from=day)


def _with_what_it_takes(world: Context, found: Status, ruled: Effective) -> Status:
    """Return the status of somebody who has none with what stands between."""
    must = found.mfa is not Mfa.OFF and not found.gone
    wanted = found.invitation_wanted or (must and ruled.invitations is Invitations.REQUIRED)
    found = replace(found, invitation_wanted=wanted)
    return replace(found, refused=_refusal(world, found)) if found.pending else found


def _from_where(world: Context, found: Status, now: float) -> str:
    """Return the locks that shut out one address, or the person's own programs, alone."""
    where = {Kind.PASSWORDS: "{}, after wrong passwords", Kind.OWN_CODES: _OWN}
    held = (lock for lock in world.store.timed_locks(now) if lock.account == found.account)
    return "; ".join(
        f"{where[lock.kind].format(lock.source)}, until {moment(lock.until, now)}"
        for lock in held
        if lock.kind in where
    )


def _refusal(world: Context, found: Status) -> Event | None:
    """Return the newest login that could not enroll somebody, if it says why."""
    for event in reversed(world.store.events(found.account, _LOOKED_AT)):
        if event.what == Verdict.NOT_ENROLLED.value and event.detail:
            return event
    return None
