"""A person at a real terminal (tmux) of a given size: what stands on its screen at a moment, and
what is typed.

`Terminal` (terminal.py) follows what a program writes; a screen shows what is left of it for a
person to see, scrolled and wrapped.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import termios
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Self

from tests.system.lab.wait import DEADLINE, wait_for

SMALL: Final = (80, 24)
LARGE: Final = (200, 60)
UNICODE: Final = {"LC_ALL": "C.UTF-8"}
PLAIN: Final = {"LC_ALL": "C"}

_KIND: Final = "tmux-256color"
# The screen is the program's alone, and stays as it was when the program ends.
_SETTINGS: Final = f"""\
set -g status off
set -g default-terminal {_KIND}
set -g remain-on-exit on
set -g remain-on-exit-format ''
"""
# tmux loses the exit status of a program now and then.
_AND_STATUS: Final = 'trap : INT QUIT; file=$1; shift; "$@"; echo $? >"$file"'


class Screen:
    """Runs a command until it is closed, by a tmux of its own."""

    def __init__(
        self,
        size: tuple[int, int],
        command: Sequence[str],
        environment: Mapping[str, str] = UNICODE,
    ) -> None:
        """`size` is columns and lines; the command has this environment, PATH and TERM alone."""
        self.columns, self.lines = size
        self._directory = tempfile.TemporaryDirectory(prefix="screen-")
        settings = Path(self._directory.name, "settings")
        settings.write_text(_SETTINGS)
        given = {"PATH": os.defpath, "TERM": _KIND} | dict(environment)
        words = ["env", "-i", *(f"{name}={value}" for name, value in given.items()), *command]
        self._status = Path(self._directory.name, "status")
        words = ["sh", "-c", _AND_STATUS, "sh", str(self._status), *words]
        size_words = ["-x", str(self.columns), "-y", str(self.lines)]
        self._tmux("-f", str(settings), "new-session", "-d", *size_words, "--", *words)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up, as one who closes the window."""
        self._tmux("kill-server")
        self._directory.cleanup()

    def _tmux(self, *words: str) -> str:
        """Run a command of our tmux, which must succeed, and return what it printed."""
        done = subprocess.run(
            ["tmux", "-u", "-S", f"{self._directory.name}/socket", *words],
            check=False,
            text=True,
            encoding="utf-8",
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=DEADLINE,
            env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
        )
        assert done.returncode == 0, f"tmux {words}: {done.stderr}"
        return done.stdout

    def text(self) -> str:
        """Return the visible lines."""
        return self._tmux("capture-pane", "-p")

    def coloured(self) -> str:
        """Return the visible lines with the sequences that colour them."""
        return self._tmux("capture-pane", "-p", "-e", "-N")

    def transcript(self) -> str:
        """Return all that was shown, what has scrolled away included, wrapped lines in one."""
        return self._tmux("capture-pane", "-p", "-J", "-S", "-").rstrip() + "\n"

    def broken_lines(self) -> list[str]:
        """Return what was too long for a line of the screen, wherever it was broken."""
        return [line for line in self.transcript().splitlines() if len(line) > self.columns]

    def wait_for(self, *texts: str, seconds: float = DEADLINE) -> str:
        """Wait until all of the texts are visible at once, and return the visible lines."""

        def seen() -> str | None:
            shown = self.text()
            return shown if all(text in shown for text in texts) else None

        try:
            return wait_for(seen, f"screen with {texts}", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; it shows:\n{self.text()}") from None

    def type(self, text: str) -> None:
        """Type some characters."""
        self._tmux("send-keys", "-l", "--", text)

    def press(self, *keys: str) -> None:
        """Press keys, named as tmux does: Enter, C-c, C-d."""
        self._tmux("send-keys", *keys)

    def answer(self, prompt: str, text: str, *, hidden: bool = False) -> None:
        """Wait for a prompt at the cursor, see that it hides what is typed or shows it, and
        answer it."""
        self.wait_for_prompt(prompt)
        # Programs drop what was typed before the echo went off.
        wait_for(lambda: self.echoes is not hidden, f"echo {'off' if hidden else 'on'}")
        self.type(text)
        self.press("Enter")

    def run(self, command: str) -> None:
        """Type a command at a shell's prompt; it may be one beyond ssh, where the echo is not of
        this terminal."""
        self.wait_for_prompt("$ ")
        self.type(command)
        self.press("Enter")

    def wait_for_prompt(self, prompt: str) -> str:
        """Wait until the cursor stands behind `prompt`, and return the visible lines."""
        try:
            wait_for(lambda: self._line_of_cursor().endswith(prompt.rstrip()), f"{prompt!r}")
        except AssertionError as error:
            raise AssertionError(f"{error}; the screen shows:\n{self.text()}") from None
        return self.text()

    def _line_of_cursor(self) -> str:
        row, column = map(int, self._ask("#{cursor_y} #{cursor_x}").split())
        return self._tmux("capture-pane", "-p", "-N", "-S", str(row), "-E", str(row))[
            :column
        ].rstrip()

    def _ask(self, form: str) -> str:
        return self._tmux("display-message", "-p", form).strip()

    @property
    def echoes(self) -> bool:
        """Whether the terminal shows what is typed."""
        terminal = os.open(self._ask("#{pane_tty}"), os.O_RDONLY | os.O_NOCTTY)
        try:
            return bool(termios.tcgetattr(terminal)[3] & termios.ECHO)
        finally:
            os.close(terminal)

    def ends(self) -> int:
        """Wait for the program's end and return its exit status, 128 and the signal if killed."""
        try:
            return int(wait_for(self._read_status, "end of the program"))
        except AssertionError as error:
            raise AssertionError(f"{error}; the screen shows:\n{self.text()}") from None

    def _read_status(self) -> str | None:
        """Return the line with the exit status, once all of it has been written."""
        try:
            status = self._status.read_text()
        except FileNotFoundError:
            return None
        return status if status.endswith("\n") else None
