"""Runs a program that may hang, crash or print without end."""

from __future__ import annotations

import fcntl
import os
import shlex
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

from pam_totp.errors import PamTotpError

SECONDS: Final = 30.0
PATH: Final = "/usr/sbin:/usr/bin:/sbin:/bin"
_ERRORS_KEPT: Final = 1 << 16
_SHOWN: Final = 200


class NotSent(PamTotpError):
    """A notice could not be handed over; `final` says that another try would not help."""

    def __init__(self, message: str, *, hint: str | None = None, final: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.final = final


def run(
    command: Sequence[str],
    text: bytes,
    environment: Mapping[str, str],
    seconds: float = SECONDS,
) -> None:
    """Run a program with `text` as its input, for so many seconds at most; then it is killed,
    with all that it has started and that has not left its session.

    Raises NotSent unless it ends with status 0.  SECURITY: no shell has a part in it.
    """
    given, errors = _file(text), _sealed()
    try:
        process = _start(command, environment, given, errors)
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise NotSent(
                f"{command[0]} did not end within {seconds:g} s and was killed",
                hint="let it hand its work over and end",
            ) from None
        finally:
            _end(process)
        if status:
            raise NotSent(f"{command[0]} {_ended(status)}{_said(errors)}", hint=_by_hand(command))
    finally:
        os.close(given)
        os.close(errors)


def _start(
    command: Sequence[str], environment: Mapping[str, str], given: int, errors: int
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            command,
            stdin=given,
            stdout=errors,
            stderr=errors,
            cwd="/",
            env={"PATH": PATH, "LC_ALL": "C.UTF-8", **environment},
            umask=0o022,
            start_new_session=True,
        )
    except OSError as error:
        raise NotSent(f"{command[0]}: {error.strerror}", hint=f"ls -l {command[0]}") from error


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of a program that has not ended; one that has may leave something at
    work behind it."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _file(content: bytes) -> int:
    """Return a file in memory: unlike a pipe it waits for nobody, whether it is read or not."""
    descriptor = os.memfd_create("notice")
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _sealed() -> int:
    """Return a file in memory that cannot grow: who prints more gets an error, not the memory."""
    descriptor = os.memfd_create("errors", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(descriptor, _ERRORS_KEPT)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK)
    return descriptor


def _ended(status: int) -> str:
    return f"ended with status {status}" if status > 0 else f"was ended by signal {-status}"


def _said(errors: int) -> str:
    """Return what the program has printed, in short."""
    printed = os.pread(errors, _ERRORS_KEPT, 0).rstrip(b"\0").decode(errors="replace")
    line = " ".join(printed.split())[:_SHOWN]
    return f": {line}" if line else ""


def _by_hand(command: Sequence[str]) -> str:
    words = shlex.join(command)
    return f"printf 'To: root\\n\\ntest\\n' | PAM_TOTP_ACCOUNT=root {words}"
