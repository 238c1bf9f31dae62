"""What a store is.  Nothing above it knows which store it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from pam_totp.account import AccountState, Credentials
from pam_totp.decide import Subject
from pam_totp.errors import PamTotpError
from pam_totp.event import Event
from pam_totp.local.account import LocalAccount
from pam_totp.lockout import Counter
from pam_totp.locks import TimedLock
from pam_totp.policy.record import PolicyRecord

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Change:
    """What a step leaves behind.  What is unchanged is not written."""

    state: AccountState
    source: Counter
    event: Event | None = None


@dataclass(frozen=True, slots=True)
class CredentialsChange:
    """What an act of enrollment leaves behind: the new credentials, and how the state changes
    with them (applied to the state as it is when they count).  The store sets the versions."""

    credentials: Credentials
    state: Callable[[AccountState], AccountState]
    event: Event | None = None


CredentialsDecision = Callable[[Subject], CredentialsChange]
LocalChange = Callable[[LocalAccount | None], tuple[LocalAccount | None, Event | None]]
StateChange = Callable[[AccountState], tuple[AccountState, Event]]


class LocalAccounts(Protocol):
    """The accounts that this program knows and NSS does not.  Raises as Store does."""

    def get(self, name: str) -> LocalAccount | None:
        """Return the account of that name, None if there is none."""

    def all(self) -> list[LocalAccount]:
        """Return all of them, by name."""

    def change(self, name: str, change: LocalChange) -> None:
        """Change an account, as one step: `change` gets what there is (None: nothing), and
        returns what is to be there and the event of it."""


class Store(Protocol):
    """Accounts, their states and the events.

    Every method raises StoreError when it could not read or write and StoreDamaged when what
    is there is not what was written; then nothing has changed.
    """

    @property
    def local_accounts(self) -> LocalAccounts:
        """The accounts of our own."""

    def look(self, account: str) -> AccountState:
        """Return the account's state, without waiting for anyone; NOBODY if there is none."""

    def credentials(self, account: str) -> Credentials | None:
        """Return the account's credentials, None if it has not enrolled."""

    def step(self, account: str, source: str, decision: Callable[[Subject], tuple[T, Change]]) -> T:
        """Run `decision` on the account as one atomic step, alone on this account among all
        processes, and return its result when what it changed is durable."""

    def change_state(
        self, account: str, change: StateChange, *, forget_sources: bool = False
    ) -> None:
        """Change an account's state as an administrator does, without looking at credentials,
        so that it works on a damaged account too; `forget_sources` drops the wrong passwords
        that count against it."""

    def change_credentials(self, account: str, change: CredentialsDecision) -> None:
        """Replace the account's credentials, alone among all that enroll.  After a crash at
        any moment the account is as before or as after."""

    def change_states_of(self, changes: Mapping[str, StateChange]) -> Mapping[str, PamTotpError]:
        """Change the states of many accounts, each as `change_state` does, and return which
        were refused and why: an EnrollmentError of a change, or a state that is damaged, stops
        no other account.  Logins wait until it is done: some hundred at a time."""

    def change_credentials_of(
        self, changes: Mapping[str, CredentialsDecision]
    ) -> Mapping[str, PamTotpError]:
        """Replace the credentials of many accounts, each as `change_credentials` does; after a
        crash each one is as before or as after.  Returns refusals as `change_states_of` does."""

    def remove_credentials(self, account: str, change: StateChange) -> None:
        """Remove the account's credentials, readable or not: it has not enrolled any more."""

    def accounts(self) -> Iterator[tuple[str, AccountState]]:
        """Yield every account that the store knows, by name, with its state."""

    def enrolled_as(self, uid: int) -> list[str]:
        """Return the accounts that have enrolled for this uid."""

    def events(
        self,
        account: str | None = None,
        limit: int = 100,
        *,
        since: float = 0.0,
        after: int = 0,
        before: int | None = None,
    ) -> list[Event]:
        """Return the newest events, of one account or of all, the oldest of them first; only
        those at or after `since` (UTC seconds) whose id is above `after` and below `before`."""

    def policies(self, limit: int) -> list[PolicyRecord]:
        """Return the newest versions of the policy, the newest first."""

    def change_policy(self, record: PolicyRecord, event: Event) -> int:
        """Append a version of the policy; return its id.  `record.id` is the version that it
        was made from: raises PolicyError if that is not the newest any more."""

    def fingerprint(self, account: str, text: str) -> str:
        """Return a keyed hash of what was typed: it says "the same again" and nothing more."""

    def timed_locks(self, now: float) -> list[TimedLock]:
        """Return every lock that holds at `now` (UTC seconds) and will end by itself."""

    def locked_until(self, lock: TimedLock) -> float:
        """Return until when the account is locked for what led to `lock`, which may be another
        lock by now; 0 for never."""
