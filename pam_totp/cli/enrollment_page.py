"""The page that shows an enrollment at a terminal and asks for its code.

It is the same for an administrator, who enrolls somebody on the store, and for people who enroll
themselves by way of the service: what it needs of either is `Enrolling`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from pam_totp import clock, picture
from pam_totp.authenticator import in_groups
from pam_totp.cli.terminal import Terminal, local, plain
from pam_totp.enrollment import TRIES
from pam_totp.errors import EnrollmentError
from pam_totp.otp import Parameters
from pam_totp.recovery import in_columns
from pam_totp.speech import Speech
from pam_totp.words import console
from pam_totp.words import enrollment as words

_USUAL: Final = Parameters()


@dataclass(frozen=True, slots=True)
class Drafted:
    """What somebody needs who enrolls.

    `uris` are otpauth URIs that say the same, the longest first: the first of them that fits is
    drawn.  `key` is the secret in base32; `token` says that the device has it already, so that
    nothing is shown to it.  `counter` is the next one of a device that counts.
    """

    account: str
    issuer: str
    uris: tuple[str, ...] = field(repr=False)
    key: str = field(repr=False)
    parameters: Parameters = _USUAL
    counter: int = 0
    token: bool = False


@dataclass(frozen=True, slots=True)
class Kept:
    """The code was right: it is enrolled, with these recovery codes in their printed form, none
    where the account has them already."""

    recovery_codes: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Wrong:
    """The code was wrong: `drift` is by how many seconds the device's clock is off (negative:
    slow) if that is why, and `tries_left` is 0 where the draft is gone."""

    drift: int | None
    tries_left: int


class Enrolling(Protocol):
    """An enrollment under way."""

    @property
    def drafted(self) -> Drafted:
        """What is shown."""
        ...

    def confirm(self, code: str) -> Kept | Wrong:
        """Keep it if that is its code.  Raises PamTotpError where it cannot be kept."""
        ...


class Page:
    """What stands on the terminal, in one language; `draws` is whether a QR code is wanted."""

    def __init__(self, drafted: Drafted, say: Speech, *, draws: bool = True) -> None:
        self._drafted = drafted
        self._say = say
        self._draws = draws

    def show(self, out: Terminal, above: str = "") -> None:
        """Show what the app needs, so that on a screen of 24 lines all of it stands above the
        question: a QR code with the key below it, or the key alone; `above` comes behind the
        first line."""
        drafted = self._drafted
        drawn = self._drawn(out)
        if drawn is None:
            first = console.TYPE_THE_COUNTING_KEY if self._counts else words.TYPE_THE_KEY
        else:
            first = words.SCAN
        out.show(f"{self._say(first)}   {above}".rstrip())
        names = {"account": plain(drafted.account), "issuer": plain(drafted.issuer)}
        if drawn is not None:
            out.show(drawn)
        out.show(
            self._say(
                words.KEY_AND_ISSUER if drawn is None else words.KEY,
                key=in_groups(drafted.key),
                **names,
            )
        )
        if drafted.parameters != _USUAL:
            out.show(self._settings())

    @property
    def _counts(self) -> bool:
        return self._drafted.parameters.type == "hotp"

    def _drawn(self, out: Terminal) -> str | None:
        """Return the QR code; None where it cannot be seen, which is said."""
        if not self._draws:
            return None
        drawn = picture.terminal(picture.fitting(*self._drafted.uris))
        if out.can_show(drawn.text, drawn.columns):
            return drawn.text
        out.show(self._say(console.NO_PICTURE, columns=drawn.columns))
        return None

    def _settings(self) -> str:
        how = self._drafted.parameters
        return self._say(
            console.COUNTING_SETTINGS if self._counts else console.SETTINGS,
            algorithm=how.algorithm,
            digits=how.digits,
            period=how.period,
            counter=self._drafted.counter,
        )

    def enroll(
        self, person: Terminal, enrolling: Enrolling, again: str, now: clock.Clock = clock.now
    ) -> Kept:
        """Show it, ask for its code until that is right, and show the recovery codes.

        `again` is the command that starts anew.  Raises EnrollmentError after too many wrong
        codes, NoAnswer, and what `confirm` raises.
        """
        self._begin(person)
        while True:
            typed = self._asked(person)
            found = enrolling.confirm(typed)
            if isinstance(found, Kept):
                self._end(person, found.recovery_codes)
                return found
            if not found.tries_left:
                lost = console.TOKEN_NOT_SET_UP if self._drafted.token else console.NOT_SET_UP
                raise EnrollmentError(self._say(lost, tries=TRIES), hint=again)
            self._explain(person, found.drift, now())

    def _begin(self, person: Terminal) -> None:
        stop = self._say(console.STOP)
        if self._drafted.token:
            person.show(f"{self._say(console.TOKEN)}   {stop}")
        else:
            self.show(person, stop)

    def _asked(self, person: Terminal) -> str:
        """Return what was typed; Enter alone shows the page again."""
        question = self._say(console.ASK_TOKEN if self._drafted.token else words.ASK)
        while True:
            typed = person.ask(question)
            if typed:
                return typed
            if not self._drafted.token:
                self._begin(person)

    def _explain(self, person: Terminal, drift: int | None, now: float) -> None:
        """Say what to do about a wrong code.  Who enrolls knows the secret: how far a clock is
        off is no hint to a guesser here, at a login it would be one."""
        for line in self._why(drift, now):
            person.show(line)
        if not self._drafted.token:
            person.show(self._say(console.PAGE_AGAIN))

    def _why(self, drift: int | None, now: float) -> Sequence[str]:
        if self._counts:
            return (self._say(console.WRONG_NEXT),)
        here = self._say(console.HERE_IT_IS, clock=f"{local(now):%H:%M:%S}")
        if drift is None:
            wrong = console.WRONG_TOKEN if self._drafted.token else words.WRONG
            return self._say(wrong), here
        slow_or_fast = words.WRONG_SLOW if drift < 0 else words.WRONG_FAST
        lines = [self._say(slow_or_fast, seconds=abs(drift)), here]
        if clock.synchronised() is False:
            lines.append(self._say(console.UNSYNCHRONISED))
        return lines

    def _end(self, person: Terminal, recovery_codes: tuple[str, ...]) -> None:
        person.show(f"\n{self._say(words.ENROLLED)}\n{self._say(console.USED_UP)}\n")
        if recovery_codes:
            show_recovery_codes(person, recovery_codes, self._say)
        else:
            person.show(self._say(console.CODES_STAY))


def show_recovery_codes(out: Terminal, codes: tuple[str, ...], say: Speech) -> None:
    """Show recovery codes, for the only time."""
    out.show(f"{say(words.RECOVERY_CODES)}\n\n{in_columns(codes)}\n")
