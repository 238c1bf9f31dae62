"""The lines that name our module, whatever comes before and behind them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pam_totp.doctor.finding import Check, Finding, error
from pam_totp.doctor.machine import Machine
from pam_totp.doctor.stack import argument_of
from pam_totp.stack import MODULE, Line, StackError, Tree
from pam_totp.stack.pamfile import read

_KINDS: Final = ("", "collect", "authfail", "local")
_PLACES: Final = ("lib/*/security", "usr/lib/*/security", "lib/security", "lib64/security")


def _readable(machine: Machine) -> Iterator[Finding]:
    tree = Tree(machine.root)
    for service in tree.services():
        for kind in ("auth", "account"):
            try:
                tree.stack(service, kind)
            except StackError as wrong:
                yield error(f"{wrong}; libpam lets nobody in through it", wrong.hint)


def _module(machine: Machine) -> Iterator[Finding]:
    found = [path for place in _PLACES for path in machine.root.glob(f"{place}/{MODULE}")]
    reinstall = "apt-get install --reinstall libpam-totp"
    for line in _named(machine):
        if line.module == line.name and not found:
            yield error(f"{line.place}: {MODULE} is not installed, and logins fail", reinstall)
        elif line.module != line.name and not machine.at(line.module).exists():
            yield error(
                f"{line.place}: {line.module} is not there, and logins fail",
                f"sed -i '{line.number}s|{line.module}|{MODULE}|' {line.file}",
            )


def _types(machine: Machine) -> Iterator[Finding]:
    for line in _named(machine):
        if line.type in ("session", "password"):
            yield error(
                f"{line.place}: the module does nothing for `{line.type}`, and libpam fails there",
                f"sed -i '{line.number}s/^/#/' {line.file}",
            )


def _arguments(machine: Machine) -> Iterator[Finding]:
    for line in _named(machine):
        if argument_of(line) not in _KINDS:
            yield error(
                f"{line.place}: the module does not know `{' '.join(line.arguments)}`, and "
                "refuses every login",
                f"{line.place}: {MODULE} with nothing behind it, collect, authfail or local",
            )


def _named(machine: Machine) -> Iterator[Line]:
    """Yield every line of a PAM file that names the module, each once."""
    tree = Tree(machine.root)
    for service in tree.services():
        path = tree.file(service)
        try:
            lines = read(path) if path else ()
        except (StackError, FileNotFoundError):
            continue
        yield from (line for line in lines if not line.includes and line.name == MODULE)


CHECKS: Final = (
    Check("stack-readable", "libpam understands every PAM file", _readable),
    Check("stack-module", "the module is where the stacks look for it", _module),
    Check("stack-types", "the module is named for `auth` and `account` alone", _types),
    Check("stack-arguments", "the module's arguments are known", _arguments),
)
