"""The first policy, as `pam-totp setup` asks for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from pam_totp import governance, nss
from pam_totp.cli.administrator import Administrator, noted
from pam_totp.cli.terminal import Terminal, plain, say, terminal
from pam_totp.errors import PolicyError
from pam_totp.governance import Signature
from pam_totp.policy.document import EVERYBODY, Policy, Target, parsed
from pam_totp.policy.keys import BY_NAME
from pam_totp.policy.values import ALL_SERVICES
from pam_totp.stack import Tree

_SERVICES: Final = BY_NAME["services"]
_EVERYBODY: Final = "everybody"
_NOBODY: Final = "nobody"

T = TypeVar("T")
Setting = tuple[Target, Mapping[str, str]]


class FirstPolicy:
    """What was said on the command line, and what is asked for the rest."""

    def __init__(self, services: str | None, require: str | None) -> None:
        """Raises PolicyError for what cannot be."""
        self._settings: list[Setting] = []
        self._services = services
        self._require = require
        if services is not None:
            self._settings.append(_named(services))
        if require is not None:
            self._settings += _required(require)

    def make(self, administrator: Administrator, *, ask: bool) -> None:
        """Put it in force; a policy that somebody has made already stays as it is."""
        world = administrator.context()
        newest = world.store.policies(1)[0]
        if newest.at:
            if self._settings:
                say("the policy stays as it is; to change it: pam-totp policy set")
            return
        if ask:
            with terminal(administrator.command("setup", "--yes")) as person:
                self._ask(person)
        if self._settings:
            change = governance.proposed(world.store, self._set)
            signed = Signature(administrator.name, administrator.origin, world.now(), "setup")
            noted(world, governance.keep(world.store, change, signed))

    def _set(self, policy: Policy) -> Policy:
        for target, words in self._settings:
            policy = policy.setting(target, words)
        return policy

    def _ask(self, person: Terminal) -> None:
        if self._services is None:
            usual = _SERVICES.kind.text(_SERVICES.default)
            person.show("\nWhich services ask for codes: names with commas between, or all.")
            typed = _until_right(person, f"Services [{usual}]: ", _named)
            self._settings += [typed] if typed else []
            for name in _not_here(typed):
                person.show(f"(This machine has no service {plain(name)}: if that is a slip, see")
                person.show("pam-totp policy set --help.)")
        if self._require is None:
            person.show("\nWho must use a code: everybody, the name of a group, or nobody.")
            person.show("Whoever has enrolled is asked for one in any case.")
            asked = _until_right(person, f"Required for [{_NOBODY}]: ", _required)
            self._settings += asked or []


def _not_here(typed: Setting | None) -> list[str]:
    """Return the named services of which this machine has no stack."""
    names = typed[1]["services"].split(",") if typed else []
    bare = (name.strip() for name in names)
    return [name for name in bare if name != ALL_SERVICES and Tree().file(name) is None]


def _until_right(person: Terminal, prompt: str, parse: Callable[[str], T]) -> T | None:
    """Return what was typed, None for nothing; what cannot be is asked for again."""
    while typed := person.ask(prompt):
        try:
            return parse(typed)
        except PolicyError as error:
            person.show(str(error))
    return None


def _named(services: str) -> Setting:
    parsed("services", services, "services")
    return EVERYBODY, {"services": services}


def _required(whom: str) -> list[Setting]:
    if whom == _NOBODY:
        return []
    if whom == _EVERYBODY:
        return [(EVERYBODY, {"mfa": "required"})]
    found = nss.group(whom)
    if found is None:
        raise PolicyError(
            f"there is no group called {whom!r}: expected everybody, a group's name, or nobody",
            hint="getent group",
        )
    return [(Target(group=found[0]), {"mfa": "required"})]
