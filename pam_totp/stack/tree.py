"""The stack that a service really has: its file with all that it includes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pam_totp.policy.values import OWN_SERVICE
from pam_totp.stack import pamfile
from pam_totp.stack.pamfile import Line, StackError

MODULE: Final = "pam_totp.so"
FALLBACK: Final = "other"  # the stack of a service that has no file

# In libpam's order; /etc/pam.conf counts only where /etc/pam.d does not exist.
_PLACES: Final = ("etc/pam.d", "usr/lib/pam.d")
_DEEPEST: Final = 16  # libpam's own limit on includes
_OURS: Final = ("pam-totp", "pam-totp-code", "pam-totp-openvpn", OWN_SERVICE)


@dataclass(frozen=True, slots=True)
class Rule:
    """A line of a resolved stack, and the lines through which it came there."""

    line: Line
    through: tuple[Line, ...] = ()

    @property
    def in_substack(self) -> bool:
        """Whether it is inside a substack, where `die` and `done` end that alone."""
        return any(line.control == "substack" for line in self.through)


class Tree:
    """The PAM files under `root` (`/` but in tests)."""

    def __init__(self, root: Path = Path("/")) -> None:
        self.root = root

    def services(self) -> list[str]:
        """Return the names of all files that a service could have as its own, sorted."""
        names: set[str] = set()
        for place in _PLACES:
            try:
                names.update(filter(_is_service, os.listdir(self.root / place)))
            except FileNotFoundError:
                continue
            except OSError as error:
                raise StackError(f"{self.root / place}: {error.strerror}") from error
        return sorted(names)

    def file(self, name: str) -> Path | None:
        """Return the file that a service or an include names, or None if there is none."""
        if name.startswith("/"):
            path = self.root / name.lstrip("/")
            return path if path.exists() else None
        found = (self.root / place / name for place in _PLACES)
        return next((path for path in found if path.exists()), None)

    def stack(self, service: str, kind: str) -> tuple[Rule, ...]:
        """Return the rules of one type that a login at `service` goes through, in order; those
        of `other` where it has no file.

        Raises StackError for a file that is missing or cannot be understood.
        """
        self._check_place()
        path = self.file(service) or self.file(FALLBACK)
        if path is None:
            raise StackError(f"no PAM file for {service!r}, and none called {FALLBACK!r}")
        return tuple(self.follow(pamfile.read(path), kind))

    def follow(
        self, lines: tuple[Line, ...], kind: str, through: tuple[Line, ...] = ()
    ) -> Iterator[Rule]:
        """Yield the rules of one type behind lines, includes followed.  Raises StackError."""
        for line in lines:
            if line.type not in ("", kind):
                continue
            if line.includes:
                yield from self.follow(self._included(line, through), kind, (*through, line))
            else:
                yield Rule(line, through)

    def _included(self, line: Line, through: tuple[Line, ...]) -> tuple[Line, ...]:
        if len(through) >= _DEEPEST:
            raise StackError(
                f"{line.place}: includes {line.module!r} more than {_DEEPEST} files deep",
                hint=f"look for a file that includes itself, from {line.file} on",
            )
        path = self.file(line.module)
        if path is None:
            raise StackError(
                f"{line.place}: includes {line.module!r}, which is not there",
                hint=f"edit line {line.number} of {line.file}",
            )
        return pamfile.read(path)

    def _check_place(self) -> None:
        """Raise where libpam would read /etc/pam.conf instead, which is not read here."""
        if not any((self.root / place).is_dir() for place in _PLACES):
            raise StackError(
                f"{self.root / _PLACES[0]} is not there, so that libpam reads /etc/pam.conf, "
                "which has all services in one file and is not changed from here",
                hint="see pam.conf(5): move each service into a file in /etc/pam.d",
            )


def services_using_module(root: Path = Path("/")) -> list[str]:
    """Return the services whose resolved `auth` stack names our module, the included files
    (pam-totp, common-auth, ...) aside.

    A file that cannot be understood is left out: libpam lets nobody in through it.
    """
    tree = Tree(root)
    return [name for name in tree.services() if _uses_module(tree, name)]


def services_that_collect(root: Path = Path("/")) -> frozenset[str]:
    """Return the services, in lower case, whose clients send fields and show no prompt: there
    nobody can enroll."""
    tree = Tree(root)
    return frozenset(name.lower() for name in services_using_module(root) if _collects(tree, name))


def is_meant_for_inclusion(name: str) -> bool:
    """Whether a file of that name is one that others include, and no service's own; the one by
    which pam-totpd asks for passwords is nobody's either."""
    return name.startswith("common-") or name in _OURS


def _uses_module(tree: Tree, name: str) -> bool:
    if is_meant_for_inclusion(name):
        return False
    try:
        return any(rule.line.name == MODULE for rule in tree.stack(name, "auth"))
    except StackError:
        return False


def _collects(tree: Tree, name: str) -> bool:
    ours = (rule.line for rule in tree.stack(name, "auth") if rule.line.name == MODULE)
    return any("collect" in line.arguments for line in ours)


def _is_service(name: str) -> bool:
    """Whether libpam could be asked for it by an application: no editor's or dpkg's leavings."""
    return not (name.startswith(".") or name.endswith("~") or ".dpkg-" in name or ".ucf-" in name)
