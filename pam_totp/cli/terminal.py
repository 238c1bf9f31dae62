"""The manners of the command line.

- Results go to stdout; everything else goes to stderr as `pam-totp: …`.
- A failure ends with `hint: …`, a command where there is one: with `sudo` for who came by it.
- On a terminal, sentences are broken between words; commands are not, so that they can be copied.
- Questions, answers and secrets that a person is shown go through /dev/tty, so that neither a
  pipe nor a log gets them; a script asks for them with `--json` and finds them on stdout.
- No secret is taken from the command line, where every process could read it.
- What came from somewhere else is shown without its control characters.
"""

from __future__ import annotations

import locale
import os
import re
import shutil
import sys
import termios
import textwrap
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final, TextIO

import click
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pam_totp.errors import PamTotpError

_PIPE_WIDTH = 1_000  # nothing is cut off where a program reads
_LEAST_WIDTH: Final = 40
# Commands in a hint that take root: ours anywhere in it, others where a command begins.
_OURS: Final = (
    r"(?<![\w/.`-])(?<!sudo )(?:[A-Z]+=\S+ )?pam-totp (?:--config |(?=[a-z]))(?![a-z ]+--help)"
)
_OTHERS: Final = (
    r"(?:^|(?<=[:;] )|(?<=&& ))(?:apt-get|chmod|chown|chronyc|cp|install -m|journalctl|mv"
    r"|pam-totpd|rm|sed -i|sshd|systemctl|timedatectl|/usr/libexec/pam-totp/stack-off"
    r"|/usr/sbin/sshd) "
)
_TAKES_ROOT: Final = re.compile(f"{_OURS}|{_OTHERS}")


class NoTerminal(PamTotpError):
    """A question must be asked, and there is nobody to ask."""


class NoAnswer(PamTotpError):
    """The person did not go on: nothing was changed."""


def say(text: str) -> None:
    """Say something beside the results, on stderr."""
    click.echo(wrapped(f"pam-totp: {text}", sys.stderr), err=True)


def hint(text: str) -> None:
    """Say what to do next, on stderr."""
    click.echo(f"hint: {with_sudo(text)}", err=True)


def with_sudo(text: str) -> str:
    """Return a hint whose commands can be run as they stand: who called us by sudo is not root
    outside of it."""
    if os.geteuid() != 0 or os.environ.get("SUDO_USER", "root") == "root":
        return text
    return _TAKES_ROOT.sub(r"sudo \g<0>", text)


def wrapped(text: str, out: TextIO, indent: str = "") -> str:
    """Return text whose lines are broken between words where a terminal's end, `indent` before
    what follows; a program reads it as it is."""
    if not out.isatty():
        return text
    width = max(shutil.get_terminal_size().columns, _LEAST_WIDTH)
    form = textwrap.TextWrapper(
        width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return "\n".join(form.fill(line) for line in text.split("\n"))


def plain(text: str) -> str:
    """Return text that a terminal shows and does not obey."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def local(at: float) -> datetime:
    """Return a moment (UTC seconds) in this machine's time zone."""
    return datetime.fromtimestamp(at, tz=UTC).astimezone()


def moment(at: float, now: float, *, seconds: bool = False) -> str:
    """Return a moment as people say it: `14:20` today, `2027-02-01 14:20` otherwise; with its
    `seconds` where they matter."""
    then = local(at)
    day = "" if then.date() == local(now).date() else f"{then:%Y-%m-%d} "
    return day + (f"{then:%H:%M:%S}" if seconds else f"{then:%H:%M}")


def many(number: int, one: str) -> str:
    """Return `1 account`, `2 accounts`."""
    return f"{number} {one}" if number == 1 else f"{number} {one}s"


def table(
    headers: Sequence[str], rows: Sequence[Sequence[str]], unbroken: Collection[str] = ()
) -> None:
    """Print rows to stdout, as wide as the terminal, or as needed where there is none; columns
    that are `unbroken` stay on one line."""
    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    drawn = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    lines = max(header.count("\n") for header in headers)
    for header in headers:
        lowered = "\n" * (lines - header.count("\n")) + header
        least = max(map(len, header.split("\n")))
        drawn.add_column(lowered, overflow="fold", no_wrap=header in unbroken, min_width=least)
    for row in rows:
        drawn.add_row(*(Text(plain(cell)) for cell in row))
    Console(file=sys.stdout, width=width, highlight=False, no_color=True).print(drawn)


class Terminal:
    """The person at /dev/tty."""

    def __init__(self, read: TextIO, write: TextIO) -> None:
        self._read = read
        self._write = write

    def show(self, text: str = "") -> None:
        """Show lines."""
        self._write.write(f"{text}\n")
        self._write.flush()

    def ask(self, prompt: str) -> str:
        """Return what is typed after `prompt`, with echo.  Raises NoAnswer at the end of
        the input (Ctrl-D)."""
        return self._line(prompt).strip()

    def ask_hidden(self, prompt: str) -> str:
        """Return what is typed after `prompt`, without echo and with its blanks.  Raises NoAnswer
        as `ask` does."""
        descriptor = self._read.fileno()
        usual = termios.tcgetattr(descriptor)
        hidden = [*usual]
        hidden[3] &= ~termios.ECHO
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, hidden)
        try:
            return self._line(prompt)
        finally:
            termios.tcsetattr(descriptor, termios.TCSAFLUSH, usual)
            self.show()

    def _line(self, prompt: str) -> str:
        self._write.write(prompt)
        self._write.flush()
        line = self._read.readline()
        if not line:
            self.show()
            raise NoAnswer("no answer; nothing was changed")
        return line.removesuffix("\n")

    def confirm(self, question: str) -> None:
        """Go on only if the answer is yes.  Raises NoAnswer otherwise."""
        if self.ask(f"{question} [y/N] ").lower() not in ("y", "yes"):
            raise NoAnswer("nothing was changed")

    def can_show(self, text: str, columns: int) -> bool:
        """Whether text of that many columns fits, in characters that this terminal has."""
        try:
            # Not the stream's encoding: under LC_ALL=C Python writes UTF-8 all the same.
            text.encode(locale.nl_langinfo(locale.CODESET))
        except (LookupError, UnicodeEncodeError):
            return False
        try:
            width = os.get_terminal_size(self._write.fileno()).columns
        except OSError:
            width = shutil.get_terminal_size().columns
        # A terminal of width 0 does not know; one called dumb has no colours.
        return os.environ.get("TERM") != "dumb" and (width == 0 or columns <= width)


@contextmanager
def terminal(instead: str) -> Iterator[Terminal]:
    """Open /dev/tty.  Raises NoTerminal where there is none; `instead` is the way without."""
    try:
        fd = os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        raise NoTerminal("there is no terminal to ask on", hint=instead) from None
    with (
        open(os.dup(fd), encoding=sys.stdout.encoding, errors="replace") as read,
        open(fd, "w", encoding=sys.stdout.encoding, errors="backslashreplace") as write,
    ):
        yield Terminal(read, write)


def confirm(question: str, *, yes: bool, instead: str) -> None:
    """Ask before something that cuts people off, unless `yes` was given.

    Raises NoTerminal and NoAnswer; `instead` is the command line that does not ask.
    """
    if not yes:
        with terminal(instead) as person:
            person.confirm(question)
