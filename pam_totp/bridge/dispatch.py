"""From a call on the wire to the handler's entry points."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pam_totp import handler
from pam_totp.bridge.wire import Function

if TYPE_CHECKING:
    from pam_totp.bridge.pamh import PamHandle


def dispatch(pamh: PamHandle, function: Function, flags: int, argv: list[str]) -> int:
    """Call the entry point; `setcred` the bridge answers by itself."""
    if function is Function.AUTHENTICATE:
        return handler.pam_sm_authenticate(pamh, flags, argv)
    return handler.pam_sm_acct_mgmt(pamh, flags, argv)
