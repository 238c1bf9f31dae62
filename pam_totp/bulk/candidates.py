"""Who is to be enrolled or invited: the people of a file, or of a group, as NSS knows them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pam_totp import nss
from pam_totp.account import Person
from pam_totp.bulk.roster import FORMS, USER, Entry
from pam_totp.bulk.spreadsheet import Faults, shown
from pam_totp.enrollment import Wanted

Lookup = Callable[[str], Person | None]


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody, and what they are to get; `called` is its name."""

    person: Person
    called: str
    wanted: Wanted = Wanted()


class Names:
    """Whom names mean.  All that NSS lists is asked for at once: thousands of single questions
    to a directory would take minutes."""

    def __init__(self, lookup: Lookup, listed: Iterable[Person]) -> None:
        self._lookup = lookup
        self.listed = {person.name: person for person in listed}

    def __call__(self, name: str) -> Person | None:
        """Return whom `name` means, None for nobody.  Raises NameServiceError."""
        return self.listed.get(name) or self._lookup(name)


def of_entries(
    entries: Iterable[Entry], names: Names, called: str, faults: Faults
) -> list[Candidate]:
    """Return the people of a file; `called` is for lines that do not say how.

    A name that nobody has, and a second name of somebody, go to `faults`.
    Raises NameServiceError.
    """
    found: list[Candidate] = []
    lines: dict[str, int] = {}
    for entry in entries:
        person = names(entry.user)
        if person is None:
            what = f"there is no account called {shown(entry.user)}"
            faults.add(entry.line, what, FORMS[USER])
            continue
        first = lines.setdefault(person.name, entry.line)
        if first != entry.line:
            what = f"{shown(entry.user)} is {shown(person.name)} of line {first}"
            faults.add(entry.line, what, "each person once")
            continue
        found.append(Candidate(person, entry.name or called, entry.wanted))
    return found


def of_group(group: nss.Group, names: Names) -> tuple[list[Person], list[str]]:
    """Return the people of a group, those whose primary group it is included, by name; and the
    members whom nobody knows any more.

    Raises NameServiceError.
    """
    _, gid, members = group
    people = {name: person for name, person in names.listed.items() if person.gid == gid}
    gone = []
    for member in members:
        person = names(member)
        if person is None:
            gone.append(member)
        else:
            people[person.name] = person
    return sorted(people.values(), key=lambda person: person.name), sorted(gone)
