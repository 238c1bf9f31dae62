"""A person's own program at admin.socket, byte for byte, under their own uid."""

from __future__ import annotations

import json
import subprocess
import sys
from types import TracebackType
from typing import Any, Final, Self

from tests.system.lab.person import Person

# Hex on a line goes out as one datagram; so does the answer come back, an empty line at the end.
_PROGRAM: Final = """
import contextlib, socket, sys
gone = contextlib.suppress(BrokenPipeError, ConnectionResetError)
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as service:
    service.settimeout(100)
    service.connect("/run/pam-totp/admin.socket")
    print(flush=True)
    for line in sys.stdin:
        answer = b""
        with gone:
            service.send(bytes.fromhex(line))
        with gone:  # the service may have spoken before it heard
            answer = service.recv(70_000)
        print(answer.hex(), flush=True)
"""


class Said(AssertionError):
    """The service said no; `kind` is its word for why."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error)
        self.kind: str = error["kind"]
        self.text: str = error["message"]


class Own:
    """One connection."""

    def __init__(self, person: Person) -> None:
        who = (f"--reuid={person.uid}", f"--regid={person.uid}", "--init-groups", "--reset-env")
        self._process = subprocess.Popen(
            ["setpriv", *who, "--", sys.executable, "-I", "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._line() == "", "connected"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.dies()

    def dies(self) -> None:
        """End the program in the middle of whatever it does."""
        self._process.kill()
        self._process.communicate()

    def sends(self, data: bytes) -> None:
        """Send a datagram, and do not wait."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{data.hex()}\n")
        self._process.stdin.flush()

    def hears(self) -> bytes:
        """Return the next datagram, nothing where the service has ended the connection."""
        return bytes.fromhex(self._line())

    def asks(self, request: str, **values: Any) -> dict[str, Any]:
        """Ask for something, and return what was done.  Raises Said."""
        self.sends(json.dumps({"v": 1, "request": request, **values}).encode())
        return done(self.hears())

    def refused(self, request: str, **values: Any) -> str:
        """Ask for something that is refused, and return as what."""
        try:
            answer = self.asks(request, **values)
        except Said as said:
            return said.kind
        raise AssertionError(f"{request} was not refused: {answer}")

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


def done(data: bytes) -> dict[str, Any]:
    """Return what an answer says was done.  Raises Said where it says why not."""
    answer = json.loads(data)
    assert answer.pop("v") == 1
    if "error" in answer:
        raise Said(answer["error"])
    found = answer["done"]
    assert isinstance(found, dict)
    return found
