"""Who a name is, and who is in a group, by NSS.

Python's `pwd` and `grp` say KeyError both for "no such name" and for "the directory does not
answer"; the difference decides whether somebody gets in, so getpwnam_r and getgrnam_r are
called themselves.
"""

from __future__ import annotations

import ctypes
import errno
import os
import pwd
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Final, TypeVar

from pam_totp.account import Person
from pam_totp.errors import NameServiceError

_FIRST_BUFFER: Final = 4096
_LARGEST_BUFFER: Final = 1 << 22  # a group of some hundred thousand members

_S = TypeVar("_S", bound=ctypes.Structure)
_T = TypeVar("_T")


class _Passwd(ctypes.Structure):
    _fields_ = (
        ("pw_name", ctypes.c_char_p),
        ("pw_passwd", ctypes.c_char_p),
        ("pw_uid", ctypes.c_uint32),
        ("pw_gid", ctypes.c_uint32),
        ("pw_gecos", ctypes.c_char_p),
        ("pw_dir", ctypes.c_char_p),
        ("pw_shell", ctypes.c_char_p),
    )


class _Group(ctypes.Structure):
    _fields_ = (
        ("gr_name", ctypes.c_char_p),
        ("gr_passwd", ctypes.c_char_p),
        ("gr_gid", ctypes.c_uint32),
        ("gr_mem", ctypes.POINTER(ctypes.c_char_p)),
    )


def _reentrant(name: str, structure: type[ctypes.Structure], key: Any = ctypes.c_char_p) -> Any:
    function = getattr(ctypes.CDLL(None, use_errno=True), name)
    function.restype = ctypes.c_int
    function.argtypes = (
        key,
        ctypes.POINTER(structure),
        ctypes.c_char_p,
        ctypes.c_size_t,
        ctypes.POINTER(ctypes.POINTER(structure)),
    )
    return function


_getpwnam_r = _reentrant("getpwnam_r", _Passwd)
_getpwuid_r = _reentrant("getpwuid_r", _Passwd, ctypes.c_uint32)
_getgrnam_r = _reentrant("getgrnam_r", _Group)


def lookup(name: str) -> Person | None:
    """Return whom `name` means, by the name that NSS itself uses, or None if NSS knows that
    there is no such name.

    Raises NameServiceError if NSS could not say.
    """
    return _looked_up(_getpwnam_r, _Passwd, name, _person, "passwd")


def lookup_uid(uid: int) -> Person | None:
    """Return who has this uid, None if NSS knows that nobody has.

    Raises NameServiceError if NSS could not say.
    """
    return _looked_up(_getpwuid_r, _Passwd, uid, _person, "passwd")


def _person(entry: _Passwd) -> Person:
    return Person(_decoded(entry.pw_name), entry.pw_uid, entry.pw_gid)


Group = tuple[str, int, frozenset[str]]
"""A group's name, id and listed members."""


def group(name: str) -> Group | None:
    """Return a group's name, id and listed members, None if NSS knows that there is none.

    Raises NameServiceError if NSS could not say.
    """

    def found(entry: _Group) -> tuple[str, int, frozenset[str]]:
        return _decoded(entry.gr_name), entry.gr_gid, frozenset(_members(entry))

    return _looked_up(_getgrnam_r, _Group, name, found, "group")


def member(person: Person, name: str) -> bool | None:
    """Whether a person is in a group, the primary one included; None if that cannot be told,
    because NSS does not find the group: one that is gone and a directory that is down look
    the same."""
    return _belongs(person, _found(name), _groups)


class Memberships:
    """`member` for one command, which asks about many: each group, and each person's list of
    groups, is looked up once."""

    def __init__(self) -> None:
        self._found = cache(_found)
        self._groups = cache(_groups)

    def __call__(self, person: Person, name: str) -> bool | None:
        return _belongs(person, self._found(name), self._groups)


def everyone() -> Iterator[Person]:
    """Yield the people that NSS lists; a directory may list none of its own."""
    for entry in pwd.getpwall():
        yield Person(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _found(name: str) -> Group | None:
    """Return a group, None where it cannot be told."""
    try:
        return group(name)
    except NameServiceError:
        return None


def _belongs(
    person: Person, found: Group | None, groups: Callable[[Person], list[int] | None]
) -> bool | None:
    if found is None:
        return None
    _, gid, listed = found
    # Some name services list no members, and others no groups of a member: either will do.
    if gid == person.gid or person.name in listed:
        return True
    of_person = groups(person)
    return None if of_person is None else gid in of_person


def _groups(person: Person) -> list[int] | None:
    """Return the ids of a person's groups, None where they cannot be told: of a name that is
    no UTF-8, for one."""
    try:
        return os.getgrouplist(person.name, person.gid)
    except (OSError, ValueError, OverflowError):
        return None


def _members(entry: _Group) -> Iterator[str]:
    at = 0
    while entry.gr_mem[at]:
        yield _decoded(entry.gr_mem[at])
        at += 1


def _looked_up(
    function: Any, structure: type[_S], key: str | int, read: Callable[[_S], _T], database: str
) -> _T | None:
    """Return what `read` makes of the entry of a name or a number, None if there is none.

    POSIX lets these functions report "not found" as an error number too; glibc does not, so
    each one is taken as "could not say".
    """
    raw = key.encode("utf-8", "surrogateescape") if isinstance(key, str) else key
    if isinstance(raw, bytes) and (not raw or b"\0" in raw):
        return None
    size = _FIRST_BUFFER
    while True:
        # A module that fails without saying why leaves errno as it was, and glibc returns it:
        # 0 would read as "no such name".
        ctypes.set_errno(errno.EIO)
        entry, buffer = structure(), ctypes.create_string_buffer(size)
        found = ctypes.POINTER(structure)()
        code = function(raw, ctypes.byref(entry), buffer, size, ctypes.byref(found))
        if code == errno.ERANGE and size < _LARGEST_BUFFER:
            size *= 4
            continue
        if code != 0:
            raise NameServiceError(
                f"NSS could not look up {key!r}: {os.strerror(code)}",
                hint=f"getent {database}; see the {database} line of /etc/nsswitch.conf",
            )
        return read(entry) if found else None


def _decoded(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
