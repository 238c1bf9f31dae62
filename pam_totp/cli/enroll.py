"""`pam-totp enroll`: an authenticator is shown, proved by its code, and only then kept."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import dataclass
from typing import Any, Final

import click

from pam_totp import authenticator as authenticators
from pam_totp import clock, enrollment, picture
from pam_totp.cli.administrator import Administrator, noted, unknown
from pam_totp.cli.terminal import Terminal, local, plain, say, terminal
from pam_totp.context import Context
from pam_totp.decide import WINDOW
from pam_totp.enrollment import Draft, Wanted
from pam_totp.errors import EnrollmentError
from pam_totp.otp import ALGORITHMS, DIGITS, PERIODS, Parameters

_TRIES: Final = 3
_PROMPT: Final = "Code that the app shows now: "
_USUAL: Final = Parameters()


@dataclass(frozen=True, slots=True)
class Manner:
    """How an enrollment is shown; `qr` is None for "where it can be seen"."""

    qr: bool | None
    confirm: bool
    json: bool


@click.command()
@click.argument("user")
@click.option("--name", default="phone", show_default=True, help="What to call the authenticator.")
@click.option(
    "--digits",
    type=click.IntRange(DIGITS[0], DIGITS[-1]),
    default=_USUAL.digits,
    show_default=True,
    help="How long codes are.",
)
@click.option(
    "--period",
    type=click.IntRange(PERIODS[0], PERIODS[-1]),
    default=_USUAL.period,
    show_default=True,
    help="How long a code is shown, in seconds.",
)
@click.option(
    "--algorithm",
    type=click.Choice(list(ALGORITHMS), case_sensitive=False),
    default=_USUAL.algorithm,
    show_default=True,
    help="The hash that codes are made with.",
)
@click.option("--qr/--no-qr", "qr_code", default=None, help="Draw the QR code, or do not.")
@click.option("--no-confirm", is_flag=True, help="Enroll without asking for a code.")
@click.option("--json", "as_json", is_flag=True, help="For scripts: print JSON (--no-confirm).")
@click.pass_obj
def enroll(  # noqa: PLR0913 -- one parameter for each option
    administrator: Administrator,
    user: str,
    *,
    name: str,
    digits: int,
    period: int,
    algorithm: str,
    qr_code: bool | None,
    no_confirm: bool,
    as_json: bool,
) -> None:
    """Give USER an authenticator.

    Shows its QR code, asks for the code that the app makes of it, and keeps it only if that is
    right. The first time it prints ten recovery codes, once.
    """
    if as_json and not no_confirm:
        raise click.UsageError("--json asks nothing and goes with --no-confirm")
    world = administrator.context()
    person = world.lookup(user)
    if person is None:
        raise unknown(user)
    parameters = Parameters(algorithm, digits, period)
    if parameters != _USUAL:
        _warn_of_apps()
    drafted = enrollment.draft(world.store, person, name, world.now(), Wanted(parameters))
    manner = Manner(qr_code, confirm=not no_confirm, json=as_json)
    Enrollment(administrator, world, drafted, manner).run()


def _warn_of_apps() -> None:
    say("many apps, Google Authenticator and Microsoft Authenticator among them, ignore")
    say("algorithm, digits and period, and show codes that are not accepted here")


class Enrollment:
    """One run of the command, from the draft to the recovery codes."""

    def __init__(
        self, administrator: Administrator, world: Context, drafted: Draft, manner: Manner
    ) -> None:
        self._administrator = administrator
        self._world = world
        self._draft = drafted
        self._manner = manner
        self._account = drafted.person.name
        issuer = world.config.issuer
        self._uri = authenticators.uri(drafted.authenticator, self._account, issuer)

    def run(self) -> None:
        """Show, ask, keep."""
        if self._manner.confirm:
            name = shlex.quote(self._account)
            with terminal(f"pam-totp enroll {name} --no-confirm --json") as person:
                self._with(person)
            click.echo(f"{plain(self._account)}: enrolled")
            return
        self._keep(None)
        if self._manner.json:
            click.echo(json.dumps(self._as_json(), indent=2))
        else:
            out = Terminal(sys.stdin, sys.stdout)
            self._show(out, draw=self._manner.qr is True or sys.stdout.isatty())
            self._show_recovery_codes(out)

    def _with(self, person: Terminal) -> None:
        self._show(person, draw=True)
        self._keep(self._proof(person))
        person.show("\nRight: enrolled. This code is used up; the first login takes the next one.")
        self._show_recovery_codes(person)

    def _keep(self, step: int | None) -> None:
        now, store, who = self._world.now(), self._world.store, self._administrator
        kept = enrollment.keep(store, self._draft, now, who.name, step, origin=who.origin)
        noted(self._world, kept)

    def _proof(self, person: Terminal) -> int:
        """Return the time step of the right code.  Raises EnrollmentError after three wrong
        ones."""
        for tries_left in reversed(range(_TRIES)):
            typed = ""
            while not typed:
                typed = person.ask(_PROMPT)
            now = self._world.now()
            step = enrollment.proves(self._draft, typed, now, WINDOW)
            if step is not None:
                return step
            if tries_left:
                self._show_why(person, enrollment.drift(self._draft, typed, now), now)
        raise EnrollmentError(
            f"{self._account} was not enrolled: {_TRIES} wrong codes. "
            "Remove the entry from the app before the next try",
            hint=f"pam-totp enroll {shlex.quote(self._account)}",
        )

    def _show_why(self, person: Terminal, drift: int | None, now: float) -> None:
        """Say what to do about a wrong code.  Here, where an administrator stands beside it or
        the person is one, it is told that it was the clock; at a login it never is."""
        here = f"{local(now):%H:%M:%S %Z}"
        if drift is None:
            person.show(
                "Wrong. Type what the app shows now. If it stays wrong, compare the clocks:\n"
                f"here it is {here}, and seconds matter."
            )
            return
        person.show(
            f"Wrong: your phone's clock is {clock.off(drift)}. Set it to automatic time\n"
            f"(here it is {here}), and type what the app shows then."
        )
        if clock.synchronised() is False:
            person.show("This machine's clock is not synchronised; it may be that one: timedatectl")

    def _show(self, out: Terminal, *, draw: bool) -> None:
        """Show what the app needs: a QR code with the key below it, so that both still stand
        above the prompt on a screen of 24 lines; the URI only where no QR code is."""
        key = authenticators.in_groups(authenticators.base32(self._draft.authenticator.secret))
        out.show(f"Account: {plain(self._account)}   Issuer: {plain(self._world.config.issuer)}")
        if self._manner.confirm:
            out.show("Scan this with an authenticator app, or type the key into one.")
        drawn = draw and self._manner.qr is not False and self._draw(out)
        out.show(f"Key:     {key}" + "   (Ctrl-C keeps nothing)" * self._manner.confirm)
        if not drawn:
            out.show(f"URI:     {self._uri}")

    def _draw(self, out: Terminal) -> bool:
        """Show the QR code; return False where it cannot be seen."""
        drawn = picture.terminal(self._uri)
        if self._manner.qr or out.can_show(drawn.text, drawn.columns):
            out.show(drawn.text)
            return True
        out.show(f"(The QR code needs a terminal with {drawn.columns} columns and colours.)")
        return False

    def _show_recovery_codes(self, out: Terminal) -> None:
        codes = self._draft.recovery_codes
        if not codes:
            out.show("The recovery codes from the first time stay valid.")
            return
        out.show("\nRecovery codes, shown this once: each is good for one login without the app.")
        half = (len(codes) + 1) // 2
        for left, right in zip(codes[:half], codes[half:], strict=True):
            out.show(f"    {left}    {right}")

    def _as_json(self) -> dict[str, Any]:
        return {
            "account": self._account,
            "authenticator": self._draft.authenticator.name,
            "secret": authenticators.base32(self._draft.authenticator.secret),
            "uri": self._uri,
            "recovery_codes": list(self._draft.recovery_codes),
        }
