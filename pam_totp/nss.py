"""Who a name is, by NSS.

Python's `pwd` says KeyError both for "no such name" and for "the directory does not answer";
the difference decides whether somebody gets in, so getpwnam_r is called itself.
"""

from __future__ import annotations

import ctypes
import errno
import os
from typing import Final

from pam_totp.account import Person
from pam_totp.errors import NameServiceError

_FIRST_BUFFER: Final = 4096
_LARGEST_BUFFER: Final = 1 << 20


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


_getpwnam_r = ctypes.CDLL(None, use_errno=True).getpwnam_r
_getpwnam_r.restype = ctypes.c_int
_getpwnam_r.argtypes = (
    ctypes.c_char_p,
    ctypes.POINTER(_Passwd),
    ctypes.c_char_p,
    ctypes.c_size_t,
    ctypes.POINTER(ctypes.POINTER(_Passwd)),
)


def lookup(name: str) -> Person | None:
    """Return whom `name` means, by the name that NSS itself uses, or None if NSS knows that
    there is no such name.

    Raises NameServiceError if NSS could not say.  POSIX lets getpwnam_r report "not found" as
    an error number too; glibc does not, so each one is taken as "could not say".
    """
    raw = name.encode("utf-8", "surrogateescape")
    if not raw or b"\0" in raw:
        return None
    size = _FIRST_BUFFER
    while True:
        # A module that fails without saying why leaves errno as it was, and glibc returns it:
        # 0 would read as "no such name".
        ctypes.set_errno(errno.EIO)
        entry, buffer = _Passwd(), ctypes.create_string_buffer(size)
        found = ctypes.POINTER(_Passwd)()
        code = _getpwnam_r(raw, ctypes.byref(entry), buffer, size, ctypes.byref(found))
        if code == errno.ERANGE and size < _LARGEST_BUFFER:
            size *= 4
            continue
        if code != 0:
            raise NameServiceError(
                f"NSS could not look up {name!r}: {os.strerror(code)}",
                hint="getent passwd; see the passwd line of /etc/nsswitch.conf",
            )
        if not found:
            return None
        return Person(entry.pw_name.decode("utf-8", "surrogateescape"), entry.pw_uid)
