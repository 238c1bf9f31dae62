"""pam-totp-notify: sends notices until it is told to stop.

A process of its own, and not a thread of pam-totpd: programs that send mail are set-group-id
or set-user-id, which that one's sandbox forbids; and whatever hangs or breaks here is in no
login's way.  It needs no key, and has none.
"""

from __future__ import annotations

import platform
import signal
import sys
import syslog
import threading
from functools import partial
from pathlib import Path
from typing import Final

import click

from pam_totp import __version__, clock, config
from pam_totp.bridge import log, process
from pam_totp.config import Config
from pam_totp.errors import PamTotpError, StoreError
from pam_totp.notices import progress
from pam_totp.notices.channel import Channel, channel
from pam_totp.notices.clerk import Clerk
from pam_totp.notices.message import message
from pam_totp.secret import Secret
from pam_totp.speech import speech
from pam_totp.store.directory import DirectoryStore
from pam_totp.store.seal import KEY_BYTES, Keyring

IDENT: Final = "pam-totp-notify"
EVERY: Final = 1.0  # seconds between two looks

_OPENS_NOTHING: Final = Keyring("none", {"none": Secret(bytes(KEY_BYTES))})


@click.command()
@click.version_option(__version__)
@click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path),
    default=config.DEFAULT_PATH,
    show_default=True,
    help="The host's configuration.",
)
def main(file: Path) -> None:
    """Tell people what happens to their accounts, until SIGTERM or SIGINT."""
    log.open_log(IDENT, echo=sys.stderr.isatty())
    process.harden()
    try:
        loaded = config.load(file)
        chosen = channel(loaded)
        if chosen is None:
            log.info(f"notices are off; to have them sent, set `notify` in {file}")
            return
        _serve(loaded, chosen)
    except PamTotpError as error:
        log.error(f"{IDENT} ends: {log.with_hint(error)}")
        click.echo(f"{IDENT}: {error}" + (f"\nhint: {error.hint}" if error.hint else ""), err=True)
        sys.exit(1)


def _serve(loaded: Config, chosen: Channel) -> None:
    """Send until the first signal.  What is being sent then is sent to its end."""
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    directory = loaded.data_directory
    store = DirectoryStore(directory, _OPENS_NOTHING)
    compose = partial(message, host=platform.node(), speech=speech(loaded.language))
    with progress.only_one(directory):
        clerk = Clerk(
            store,
            directory,
            channel=chosen,
            compose=compose,
            log=syslog.syslog,
            now=clock.now(),
        )
        log.info("notices are sent")
        _work(clerk, stopped)
        clerk.save(clock.now())


def _work(clerk: Clerk, stopped: threading.Event) -> None:
    warn = log.Occasional(log.warning, interval=600.0)
    while not stopped.is_set():
        busy = False
        try:
            busy = clerk.work(clock.now())
        except StoreError as error:
            warn(f"notices have to wait: {log.with_hint(error)}")
        if not busy:
            stopped.wait(EVERY)
