"""The policy of the store, held against this machine's names and stacks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from pam_totp import people
from pam_totp.context import Context
from pam_totp.doctor.finding import Check, Finding, Unchecked, error, warning
from pam_totp.doctor.machine import Machine
from pam_totp.errors import PolicyError
from pam_totp.impact import Somebody, Standing, standing
from pam_totp.policy.document import EVERYBODY, Policy
from pam_totp.policy.in_force import InForce
from pam_totp.policy.places import places
from pam_totp.policy.resolve import asks_in
from pam_totp.policy.values import ALL_SERVICES
from pam_totp.stack import (
    MODULE,
    Rule,
    StackError,
    Tree,
    services_that_collect,
    services_using_module,
)


def _readable(machine: Machine) -> Iterator[Finding]:
    newest = next(iter(machine.store.policies(1)), None)
    if newest is None:
        yield error("the store has no policy, and logins are refused", "pam-totp policy edit")
        return
    try:
        _ = newest.policy
    except PolicyError as broken:
        said: list[str] = []
        try:
            InForce(machine.store, lambda _, line: said.append(line))()
        except PolicyError as none:
            yield error(f"{broken}; none can be used, and logins are refused", none.hint)
            return
        good = said[0].partition("in-force=")[2].split()[0]
        yield error(
            f"{broken}; policy {good} is in force instead", f"pam-totp policy revert {good}"
        )


def _groups(machine: Machine) -> Iterator[Finding]:
    for name in sorted(_policy(machine).groups):
        if machine.group(name) is None:
            yield warning(
                f"the policy has rules for the group {name!r}, which the name service does not "
                "know: they count only as far as they are stricter",
                f"getent group {name}; and if it is gone: pam-totp policy unset --group {name}",
            )


def _users(machine: Machine) -> Iterator[Finding]:
    for name in sorted({r.target.user for r in _policy(machine).rules if r.target.user}):
        if machine.lookup(name) is None and machine.store.local_accounts.get(name) is None:
            yield warning(
                f"the policy has rules for the user {name!r}, whom nobody knows",
                f"pam-totp policy unset --user {name}",
            )


def _services(machine: Machine) -> Iterator[Finding]:
    """Look at the services that were named by somebody; those as shipped are a suggestion."""
    policy, tree = _policy(machine), Tree(machine.root)
    named = {rule.target.service for rule in policy.rules if rule.target.service}
    named |= set(policy.rule(EVERYBODY).values.get("services", ())) - {ALL_SERVICES}
    asking = {service.lower() for service in services_using_module(machine.root)}
    there = {service.lower(): service for service in tree.services()}
    for service in sorted(named & there.keys() - asking):
        yield warning(
            f"the policy names {service}, whose stack does not ask for a code",
            f"pam-totp stack enable {there[service]}",
        )


def _stacks(machine: Machine) -> Iterator[Finding]:
    """A stack that has the module through common-auth is meant for some services alone."""
    policy, tree = _policy(machine), Tree(machine.root)
    for service in services_using_module(machine.root):
        with suppress(StackError):
            of_its_own = not all(map(_in_common, _ours(tree, service)))
            if of_its_own and not asks_in(policy, service):
                services = ",".join((*policy.everywhere("services"), service.lower()))
                yield warning(
                    f"the stack of {service} asks for a code, and the policy's `services` does "
                    "not name it: there nobody is asked",
                    f"pam-totp policy set services={services}",
                )


def _ways_in(machine: Machine) -> Iterator[Finding]:
    """Look whether an administrator can log in at each service that asks, from anywhere."""
    policy, now = _policy(machine), machine.now()
    them, mute = _administrators(machine, policy), services_that_collect(machine.root)
    shut = [
        service
        for service in services_using_module(machine.root)
        if not any(
            standing(policy, one, service, place.address, now, mute=mute) is not Standing.REFUSED
            for one in them
            for place in places(policy, policy)
            if not one.locked
        )
    ]
    if them and shut:
        locked = all(one.locked for one in them)
        why = "is locked" if locked else "is locked, or must use a code and has none"
        yield error(
            f"no administrator can log in at {', '.join(shut)}: each of "
            f"{', '.join(one.name for one in them)} {why}",
            f"pam-totp {'unlock' if locked else 'enroll'} {them[0].name}",
        )


def _administrators(machine: Machine, policy: Policy) -> list[Somebody]:
    world = Context(
        machine.config,
        machine.store,
        now=machine.now,
        lookup=machine.lookup,
        member=machine.member,
        policy=lambda: policy,
    )
    everybody = [one for one in people.known(world, policy.groups) if one.person is not None]
    seen = (people.somebody(world, one, policy.groups, machine.now()) for one in everybody)
    return sorted((one for one in seen if one.administrator), key=lambda one: one.name != "root")


def _policy(machine: Machine) -> Policy:
    """Return the policy in force.  Raises Unchecked: `policy` says what is wrong."""
    try:
        return InForce(machine.store, lambda *_: None)()
    except PolicyError as broken:
        raise Unchecked("no policy can be used") from broken


def _ours(tree: Tree, service: str) -> list[Rule]:
    return [rule for rule in tree.stack(service, "auth") if rule.line.name == MODULE]


def _in_common(rule: Rule) -> bool:
    return any(line.module.startswith("common-") for line in rule.through)


CHECKS: Final = (
    Check("policy", "the newest policy can be used", _readable),
    Check("policy-groups", "the groups in the policy exist", _groups),
    Check("policy-users", "the users in the policy exist", _users),
    Check("policy-services", "the services in the policy ask for codes", _services),
    Check("policy-stacks", "the policy names the services that ask for codes", _stacks),
    Check("policy-administrators", "an administrator can log in where codes are asked", _ways_in),
)
