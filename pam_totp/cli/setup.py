"""`pam-totp setup`: key, configuration and data directory.  Nothing is turned on by it."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Final

import click

from pam_totp import config, keyfile
from pam_totp.cli.administrator import Administrator
from pam_totp.cli.terminal import say, terminal
from pam_totp.config import Config
from pam_totp.errors import StoreError
from pam_totp.store import founding, trust
from pam_totp.store.directory import SECRETS

_OPEN_DIRECTORY: Final = 0o755
_OPEN_FILE: Final = 0o644
_DROP_IN: Final = "/usr/share/doc/libpam-totp/examples/ssh/50-pam-totp.conf"
_MADE: Final = "made"
_THERE: Final = "was there already"

_NEXT: Final = """\
Keep a copy of {key} elsewhere, apart from any copy of
{data}: without it every account must enroll anew.

No login has changed by this. What turns it on:

1. Start the service:         {service}
2. Enroll, your own account:  {enroll}
3. Have SSH ask whoever has enrolled for the code:
     sed -i 's/^@include common-auth/@include pam-totp/' /etc/pam.d/sshd
     install -m 644 {drop_in} \\
       /etc/ssh/sshd_config.d/ && systemctl reload ssh

Keep this session open until a new login has worked. The way back:
     sed -i 's/^@include pam-totp$/@include common-auth/' /etc/pam.d/sshd"""


@click.command()
@click.option("--issuer", metavar="NAME", help="What apps show above the account's name.")
@click.option("--yes", is_flag=True, help="Ask nothing.")
@click.pass_obj
def setup(administrator: Administrator, issuer: str | None, *, yes: bool) -> None:
    """Make key, configuration and data directory.

    Makes what is missing and leaves the rest as it is. No login changes by it.
    """
    loaded, made = _configuration(administrator, issuer, yes=yes)
    administrator.check(loaded.data_directory)
    done = [
        (administrator.path, made),
        (loaded.key_file, _key(loaded)),
        (loaded.data_directory, founding.create(loaded.data_directory)),
    ]
    width = max(len(str(path)) for path, _ in done)
    for path, new in done:
        click.echo(f"{path!s:{width}}  {_MADE if new else _THERE}")
    click.echo()
    click.echo(_what_next(administrator, loaded))


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
    if path.exists():
        keyfile.load(path)
        return False
    if _has_secrets(loaded.data_directory):
        raise StoreError(
            f"{path} is gone, and {loaded.data_directory} holds secrets that only this key opens",
            hint=f"put {path} back from its copy; without one, move {loaded.data_directory} "
            "away, and let everybody enroll anew after: pam-totp setup",
        )
    _make_directory(path.parent)
    keyfile.create(path)
    return True


def _has_secrets(data: Path) -> bool:
    try:
        return any(not name.startswith(".") for name in os.listdir(data / SECRETS))
    except FileNotFoundError:
        return False


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


def _what_next(administrator: Administrator, loaded: Config) -> str:
    own = administrator.path != config.DEFAULT_PATH
    by_systemd = Path("/run/systemd/system").is_dir() and not own
    by_hand = f"pam-totpd --config {administrator.path} &" if own else "pam-totpd &"
    return _NEXT.format(
        key=loaded.key_file,
        data=loaded.data_directory,
        service="systemctl enable --now pam-totpd" if by_systemd else by_hand,
        enroll=f"{administrator.command('enroll')} USER",
        drop_in=_DROP_IN,
    )
