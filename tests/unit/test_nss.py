"""Who a name is, by NSS, and what of it Python's own `pwd` does not say."""

from __future__ import annotations

import ctypes
import errno
import grp
import pwd
from collections.abc import Callable
from typing import Any

import pytest

from pam_totp import nss
from pam_totp.account import Person
from pam_totp.errors import NameServiceError

Fake = Callable[..., int]


def fake_entry(name: bytes, uid: int, keep: list[Any]) -> Fake:
    """Return a getpwnam_r that finds one entry, and needs a large buffer for it."""

    def getpwnam_r(raw: bytes, entry: Any, _buffer: Any, size: int, found: Any) -> int:
        keep.append(size)
        if size < 100_000:
            return errno.ERANGE
        entry._obj.pw_name = name
        entry._obj.pw_uid = uid
        found._obj.contents = entry._obj
        return 0

    return getpwnam_r


@pytest.mark.parametrize("name", ["root", "daemon", "nobody"])
def test_real_names(name: str) -> None:
    """A name that NSS knows is found, with its uid."""
    assert nss.lookup(name) == Person(name, pwd.getpwnam(name).pw_uid)


@pytest.mark.parametrize(
    "name",
    ["", "nobody-of-this-name", "root\0", "\0", "root\n", " root", "../root", "-", "\udcff", "0"],
)
def test_unknown(name: str) -> None:
    """A name that NSS does not know is nobody, however strange it is; nothing is cut at a NUL."""
    assert nss.lookup(name) is None


def test_a_very_long_name() -> None:
    """A name of 100,000 letters is unknown and breaks nothing."""
    assert nss.lookup("x" * 100_000) is None


def test_the_buffer_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry that does not fit is asked for again with more room, and pw_name comes back,
    not what was asked for."""
    sizes: list[int] = []
    monkeypatch.setattr(nss, "_getpwnam_r", fake_entry(b"alice", 1001, sizes))
    assert nss.lookup("ALICE") == Person("alice", 1001)
    assert sizes == sorted(set(sizes))
    assert sizes[-1] >= 100_000


def test_a_name_in_other_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pw_name that is not UTF-8 comes back byte for byte."""
    monkeypatch.setattr(nss, "_getpwnam_r", fake_entry(b"al\xefce", 1001, []))
    found = nss.lookup("x")
    assert found is not None
    assert found.name.encode("utf-8", "surrogateescape") == b"al\xefce"


def test_room_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that always wants more room is one that could not say."""
    sizes: list[int] = []

    def never_enough(_raw: bytes, _entry: Any, _buffer: Any, size: int, _found: Any) -> int:
        sizes.append(size)
        assert len(sizes) < 100
        return errno.ERANGE

    monkeypatch.setattr(nss, "_getpwnam_r", never_enough)
    with pytest.raises(NameServiceError):
        nss.lookup("alice")
    assert max(sizes) <= 1 << 22


@pytest.mark.parametrize(
    "code", [errno.EIO, errno.ENOENT, errno.ESRCH, errno.EAGAIN, errno.ECONNREFUSED, errno.EPERM]
)
def test_an_error_is_not_unknown(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """Any error number means "could not say", with a hint that can be run."""
    monkeypatch.setattr(nss, "_getpwnam_r", lambda *_: code)
    with pytest.raises(NameServiceError, match="alice") as caught:
        nss.lookup("alice")
    assert "getent" in (caught.value.hint or "")


def test_a_module_that_fails_without_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that fails and leaves errno as it was has not said "no such name"."""

    def silent(*_: Any) -> int:
        return ctypes.get_errno()

    monkeypatch.setattr(nss, "_getpwnam_r", silent)
    with pytest.raises(NameServiceError):
        nss.lookup("alice")


def test_groups_that_cannot_be_asked_for() -> None:
    """Of a name whose groups cannot be asked for, a group that does not list it says nothing;
    its primary one does."""
    (first, second, *_) = grp.getgrall()
    person = Person("al\udcefce", 1001, first.gr_gid)
    assert nss.member(person, first.gr_name) is True
    assert nss.member(person, second.gr_name) is None
    assert nss.member(Person("root", 0, first.gr_gid), second.gr_name) is not None
