"""The lab's syslog: what PAM modules, sshd and the service write to /dev/log."""

from __future__ import annotations

import re
import socket
import threading
from pathlib import Path
from typing import Final, Self

from tests.system.lab.wait import DEADLINE, wait_for

SOCKET: Final = Path("/dev/log")
AUTHPRIV: Final = 10
_LARGEST: Final = 65536
_HEADER: Final = re.compile(r"<(\d+)>\w{3} [ \d]\d [\d:]{8} (.*)", re.DOTALL)
_FIELD: Final = re.compile(r'([a-z_-]+)=("(?:[^"\\]|\\.)*"|\S+)')


class Line(str):
    """A log line without priority and time: `ident[pid]: text`."""

    __slots__ = ("facility", "severity")

    facility: int
    severity: int

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Take a datagram apart (RFC 3164's form, as the C library writes it)."""
        text = raw.decode("utf-8", "backslashreplace").rstrip("\n\0")
        found = _HEADER.fullmatch(text)
        line = cls(found[2] if found else text)
        line.facility, line.severity = divmod(int(found[1]) if found else 0, 8)
        return line

    @property
    def fields(self) -> dict[str, str]:
        """Its `key=value` pairs."""
        return dict(_FIELD.findall(self))


class Collector:
    """Listens on /dev/log until it is closed."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(SOCKET))
        SOCKET.chmod(0o666)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while raw := self._socket.recv(_LARGEST):
            self.lines.append(Line.parse(raw))

    def close(self) -> None:
        """Stop listening: an empty datagram is the sign."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"", str(SOCKET))
        self._thread.join(DEADLINE)
        self._socket.close()
        SOCKET.unlink()


class Journal:
    """What has been logged since this journal was begun."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector
        self._start = len(collector.lines)

    @property
    def lines(self) -> list[Line]:
        """All lines so far.  Other processes may not have written all theirs yet."""
        return self._collector.lines[self._start :]

    def wait_for(self, text: str) -> Line:
        """Return the first line that has `text` in it, waiting for it if need be."""

        def found() -> Line | None:
            return next((line for line in self.lines if text in line), None)

        try:
            return wait_for(found, f"log line with {text!r}")
        except AssertionError as error:
            raise AssertionError(f"{error}; there are:\n" + "\n".join(self.lines)) from None

    def verdicts(self, account: str) -> list[str]:
        """Return the verdicts on an account so far, in their order.

        A verdict is logged before the application hears of it, and datagrams on one machine
        keep their order: what a login that has ended came to is here after one marker of ours.
        """
        self._settle()
        fields = (line.fields for line in self.lines if "verdict=" in line)
        return [found["verdict"] for found in fields if found.get("account") == account]

    def _settle(self) -> None:
        marker = f"settled {id(self)} {len(self._collector.lines)}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(marker.encode(), str(SOCKET))
        wait_for(lambda: marker in self._collector.lines, "marker")
        self._collector.lines.remove(Line(marker))
