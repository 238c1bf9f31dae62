"""Stacks of the lab: the shipped ones, with one thing changed, under names of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

STACKS: Final = Path("/etc/pam.d")
SHIPPED: Final = ("pam-totp", "pam-totp-openvpn", "pam-totp-code")
CODE_ALONE: Final = "pam-totp-code"

_PASSWORD_LINE: Final = re.compile(r"(?m)^(auth\s+\[success=1 [^]]*\]\s+)pam_unix\.so.*$")


def shipped(name: str) -> str:
    """Return a shipped stack as it is installed."""
    return (STACKS / name).read_text()


def with_password_module(name: str, module: str) -> str:
    """Return a shipped stack with another module in the place of pam_unix's `auth` line."""
    text, count = _PASSWORD_LINE.subn(rf"\g<1>{module}", shipped(name))
    assert count == 1, name
    return text


def without_delay(text: str) -> str:
    """Return a stack whose pam_unix does not ask for a delay: it would for every refusal."""
    changed, count = re.subn(r"(?m)^(auth\s.*\spam_unix\.so.*)$", r"\1 nodelay", text)
    assert count == 1
    return changed


@contextmanager
def installed(name: str, text: str) -> Iterator[str]:
    """Install a stack for as long as the block runs."""
    path = STACKS / name
    assert not path.exists(), path
    path.write_text(text)
    try:
        yield name
    finally:
        path.unlink()
