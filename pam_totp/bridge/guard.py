"""One call of a bridge, answered from CALL to FINISH behind the outermost guard."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from pam_totp.bridge import log, wire
from pam_totp.bridge.connection import Connection, ConnectionLost
from pam_totp.bridge.constants import Constants
from pam_totp.bridge.pamh import PamHandle

if TYPE_CHECKING:
    from pam_totp.bridge.peers import Peer

Dispatch = Callable[[PamHandle, wire.Function, int, list[str]], int]
"""What decides: (pamh, function, flags, argv) to a PAM return value."""

REFUSAL: Final = Constants.PAM_AUTHINFO_UNAVAIL
MODULE: Final = "pam_totp.so"


def answer(connection: Connection, peer: Peer, dispatch: Dispatch) -> None:
    """Serve one call and close the connection.  Whatever goes wrong is a refusal.

    Raises nothing.  SECURITY: this is the one guard that fails closed; a refusal that
    is foreseen (a wrong code, a locked account) never passes through it.
    """
    try:
        connection.finish(_code(connection, peer, dispatch))
    except ConnectionLost as lost:
        log.info(f"a login was given up: {lost} (host pid={peer.pid} uid={peer.uid})")
    except BaseException as exception:  # noqa: BLE001 -- nothing may pass the guard
        _refuse(connection, peer, log.describe(exception))
    finally:
        connection.close()


def _code(connection: Connection, peer: Peer, dispatch: Dispatch) -> int:
    call = connection.receive_call()
    pamh = PamHandle(connection, call, peer)
    code = dispatch(pamh, call.function, call.flags, [MODULE, *call.argv])
    # bool is an int: a handler that returns "True" would say PAM_OPEN_ERR, "False" success.
    if isinstance(code, bool) or not isinstance(code, int) or code not in wire.PAM_CODES:
        raise TypeError("the handler returned no PAM return value")
    return code


def _refuse(connection: Connection, peer: Peer, what: str) -> None:
    try:
        log.error(f"a login was refused: {what} (host pid={peer.pid} uid={peer.uid})")
        connection.finish(REFUSAL)
    except Exception:  # noqa: BLE001, S110 -- closing the connection refuses as well
        pass
