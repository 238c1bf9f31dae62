"""One call of a bridge, answered from CALL to FINISH behind the outermost guard."""

from __future__ import annotations

import syslog
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Final

from pam_totp.bridge import log, wire
from pam_totp.bridge.connection import Connection, ConnectionLost
from pam_totp.bridge.constants import Constants
from pam_totp.bridge.pamh import PamHandle
from pam_totp.sparing import Sparing

if TYPE_CHECKING:
    from pam_totp.bridge.peers import Peer

Dispatch = Callable[[PamHandle, wire.Function, int, list[str]], int]
"""What decides: (pamh, function, flags, argv) to a PAM return value."""

REFUSAL: Final = Constants.PAM_AUTHINFO_UNAVAIL
MODULE: Final = "pam_totp.so"

_sparing = Sparing()


def answer(
    connection: Connection,
    peer: Peer,
    dispatch: Dispatch,
    waiting: AbstractContextManager[None] | None = None,
) -> None:
    """Serve one call and close the connection.  Whatever goes wrong is a refusal.

    `waiting` stands around the wait for the CALL.

    Raises nothing.  SECURITY: this is the one guard that fails closed; a refusal that
    is foreseen (a wrong code, a locked account) never passes through it.
    """
    try:
        with waiting or nullcontext():
            call = connection.receive_call()
        connection.finish(_code(PamHandle(connection, call, peer), call, dispatch))
    except ConnectionLost as lost:
        _say(syslog.LOG_INFO, f"a login was given up: {lost}", peer)
    except BaseException as exception:  # noqa: BLE001 -- nothing may pass the guard
        _refuse(connection, peer, log.describe(exception))
    finally:
        connection.close()


def _code(pamh: PamHandle, call: wire.Call, dispatch: Dispatch) -> int:
    code = dispatch(pamh, call.function, call.flags, [MODULE, *call.argv])
    # bool is an int: a handler that returns "True" would say PAM_OPEN_ERR, "False" success.
    if isinstance(code, bool) or not isinstance(code, int) or code not in wire.PAM_CODES:
        raise TypeError("the handler returned no PAM return value")
    return code


def _refuse(connection: Connection, peer: Peer, what: str) -> None:
    try:
        _say(syslog.LOG_ERR, f"a login was refused: {what}", peer)
        connection.finish(REFUSAL)
    except Exception:  # noqa: BLE001, S110 -- closing the connection refuses as well
        pass


def _say(priority: int, what: str, peer: Peer) -> None:
    """Log it, unless the host's own programs have said enough for now."""
    said = _sparing.log_of(peer.uid, log.at)
    said(priority, f"{what} (host pid={peer.pid} uid={peer.uid})")
