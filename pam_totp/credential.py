"""A systemd credential as the place of the key (systemd.exec(5), "Credentials")."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pam_totp.errors import StoreError

PREFIX: Final = "credential:"
UNIT: Final = "pam-totpd.service"
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_GIVEN_IN: Final = "CREDENTIALS_DIRECTORY"
_HELD_IN: Final = Path("/run/credentials") / UNIT


@dataclass(frozen=True, slots=True)
class Credential:
    """A credential of the service.  It is there only while the service runs, and is not ours to
    write."""

    name: str

    def __str__(self) -> str:
        return f"{PREFIX}{self.name}"

    @property
    def path(self) -> Path:
        """Where the service finds it, and root while the service runs."""
        given = os.environ.get(_GIVEN_IN)
        own = Path(given) / self.name if given else None
        return own if own is not None and own.exists() else _HELD_IN / self.name

    def missing(self) -> StoreError:
        """Return the error of its absence."""
        return StoreError(
            f"the key is the credential {self.name!r} of {UNIT}, and is not there: the service "
            "does not run, or was not given it",
            hint="systemctl start pam-totpd; the service is given it by "
            f"LoadCredential={self.name}:/PATH/OF/KEY (systemctl edit pam-totpd)",
        )


Place = Path | Credential
"""Where the key is."""


def parse(text: str) -> Credential:
    """Return the credential that `credential:NAME` means.  Raises ValueError saying the form."""
    name = text.removeprefix(PREFIX)
    if not text.startswith(PREFIX) or not _NAME.fullmatch(name):
        raise ValueError("credential:NAME, of letters, digits, `.`, `_` and `-`")
    return Credential(name)
