"""The last way in for administrators, which takes --force to close."""

from __future__ import annotations

from pam_totp import people
from pam_totp.cli.administrator import Administrator
from pam_totp.context import Context
from pam_totp.errors import PamTotpError


class LastWayIn(PamTotpError):
    """No administrator could sign in any more."""


def keep_a_way_in(world: Context, administrator: Administrator, name: str, *, force: bool) -> None:
    """Raise LastWayIn where `name` is the only administrator who gets in, unless forced."""
    if not force and people.ways_in(world, world.now()) == [name]:
        raise LastWayIn(
            f"{name} is the only administrator who gets in: nothing was changed",
            hint=f"let another one in first, or: {administrator.again('--force')}",
        )
