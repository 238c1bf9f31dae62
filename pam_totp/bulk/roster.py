"""A list of people who are to be enrolled or invited: `people.csv`.

    user,name,type,secret,digits,algorithm,period,counter
    alice,phone,,,,,,
    bob,token,hotp,3132333435363738393031323334353637383930,6,SHA1,,0

The first line names the columns, in any order; all but `user` may be missing or empty.  Names
alone, one on a line, are such a list as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pam_totp import authenticator, token_secret
from pam_totp.bulk import spreadsheet
from pam_totp.bulk.spreadsheet import Faults, Row, shown
from pam_totp.enrollment import Wanted
from pam_totp.errors import EnrollmentError
from pam_totp.otp import ALGORITHMS, COUNTERS, DIGITS, PERIODS, TYPES, Parameters
from pam_totp.secret import Secret

USER: Final = "user"
_USUAL: Final = Parameters()
_NUMBER: Final = re.compile(r"[0-9]{1,18}")
FORMS: Final = {
    USER: "a login name, as getent passwd has it",
    "name": "what to call the authenticator, in 1 to 40 printable characters",
    "type": " or ".join(TYPES),
    "secret": token_secret.FORM,
    "digits": "6, 7 or 8",
    "algorithm": ", ".join(ALGORITHMS[:-1]) + f" or {ALGORITHMS[-1]}",
    "period": f"{PERIODS[0]} to {PERIODS[-1]} seconds, for totp alone",
    "counter": "a whole number from 0 on, for hotp alone",
}
COLUMNS: Final = tuple(FORMS)
_HEADER: Final = f"the names of the columns: {USER} and, where wanted, {', '.join(COLUMNS[1:])}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: a name as it was typed, and what that person is to get; `name` is "" where the
    line does not say how to call it."""

    line: int
    user: str
    name: str = ""
    wanted: Wanted = Wanted()


@dataclass(frozen=True, slots=True)
class Roster:
    """What a file says, and what there is to say about it."""

    entries: tuple[Entry, ...]
    notes: tuple[str, ...] = ()
    has_secrets: bool = False


def parse(data: bytes, faults: Faults, usual: Parameters = _USUAL) -> Roster:
    """Return the people whom a file lists; what is wrong with it goes to `faults`.  What a line
    leaves open is as `usual`."""
    text = spreadsheet.text(data, faults)
    if not text.lines:
        if not faults.count:
            faults.add(1, "nobody in the file", "a person on each line")
        return Roster(())
    if _is_list_of_names(text.lines[0]):
        columns: tuple[str, ...] | None = (USER,)
        rows = list(spreadsheet.rows(text.lines, faults))
    else:
        head, *rows = list(spreadsheet.rows(text.lines, faults)) or [Row(1, ())]
        columns = _columns(head, faults)
        if not rows and not faults.count:
            faults.add(head.line, "nobody below the names of the columns", "a person on each line")
    if columns is None:
        return Roster(())
    reader = _Reader(columns, faults, usual)
    entries = tuple(entry for entry in map(reader.entry, rows) if entry is not None)
    return Roster(entries, text.notes, "secret" in columns)


def _is_list_of_names(line: str) -> bool:
    return not set(line) & set(',;\t"') and line.strip().lower() != USER


def _columns(head: Row, faults: Faults) -> tuple[str, ...] | None:
    """Return the columns that the first line names, None where it names none."""
    names = tuple(name.lower() for name in head.values)
    if head.line != 1 or USER not in names:
        faults.add(1, "it does not name the columns", _HEADER)
        return None
    for at, name in enumerate(names):
        if name not in FORMS:
            faults.add(1, f"there is no column {shown(name)}", _HEADER)
        elif name in names[:at]:
            faults.add(1, f"the column {name} stands there twice", "each column once")
    return names


@dataclass
class _Reader:
    """Makes entries of rows, and remembers what may stand in a file only once."""

    columns: tuple[str, ...]
    faults: Faults
    usual: Parameters
    _users: dict[str, int] = field(default_factory=dict)
    _secrets: dict[bytes, int] = field(default_factory=dict, repr=False)

    def entry(self, row: Row) -> Entry | None:
        """Return the entry of a row, None if anything is wrong with it."""
        before = self.faults.count
        if len(row.values) != len(self.columns):
            what = f"{len(row.values)} values in {len(self.columns)} columns"
            self.faults.add(row.line, what, "a value, which may be empty, for each column")
            return None
        given = {c: value for c, value in zip(self.columns, row.values, strict=True) if value}
        found = self._parsed(row.line, given)
        self._check_user(row.line, given.get(USER, ""))
        self._check_secret(row.line, found.get("secret"))
        self._check_type(row.line, found)
        if self.faults.count > before:
            return None
        return Entry(row.line, given[USER], found.get("name", ""), _wanted(found, self.usual))

    def _parsed(self, line: int, given: Mapping[str, str]) -> dict[str, Any]:
        found = {}
        for column, value in given.items():
            parse = _PARSERS.get(column)
            try:
                found[column] = parse(value) if parse else value
            except (ValueError, EnrollmentError) as error:
                self.faults.add(line, _what(column, error), FORMS[column])
        return found

    def _check_user(self, line: int, user: str) -> None:
        if not user:
            self.faults.add(line, "no user", FORMS[USER])
            return
        first = self._users.setdefault(user, line)
        if first != line:
            what = f"{shown(user)} is a user in line {first} already"
            self.faults.add(line, what, "each person once")

    def _check_secret(self, line: int, secret: Secret | None) -> None:
        """Two people with one secret can log in for each other."""
        if secret is None:
            return
        first = self._secrets.setdefault(secret.reveal(), line)
        if first != line:
            self.faults.add(line, f"the secret of line {first}", "a secret of their own for each")

    def _check_type(self, line: int, found: Mapping[str, Any]) -> None:
        type_ = found.get("type", self.usual.type)
        other = "period" if type_ == "hotp" else "counter"
        if other in found:
            self.faults.add(line, f"a {other} for {type_}", FORMS[other])


def _what(column: str, error: Exception) -> str:
    """Return what is wrong with a value; a secret's own errors hold nothing of it."""
    if column == "secret":
        return str(error).removesuffix(f": {token_secret.FORM}")
    return f"a value of {column} that cannot be one"


def _wanted(found: Mapping[str, Any], usual: Parameters) -> Wanted:
    parameters = Parameters(
        algorithm=found.get("algorithm", usual.algorithm),
        digits=found.get("digits", usual.digits),
        period=found.get("period", usual.period),
        type=found.get("type", usual.type),
    )
    return Wanted(parameters, found.get("secret"), found.get("counter", 0))


def _one_of(*known: str) -> Callable[[str], str]:
    """Return a parser of words whose case does not matter."""
    words = {word.lower(): word for word in known}

    def parse(value: str) -> str:
        if value.lower() not in words:
            raise ValueError
        return words[value.lower()]

    return parse


def _number_in(least: int, most: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        if not _NUMBER.fullmatch(value) or not least <= int(value) <= most:
            raise ValueError
        return int(value)

    return parse


_PARSERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "name": authenticator.checked_name,
    "type": _one_of(*TYPES),
    "secret": token_secret.parse,
    "digits": _number_in(DIGITS[0], DIGITS[-1]),
    "algorithm": _one_of(*ALGORITHMS),
    "period": _number_in(PERIODS[0], PERIODS[-1]),
    "counter": _number_in(0, COUNTERS[-1]),
}
