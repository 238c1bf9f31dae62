"""`pam-totp store renew`: putting the halves of a store together after they came apart."""

from __future__ import annotations

import os

import click

from pam_totp import administration, clock, keyfile
from pam_totp.administration import Status
from pam_totp.cli.administrator import Administrator, noted
from pam_totp.cli.terminal import confirm, hint, many, plain, say
from pam_totp.config import Config
from pam_totp.context import from_config
from pam_totp.decide import Rules
from pam_totp.errors import StoreError
from pam_totp.event import Event
from pam_totp.store import founding, trust
from pam_totp.store.secret_files import SECRETS

_MEANING = """\
This makes secrets and state.db one store again, for {accounts}.
From then on no code that exists by now is accepted: not those of the present
moment, and no recovery code. Apps and their secrets stay as they are; a token
that counts (HOTP) is out of step until `authenticator resync`.
Go on?"""


@click.group()
def store() -> None:
    """Repair the data after a part of it was lost or restored."""


@store.command(short_help="Make secrets and state.db one store again.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def renew(administrator: Administrator, *, yes: bool) -> None:
    """Put the halves together after one was lost or restored.

    Logins are refused until it is done. Codes of the present moment and all recovery codes
    are void afterwards.
    """
    loaded = administrator.config()
    keyring = keyfile.load(loaded.key_file)
    os.close(trust.open_directory(loaded.data_directory))  # or there is nothing to ask about
    if _whole(loaded):
        say("secrets and state.db belong together; renew if both are from a backup")
    accounts = many(_how_many(loaded), "account")
    instead = administrator.command("store", "renew", "--yes")
    confirm(_MEANING.format(accounts=accounts), yes=yes, instead=instead)
    now, rules = clock.now(), Rules()
    renewed = founding.renew(
        loaded.data_directory,
        keyring,
        lambda credentials, state: administration.spend(credentials, state, now, rules),
        now,
    )
    world, said = from_config(loaded), many(renewed, "account")
    act = Event(now, "", "renew", detail=said, actor=administrator.name)
    noted(world, act.of(administrator.origin))
    click.echo(f"renewed, {said}; logins go on with the next code")
    for one in administration.all_statuses(world.store, now, world.limits):
        _name_what_is_wrong(administrator, one)


def _whole(loaded: Config) -> bool:
    """Whether the halves belong together."""
    try:
        list(from_config(loaded).store.accounts())
    except StoreError:
        return False
    return True


def _how_many(loaded: Config) -> int:
    """Return how many accounts have a secret."""
    try:
        names = os.listdir(loaded.data_directory / SECRETS)
    except FileNotFoundError:
        return 0
    return sum(not name.startswith(".") for name in names)


def _name_what_is_wrong(administrator: Administrator, one: Status) -> None:
    if one.damage:
        say(f"{plain(one.account)} is refused: {plain(one.damage)}")
    for name in one.out_of_step:
        say(f"{plain(one.account)}: no code of {plain(name)} counts until it is in step again")
        hint(administrator.command("authenticator", "resync", one.account, name))
