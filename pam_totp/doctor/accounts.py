"""Local accounts: names that the machine has gained, first sign-ins that have not been, and
services that let them in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from pam_totp.doctor.finding import Check, Finding, error, warning
from pam_totp.doctor.machine import Machine
from pam_totp.doctor.stack import stacks
from pam_totp.errors import NameServiceError


def _names(machine: Machine) -> Iterator[Finding]:
    for one in machine.store.local_accounts.all():
        with suppress(NameServiceError):
            if machine.lookup(one.name) is not None:
                yield error(
                    f"{one.name} is a local account and an account of this machine too: both are "
                    "refused",
                    f"pam-totp account remove {one.name}, or take the other one away",
                )


def _first(machine: Machine) -> Iterator[Finding]:
    for one in machine.store.local_accounts.all():
        enrolled = machine.store.look(one.name).enrolled is not None
        if one.first or (one.administrator and not enrolled):
            still = "a password of its own" if enrolled else "its first sign-in"
            if not one.first:
                still = "a code"
            yield warning(
                f"the local account {one.name} is without {still}",
                f"sign in as {one.name}; for another password: pam-totp account passwd {one.name} "
                "--one-time",
            )


def _let_in(machine: Machine) -> Iterator[Finding]:
    accounts = machine.store.local_accounts.all()
    if accounts and not any(stack.ours("local") for stack in stacks(machine)):
        yield warning(
            f"no service lets local accounts in, and there is {accounts[0].name}",
            "pam-totp stack enable openvpn --local, for instance",
        )


CHECKS: Final = (
    Check("local-names", "no local account has the name of an account of this machine", _names),
    Check("local-first", "local accounts have passwords of their own, and codes", _first),
    Check("local-services", "local accounts can sign in somewhere", _let_in),
)
