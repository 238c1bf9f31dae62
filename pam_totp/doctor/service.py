"""pam-totpd, and the one-shot that takes its place."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pam_totp
from pam_totp import config
from pam_totp.bridge import wire
from pam_totp.bridge.constants import Constants
from pam_totp.bridge.listener import SOCKET_NAME
from pam_totp.bridge.peers import ROOT, peer_of
from pam_totp.credential import Credential
from pam_totp.doctor.finding import Check, Finding, Unchecked, error, note, warning
from pam_totp.doctor.machine import Machine

_ANSWER_SECONDS: Final = 5.0
_ONESHOT: Final = "/usr/libexec/pam-totp/oneshot"

# An argument that the handler does not know: answered at once, without a look at any account and
# without a log line.
_CALL: Final = wire.Call(
    wire.Function.ACCT_MGMT,
    0,
    ["doctor"],
    *("pam-totp", None, None, None, None),
    kept=False,
    caller=ROOT,
)
_ANSWER: Final = wire.encode_finish(Constants.PAM_AUTHINFO_UNAVAIL)


def _answers(machine: Machine) -> Iterator[Finding]:
    path = machine.config.runtime_directory / SOCKET_NAME
    try:
        answer = _asked(path)
    except (FileNotFoundError, ConnectionRefusedError):
        yield warning(
            "pam-totpd is not running: logins are slower, and su and sudo are refused where they "
            "ask for a code",
            _start(machine),
        )
    except TimeoutError:
        yield error(
            f"pam-totpd does not answer within {_ANSWER_SECONDS:g} s, and logins are refused",
            _restart(machine),
        )
    else:
        if answer != _ANSWER:
            yield error(
                "pam-totpd does not answer in this version's form, and logins may be refused",
                _restart(machine),
            )


def _current(machine: Machine) -> Iterator[Finding]:
    """The socket is as old as the service."""
    try:
        started = (machine.config.runtime_directory / SOCKET_NAME).lstat().st_mtime
    except FileNotFoundError as gone:
        raise Unchecked("the service is not running") from gone
    program = Path(str(pam_totp.__file__))
    if program.stat().st_ctime > started:  # when it was installed; the mtime is of its making
        yield warning("pam-totpd is of before the last upgrade", _restart(machine))
    path = machine.configuration
    if path.exists() and path.stat().st_mtime > started:
        yield warning(f"{path} has changed since pam-totpd read it", _restart(machine))


def _enabled(machine: Machine) -> Iterator[Finding]:
    if not machine.systemd or machine.configuration != config.DEFAULT_PATH:
        raise Unchecked("systemd does not start this service")
    asked = machine.run(["systemctl", f"--root={machine.root}", "is-enabled", "pam-totpd"])
    if asked.out.strip() not in ("enabled", "enabled-runtime", "alias", "static"):
        yield warning(
            "pam-totpd will not be started at the next boot", "systemctl enable --now pam-totpd"
        )


def _one_shot(machine: Machine) -> Iterator[Finding]:
    if isinstance(machine.config.key_file, Credential):
        yield note(
            "the key is a credential of pam-totpd: nobody who needs a code logs in without it"
        )
        return
    path = machine.at(_ONESHOT)
    try:
        found = path.stat()
    except FileNotFoundError:
        yield error(
            f"{path} is not there: while pam-totpd is down all logins are refused",
            "apt-get install --reinstall libpam-totp",
        )
        return
    if not found.st_mode & stat.S_IXUSR or found.st_mode & 0o022 or found.st_uid not in _OWNERS:
        yield error(
            f"{path}: owner or mode is wrong (owner {found.st_uid}, mode "
            f"{stat.S_IMODE(found.st_mode):04o})",
            f"chown 0 {path} && chmod 0755 {path}",
        )


_OWNERS: Final = (0, os.geteuid())


def _asked(path: Path) -> bytes:
    """Return what the service answers to a call that asks nothing of it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connected:
        connected.settimeout(_ANSWER_SECONDS)
        try:
            connected.connect(os.fspath(path))
            connected.send(wire.encode_call(_CALL))
            return connected.recv(wire.WIRE_MAX_MESSAGE)
        except BlockingIOError as full:  # what a full backlog is, where there is a time limit
            raise TimeoutError from full


def start_line(configuration: Path, *, systemd: bool) -> str:
    """Return the line that starts the service that goes by `configuration`."""
    if systemd:
        return "systemctl enable --now pam-totpd"
    own = configuration != config.DEFAULT_PATH
    return f"pam-totpd --config {configuration} &" if own else "pam-totpd &"


def _start(machine: Machine) -> str:
    return start_line(machine.configuration, systemd=machine.systemd)


def _restart(machine: Machine) -> str:
    if machine.systemd:
        return "systemctl restart pam-totpd"
    return f"end pam-totpd{_process(machine)} and start it again: {_by_hand(machine)}"


def _by_hand(machine: Machine) -> str:
    return start_line(machine.configuration, systemd=False)


def _process(machine: Machine) -> str:
    """Return which process listens, where the kernel says it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connected:
        connected.settimeout(_ANSWER_SECONDS)
        try:
            connected.connect(os.fspath(machine.config.runtime_directory / SOCKET_NAME))
        except OSError:
            return ""
        return f" (kill {peer_of(connected).pid})"


CHECKS: Final = (
    Check("service", "pam-totpd answers", _answers),
    Check("service-current", "pam-totpd runs with what is installed and set", _current),
    Check("service-enabled", "pam-totpd is started at boot", _enabled),
    Check("one-shot", "the one-shot is there", _one_shot),
)
