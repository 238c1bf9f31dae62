"""Enrollment in the login itself: whether it can be shown anywhere, and in the time there is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from pam_totp.doctor import sshd
from pam_totp.doctor.finding import Check, Finding, Unchecked, warning
from pam_totp.doctor.machine import Machine
from pam_totp.errors import PolicyError
from pam_totp.policy.in_force import InForce
from pam_totp.policy.resolve import asks_in
from pam_totp.policy.values import Unenrolled
from pam_totp.stack import services_that_collect, services_using_module
from pam_totp.stack.sshd import DROP_IN

ENOUGH: Final = 300  # seconds: to fetch a phone, install an app and scan
_LOGIN_DEFS: Final = "/etc/login.defs"
_LOGIN_SECONDS: Final = 60  # as login has it where nothing is set


def _shown(machine: Machine) -> Iterator[Finding]:
    found = _places(machine)
    if found is not None and not found:
        yield warning(
            "the policy enrolls people in the login, and no service that asks for codes can "
            "show a QR code",
            "pam-totp stack enable sshd, or for people without a shell: pam-totp enroll USER",
        )


def _ssh(machine: Machine) -> Iterator[Finding]:
    if "sshd" not in (_places(machine) or ()):
        return
    seconds = int(sshd.settings(machine)["logingracetime"])
    if 0 < seconds < ENOUGH:
        yield warning(
            f"sshd ends a login after {seconds} s (LoginGraceTime), and people enroll within it",
            f"in {DROP_IN} write: LoginGraceTime {ENOUGH}, then: systemctl reload ssh",
        )


def _login(machine: Machine) -> Iterator[Finding]:
    if "login" not in (_places(machine) or ()):
        return
    said = re.findall(r"(?m)^LOGIN_TIMEOUT\s+(\d{1,9})\s*$", _text(machine))
    seconds = int(said[-1]) if said else _LOGIN_SECONDS
    if 0 < seconds < ENOUGH:
        change = f"sed -i 's/^LOGIN_TIMEOUT.*/LOGIN_TIMEOUT {ENOUGH}/' {_LOGIN_DEFS}"
        yield warning(
            f"login ends after {seconds} s (LOGIN_TIMEOUT in {_LOGIN_DEFS}), and people enroll "
            "within it",
            change if said else f"in {_LOGIN_DEFS} write: LOGIN_TIMEOUT {ENOUGH}",
        )


def _text(machine: Machine) -> str:
    try:
        return machine.at(_LOGIN_DEFS).read_text(errors="replace")
    except FileNotFoundError:
        return ""


def _places(machine: Machine) -> set[str] | None:
    """Return the services where somebody may enroll in the login, None where the policy lets
    nobody.  Raises Unchecked."""
    try:
        policy = InForce(machine.store, lambda *_: None)()
    except PolicyError as broken:
        raise Unchecked("no policy can be used") from broken
    rules = [r for r in policy.rules if r.values.get("unenrolled") is Unenrolled.ENROLL]
    if not rules:
        return None
    meant = {rule.target.service for rule in rules}
    mute = services_that_collect(machine.root)
    asking = (name.lower() for name in services_using_module(machine.root))
    return {
        name
        for name in asking
        if asks_in(policy, name) and name not in mute and (None in meant or name in meant)
    }


CHECKS: Final = (
    Check("enroll-shown", "who enrolls in a login is shown a QR code", _shown),
    Check("enroll-ssh-time", "who enrolls in a login by sshd has the time for it", _ssh),
    Check("enroll-login-time", "who enrolls in a login at the console has the time for it", _login),
)
