"""What a change of the policy does to people, before it takes effect.

A policy sees of a person the name, the groups that its rules name, and whether there are
authenticators that can be used.  People who are alike in these are looked at once, however many
they are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import product
from typing import Final

from pam_totp.policy.document import Policy, Rule, Target
from pam_totp.policy.keys import BY_NAME, Reach
from pam_totp.policy.places import Place, places
from pam_totp.policy.resolve import Situation, asks_in, ruling
from pam_totp.policy.values import Invitations, Mfa, SelfEnrollment, Unenrolled, midnight
from pam_totp.source import Address

_MOST_DATES: Final = 4


@dataclass(frozen=True, slots=True)
class Somebody:
    """A person as a policy sees one.

    `groups` says of each group that a policy names whether this is a member, None for what
    cannot be told.  Who is `enrolled` and not `usable` is damaged, or has enrolled under another
    name.  `locked` ends when an administrator acts, `held` by itself.  Who is `only_invited`
    enrolls by an invitation alone, and who is `invited` has one.
    """

    name: str
    groups: Mapping[str, bool | None] = field(default_factory=dict)
    enrolled: bool = False
    usable: bool = False
    locked: bool = False
    held: bool = False
    administrator: bool = False
    only_invited: bool = False
    invited: bool = False

    def situation(self, service: str, address: Address | None, now: float) -> Situation:
        """Return a login of this person."""
        return Situation(self.name, now, self.groups.get, service, address)


class Standing(Enum):
    """What becomes of somebody who logs in with the right password."""

    NOT_ASKED = 0
    ASKED = 1
    ENROLLS = 2  # sets up a code in the login itself
    REFUSED = 3


class Kind(Enum):
    """What changes for somebody."""

    REFUSED = "would be refused"
    ASKED = "will be asked for a code"
    ENROLLS = "will set up a code when they log in"
    NOT_ASKED = "no longer asked for a code"
    NOT_REFUSED = "no longer refused, and not asked for a code"


@dataclass(frozen=True, slots=True)
class Effect:
    """What changes for these people at these services, from one place: at once, or at the day
    that begins at `at` (UTC seconds)."""

    at: float | None
    place: Place
    kind: Kind
    services: tuple[str, ...]
    people: tuple[str, ...]

    @property
    def what(self) -> tuple[Kind, tuple[str, ...], tuple[str, ...]]:
        """What changes, wherever and whenever."""
        return self.kind, self.services, self.people


@dataclass(frozen=True, slots=True)
class Impact:
    """What a change does.

    `untouched` are the places from which nothing changes although something does elsewhere.
    At the services `shut` administrators could log in, and after the change none can.
    """

    effects: tuple[Effect, ...] = ()
    untouched: tuple[Place, ...] = ()
    shut: tuple[str, ...] = ()

    def refusing(self, name: str) -> list[Effect]:
        """Return the effects that refuse somebody."""
        return [e for e in self.effects if e.kind is Kind.REFUSED and name in e.people]


@dataclass(frozen=True, slots=True)
class Overruled:
    """A key that a rule sets, and the rule that wins over it for these people."""

    key: str
    rule: Rule
    winner: Rule
    people: tuple[str, ...]


def impact(  # noqa: PLR0913 -- what changes, for whom, where and when
    old: Policy,
    new: Policy,
    people: Sequence[Somebody],
    services: Sequence[str],
    now: float,
    *,
    mute: Collection[str] = (),
) -> Impact:
    """Return what changing `old` into `new` does to people at services that ask for codes.
    Those that are `mute`, in lower case, show no prompt: nobody can enroll there."""
    return _Comparison(old, new, people, services, now, mute=mute).impact()


def standing(  # noqa: PLR0913 -- who, where, when, by which policy
    policy: Policy,
    who: Somebody,
    service: str,
    address: Address | None,
    now: float,
    *,
    mute: Collection[str] = (),
) -> Standing:
    """Return what becomes of somebody who logs in with the right password and is not locked."""
    if not asks_in(policy, service):
        return Standing.NOT_ASKED
    situation = who.situation(service, address, now)
    mfa = ruling(policy, situation, "mfa").value
    if mfa is Mfa.OFF or (mfa is Mfa.OPTIONAL and not who.enrolled):
        return Standing.NOT_ASKED
    if who.usable:
        return Standing.ASKED
    shown = not who.enrolled and service.lower() not in mute
    return Standing.ENROLLS if shown and _may_enroll(policy, who, situation) else Standing.REFUSED


def _may_enroll(policy: Policy, who: Somebody, situation: Situation) -> bool:
    """Whether somebody who has not enrolled can do so in this login."""

    def value(name: str) -> object:
        return ruling(policy, situation, name).value

    if value("unenrolled") is not Unenrolled.ENROLL:
        return False
    if value("self-enrollment") is not SelfEnrollment.ON:
        return False
    wanted = who.only_invited or value("invitations") is Invitations.REQUIRED
    return who.invited or not wanted


def overruled(
    old: Policy, new: Policy, people: Sequence[Somebody], services: Sequence[str], now: float
) -> list[Overruled]:
    """Return where what a change sets does not count, because a more specific rule or, of two
    equal ones, the stricter says something else."""
    crowd, where = alike(people, new), places(old, new)
    found: list[Overruled] = []
    for rule, name in _newly_said(old, new):
        at = [rule.target.service] if rule.target.service else [*services] or [""]
        won: dict[Target, set[str]] = defaultdict(set)
        for service, place, (one, names) in product(at, where, crowd):
            made = ruling(new, one.situation(service, place.address, now), name)
            winner = made.rule if (rule, True) in made.considered else None
            if winner is not None and winner.values[name] != rule.values[name]:
                won[winner.target].update(names)
        found += [
            Overruled(name, rule, new.rule(target), tuple(sorted(names)))
            for target, names in won.items()
        ]
    return found


def _newly_said(old: Policy, new: Policy) -> Iterator[tuple[Rule, str]]:
    for rule in new.rules:
        before = old.rule(rule.target).values
        for name, value in rule.values.items():
            said = name in before and before[name] == value
            if not said and name != "mfa-from" and BY_NAME[name].reach is not Reach.EVERYBODY:
                yield rule, name


def alike(people: Sequence[Somebody], *policies: Policy) -> list[tuple[Somebody, tuple[str, ...]]]:
    """Return people in classes of which no policy tells one from another: one of each class,
    and all names."""
    named = {rule.target.user for policy in policies for rule in policy.rules}
    found: dict[object, list[Somebody]] = defaultdict(list)
    for one in people:
        name = one.name if one.name in named else None
        facts = one.enrolled, one.usable, one.locked, one.only_invited, one.invited
        found[frozenset(one.groups.items()), facts, name].append(one)
    return [(them[0], tuple(one.name for one in them)) for them in found.values()]


class _Comparison:
    def __init__(  # noqa: PLR0913 -- as `impact`
        self,
        old: Policy,
        new: Policy,
        people: Sequence[Somebody],
        services: Sequence[str],
        now: float,
        *,
        mute: Collection[str],
    ) -> None:
        self._mute = mute
        self._old, self._new = old, new
        self._people, self._services, self._now = people, services, now
        self._crowd = alike([one for one in people if not one.locked], old, new)
        self._places = places(old, new)
        self._told: set[tuple[Place, Kind, str, str]] = set()

    def impact(self) -> Impact:
        """Return it."""
        first, *others = self._places
        effects: list[Effect] = []
        touched: set[Place] = set()
        for at in (None, *_dates(self._old, self._new, self._now)):
            usual = self._effects(at, first)
            effects += usual
            touched |= {first} if usual else set()
            for place in others:
                here = self._effects(at, place)
                touched |= {place} if here else set()
                if [e.what for e in here] != [e.what for e in usual]:
                    effects += here
        spared = [place for place in others if first in touched and place not in touched]
        return Impact(tuple(effects), tuple(spared), tuple(self._shut()))

    def _effects(self, at: float | None, place: Place) -> list[Effect]:
        """Return what changes at a moment, from one place; what was so before is not repeated."""
        now = self._now if at is None else at
        found: dict[Kind, dict[str, list[str]]] = {kind: defaultdict(list) for kind in Kind}
        for service in self._services:
            for one, names in self._crowd:
                before, after = (
                    standing(policy, one, service, place.address, now, mute=self._mute)
                    for policy in (self._old, self._new)
                )
                if before is not after:
                    kind = _kind(before, after)
                    found[kind][service] += self._untold(place, kind, service, names)
        return [
            Effect(at, place, kind, services, people)
            for kind, by_service in found.items()
            for people, services in _together(by_service)
        ]

    def _untold(
        self, place: Place, kind: Kind, service: str, names: Sequence[str]
    ) -> Iterator[str]:
        for name in names:
            what = place, kind, service, name
            if what not in self._told:
                self._told.add(what)
                yield name

    def _shut(self) -> Iterator[str]:
        """Yield the services at which an administrator could log in, from wherever, and after
        the change none can."""
        administrators = [one for one in self._people if one.administrator and not one.locked]
        for service in self._services:
            before, after = (
                any(
                    self._gets_in(policy, one, service, place)
                    for one in administrators
                    for place in self._places
                )
                for policy in (self._old, self._new)
            )
            if before and not after:
                yield service

    def _gets_in(self, policy: Policy, who: Somebody, service: str, place: Place) -> bool:
        found = standing(policy, who, service, place.address, self._now, mute=self._mute)
        if found is Standing.NOT_ASKED:
            return True
        return found is not Standing.REFUSED and not who.held


def _kind(before: Standing, after: Standing) -> Kind:
    if after is Standing.NOT_ASKED:
        return Kind.NOT_REFUSED if before is Standing.REFUSED else Kind.NOT_ASKED
    return {Standing.REFUSED: Kind.REFUSED, Standing.ENROLLS: Kind.ENROLLS}.get(after, Kind.ASKED)


def _together(
    by_service: Mapping[str, Sequence[str]],
) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Yield people, sorted, with the services at which it is the same people."""
    services: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for service, people in by_service.items():
        if people:
            services[tuple(sorted(people))].append(service)
    for people, where in services.items():
        yield people, tuple(where)


def _dates(old: Policy, new: Policy, now: float) -> list[float]:
    """Return the days to come on which either policy begins to require codes."""
    days = {rule.values.get("mfa-from") for policy in (old, new) for rule in policy.rules}
    begin = sorted(midnight(day) for day in days if day is not None)
    return [at for at in begin if at > now][:_MOST_DATES]
