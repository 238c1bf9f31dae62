"""The one-shot: answers one login when no service does, then is gone.

The bridge starts it, with one end of a socketpair as standard input and /dev/null as
the rest.  It has the default configuration only: whoever calls it says nothing else.
"""

from __future__ import annotations

import socket
from typing import Final

from pam_totp import audit, config, context
from pam_totp.bridge import log, process
from pam_totp.bridge.connection import Connection, Waits
from pam_totp.bridge.dispatch import dispatch
from pam_totp.bridge.guard import Dispatch, answer
from pam_totp.bridge.peers import ROOT, peer_of
from pam_totp.errors import PamTotpError
from pam_totp.verdict import Verdict

_STANDARD_INPUT: Final = 0


def main() -> int:
    """Answer one call on standard input; 0 if there was one to answer, whatever came of it."""
    log.open_log()
    try:
        process.harden()
        connected = take_socket(_STANDARD_INPUT)
        loaded = config.load(config.DEFAULT_PATH)
        context.use(context.from_config(loaded))
        serve(connected, dispatch, Waits(person=loaded.person_timeout))
    except PamTotpError as error:
        _refused(str(error), error.hint)
        return 1
    except Exception as exception:  # noqa: BLE001 -- standard error is /dev/null: say it here
        _refused(log.describe(exception))
        return 1
    return 0


def _refused(why: str, hint: str | None = None) -> None:
    detail = f"pam-totpd is not running, and its stand-in could not start: {why}"
    fields = {"verdict": Verdict.UNAVAILABLE.value, "detail": detail, "hint": hint or ""}
    log.error(audit.line(fields))


def take_socket(descriptor: int) -> socket.socket:
    """Return the connection that is open there.

    Raises PamTotpError where it is none of the bridge's: then someone runs this by hand.
    """
    try:
        connected = socket.socket(fileno=descriptor)
    except OSError as error:
        raise PamTotpError("standard input is no socket of the bridge") from error
    if connected.family != socket.AF_UNIX or connected.type != socket.SOCK_SEQPACKET:
        raise PamTotpError("standard input is no socket of the bridge")
    return connected


def serve(connected: socket.socket, dispatch: Dispatch, waits: Waits) -> None:
    """Answer the call.  Raises PamTotpError where a host that is not root made the socket."""
    peer = peer_of(connected)
    if peer.uid != ROOT:
        raise PamTotpError("the socket on standard input is not root's")
    answer(Connection(connected, waits), peer, dispatch)
