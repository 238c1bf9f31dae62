"""From the first login to the last: how the service starts and stops."""

from __future__ import annotations

import signal
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final

from pam_totp.bridge import log

if TYPE_CHECKING:
    from types import FrameType

    from pam_totp.bridge.listener import Listener
    from pam_totp.bridge.notify import Notifier
    from pam_totp.bridge.server import Server

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


def run_until_stopped(
    server: Server, listener: Listener, notifier: Notifier, seconds: float
) -> bool:
    """Answer logins until the first signal, then those under way for so long at most.

    A second signal ends the process at once.
    """
    signals: SimpleQueue[int] = SimpleQueue()

    def received(number: int, _frame: FrameType | None) -> None:
        signals.put(number)

    for number in _SIGNALS:
        signal.signal(number, received)
    server.start()
    log.info(f"logins are answered at {listener.path}")
    notifier.ready()
    signals.get()
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    notifier.stopping()
    server.stop()
    finished = server.wait(seconds)
    if not finished:
        log.warning(f"logins under way were abandoned after {seconds:g} s")
    return finished
