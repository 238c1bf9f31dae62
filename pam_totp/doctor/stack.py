"""A stack that names our module, and the logins that go through it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from pam_totp.doctor.finding import Unchecked
from pam_totp.doctor.machine import Machine
from pam_totp.doctor.walk import IGNORE, SUCCESS, Answers, Walk, refuses, walk
from pam_totp.stack import MODULE, Line, Rule, StackError, Tree, services_using_module

WRONG: Final = "auth_err"
OUTAGE: Final = "authinfo_unavail"
OTHER_CODES: Final = frozenset(
    f"pam_{name}.so"
    for name in (
        *("google_authenticator", "oath", "duo", "u2f", "yubico", "privacyidea", "otpw"),
        *("linotp", "okta", "rsa", "securid", "multiotp", "barada"),
    )
)
# Modules that stand beside the password's: they look at other things, or let something be done.
_BESIDE: Final = frozenset(
    f"pam_{name}.so"
    for name in (
        *("access", "cap", "console", "debug", "echo", "ecryptfs", "env", "exec", "faildelay"),
        *("faillock", "fprintd", "ftp", "gnome_keyring", "group", "issue", "keyinit", "kwallet"),
        *("kwallet5", "lastlog", "limits", "listfile", "localuser", "loginuid", "mail", "motd"),
        *("mount", "nologin", "rootok", "script", "securetty", "selinux", "shells", "succeed_if"),
        *("systemd", "tally", "tally2", "time", "umask", "usertype", "warn", "wheel"),
    )
)
_FIXED: Final = {"pam_permit.so": SUCCESS, "pam_deny.so": WRONG}


@dataclass(frozen=True, slots=True)
class Stack:
    """The `auth` and `account` lines that a service really has."""

    service: str
    auth: tuple[Rule, ...]
    account: tuple[Rule, ...]

    @property
    def lines(self) -> list[Line]:
        """The `auth` lines, includes followed."""
        return [rule.line for rule in self.auth]

    def ours(self, argument: str) -> list[Line]:
        """Return our `auth` lines of one argument; "" is the checking line."""
        return [line for line in self.lines if argument_of(line) == argument]

    @property
    def passwords(self) -> list[Line]:
        """The lines that check the password."""
        return [line for line in self.lines if _is_password(line)]

    def login(self, password: str, code: str) -> Walk:
        """Go through it with what every password's module says, and the checking line."""
        return walk(self.auth, said(password, code))

    def right_passwords(self, code: str) -> Iterator[Walk]:
        """Go through it with a right password, for each module that may be the one that knows
        it: those before it, which pass a wrong one on, do not."""
        yield self.login(SUCCESS, code)
        passing = list(dict.fromkeys(line.name for line in self.passwords if not refuses(line)))
        for number in range(1, len(passing)):
            yield walk(self.auth, said(SUCCESS, code, unknowing=passing[:number]))


def stacks(machine: Machine) -> Iterator[Stack]:
    """Yield the stacks that name the module and can be read; `stack-readable` names the others.

    Raises Unchecked where there is none.
    """
    services, tree = services_using_module(machine.root), Tree(machine.root)
    if not services:
        raise Unchecked("no stack names the module: nobody is asked for a code")
    for service in services:
        try:
            yield Stack(service, tree.stack(service, "auth"), tree.stack(service, "account"))
        except StackError:
            continue


def said(
    password: str, code: str, *, authfail: str = WRONG, unknowing: Collection[str] = ()
) -> Answers:
    """Return what each module says in one login: the password's, but for those modules that do
    not know the person; our own lines by their argument; others leave it to the rest."""
    ours = {"": code, "authfail": authfail}

    def answer(line: Line) -> str:
        argument = argument_of(line)
        if argument is not None:
            return ours.get(argument, IGNORE)
        if line.name == "pam_faillock.so" and "authfail" in line.arguments:
            return WRONG
        if not _is_password(line):
            return _FIXED.get(line.name, IGNORE)
        return WRONG if line.name in unknowing else password

    return answer


def argument_of(line: Line) -> str | None:
    """Return our module's argument, None for another module."""
    return " ".join(line.arguments) if line.name == MODULE else None


def _is_password(line: Line) -> bool:
    return line.name not in _BESIDE | OTHER_CODES | _FIXED.keys() | {MODULE}
