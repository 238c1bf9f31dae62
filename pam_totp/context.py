"""What a login needs of its surroundings, put together once per process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from pam_totp import audit, clock, config, keyfile, nss
from pam_totp.account import Person
from pam_totp.config import Config
from pam_totp.decide import Rules
from pam_totp.store.directory import DirectoryStore
from pam_totp.store.protocol import Store


@dataclass(frozen=True, slots=True)
class Context:
    """The world of a login: configuration, store, clock, name service, rules, log."""

    config: Config
    store: Store
    now: clock.Clock = clock.now
    lookup: Callable[[str], Person | None] = nss.lookup
    rules: Rules = Rules()
    log: audit.Log = audit.to_syslog


_current: list[Context] = []


def from_config(loaded: Config) -> Context:
    """Return the context of a host.  Raises StoreError where it was not set up."""
    store = DirectoryStore(loaded.data_directory, keyfile.load(loaded.key_file))
    return Context(loaded, store)


def use(context: Context) -> None:
    """Make `context` the one that this process's logins use."""
    _current[:] = [context]


def current() -> Context:
    """Return this process's context; by default the one of the host's own configuration."""
    return _current[0] if _current else _default()


@cache
def _default() -> Context:
    return from_config(config.load())
