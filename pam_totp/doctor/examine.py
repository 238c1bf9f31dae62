"""Running checks: whatever one of them meets, the others go on."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Final

from pam_totp.bridge.log import describe
from pam_totp.doctor import (
    accounts,
    clock,
    configuration,
    enrollment,
    files,
    lines,
    notices,
    openvpn,
    policy,
    service,
    ssh,
    stacks,
    store,
)
from pam_totp.doctor.finding import Check, Finding, Level, Subject, Unchecked
from pam_totp.doctor.machine import Machine
from pam_totp.errors import PamTotpError

SUBJECTS: Final = (
    Subject("configuration", configuration.CHECKS),
    Subject("files", files.CHECKS),
    Subject("store", store.CHECKS),
    Subject("accounts", accounts.CHECKS),
    Subject("policy", policy.CHECKS),
    Subject("service", service.CHECKS),
    Subject("notices", notices.CHECKS),
    Subject("clock", clock.CHECKS),
    Subject("stacks", (*lines.CHECKS, *stacks.CHECKS)),
    Subject("ssh", ssh.CHECKS),
    Subject("openvpn", openvpn.CHECKS),
    Subject("enrollment", enrollment.CHECKS),
)
NAMES: Final = frozenset(
    name for subject in SUBJECTS for name in (subject.name, *(c.name for c in subject.checks))
)
"""What can be asked for: a subject or one check."""


def examine(machine: Machine, wanted: Collection[str] = ()) -> Iterator[Finding]:
    """Yield what the wanted checks find, all of them by default, in the order of the table;
    a check that finds nothing yields what it has seen to be true."""
    for subject in SUBJECTS:
        for check in subject.checks:
            if not wanted or subject.name in wanted or check.name in wanted:
                for finding in _looked(check, machine):
                    yield replace(finding, check=check.name, subject=subject.name)


def _looked(check: Check, machine: Machine) -> list[Finding]:
    try:
        found = list(dict.fromkeys(check.look(machine)))  # two services may share a line
    except Unchecked as why:
        return [Finding(Level.UNCHECKED, f"not checked: {why}")]
    except (PamTotpError, OSError) as why:
        hint = getattr(why, "hint", None) or f"pam-totp doctor {check.name}"
        return [Finding(Level.ERROR, f"could not check: {why}", hint)]
    except Exception as fault:  # noqa: BLE001 -- one check must not end the others
        what = f"could not check: a fault of the program: {describe(fault)}"
        return [Finding(Level.ERROR, what, "please report this line")]
    return found or [Finding(Level.OK, check.claim)]
