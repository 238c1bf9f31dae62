"""pam-totpd: answers logins until it is told to stop."""

from __future__ import annotations

import os
import shlex
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Final

import click

from pam_totp import __version__, config, context
from pam_totp.bridge import log, process
from pam_totp.bridge.acceptor import THREAD_STACK
from pam_totp.bridge.admin import AdminServer, Bounds
from pam_totp.bridge.connection import Waits
from pam_totp.bridge.dispatch import dispatch
from pam_totp.bridge.lifecycle import hold_signals, run_until_stopped
from pam_totp.bridge.listener import ADMIN_SOCKET_NAME, Listener
from pam_totp.bridge.lockwatch import LockWatch
from pam_totp.bridge.messages import strerror
from pam_totp.bridge.notify import Notifier
from pam_totp.bridge.peers import ROOT, Peer
from pam_totp.bridge.server import Server
from pam_totp.context import Context
from pam_totp.errors import PamTotpError
from pam_totp.selfservice.desk import Desk
from pam_totp.selfservice.password import Passwords
from pam_totp.selfservice.session import Session

STOP_SECONDS: Final = 60.0
"""How long logins under way may go on after the first signal."""


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
    """Answer the logins of this machine's PAM applications, until SIGTERM or SIGINT."""
    log.open_log()
    try:
        finished = _serve(file)
    except PamTotpError as failure:
        error = _needs_root(failure, file) or failure
        log.error(f"pam-totpd does not start: {log.with_hint(error)}")
        hint = f"\nhint: {error.hint}" if error.hint else ""
        click.echo(f"pam-totpd: {error}{hint}", err=True)
        sys.exit(1)
    sys.exit(0 if finished else 1)


def _needs_root(failure: PamTotpError, file: Path) -> PamTotpError | None:
    """Return what to say instead to somebody who is not root, where that was the reason."""
    if os.geteuid() == ROOT or not isinstance(failure.__cause__, PermissionError):
        return None
    again = "sudo pam-totpd"
    if file != config.DEFAULT_PATH:
        again += f" --config {shlex.quote(str(file))}"
    return PamTotpError(f"this needs root ({failure})", hint=again)


def _serve(file: Path) -> bool:
    """Run until stopped; False if logins under way had to be abandoned."""
    notifier = Notifier.from_environment()
    process.harden()
    process.raise_descriptor_limit()
    loaded = config.load(file)
    world = context.from_config(loaded)
    watch = LockWatch(world)
    world = replace(world, lock_begun=watch.add)
    context.use(world)
    listener = Listener.open(loaded.runtime_directory)
    people = _people(listener.beside(ADMIN_SOCKET_NAME), world)
    server = Server(listener, dispatch, waits=Waits(person=loaded.person_timeout))
    strerror(0)  # loads libpam now and not within a login
    process.settle()
    log.open_log(echo=sys.stderr.isatty())
    threading.stack_size(THREAD_STACK)
    hold_signals()
    watch.start()
    return run_until_stopped((server, people), listener, notifier, STOP_SECONDS)


def _people(listener: Listener, world: Context) -> AdminServer:
    """Return what answers people about their own accounts."""
    desk = Desk(world, Passwords())

    def begin(peer: Peer) -> Session:
        return Session(desk, peer.uid)

    return AdminServer(listener, begin, Bounds(idle=world.config.person_timeout))
