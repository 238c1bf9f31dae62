"""Who runs the command, on which host's configuration."""

from __future__ import annotations

import os
import pwd
import re
import shlex
import syslog
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pam_totp import administration, audit, config, context, nss
from pam_totp.cli import origin
from pam_totp.config import Config
from pam_totp.context import Context
from pam_totp.errors import NameServiceError, PamTotpError, TwoAccounts, UnknownAccount
from pam_totp.event import Event, Origin
from pam_totp.upkeep import By

PROGRAM = "pam-totp"


class NeedsRoot(PamTotpError):
    """The command is not this user's to run."""


class Administrator:
    """The one who typed the command.

    That is root; somebody whose own configuration has a data directory of their own is
    their own administrator.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        self._arguments = tuple(arguments)
        self.path = config.DEFAULT_PATH

    def check(self, directory: Path) -> None:
        """Raise NeedsRoot unless `directory`, or what it will be made in, is the caller's."""
        if os.geteuid() not in (0, _owner(directory)):
            again = shlex.join([PROGRAM, *self._arguments])
            raise NeedsRoot("this needs root", hint=f"sudo {again}")

    def config(self) -> Config:
        """Return the configuration.  Raises ConfigError, NeedsRoot."""
        if not self.path.exists():
            self.check(self.path)
        loaded = config.load(self.path)
        self.check(loaded.data_directory)
        return loaded

    def context(self) -> Context:
        """Return the host's context, its store open.  Raises PamTotpError with what to do."""
        # A command may ask of many people who is in which group.
        return replace(context.from_config(self.config()), member=nss.Memberships())

    @property
    def is_usual(self) -> bool:
        """Whether it is about this machine's own configuration."""
        return self.path == config.DEFAULT_PATH

    @property
    def name(self) -> str:
        """Who the records say it was: whoever called sudo, else who logged in."""
        called = os.environ.get("SUDO_USER") if os.geteuid() == 0 else None
        if called:
            return called
        try:
            return pwd.getpwuid(os.getuid()).pw_name
        except KeyError:
            return str(os.getuid())

    @property
    def origin(self) -> Origin:
        """From where the records say it was."""
        return origin.origin()

    def by(self, world: Context) -> By:
        """Return who acts now, and from where."""
        return self.by_at(world.now())

    def by_at(self, now: float) -> By:
        """Return who acts at a moment (UTC seconds), and from where."""
        return By(now, self.name, self.origin)

    def command(self, *words: str) -> str:
        """Return a command line of ours, ready to be run, for this configuration."""
        return self.here(shlex.join([PROGRAM, *words]))

    def again(self, *options: str) -> str:
        """Return this command line, ready to be run, with further options."""
        words = list(self._arguments)
        at = words.index("--") if "--" in words else len(words)
        words[at:at] = options
        return shlex.join([PROGRAM, *words])

    def here(self, text: str) -> str:
        """Return a hint whose commands of ours are about this configuration."""
        if self.path == config.DEFAULT_PATH:
            return text
        option = f"--config {shlex.quote(str(self.path))} "
        return re.sub(rf"(?<![\w/.-])({PROGRAM} )(?=[a-z])", lambda m: m[1] + option, text)


def noted(world: Context, event: Event) -> None:
    """Log what an administrator has done, once it is durable."""
    world.log(syslog.LOG_NOTICE, audit.act(event))


def account(world: Context, typed: str) -> str:
    """Return the account that was meant: by NSS's name for it, or, where NSS does not know it
    or cannot say, a name that the store knows.

    Raises UnknownAccount, and NameServiceError if NSS could not say and the store knows nothing.
    """
    try:
        person = world.person(typed)
    except (NameServiceError, TwoAccounts):
        if administration.known(world.store, typed):
            return typed
        raise
    if person is not None:
        return person.name
    if administration.known(world.store, typed):
        return typed
    raise unknown(typed)


def unknown(typed: str) -> UnknownAccount:
    """Return the error for a name that nobody has."""
    name = shlex.quote(typed)
    asked = f"-- {name}" if typed.startswith("-") else name
    return UnknownAccount(f"there is no account called {typed!r}", hint=f"getent passwd {asked}")


def _owner(path: Path) -> int | None:
    """Return who owns `path` or, where it is not there yet, the nearest directory above it."""
    for place in (path, *path.parents):
        try:
            return place.stat().st_uid
        except FileNotFoundError:
            continue
        except OSError:
            return None
    return None
