"""The people whom a policy is for, as name service and store know them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pam_totp import nss
from pam_totp.account import NOBODY, AccountState, Person
from pam_totp.context import Context
from pam_totp.errors import NameServiceError, StoreDamaged
from pam_totp.impact import Somebody

ADMINISTRATORS: Final = ("sudo", "wheel", "admin")
"""The groups whose members are taken for administrators, beside root."""

_ROOT: Final = 0
_LOGIN_DEFS: Final = Path("/etc/login.defs")
_UIDS: Final = {"UID_MIN": 1_000, "UID_MAX": 60_000}


@dataclass(frozen=True, slots=True)
class Known:
    """Somebody whom NSS or the store knows; `person` is None where NSS does not, or could not
    say."""

    name: str
    person: Person | None
    state: AccountState = NOBODY


def known(world: Context, groups: Collection[str] = (), also: Iterable[str] = ()) -> list[Known]:
    """Return everybody on this host, by name: the store's accounts; root, and whom NSS lists
    with a uid of people; administrators, members of `groups`, and `also`.

    Raises StoreError.
    """
    states = dict(world.store.accounts())
    count = [found for found in map(_group, (*ADMINISTRATORS, *groups)) if found is not None]
    gids, (least, most) = {gid for _, gid, _ in count}, _uids()

    def counts(person: Person) -> bool:
        return person.uid == _ROOT or least <= person.uid <= most or person.gid in gids

    people = {person.name: person for person in nss.everyone() if counts(person)}
    # A directory may list no people of its own, and yet know them by name.
    listed = {name for _, _, members in count for name in members}
    for name in {*states, *also, *listed} - set(people):
        with suppress(NameServiceError):
            person = world.lookup(name)
            if person is not None:
                people[person.name] = person
    names = sorted({*states, *people})
    return [Known(name, people.get(name), states.get(name, NOBODY)) for name in names]


def somebody(world: Context, one: Known, groups: Collection[str], now: float) -> Somebody:
    """Return a person as a policy that names these groups sees one."""
    person, state = one.person, one.state

    def member(group: str) -> bool | None:
        return None if person is None else world.member(person, group)

    return Somebody(
        name=one.name,
        groups={group: member(group) for group in groups},
        enrolled=state.enrolled is not None,
        usable=state.enrolled is not None and not damage(world, one),
        locked=state.lock is not None,
        held=state.codes.locked(now),
        administrator=person is not None and _is_administrator(world, person),
    )


def damage(world: Context, one: Known) -> str:
    """Return why an enrolled account is refused whatever its code, "" if it is not; one whose
    name is gone, or is now somebody else's, is refused, and nothing else would show it."""
    try:
        credentials = world.store.credentials(one.name)
    except StoreDamaged as error:
        return str(error)
    if credentials is None or one.person is None or one.person.uid == credentials.uid:
        return ""
    return f"enrolled as uid {credentials.uid}, and the name is uid {one.person.uid}'s now"


def _is_administrator(world: Context, person: Person) -> bool:
    return person.uid == _ROOT or any(world.member(person, group) for group in ADMINISTRATORS)


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
