"""What a policy says of one login, and why.

The most specific rule wins: one for a service or network before one without, then a user's
before a group's before everybody's, then the narrower network.  Rules of one rank: the
strictest.  A rule of which it cannot be told whether it applies (a group that NSS does not
find, a network where there is no address) counts as far as it is stricter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pam_totp.lockout import Limits, Scope
from pam_totp.policy.document import Policy, Rule, Target
from pam_totp.policy.keys import BY_NAME, Key
from pam_totp.policy.values import (
    ALL_SERVICES,
    LOGIN_SHELLS,
    OWN_SERVICE,
    Invitations,
    Messages,
    Mfa,
    SelfEnrollment,
    Unenrolled,
    midnight,
)
from pam_totp.source import Address

Member = Callable[[str], bool | None]
"""Whether the person is in a group, None if that could not be found out."""


def in_no_group(_: str) -> bool | None:
    """Be a member of nothing, for certain."""
    return False


@dataclass(frozen=True, slots=True)
class Situation:
    """A login, or a question about one, as rules are matched with it.

    `user` is None for a name that neither NSS nor the store knows: then the strictest setting
    holds that the policy has anywhere.  `service` and `address` are None where they are not
    known or not to be believed.  With `anywhere`, rules for places are left out: the answer is
    what holds wherever no such rule does.
    """

    user: str | None
    now: float
    member: Member = in_no_group
    service: str | None = None
    address: Address | None = None
    anywhere: bool = False


@dataclass(frozen=True, slots=True)
class Ruling:
    """What came out for one key: the value as it counts now, the rule it is from (None for the
    default), and every rule that says something of it, with whether it applies."""

    key: Key
    value: Any
    rule: Rule | None
    considered: tuple[tuple[Rule, bool | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Effective:
    """What holds for one login.  Times are seconds."""

    mfa: Mfa
    unenrolled: Unenrolled
    invitations: Invitations
    self_enrollment: SelfEnrollment
    authenticators: int
    look_ahead: int
    grace: float
    messages: Messages
    limits: Limits
    scope: Scope


def effective(policy: Policy, situation: Situation) -> Effective:
    """Return what the policy says of a login."""
    matches = _matches(policy, situation)

    def value(name: str) -> Any:
        return _winner(BY_NAME[name], matches, situation)[0]

    return Effective(
        mfa=value("mfa"),
        unenrolled=value("unenrolled"),
        invitations=value("invitations"),
        self_enrollment=value("self-enrollment"),
        authenticators=value("authenticators"),
        look_ahead=value("hotp-look-ahead"),
        grace=value("grace"),
        messages=policy.everywhere("messages"),
        limits=Limits(
            failures=value("lockout-failures"),
            period=value("lockout-period"),
            duration=value("lockout-duration"),
            in_a_row=value("hard-stop"),
            in_days=value("hard-stop-monthly"),
        ),
        scope=value("lockout-scope"),
    )


def ruling(policy: Policy, situation: Situation, name: str) -> Ruling:
    """Return what the policy says for one key, with the rules that it comes from."""
    key, matches = BY_NAME[name], _matches(policy, situation)
    value, rule = _winner(key, matches, situation)
    applies = {one.target: how for one, how in matches}
    saying = [one for one in policy.rules if name in one.values]
    considered = tuple((one, applies.get(one.target, False)) for one in saying)
    return Ruling(key, value, rule, considered)


def asks_in(policy: Policy, service: str) -> bool:
    """Whether codes are asked for in this service at all; in one without a name they are.

    They never are where pam-totpd itself asks for a password: a code there would be asked for
    by whoever asks for the code.
    """
    if service.lower() == OWN_SERVICE:
        return False
    services = policy.everywhere("services")
    return not service or ALL_SERVICES in services or not _meant_by(service).isdisjoint(services)


def counting(value: Any, rule: Rule, now: float) -> Any:
    """Return a rule's value of `mfa` as it counts now: `required` waits for its day."""
    day = rule.values.get("mfa-from")
    if value is Mfa.REQUIRED and day is not None and now < midnight(day):
        return Mfa.OPTIONAL
    return value


_Matches = tuple[tuple[Rule, bool | None], ...]


def _matches(policy: Policy, situation: Situation) -> _Matches:
    """Return every rule that applies or may apply; None for "cannot be told"."""
    if situation.user is None:
        return tuple((rule, None) for rule in policy.rules)
    pairs = ((rule, _applies(rule, situation)) for rule in policy.rules)
    return tuple((rule, how) for rule, how in pairs if how is not False)


def _applies(rule: Rule, situation: Situation) -> bool | None:
    target = rule.target
    if target.user not in (None, situation.user) or (target.places and situation.anywhere):
        return False
    answers = [_in_service(target, situation), _in_network(target, situation)]
    if False not in answers and target.group is not None:
        answers.append(situation.member(target.group))
    if False in answers:
        return False
    return None if None in answers else True


def _in_service(target: Target, situation: Situation) -> bool | None:
    if target.service is None:
        return True
    return None if situation.service is None else target.service in _meant_by(situation.service)


def _meant_by(service: str) -> frozenset[str]:
    """Return the names by which a policy means a service: its own, and its program's."""
    name = service.lower()
    return frozenset((name, LOGIN_SHELLS.get(name, name)))


def _in_network(target: Target, situation: Situation) -> bool | None:
    if target.network is None:
        return True
    return None if situation.address is None else situation.address in target.network


def _winner(key: Key, matches: _Matches, situation: Situation) -> tuple[Any, Rule | None]:
    """Return the value that counts, and the rule it is from."""
    said = [(rule, how) for rule, how in matches if key.name in rule.values]
    if not said:
        return key.default, None
    sure = [rule for rule, how in said if how]

    def beaten(rule: Rule) -> bool:
        return any(other.target.beats(rule.target) for other in sure)

    # What wins if nothing uncertain applies, and each uncertain rule that could beat it.
    firm: list[Rule | None] = [rule for rule in sure if not beaten(rule)]
    loose = [rule for rule, how in said if how is None and not beaten(rule)]

    def value(rule: Rule | None) -> Any:
        if rule is None:
            return key.default
        return counting(rule.values[key.name], rule, situation.now)

    won = max([*(firm or [None]), *loose], key=lambda rule: key.strictness(value(rule)))
    return value(won), won
