"""Whether somebody's password is right, as PAM says it.

A process of its own asks, one for each question, without key and store: what modules for LDAP,
Kerberos and SSSD load is loaded there and not beside the secrets, and one that hangs is killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
from dataclasses import dataclass
from enum import Enum
from typing import Final

PROGRAM: Final = ("/usr/libexec/pam-totp/check-password",)
AT_ONCE: Final = 4
WAIT: Final = 15.0  # seconds for one of them to be free
LONGEST: Final = 30.0  # seconds for an answer: a directory that is down takes its time
_ENVIRONMENT: Final = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}


class Outcome(Enum):
    """The values are the words that the process answers."""

    RIGHT = "right"
    WRONG = "wrong"
    REFUSED = "refused"  # right, but the account is closed: expired, or only after a new password
    UNAVAILABLE = "unavailable"  # could not be checked


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of a question; `detail` is for the log."""

    outcome: Outcome
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """Whose password it may be; `rhost` and `tty` are PAM's, "" for none."""

    account: str
    password: str
    rhost: str = ""
    tty: str = ""


class Passwords:
    """Asks PAM, in so many processes at once."""

    def __init__(
        self,
        program: tuple[str, ...] = PROGRAM,
        at_once: int = AT_ONCE,
        wait: float = WAIT,
        longest: float = LONGEST,
    ) -> None:
        self._program = program
        self._places = threading.BoundedSemaphore(at_once)
        self._wait = wait
        self._longest = longest

    def __call__(self, question: Question) -> Checked:
        """Ask PAM; what is not answered clearly and in time was not checked.  Raises nothing."""
        if not self._places.acquire(timeout=self._wait):
            return Checked(Outcome.UNAVAILABLE, "too many passwords are being checked")
        try:
            return self._asked(question)
        except OSError as error:
            why = f"{self._program[0]}: {error.strerror}"
            return Checked(Outcome.UNAVAILABLE, why)
        finally:
            self._places.release()

    def _asked(self, question: Question) -> Checked:
        said = {
            "account": question.account,
            "password": question.password,
            "rhost": question.rhost,
            "tty": question.tty,
        }
        with subprocess.Popen(
            self._program,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_ENVIRONMENT,
            cwd="/",
            start_new_session=True,
        ) as process:
            try:
                answer, _ = process.communicate(json.dumps(said).encode(), self._longest)
            except subprocess.TimeoutExpired:
                return Checked(Outcome.UNAVAILABLE, f"no answer in {self._longest:g} s")
            finally:
                _end(process)
        return _read(answer, process.returncode)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the process and what it has started, unless it has ended by itself."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _read(answer: bytes, code: int) -> Checked:
    """Return what the process has answered: a word, a blank and more about it."""
    word, _, detail = answer.decode("utf-8", "replace").strip().partition(" ")
    if code != 0:
        return Checked(Outcome.UNAVAILABLE, f"the process that asks PAM ended with {code}")
    try:
        return Checked(Outcome(word), detail)
    except ValueError:
        return Checked(Outcome.UNAVAILABLE, "the process that asks PAM gave no answer")
