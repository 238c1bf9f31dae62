"""What a change of the policy does, said before it takes effect."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import click

from pam_totp import impact, people
from pam_totp.cli.terminal import hint, local, plain, say, wrapped
from pam_totp.context import Context
from pam_totp.errors import PolicyError
from pam_totp.governance import Change
from pam_totp.impact import Effect, Impact, Overruled, Somebody
from pam_totp.policy.document import Policy, Target
from pam_totp.policy.keys import BY_NAME
from pam_totp.policy.resolve import asks_in
from pam_totp.policy.values import ALL_SERVICES, Unenrolled
from pam_totp.stack import StackError, Tree, services_that_collect, services_using_module

MOST_NAMES: Final = 10


class LocksOut(PolicyError):
    """The change would lock out its author, or the last administrator."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """A change as it is about to be made: what it does, to whom, at which services."""

    change: Change
    author: str
    now: float
    people: Sequence[Somebody]
    services: Sequence[str]
    mute: Collection[str]
    impact: Impact
    overruled: Sequence[Overruled]


def outlook(world: Context, change: Change, author: str) -> Outlook:
    """Return what a change does on this host.  Raises StoreError."""
    old, new, now = change.basis.policy, change.policy, world.now()
    groups = old.groups | new.groups
    named = {rule.target.user for rule in (*old.rules, *new.rules)} - {None}
    everybody = [
        people.somebody(world, one, groups, now)
        for one in people.known(world, groups, {author, *map(str, named)})
        if one.person is not None  # a name that NSS does not know gets in nowhere
    ]
    services, mute = _enforced()
    return Outlook(
        change,
        author,
        now,
        everybody,
        services,
        mute,
        impact.impact(old, new, everybody, services, now, mute=mute),
        impact.overruled(old, new, everybody, services, now),
    )


def show(seen: Outlook) -> None:
    """Print what changes for whom; what else there is to say goes to stderr."""
    for line in seen.change.words:
        click.echo(plain(line))
    click.echo()
    for effect in seen.impact.effects:
        click.echo(wrapped(_effect(effect), sys.stdout, "  "))
    for place in seen.impact.untouched:
        click.echo(f"{place.words}: nothing changes")
    if not seen.impact.effects:
        click.echo("nobody is asked or refused otherwise than before")
    for note in _notes(seen):
        say(plain(note))
    _where(seen.change.policy, seen.services)


def check(seen: Outlook, *, force: bool) -> None:
    """Raise LocksOut where the change locks out its author or the last administrator, at once;
    with `force`, and for a day to come, say so."""
    for message, what_next in _dangers(seen):
        if not force:
            raise LocksOut(message, hint=f"{what_next}; or, all the same, with --force")
        say(plain(message))
    for effect in seen.impact.refusing(seen.author):
        if effect.at is not None:
            say(f"from {local(effect.at):%Y-%m-%d} on this refuses you, {plain(seen.author)}")
            hint(f"pam-totp enroll {shlex.quote(seen.author)}")
            break


def names(people: Sequence[str]) -> str:
    """Return names in a row, a long one cut."""
    shown, rest = people[:MOST_NAMES], len(people) - MOST_NAMES
    return plain(", ".join(shown)) + (f" and {rest} more" if rest > 0 else "")


def _effect(effect: Effect) -> str:
    where = [*effect.services]
    if effect.place.words:
        where.append(effect.place.words)
    if effect.at is not None:
        where.append(f"from {local(effect.at):%Y-%m-%d} on")
    return f"{plain(', '.join(where))}: {effect.kind.value}: {names(effect.people)}"


def _notes(seen: Outlook) -> Iterator[str]:
    old, new = seen.change.basis.policy, seen.change.policy
    for rule in new.rules:
        before = old.rule(rule.target).values
        changed = {name: value for name, value in rule.values.items() if before.get(name) != value}
        if changed.get("unenrolled") is Unenrolled.ENROLL:
            yield from _time_to_enroll(seen.services, seen.mute)
        if changed:
            yield from _of_target(rule.target, seen)
    for one in seen.overruled:
        word = f"{one.key}={BY_NAME[one.key].kind.text(one.rule.values[one.key])}"
        whom = names(one.people)
        yield f"{word} for {one.rule.target} has no effect for {whom}: over it is {one.winner}"


def _of_target(target: Target, seen: Outlook) -> Iterator[str]:
    if target.group is not None and not _found(seen.people, target.group):
        yield f"NSS does not find group {target.group}: its stricter rules hold for everybody"
    if target.service is not None and target.service not in map(str.lower, seen.services):
        yield f"the stack of {target.service} on this host does not use pam_totp"
    if target.network is not None:
        yield (
            f"a login without an address (console, su) is in {target.network} only where that is "
            "the stricter"
        )


def _time_to_enroll(services: Sequence[str], mute: Collection[str]) -> Iterator[str]:
    """Say where people can set up a code when they log in, and that it takes a while."""
    shown = [name for name in services if name.lower() not in mute]
    if shown:
        yield (
            f"people can set up a code when they log in at {', '.join(shown)}; whether they are "
            "given the time for it, `pam-totp doctor enrollment` says"
        )
    for name in services:
        if name.lower() in mute:
            yield f"{name} cannot show a QR code: who has none is refused there"


def _found(everybody: Sequence[Somebody], group: str) -> bool:
    return any(one.groups[group] is not None for one in everybody)


def _dangers(seen: Outlook) -> Iterator[tuple[str, str]]:
    """Yield what would lock out whom at once, each with what to do first."""
    author, at_once = seen.author, [e for e in seen.impact.refusing(seen.author) if e.at is None]
    if at_once:
        enrolled = any(one.enrolled for one in seen.people if one.name == author)
        why = "your authenticators cannot be used" if enrolled else "you have not enrolled"
        where = ", ".join(filter(None, (*at_once[0].services, at_once[0].place.words)))
        what_next = f"pam-totp {'status' if enrolled else 'enroll'} {shlex.quote(author)}"
        yield f"this would refuse you, {author}, at {where}: {why}", what_next
    if seen.impact.shut:
        them = names([one.name for one in seen.people if one.administrator])
        where = ", ".join(seen.impact.shut)
        message = (
            f"no administrator could log in at {where} any more: of {them} nobody has enrolled"
        )
        yield f"{message}, or all are locked", f"pam-totp enroll {shlex.quote(author)}"


def _enforced() -> tuple[list[str], frozenset[str]]:
    """Return the services of this host that ask for codes, as far as their stacks go, and those
    of them where nobody can enroll."""
    try:
        return services_using_module(), services_that_collect()
    except StackError as error:
        say(plain(str(error)))
        return [], frozenset()


def _where(policy: Policy, enforced: Sequence[str]) -> None:
    """Say where the stacks ask for codes and the policy does not, and the other way round."""
    if not enforced:
        say("no service of this host uses pam_totp yet: nobody is asked for a code")
        hint("pam-totp stack enable sshd")
        return
    unnamed = [name for name in enforced if not asks_in(policy, name)]
    if unnamed:
        say(
            f"{names(unnamed)}: pam_totp is used, and not named by services=: nobody is asked there"
        )
    named = [name for name in policy.everywhere("services") if name != ALL_SERVICES]
    for name in named:
        if name not in enforced and Tree().file(name) is not None:
            say(f"{name} is named by the policy, and its stack does not use pam_totp")
            hint(f"pam-totp stack enable {name}")
        elif name not in enforced and name not in BY_NAME["services"].default:
            say(f"{plain(name)} is named by the policy, and this machine has no such service")
