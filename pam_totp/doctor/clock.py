"""The clock, by which codes are right or wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from pam_totp.doctor.finding import Check, Finding, Unchecked, error
from pam_totp.doctor.machine import Machine

_DAEMONS: Final = (
    ("/usr/sbin/chronyd", "systemctl enable --now chrony && chronyc waitsync"),
    ("/usr/sbin/ntpd", "systemctl enable --now ntpsec"),
)
_TIMESYNCD: Final = "/lib/systemd/systemd-timesyncd"


def _synchronised(machine: Machine) -> Iterator[Finding]:
    found = machine.synchronised()
    if found is None:
        raise Unchecked("the kernel does not say whether its clock is synchronised")
    if not found:
        yield error(
            "the kernel does not call its clock synchronised: when it has drifted by half a "
            "minute, right codes are wrong",
            turn_on(machine.at),
        )


def turn_on(at: Callable[[str], Path]) -> str:
    """Return the line for the time service that is installed, or that installs one; `at` says
    where the machine's files are."""
    if at(_TIMESYNCD).exists():
        return "timedatectl set-ntp true"
    installed = (line for program, line in _DAEMONS if at(program).exists())
    return next(installed, "apt-get install systemd-timesyncd && timedatectl set-ntp true")


CHECKS: Final = (Check("clock", "the clock is synchronised", _synchronised),)
