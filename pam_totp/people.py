"""The people whom a policy is for, as name service and store know them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pam_totp import nss
from pam_totp.account import NOBODY, AccountState, Person
from pam_totp.context import Context
from pam_totp.errors import NameServiceError, StoreDamaged, TwoAccounts
from pam_totp.impact import Somebody
from pam_totp.local.account import is_local

_ROOT: Final = 0
_LOGIN_DEFS: Final = Path("/etc/login.defs")
_UIDS: Final = {"UID_MIN": 1_000, "UID_MAX": 60_000}


@dataclass(frozen=True, slots=True)
class Known:
    """Somebody whom NSS or the store knows; `person` is None where NSS does not know the name
    any more (`gone`), or could not say."""

    name: str
    person: Person | None
    state: AccountState = NOBODY
    gone: bool = False


def known(world: Context, groups: Collection[str] = (), also: Iterable[str] = ()) -> list[Known]:
    """Return everybody on this host, by name: the store's accounts; root, and whom NSS lists
    with a uid of people; administrators, members of `groups`, and `also`.

    Raises StoreError.
    """
    states = dict(world.store.accounts())
    named = (*world.config.administrator_groups, *groups)
    count = [found for found in map(_group, named) if found is not None]
    gids, (least, most) = {gid for _, gid, _ in count}, _uids()

    def counts(person: Person) -> bool:
        return person.uid == _ROOT or least <= person.uid <= most or person.gid in gids

    people: dict[str, Person | None] = {p.name: p for p in nss.everyone() if counts(p)}
    # A directory may list no people of its own, and yet know them by name.
    listed = {name for _, _, members in count for name in members}
    ours = {one.name for one in world.store.local_accounts.all()}
    for name in {*states, *also, *listed, *ours} - set(people):
        with suppress(NameServiceError, TwoAccounts):
            person = world.person(name)
            if name in states:
                people[name] = person
            elif person is not None:
                people[person.name] = person
    return [_known(name, people, states) for name in sorted({*states, *people})]


def find(world: Context, name: str) -> Known:
    """Return what is known of an account, by the name that it has here.  Raises StoreError."""
    state = world.store.look(name)
    try:
        person = world.person(name)
    except (NameServiceError, TwoAccounts):
        return Known(name, None, state)
    return Known(name, person, state, gone=person is None)


def somebody(world: Context, one: Known, groups: Collection[str], now: float) -> Somebody:
    """Return a person as a policy that names these groups sees one."""
    person, state = one.person, one.state

    def member(group: str) -> bool | None:
        return None if person is None else world.belongs(person, group)

    enrolled = state.enrolled is not None
    return Somebody(
        name=one.name,
        groups={group: member(group) for group in groups},
        enrolled=enrolled or (person is not None and _has_another_name(world, person)),
        usable=enrolled and not damage(world, one),
        locked=state.barred is not None,
        held=state.codes.locked(now),
        administrator=person is not None and _is_administrator(world, person),
        only_invited=state.only_invited,
        invited=state.invitation is not None and now < state.invitation.until,
    )


def ways_in(world: Context, now: float) -> list[str]:
    """Return the administrators who are not refused whatever their code: not locked, not
    disabled, and not enrolled with what cannot be used.  Raises StoreError."""
    everybody = (somebody(world, one, (), now) for one in known(world))
    open_ = (one for one in everybody if one.administrator and not (one.locked or one.held))
    return [one.name for one in open_ if one.usable or not one.enrolled]


def damage(world: Context, one: Known) -> str:
    """Return why an enrolled account is refused whatever its code, "" if it is not; one whose
    name is gone, or is now somebody else's, is refused, and nothing else would show it."""
    try:
        credentials = world.store.credentials(one.name)
    except StoreDamaged as error:
        return str(error)
    if credentials is None or (one.person is None and not one.gone):
        return ""
    if one.person is None:
        return f"enrolled as uid {credentials.uid}, and the name is gone"
    if one.person.uid == credentials.uid:
        return ""
    return f"enrolled as uid {credentials.uid}, and the name is uid {one.person.uid}'s now"


def _has_another_name(world: Context, person: Person) -> bool:
    """Whether somebody has enrolled under another name, and so is refused under this one."""
    try:
        return world.other_name(person) != ""
    except NameServiceError:
        return False


def _known(
    name: str, people: Mapping[str, Person | None], states: Mapping[str, AccountState]
) -> Known:
    person = people.get(name)
    gone = person is None and name in people
    return Known(name, person, states.get(name, NOBODY), gone)


def _is_administrator(world: Context, person: Person) -> bool:
    if is_local(person):
        local = world.store.local_accounts.get(person.name)
        return local is not None and local.administrator
    return person.uid == _ROOT or any(
        world.belongs(person, group) for group in world.config.administrator_groups
    )


def _group(name: str) -> nss.Group | None:
    with suppress(NameServiceError):
        return nss.group(name)
    return None


def _uids() -> tuple[int, int]:
    """Return the uids that useradd gives to people: the least and the most."""
    found = dict(_UIDS)
    with suppress(OSError):
        text = _LOGIN_DEFS.read_text(errors="replace")
        for name, number in re.findall(r"(?m)^(UID_MIN|UID_MAX)\s+(\d{1,10})\s*$", text):
            found[name] = int(number)
    return found["UID_MIN"], found["UID_MAX"]
