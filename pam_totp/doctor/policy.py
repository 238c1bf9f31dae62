"""The policy of the store, held against this machine's names and stacks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from pam_totp.account import Person
from pam_totp.doctor.finding import Check, Finding, Unchecked, error, warning
from pam_totp.doctor.machine import Machine
from pam_totp.errors import PolicyError, StoreError
from pam_totp.policy.document import EVERYBODY, Policy
from pam_totp.policy.in_force import InForce
from pam_totp.policy.resolve import Situation, asks_in, effective
from pam_totp.policy.values import ALL_SERVICES, Mfa
from pam_totp.stack import MODULE, Rule, StackError, Tree, services_using_module

_ADMINISTRATORS: Final = ("sudo", "wheel", "admin")  # groups that usually may become root


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
        if machine.lookup(name) is None:
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


def _ways_out(machine: Machine) -> Iterator[Finding]:
    """Look whether somebody who may become root can still log in where codes are asked for."""
    policy = _policy(machine)
    people = _administrators(machine)
    if people and not any(_can_log_in(machine, policy, person) for person in people):
        names = ", ".join(person.name for person in people)
        yield error(
            f"nobody who may become root can log in ({names}): the policy requires a code, and "
            "each of them is locked or has not enrolled",
            f"pam-totp enroll {people[0].name}",
        )


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


def _administrators(machine: Machine) -> list[Person]:
    """Return root and the members of the groups that usually may become root."""
    names = ["root"]
    for group in _ADMINISTRATORS:
        found = machine.group(group)
        names += sorted(found[2]) if found else []
    people = (machine.lookup(name) for name in dict.fromkeys(names))
    return [person for person in people if person is not None]


def _can_log_in(machine: Machine, policy: Policy, person: Person) -> bool:
    """Whether the person, whose password is right, has a code where one is needed."""
    state = machine.store.look(person.name)
    if state.lock is not None:
        return False
    if state.enrolled is not None:
        with suppress(StoreError):
            return machine.store.credentials(person.name) is not None
        return False
    situation = Situation(
        person.name, machine.now(), lambda group: machine.member(person, group), anywhere=True
    )
    return effective(policy, situation).mfa is not Mfa.REQUIRED


CHECKS: Final = (
    Check("policy", "the newest policy can be used", _readable),
    Check("policy-groups", "the groups in the policy exist", _groups),
    Check("policy-users", "the users in the policy exist", _users),
    Check("policy-services", "the services in the policy ask for codes", _services),
    Check("policy-stacks", "the policy names the services that ask for codes", _stacks),
    Check("policy-administrators", "somebody who may become root can log in", _ways_out),
)
