"""The options that say what kind of authenticator is enrolled."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final

import click

from pam_totp import apps, token_secret
from pam_totp.cli.terminal import hint, say, terminal
from pam_totp.enrollment import Wanted
from pam_totp.otp import ALGORITHMS, DIGITS, PERIODS, TYPES, Parameters
from pam_totp.secret import Secret

USUAL: Final = Parameters()
_LONGEST_LINE: Final = 4_096  # characters of a secret on stdin
_ASK_FOR_IT: Final = "Secret of the token (base32 or hex, Ctrl-C keeps nothing): "


@dataclass(frozen=True, slots=True)
class TokenKind:
    """What was asked for; `own_secret` says that the device has a secret already."""

    parameters: Parameters = USUAL
    counter: int = 0
    own_secret: bool = False

    @property
    def usual_name(self) -> str:
        """What such a device is called where nobody says."""
        return "token" if self.own_secret or self.parameters.type == "hotp" else "phone"

    def wanted(self, instead: str) -> Wanted:
        """Return what is to be drafted, the device's own secret read; `instead` is the way
        where it cannot be asked for.  Raises EnrollmentError, NoTerminal, NoAnswer."""
        if self.own_secret:
            return Wanted(self.parameters, _own_secret(instead), self.counter)
        self._warn_of_apps()
        return Wanted(self.parameters, counter=self.counter)

    def _warn_of_apps(self) -> None:
        """Say which apps ignore which of the parameters, and show wrong codes then."""
        ignored = apps.ignored(self.parameters)
        for some in dict.fromkeys(apps.IGNORED_BY[name] for name in ignored):
            names = _and([name for name in ignored if apps.IGNORED_BY[name] == some])
            say(f"not every version of {_and(some)} goes by {names}: its codes are wrong then")
        if ignored:
            hint("take the usual ones, or an app that goes by them: FreeOTP, Aegis, 2FAS")


_OPTIONS: Final = (
    click.option(
        "--type",
        "type_",
        type=click.Choice(TYPES, case_sensitive=False),
        default=USUAL.type,
        show_default=True,
        help="Codes by the time (totp) or by a counter (hotp).",
    ),
    click.option(
        "--digits",
        type=click.IntRange(DIGITS[0], DIGITS[-1]),
        default=USUAL.digits,
        show_default=True,
        help="How long codes are.",
    ),
    click.option(
        "--period",
        type=click.IntRange(PERIODS[0], PERIODS[-1]),
        default=USUAL.period,
        show_default=True,
        help="How long a code is shown, in seconds (totp).",
    ),
    click.option(
        "--algorithm",
        type=click.Choice(list(ALGORITHMS), case_sensitive=False),
        default=USUAL.algorithm,
        show_default=True,
        help="The hash that codes are made with.",
    ),
    click.option(
        "--counter",
        type=int,
        default=0,
        metavar="N",
        help="Where the counter of a token that was used stands (hotp).",
    ),
    click.option(
        "--with-secret",
        "own_secret",
        is_flag=True,
        help="For a token that has its secret: ask for it, or read the first line of stdin.",
    ),
)


def token_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options, which come to it as `kind`."""

    @wraps(command)
    def collected(*args: Any, **given: Any) -> None:
        type_, counter = given.pop("type_"), given.pop("counter")
        how = {name: given.pop(name) for name in ("algorithm", "digits", "period")}
        _check(type_, counter, how["period"])
        kind = TokenKind(Parameters(**how, type=type_), counter, given.pop("own_secret"))
        command(*args, kind=kind, **given)

    for option in reversed(_OPTIONS):
        option(collected)
    return collected


def _check(type_: str, counter: int, period: int) -> None:
    if type_ == "hotp" and period != USUAL.period:
        raise click.UsageError("--period goes with --type totp")
    if type_ != "hotp" and counter:
        raise click.UsageError("--counter goes with --type hotp")


def _own_secret(instead: str) -> Secret:
    """Return a token's own secret, typed where it can be seen: it is copied from paper."""
    if sys.stdin.isatty():
        with terminal(instead) as person:
            return token_secret.parse(person.ask(_ASK_FOR_IT))
    return token_secret.parse(sys.stdin.readline(_LONGEST_LINE))


def _and(names: tuple[str, ...] | list[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
