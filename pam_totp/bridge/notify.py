"""The ready notification that a service manager waits for (sd_notify(3), Type=notify)."""

from __future__ import annotations

import os
import socket

from pam_totp.bridge import log


class Notifier:
    """Tells the service manager about states; says nothing where there is none."""

    def __init__(self, address: str | None) -> None:
        self._address = address

    @classmethod
    def from_environment(cls) -> Notifier:
        """Take the address that the manager left in the environment."""
        return cls(os.environ.get("NOTIFY_SOCKET"))

    def ready(self) -> None:
        """Say that logins are answered from now on."""
        self._send("READY=1")

    def stopping(self) -> None:
        """Say that the end has begun."""
        self._send("STOPPING=1")

    def _send(self, state: str) -> None:
        if not self._address:
            return
        # A leading "@" stands for an abstract socket's NUL.
        address = "\0" + self._address[1:] if self._address[0] == "@" else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.sendto(state.encode(), address)
        except OSError as error:
            log.warning(f"the service manager could not be told {state}: {log.describe(error)}")
