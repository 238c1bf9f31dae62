"""What a login needs of its surroundings, put together once per process."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache

from pam_totp import audit, clock, config, keyfile, nss
from pam_totp.account import Person
from pam_totp.config import Config
from pam_totp.errors import NameServiceError, TwoAccounts
from pam_totp.local.account import is_local
from pam_totp.lockout import Limits
from pam_totp.locks import TimedLock
from pam_totp.policy.document import Policy
from pam_totp.policy.in_force import InForce
from pam_totp.policy.resolve import Effective, Situation, effective
from pam_totp.sparing import Sparing
from pam_totp.speech import Speech, speech
from pam_totp.store.directory import DirectoryStore
from pam_totp.store.protocol import Store


@dataclass(frozen=True, slots=True)
class Context:
    """The world of a login: configuration, store, clock, name service, policy, log."""

    config: Config
    store: Store
    now: clock.Clock = clock.now
    lookup: Callable[[str], Person | None] = nss.lookup
    lookup_uid: Callable[[int], Person | None] = nss.lookup_uid
    member: Callable[[Person, str], bool | None] = nss.member
    policy: Callable[[], Policy] = Policy
    log: audit.Log = audit.to_syslog
    lock_begun: Callable[[TimedLock], None] = lambda _lock: None  # hears of what ends by itself
    sparing: Sparing = field(default_factory=Sparing)
    since_boot: clock.Clock = clock.since_boot
    jumps: clock.JumpWatch = field(default_factory=clock.JumpWatch)

    def person(self, name: str) -> Person | None:
        """Return whom a name means: by the name service or, where that knows that there is no
        such name, a local account.

        Raises NameServiceError, StoreError; and TwoAccounts where both know the name, for then
        nobody can tell whose password it is.
        """
        person = self.lookup(name)
        local = self.store.local_accounts.get(person.name if person else name)
        if local is None:
            return person
        if person is not None:
            raise TwoAccounts(
                f"{person.name} is a local account and an account of this machine too: both are "
                "refused",
                hint=f"pam-totp account remove {person.name}, or take the other one away",
            )
        return local.person

    def belongs(self, person: Person, group: str) -> bool | None:
        """Whether a person is in a group, None if that cannot be told; a local account is in
        none."""
        return False if is_local(person) else self.member(person, group)

    def anywhere(self, account: str) -> Effective:
        """Return what the policy says of an account wherever no rule for a place does.

        Raises PolicyError, StoreError.
        """
        person = None
        with suppress(NameServiceError, TwoAccounts):
            person = self.person(account)

        def member(group: str) -> bool | None:
            return None if person is None else self.belongs(person, group)

        return effective(self.policy(), Situation(account, self.now(), member, anywhere=True))

    def other_name(self, person: Person) -> str:
        """Return another name under which a person's uid has enrolled, "" if there is none: two
        names of one person are one person, and the second is no way around the code.

        Raises NameServiceError, StoreError.
        """
        if is_local(person):
            return ""
        for name in self.store.enrolled_as(person.uid):
            other = self.lookup(name)
            # Where that name is gone, the uid is somebody else's now.
            if name != person.name and other is not None and other.uid == person.uid:
                return name
        return ""

    def speech(self, language: str = "") -> Speech:
        """Return how a person is spoken to: in `language` (of a locale), where that is "" in the
        host's own."""
        return speech(language or self.config.language)

    def limits(self, account: str) -> Limits:
        """Return when an account locks."""
        return self.anywhere(account).limits


_current: list[Context] = []


def from_config(loaded: Config) -> Context:
    """Return the context of a host.  Raises StoreError where it was not set up."""
    store = DirectoryStore(loaded.data_directory, keyfile.load(loaded.key_file))
    return Context(loaded, store, policy=InForce(store))


def use(context: Context) -> None:
    """Make `context` the one that this process's logins use."""
    _current[:] = [context]


def current() -> Context:
    """Return this process's context; by default the one of the host's own configuration."""
    return _current[0] if _current else _default()


@cache
def _default() -> Context:
    return from_config(config.load())
