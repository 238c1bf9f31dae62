"""An administrator enrolls somebody: on the store, with the page that everybody sees."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from typing import Any

import click

from pam_totp import authenticator as authenticators
from pam_totp import enrollment
from pam_totp.account import Authenticator
from pam_totp.cli.administrator import Administrator, noted
from pam_totp.cli.enrollment_page import Drafted, Kept, Page, Wrong, show_recovery_codes
from pam_totp.cli.papers import Papers
from pam_totp.cli.terminal import Terminal, terminal
from pam_totp.cli.token_options import TokenKind
from pam_totp.context import Context
from pam_totp.decide import WINDOW
from pam_totp.enrollment import Draft
from pam_totp.speech import Speech, language_of


@dataclass(frozen=True, slots=True)
class Manner:
    """How an enrollment is shown: whether a QR code is drawn, whether a code proves it, and
    whether a script reads it."""

    draws: bool = True
    confirm: bool = True
    json: bool = False

    def __post_init__(self) -> None:
        if self.json and self.confirm:
            raise click.UsageError("--json asks nothing and goes with --no-confirm")


class OnStore:
    """An enrollment under way."""

    def __init__(
        self, administrator: Administrator, world: Context, draft: Draft, kind: TokenKind
    ) -> None:
        self._administrator = administrator
        self._world = world
        self._draft = draft
        self._tries = enrollment.TRIES
        self._kept = False
        account, counter = draft.person.name, draft.counter
        self._drafted = drafted_of(
            world, account, draft.authenticator, counter, token=kind.own_secret
        )

    @property
    def drafted(self) -> Drafted:
        """What is shown."""
        return self._drafted

    @property
    def name(self) -> str:
        """What the authenticator is called."""
        return self._draft.authenticator.name

    @property
    def recovery_codes(self) -> tuple[str, ...]:
        """The codes that come with it."""
        return self._draft.recovery_codes

    def kept(self) -> bool:
        """Whether it is enrolled."""
        return self._kept

    def confirm(self, code: str) -> Kept | Wrong:
        """Keep it if that is its code."""
        now = self._world.now()
        ahead = self._world.anywhere(self._draft.person.name).look_ahead
        step = enrollment.proves(self._draft, code, now, WINDOW, ahead)
        if step is not None:
            return self.keep(step)
        self._tries -= 1
        return Wrong(enrollment.drift(self._draft, code, now), self._tries)

    def keep(self, step: int | None = None) -> Kept:
        """Keep it, proved by the code of that step, or by none."""
        world, who = self._world, self._administrator
        account = self._draft.person.name
        event = enrollment.keep(
            world.store,
            self._draft,
            world.now(),
            who.name,
            step,
            limit=world.anywhere(account).authenticators,
            origin=who.origin,
        )
        self._kept = True
        noted(world, event)
        return Kept(self._draft.recovery_codes)


def drafted_of(
    world: Context, account: str, one: Authenticator, counter: int, *, token: bool = False
) -> Drafted:
    """Return what is shown of an authenticator."""
    issuer = world.config.issuer
    uris = (
        authenticators.uri(one, account, issuer, counter=counter, short=short)
        for short in (False, True)
    )
    key = authenticators.base32(one.secret)
    return Drafted(account, issuer, tuple(uris), key, one.parameters, counter, token)


def run(
    administrator: Administrator,
    world: Context,
    under_way: OnStore,
    manner: Manner,
    papers: Papers,
) -> None:
    """Show, ask and keep."""
    instead = administrator.again("--no-confirm", "--json")
    drafted, codes = under_way.drafted, under_way.recovery_codes
    draws = manner.draws and (manner.confirm or sys.stdout.isatty())
    page = Page(drafted, spoken(world), draws=draws)
    # What is handed over speaks as the host does, and not as who prints it.
    with papers.written(drafted, codes, world.speech(), under_way.kept):
        if manner.confirm:
            with terminal(instead) as person:
                page.enroll(person, under_way, administrator.again())
            return
        under_way.keep()
    if manner.json:
        click.echo(json.dumps(as_json_object(drafted, under_way.name, codes), indent=2))
        return
    # What stands on paper is not printed beside it.
    out = Terminal(sys.stdin, sys.stdout)
    if papers.sheet is None and not drafted.token:
        page.show(out)
        out.show(f"URI: {drafted.uris[0]}")
    if codes and not papers.codes:
        show_recovery_codes(out, codes, spoken(world))


def spoken(world: Context) -> Speech:
    """Return how the person at this terminal is spoken to."""
    return world.speech(language_of(os.environ))


def as_json_object(drafted: Drafted, name: str, codes: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return what scripts are told of an enrollment."""
    return {
        "account": drafted.account,
        "authenticator": name,
        "secret": drafted.key,
        "uri": drafted.uris[0],
        "recovery_codes": list(codes),
    }
