"""What `pam-totp status` shows of accounts."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from typing import Any, Final

import click

from pam_totp.administration import Status
from pam_totp.cli.administrator import Administrator
from pam_totp.cli.policy_impact import MOST_NAMES
from pam_totp.cli.recovery_codes import say_few
from pam_totp.cli.terminal import hint, local, many, moment, plain, say, table, wrapped
from pam_totp.event import Event
from pam_totp.recovery import FEW

_HEADERS: Final = (
    "Account",
    "MFA",
    "Enrolled",
    "Locked",
    "Authenticators",
    "Recovery\ncodes",
    "Last used",
)
_UNBROKEN: Final = ("Locked", "Last used")


def show_one(administrator: Administrator, found: Status, places: str, now: float) -> None:
    """Show one account; `places` is from where it is locked."""
    lines = [
        ("Account", found.account),
        ("MFA", _mfa(found)),
        ("Enrolled", _enrolled(found)),
        ("Invitation", _invitation(found, now)),
        ("Last refused", _refusal(found.refused, now)),
        ("Locked", _locked(found, now)),
        ("Locked from", places),
        ("Reason", found.reason),
        ("Wrong codes", _wrong_codes(found)),
        ("Authenticators", _authenticators(replace(found, drifts=()))),
        ("Recovery codes", f"{found.recovery_codes} left" if found.enrolled else ""),
        ("Last used", _last_used(found, now) if found.enrolled else ""),
        ("Clock", ", ".join(f"{name} is {_off(drift)}" for name, drift in found.drifts)),
        ("Out of step", ", ".join(found.out_of_step)),
        ("Damage", found.damage),
    ]
    for label, text in lines:
        if text:
            click.echo(wrapped(f"{label + ':':16}{plain(text)}", sys.stdout, " " * 16))
    _say_what_helps(administrator, found)


def _say_what_helps(administrator: Administrator, found: Status) -> None:
    name = found.account
    if found.disabled:
        hint(administrator.command("account", "enable", name))
    elif found.damage:
        hint(f"put the file back from its copy, or: {administrator.command('reset', name)}")
    elif found.enrolled:
        say_few(administrator, name, found.recovery_codes)
    elif found.invitation_wanted and found.invitation is None:
        hint(administrator.command("invite", name))


def _invitation(found: Status, now: float) -> str:
    """Return how an invitation stands; nothing where there is none and none is wanted."""
    given = found.invitation
    if given is not None:
        return f"good until {moment(given.until, now)}, given out by {given.by}"
    return "wanted, and none is good now" if found.invitation_wanted else ""


def _refusal(event: Event | None, now: float) -> str:
    return "" if event is None else f"{moment(event.at, now)}, {event.service}: {event.detail}"


def show_all(administrator: Administrator, everyone: list[Status], now: float) -> None:
    """Show many, a line each."""
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
    invited = sum(not one.enrolled and one.invitation is not None for one in everyone)
    few = sum(one.enrolled and one.recovery_codes <= FEW for one in everyone)
    said = [many(len(everyone), "account"), f"{locked} locked", f"{pending} pending"]
    said += [f"{invited} invited"] * (invited > 0) + [f"{few} with few recovery codes"] * (few > 0)
    click.echo(f"\n{', '.join(said)}")


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
    remarks = dict.fromkeys(one.unconfirmed, "not used yet")
    remarks |= {name: _off(drift) for name, drift in one.drifts}
    names = one.authenticators
    return ", ".join(f"{name} ({remarks[name]})" if name in remarks else name for name in names)


def _off(drift: int) -> str:
    """Return how a clock is off, in the seconds that logs have."""
    return f"{abs(drift)} s {'slow' if drift < 0 else 'fast'}"


def _enrolled(one: Status) -> str:
    if one.damage:
        return "damaged"
    if one.enrolled:
        return "yes"
    return "no, invited" if one.invitation is not None else "no"


def _locked(one: Status, now: float) -> str:
    if one.locked_until is not None:
        return f"until {moment(one.locked_until, now)}"
    if one.disabled:
        return "disabled"
    return "by administrator" if one.locked == "administrator" else "no"


def _wrong_codes(one: Status) -> str:
    """Return how many count towards a lock; nothing where they have become one."""
    return "" if one.locked == "until" else str(one.failures)


def _last_used(one: Status, now: float) -> str:
    if not one.last_used:
        return "never"
    then = local(one.last_used)
    return f"{then:%H:%M}" if then.date() == local(now).date() else f"{then:%Y-%m-%d}"


def as_json_object(one: Status) -> dict[str, Any]:
    """Return a status as scripts read it: times as ISO 8601, rounded up to whole seconds."""
    return {
        "account": one.account,
        "mfa": one.mfa.value,
        "mfa_from": None if one.mfa_from is None else one.mfa_from.isoformat(),
        "state": one.states[0],
        "enrolled": one.enrolled,
        "locked": one.locked,
        "disabled": one.disabled,
        "locked_until": _iso(one.locked_until),
        "reason": one.reason,
        "failures": one.failures,
        "authenticators": list(one.authenticators),
        "unconfirmed": list(one.unconfirmed),
        "recovery_codes": one.recovery_codes,
        "invited_until": _iso(one.invitation.until if one.invitation else None),
        "invited_by": one.invitation.by if one.invitation else None,
        "invitation_wanted": one.invitation_wanted,
        "refused": _refused(one.refused),
        "last_used": _iso(one.last_used),
        "drift": max((drift for _, drift in one.drifts), key=abs, default=None),
        "damage": one.damage or None,
    }


def _refused(event: Event | None) -> dict[str, Any] | None:
    if event is None:
        return None
    return {"at": _iso(event.at), "service": event.service, "why": event.detail}


def _iso(at: float | None) -> str | None:
    return None if at is None else local(math.ceil(at)).isoformat()
