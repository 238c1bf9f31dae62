"""Says in the log that this machine's clock was set between two logins.

That refuses nothing by itself: a used code stays used under any clock, and a right one is right.
"""

from __future__ import annotations

import syslog
from typing import Final

from pam_totp import audit
from pam_totp.context import Context

_HINT: Final = (
    "timedatectl; whoever logged in while it was ahead: pam-totp authenticator resync USER NAME"
)


def watch(
    context: Context, account: str, last_used: int | None, now: float, *, accepted: bool
) -> None:
    """Log a jump of more than an hour since the last accepted login, as this process has seen
    it or as the account's last use shows it."""
    jumps, boot = context.jumps, context.since_boot()
    by = jumps.noticed(now, boot, last_used)
    if by is not None:
        fields = {"clock": "jumped", "by": f"{by:+.0f}", "account": account, "hint": _HINT}
        context.log(syslog.LOG_WARNING, audit.line(fields))
    if accepted:
        jumps.accepted(now, boot)
