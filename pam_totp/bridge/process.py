"""What this process is made into before it sees a secret."""

from __future__ import annotations

import ctypes
import gc
import os
import resource
from typing import Final

from pam_totp.errors import PamTotpError

PATH: Final = "/usr/sbin:/usr/bin:/sbin:/bin"
KEPT_VARIABLES: Final = frozenset({"NOTIFY_SOCKET", "CREDENTIALS_DIRECTORY"})
DESCRIPTORS: Final = 4096
"""A thousand conversations and more, each with its socket; the usual limit is 1024."""

_PR_SET_DUMPABLE: Final = 4


def harden() -> None:
    """Leave no trace of secrets and take nothing from the starter's surroundings.

    No core dumps, no debugger but root's, files for root alone, and an environment that
    does not tell name services, libraries or messages what to do.  Raises PamTotpError.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Beside the limit, because a core pattern that is a pipe ignores that.
    unused = ctypes.c_ulong(0)
    if ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, unused, unused, unused, unused):
        raise PamTotpError("the process could not be made undumpable")
    os.umask(0o077)
    for name in set(os.environ) - KEPT_VARIABLES:
        del os.environ[name]
    os.environ["PATH"] = PATH


def raise_descriptor_limit() -> None:
    """Allow as many open files as the service can need, as far as the hard limit goes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def settle() -> None:
    """Set everything that is loaded aside from garbage collection: it stays anyway."""
    gc.collect()
    gc.freeze()
