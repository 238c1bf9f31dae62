"""A person at a terminal: a program on a pty, what it shows and what is typed."""

from __future__ import annotations

import os
import re
import signal
from types import TracebackType
from typing import Final, Self

import pexpect

from tests.system.lab.wait import DEADLINE

PASSWORD: Final = "assword"  # "Password:", "[sudo] password for ...:"
CODE: Final = "Verification code: "


class Terminal:
    """Runs a program until the `with` block ends."""

    def __init__(self, *command: str, environment: dict[str, str] | None = None) -> None:
        program, *arguments = command
        self._child = pexpect.spawn(
            program,
            arguments,
            encoding="utf-8",
            timeout=DEADLINE,
            env={"PATH": os.defpath, "TERM": "vt100", "LC_ALL": "C.UTF-8"} | (environment or {}),
        )
        self._child.delaybeforesend = None
        self.transcript = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up, as one who closes the window."""
        self._child.close(force=True)

    def sees(self, *texts: str) -> int:
        """Wait until the terminal shows one of the texts, and return which."""
        try:
            found: int = self._child.expect_exact(list(texts))
        except (pexpect.EOF, pexpect.TIMEOUT) as error:
            shown = self.transcript + (self._child.before or "")
            kind = type(error).__name__
            raise AssertionError(f"{kind} instead of {texts}; shown:\n{shown}") from None
        self.transcript += self._child.before + self._child.after
        return found

    def types(self, text: str) -> None:
        """Type a line."""
        self._child.sendline(text)

    def answers(self, prompt: str, text: str, *, hidden: bool) -> None:
        """Wait for a prompt, see that it hides what is typed or shows it, and answer."""
        self.sees(prompt)
        if hidden:
            # Also because getpass-like programs drop what was typed before the echo went off.
            assert self._child.waitnoecho(DEADLINE), f"{prompt!r} shows what is typed"
        else:
            assert self._child.getecho(), f"{prompt!r} hides what is typed"
        self.types(text)

    def gives_password(self, password: str) -> None:
        """Answer the question for the password."""
        self.answers(PASSWORD, password, hidden=True)

    def gives_code(self, code: str) -> None:
        """Answer the question for the code."""
        self.answers(CODE, code, hidden=False)

    def signals(self, how: signal.Signals) -> None:
        """Send the program a signal."""
        self._child.kill(how)

    def ends(self) -> int:
        """Wait for the program's end and return its exit status, 128 and the signal if killed."""
        try:
            self._child.expect(pexpect.EOF)
        except pexpect.TIMEOUT:
            shown = self.transcript + (self._child.before or "")
            raise AssertionError(f"it does not end; shown:\n{shown}") from None
        self.transcript += self._child.before or ""
        self._child.wait()
        if self._child.signalstatus is not None:
            return 128 + int(self._child.signalstatus)
        return int(self._child.exitstatus or 0)

    def times_shown(self, text: str) -> int:
        """Return how often a text has been shown so far."""
        return len(re.findall(re.escape(text), self.transcript))
