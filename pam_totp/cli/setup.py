"""`pam-totp setup`: configuration, key, data directory and first policy; then what is not yet
turned on.  Nothing is turned on by it."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Final

import click

from pam_totp import clock, config, keyfile
from pam_totp.cli import first_administrator, outlook
from pam_totp.cli.administrator import Administrator
from pam_totp.cli.first_policy import FirstPolicy
from pam_totp.cli.terminal import Terminal, hint, say, terminal
from pam_totp.config import Config
from pam_totp.credential import Credential
from pam_totp.doctor.clock import turn_on
from pam_totp.errors import StoreError
from pam_totp.store import founding, trust
from pam_totp.store.secret_files import SECRETS

_OPEN_DIRECTORY: Final = 0o755
_OPEN_FILE: Final = 0o644
_MADE: Final = "made"
_THERE: Final = "was there already"
_LATER: Final = "later"


@click.command()
@click.option("--issuer", metavar="NAME", help="What apps show above the account's name.")
@click.option("--services", metavar="NAMES", help="Where codes are asked for: sshd,login or all.")
@click.option(
    "--require",
    metavar="WHOM",
    help="Who must use a code: everybody, the name of a group, or nobody.",
)
@click.option(
    "--ignore-clock",
    is_flag=True,
    help="Something that the kernel does not know of keeps the clock right (in a container).",
)
@click.option("--admin", metavar="NAME", help="Make a local administrator of this name.")
@click.option("--no-admin", is_flag=True, help="Make no local administrator.")
@click.option("--yes", is_flag=True, help="Ask nothing; what is not said stays at its default.")
@click.pass_obj
def setup(  # noqa: PLR0913 -- one parameter for each option
    administrator: Administrator,
    issuer: str | None,
    services: str | None,
    require: str | None,
    admin: str | None,
    *,
    no_admin: bool,
    ignore_clock: bool,
    yes: bool,
) -> None:
    """Make what is missing, and say what is not yet turned on.

    Makes configuration, key, data directory, first policy and first administrator, and leaves
    what is there as it is. No login changes by it.
    """
    if admin and no_admin:
        raise click.UsageError("--admin and --no-admin exclude each other")
    first = FirstPolicy(services, require)  # what was said may be wrong: before anything is made
    loaded, made = _configuration(administrator, issuer, yes=yes)
    administrator.check(loaded.data_directory)
    done = [
        (administrator.path, made),
        (loaded.key_file, _key(loaded)),
        (loaded.data_directory, founding.create(loaded.data_directory)),
    ]
    new = done[-1][1]
    first.make(administrator, ask=not yes and new)
    first_administrator.make(administrator, admin, ask=new and not (yes or no_admin))
    width = max(len(str(path)) for path, _ in done)
    for path, new in done:
        click.echo(f"{path!s:{width}}  {_MADE if new else _THERE}")
    click.echo()
    has_copy = not yes and done[1][1] and _copy_is_kept(administrator, loaded)
    if not has_copy:
        click.echo(_copy(loaded))
    click.echo(outlook.not_yet_on(administrator))
    if not ignore_clock:
        _check_clock()


def _configuration(
    administrator: Administrator, issuer: str | None, *, yes: bool
) -> tuple[Config, bool]:
    """Return the configuration, and whether it is new."""
    path = administrator.path
    if path.exists():
        loaded = administrator.config()
        if issuer not in (None, loaded.issuer):
            say(f"the issuer stays {loaded.issuer!r}; to change it, edit {path}")
        return loaded, False
    administrator.check(path)
    text = config.reference(issuer if issuer or yes else _asked_issuer(administrator))
    loaded = config.parse(text, str(path))  # before it is written: what was typed may be wrong
    _make_directory(path.parent)
    _write(path, text)
    return loaded, True


def _asked_issuer(administrator: Administrator) -> str | None:
    usual = platform.node()
    with terminal(administrator.command("setup", "--yes")) as person:
        person.show("Authenticator apps show a name above the account's: your organisation's,")
        person.show("or this machine's. It cannot be changed in an app that has it.")
        return person.ask(f"Name [{usual}]: ") or usual or None


def _key(loaded: Config) -> bool:
    """Make the key if it is missing; return whether it is new.

    Raises StoreError where secrets are there that a new key could not open.
    """
    path = loaded.key_file
    if isinstance(path, Credential):
        keyfile.load(path)
        return False
    if path.exists():
        keyfile.load(path)
        return False
    if _has_secrets(loaded.data_directory):
        raise StoreError(
            f"{path} is gone, and {loaded.data_directory} holds secrets that only this key opens",
            hint=f"put {path} back from its copy; where there is none: pam-totp key lost",
        )
    _make_directory(path.parent)
    keyfile.create(path, now=clock.now())
    return True


def _has_secrets(data: Path) -> bool:
    try:
        return any(not name.startswith(".") for name in os.listdir(data / SECRETS))
    except FileNotFoundError:
        return False


def _copy(loaded: Config) -> str:
    return (
        f"Keep a copy of {loaded.key_file} elsewhere, apart from any copy of\n"
        f"{loaded.data_directory}: without it every account must enroll anew.\n"
    )


def _copy_is_kept(administrator: Administrator, loaded: Config) -> bool:
    """Insist on a copy of the key; whoever says that there is one shows that by its id."""
    with terminal(administrator.command("setup", "--yes")) as person:
        person.show(_copy(loaded))
        person.show("Copy it now, from another terminal, for instance into a password manager:")
        person.show(f"    sudo cat {loaded.key_file}")
        return _asked_id(person, keyfile.load(loaded.key_file).current)


def _asked_id(person: Terminal, id_: str) -> bool:
    while True:
        typed = person.ask(f"The first eight characters of the copied key [{_LATER}]: ").lower()
        if typed in ("", _LATER):
            return False
        if typed == id_:
            person.show()
            return True
        person.show("That is not how this key begins.")


def _check_clock() -> None:
    """Raise SystemExit, loudly, unless the kernel calls its clock synchronised: codes are made
    of the time, and a clock that nobody keeps right makes every right code wrong one day."""
    if clock.synchronised() is not False:
        return
    say(
        "THE CLOCK IS NOT SYNCHRONISED. Codes are made of the time: a minute off, and every "
        "right code is wrong. All the rest of the set-up is done."
    )
    hint(turn_on(Path))
    hint("where something else keeps the clock right: pam-totp setup --ignore-clock")
    click.get_current_context().exit(1)


def _make_directory(path: Path) -> None:
    """Make a directory that all may look into: what is secret in it says so by its own mode."""
    if not path.exists():
        path.mkdir(parents=True)
        path.chmod(_OPEN_DIRECTORY)  # past the umask


def _write(path: Path, text: str) -> None:
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        trust.write(directory, path.name, text.encode(), _OPEN_FILE)
    finally:
        os.close(directory)
