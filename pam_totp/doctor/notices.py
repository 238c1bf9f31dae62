"""pam-totp-notify, and the program by which it sends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

from pam_totp import config
from pam_totp.config import MAIL
from pam_totp.doctor.finding import Check, Finding, Unchecked, note, warning
from pam_totp.doctor.machine import Machine
from pam_totp.notices import channel, progress
from pam_totp.notices.kind import kind_of

BEHIND: Final = 900.0  # seconds; a notice that fails may take thirty of them
_OFF: Final = "notices are off"
_AT_ONCE: Final = 1_000
_PROGRAM: Final = "/usr/libexec/pam-totp/pam-totp-notify"


def _runs(machine: Machine) -> Iterator[Finding]:
    """Its lock file is as old as the process."""
    if machine.config.notify is None:
        yield note(_OFF)
        return
    started = progress.running_since(machine.config.data_directory)
    if started is None:
        yield warning(
            "pam-totp-notify is not running: nobody is told what happens to their account",
            _start(machine),
        )
    elif machine.configuration.stat().st_mtime > started:
        yield warning(
            f"{machine.configuration} has changed since pam-totp-notify read it",
            _restart(machine),
        )


def _in_time(machine: Machine) -> Iterator[Finding]:
    if machine.config.notify is None:
        yield note(_OFF)
        return
    if progress.running_since(machine.config.data_directory) is None:
        raise Unchecked("pam-totp-notify is not running")
    saved = progress.load(machine.config.data_directory)
    now, after = machine.now(), saved.after if saved else 0
    unread = machine.store.events(limit=_AT_ONCE, after=after, since=now - 86_400)
    late = sum(1 for event in unread if kind_of(event) and now - event.at > BEHIND)
    failed = sum(1 for one in saved.waiting if one.tries) if saved else 0
    if late or failed:
        yield warning(
            f"notices do not get through: {failed} failed and will be tried again, {late} more "
            "wait for their turn",
            _log(machine),
        )


def _program(machine: Machine) -> Iterator[Finding]:
    path = channel.program(machine.config)
    if path is None:
        yield note(_OFF)
        return
    place = machine.at(path)
    if place.is_file() and os.access(place, os.X_OK):
        return
    fault = "cannot be run" if place.exists() else "is not there"
    install = "apt-get install dma" if machine.config.notify == MAIL else ""
    cure = f"chmod +x {path}" if place.exists() else install or f"install {path}"
    yield warning(f"{path}, by which notices are sent, {fault}", cure)


def _start(machine: Machine) -> str:
    return "systemctl enable --now pam-totp-notify" if machine.systemd else f"{_by_hand(machine)} &"


def _restart(machine: Machine) -> str:
    if machine.systemd:
        return "systemctl restart pam-totp-notify"
    return f"end pam-totp-notify and start it again: {_by_hand(machine)} &"


def _by_hand(machine: Machine) -> str:
    own = machine.configuration != config.DEFAULT_PATH
    return f"{_PROGRAM} --config {machine.configuration}" if own else _PROGRAM


def _log(machine: Machine) -> str:
    if machine.systemd:
        return "journalctl -t pam-totp-notify -p warning"
    return "grep pam-totp-notify /var/log/auth.log"


CHECKS: Final = (
    Check("notify", "people are told what happens to their accounts", _runs),
    Check("notify-program", "the program that sends notices is there", _program),
    Check("notify-late", "notices get through", _in_time),
)
