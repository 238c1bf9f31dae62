"""From the first login to the last: how the service starts and stops."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from pam_totp.bridge import log

if TYPE_CHECKING:
    from pam_totp.bridge.acceptor import Acceptor
    from pam_totp.bridge.listener import Listener
    from pam_totp.bridge.notify import Notifier

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


def hold_signals() -> None:
    """Let the signals that end us wait until they are asked for, in this thread and in those that
    are started from here on.

    A handler would not do: Python runs it in the main thread, which a signal that the kernel
    gives to another thread, or just before the main one falls asleep, does not wake.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)


def run_until_stopped(
    servers: Sequence[Acceptor], listener: Listener, notifier: Notifier, seconds: float
) -> bool:
    """Answer at every socket until the first signal, then what is under way for so long at most.
    `listener` is that of logins.

    `hold_signals` comes before.  A second signal ends the process at once.
    """
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    for server in servers:
        server.start()
    log.info(f"logins are answered at {listener.path}")
    notifier.ready()
    signal.sigwait(_SIGNALS)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    notifier.stopping()
    for server in servers:
        server.stop()
    end = time.monotonic() + seconds
    finished = all(server.wait(max(0.0, end - time.monotonic())) for server in servers)
    if not finished:
        log.warning(f"logins under way were abandoned after {seconds:g} s")
    return finished
