"""`pam-totp status`: who must use a code, who has enrolled, who is locked out."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Final, get_args

import click

from pam_totp import administration, people
from pam_totp.administration import State, Status
from pam_totp.cli.administrator import Administrator, account
from pam_totp.cli.policy_change import group_by_nss
from pam_totp.cli.policy_impact import MOST_NAMES
from pam_totp.cli.terminal import hint, local, many, moment, plain, say, table, wrapped
from pam_totp.context import Context
from pam_totp.locks import Kind
from pam_totp.people import Known
from pam_totp.policy.document import Policy
from pam_totp.policy.resolve import Situation, effective, ruling
from pam_totp.verdict import Verdict

_HEADERS: Final = (
    "Account",
    "MFA",
    "Enrolled",
    "Locked",
    "Authenticators",
    "Recovery\ncodes",
    "Last used",
)
_OWN: Final = "their own programs, after wrong codes"
_LOOKED_AT: Final = 20  # events, of which one may say why somebody was refused
_UNBROKEN: Final = ("Locked", "Last used")


@click.command()
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
    """Show who must, who has enrolled, who is locked out.

    MFA is what the policy says wherever no rule for a service or network does. Without --state
    and --group these are all accounts that are enrolled, locked or pending.

    In JSON `locked` is "no", "until" (until `locked_until`, after wrong codes) or
    "administrator" (until `unlock`).
    """
    world = administrator.context()
    now = world.now()
    if user is not None:
        if state is not None or group is not None:
            raise click.UsageError("USER goes without --state and --group")
        (found,) = _statuses(world, [people.find(world, account(world, user))], now)
        if as_json:
            click.echo(json.dumps(_as_json(found), indent=2))
        else:
            places, refusal = _from_where(world, found, now), _refusal(world, found, now)
            _show_one(administrator, found, places, refusal, now)
        return
    everyone = list(_wanted(world, state, group, now))
    if as_json:
        click.echo(json.dumps([_as_json(one) for one in everyone], indent=2))
    elif everyone:
        _show_all(administrator, everyone, now)
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
        everybody = (k for k in everybody if k.person and world.member(k.person, group))
    for found in _statuses(world, everybody, now):
        if state is not None:
            if state in found.states:
                yield found
        elif group is not None or found.enrolled or found.locked != "no" or found.pending:
            yield found


def _is_of_use(one: Known) -> bool:
    """Whether there is anything to say of somebody: a name that is gone enrolls no more."""
    return not one.gone or one.state.enrolled is not None or one.state.lock is not None


def _statuses(world: Context, everybody: Iterable[Known], now: float) -> Iterator[Status]:
    policy = world.policy()
    for one in everybody:
        situation = _situation(world, one, now)
        limits = effective(policy, situation).limits
        found = administration.status(world.store, one.name, now, limits)
        found = replace(found, gone=one.gone)
        if found.enrolled and not found.damage:
            found = replace(found, damage=people.damage(world, one))
        yield _with_mfa(found, policy, situation)


def _situation(world: Context, one: Known, now: float) -> Situation:
    person = one.person

    def member(group: str) -> bool | None:
        return None if person is None else world.member(person, group)

    return Situation(one.name, now, member, anywhere=True)


def _with_mfa(found: Status, policy: Policy, situation: Situation) -> Status:
    """Return the status with what the policy says."""
    made = ruling(policy, situation, "mfa")
    waits = made.rule is not None and made.rule.values["mfa"] is not made.value
    day = made.rule.values["mfa-from"] if made.rule is not None and waits else None
    return replace(found, mfa=made.value, mfa_from=day)


def _from_where(world: Context, found: Status, now: float) -> str:
    """Return the locks that shut out one address, or the person's own programs, alone."""
    where = {Kind.PASSWORDS: "{}, after wrong passwords", Kind.OWN_CODES: _OWN}
    held = (lock for lock in world.store.timed_locks(now) if lock.account == found.account)
    return "; ".join(
        f"{where[lock.kind].format(lock.source)}, until {moment(lock.until, now)}"
        for lock in held
        if lock.kind in where
    )


def _refusal(world: Context, found: Status, now: float) -> str:
    """Return why somebody who has none could not enroll in the newest login that tried."""
    if found.enrolled:
        return ""
    for event in reversed(world.store.events(found.account, _LOOKED_AT)):
        if event.what == Verdict.NOT_ENROLLED.value and event.detail:
            return f"{moment(event.at, now)}, {event.service}: {event.detail}"
    return ""


def _show_one(
    administrator: Administrator, found: Status, places: str, refusal: str, now: float
) -> None:
    lines = [
        ("Account", found.account),
        ("MFA", _mfa(found)),
        ("Enrolled", _enrolled(found)),
        ("Last refused", refusal),
        ("Locked", _locked(found, now)),
        ("Locked from", places),
        ("Reason", found.reason),
        ("Wrong codes", _wrong_codes(found)),
        ("Authenticators", ", ".join(found.authenticators)),
        ("Recovery codes", f"{found.recovery_codes} left" if found.enrolled else ""),
        ("Last used", _last_used(found, now) if found.enrolled else ""),
        ("Clock", ", ".join(f"{name} is {_off(drift)}" for name, drift in found.drifts)),
        ("Out of step", ", ".join(found.out_of_step)),
        ("Damage", found.damage),
    ]
    for label, text in lines:
        if text:
            click.echo(wrapped(f"{label + ':':16}{plain(text)}", sys.stdout, " " * 16))
    if found.damage:
        hint(
            f"put the file back from its copy, or: {administrator.command('reset', found.account)}"
        )


def _show_all(administrator: Administrator, everyone: list[Status], now: float) -> None:
    table(_HEADERS, [_row(one, now) for one in everyone], _UNBROKEN)
    damaged = [one for one in everyone if one.damage]
    for one in damaged[:MOST_NAMES]:
        say(f"{plain(one.account)} is refused: {plain(one.damage)}")
    if len(damaged) > MOST_NAMES:
        say(f"and {len(damaged) - MOST_NAMES} more are refused")
    if damaged:
        hint(administrator.command("status", damaged[0].account))
    locked = sum(one.locked != "no" for one in everyone)
    pending = sum(one.pending for one in everyone)
    click.echo(f"\n{many(len(everyone), 'account')}, {locked} locked, {pending} pending")


def _row(one: Status, now: float) -> tuple[str, ...]:
    return (
        one.account,
        _mfa(one),
        _enrolled(one),
        _locked(one, now),
        _authenticators(one),
        str(one.recovery_codes) if one.enrolled else "",
        _last_used(one, now) if one.enrolled else "",
    )


def _mfa(one: Status) -> str:
    return one.mfa.value if one.mfa_from is None else f"required from {one.mfa_from}"


def _authenticators(one: Status) -> str:
    off = dict(one.drifts)
    names = one.authenticators
    return ", ".join(f"{name} ({_off(off[name])})" if name in off else name for name in names)


def _off(drift: int) -> str:
    """Return how a clock is off, in the seconds that logs have."""
    return f"{abs(drift)} s {'slow' if drift < 0 else 'fast'}"


def _enrolled(one: Status) -> str:
    if one.damage:
        return "damaged"
    return "yes" if one.enrolled else "no"


def _locked(one: Status, now: float) -> str:
    if one.locked_until is not None:
        return f"until {moment(one.locked_until, now)}"
    return "by administrator" if one.locked == "administrator" else "no"


def _wrong_codes(one: Status) -> str:
    """Return how many count towards a lock; nothing where they have become one."""
    return "" if one.locked == "until" else str(one.failures)


def _last_used(one: Status, now: float) -> str:
    if not one.last_used:
        return "never"
    then = local(one.last_used)
    return f"{then:%H:%M}" if then.date() == local(now).date() else f"{then:%Y-%m-%d}"


def _as_json(one: Status) -> dict[str, Any]:
    """Return a status as scripts read it: times as ISO 8601, rounded up to whole seconds."""
    return {
        "account": one.account,
        "mfa": one.mfa.value,
        "mfa_from": None if one.mfa_from is None else one.mfa_from.isoformat(),
        "state": one.states[0],
        "enrolled": one.enrolled,
        "locked": one.locked,
        "locked_until": _iso(one.locked_until),
        "reason": one.reason,
        "failures": one.failures,
        "authenticators": list(one.authenticators),
        "recovery_codes": one.recovery_codes,
        "last_used": _iso(one.last_used),
        "drift": max((drift for _, drift in one.drifts), key=abs, default=None),
        "damage": one.damage or None,
    }


def _iso(at: float | None) -> str | None:
    return None if at is None else local(math.ceil(at)).isoformat()
