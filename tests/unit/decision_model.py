"""The rules of the decision, as one reads them in the documents, as simply as they can be said.

It shares no line with the product: it knows codes as text, computed from the RFC's formula, and
doors, locks and addresses as words.  Time is whole UTC seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.unit.world import totp

DAY = 86_400
PERIOD = 30
FAR = 20
FAR_AHEAD = 200


@dataclass(frozen=True)
class Numbers:
    """The policy's numbers."""

    failures: int
    period: int
    duration: int
    in_a_row: int
    in_days: int
    days: int
    window: int
    grace: int
    look_ahead: int
    by_account: bool  # wrong passwords count against the account, not against an address


@dataclass
class Told:
    """What an attempt came to."""

    verdict: str
    locks: bool = False
    slow: bool = False
    drift: int | None = None
    ahead: int | None = None


@dataclass
class Model:
    """One account."""

    numbers: Numbers
    secrets: list[bytes] = field(default_factory=list)  # of its phones; none: not enrolled
    tokens: dict[str, bytes] = field(default_factory=dict)  # the secrets of those that count
    recovery: set[str] = field(default_factory=set)  # recovery codes not used yet
    all_recovery: set[str] = field(default_factory=set)
    last: dict[bytes | str, int] = field(default_factory=dict)  # by phone's secret, token's name
    foreign: bool = False  # the name is somebody else's now
    failed: dict[str, list[tuple[int, str]]] = field(default_factory=dict)  # by door, by address
    until: dict[str, int] = field(default_factory=dict)
    row: dict[str, int] = field(default_factory=dict)  # by door
    guesses: dict[str, list[int]] = field(default_factory=dict)
    stopped: bool = False
    trusted: dict[tuple[str, str], int] = field(default_factory=dict)

    # -- what people do -----------------------------------------------------------------------

    def code(self, text: str, now: int, door: str, service: str, address: str) -> Told:
        """Somebody types something where a code is asked for."""
        refusal = self._refusal(text, now, door, address)
        if refusal:
            return Told(refusal)
        matched = self.matched(text, now)
        known = text in self.all_recovery
        unused = any(step > self.last.get(device, -1) for device, step in matched)
        if unused or text in self.recovery:
            self._accept(text, matched, now, door, service, address)
            return Told("accepted")
        used = known or bool(matched)
        locks = self._fail(text, now, door, address, guess=not used)
        if used:
            return Told("replayed-code", locks=locks)
        drift = self._drift(text, now)
        ahead = self._ahead(text) if drift is None else None
        return Told("wrong-code", locks=locks, drift=drift, ahead=ahead)

    def wrong_password(self, now: int, door: str, address: str) -> Told:
        """Somebody types a wrong password."""
        self._trust_no_more(address)
        if self.numbers.by_account:
            if self.stopped or self.locked(now, door):
                return Told("wrong-password")
            return Told("wrong-password", locks=self._fail("", now, door, address, guess=False))
        at = f"from {address}"
        if now < self.until.get(at, 0):
            return Told("wrong-password")
        if address != "unknown":
            return Told("wrong-password", locks=self._count(at, "", now))
        self.failed[at] = [*self._recent(at, now), (now, "")]
        return Told("wrong-password", slow=len(self.failed[at]) >= self.numbers.failures)

    # -- what administrators do ---------------------------------------------------------------

    def lock(self) -> None:
        """An administrator locks the account."""
        self.stopped = True
        self.trusted.clear()

    def unlock(self) -> None:
        """An administrator lifts every lock."""
        self.failed, self.until, self.row, self.guesses = {}, {}, {}, {}
        self.stopped = False
        self.trusted.clear()

    def reset(self) -> None:
        """An administrator removes authenticators and recovery codes."""
        self.secrets, self.tokens, self.last = [], {}, {}
        self.recovery, self.all_recovery = set(), set()
        self.trusted.clear()

    def resync(self, token: str, skipped: int) -> None:
        """An administrator types two codes in a row of a token, so many after the last one."""
        self.last[token] += 2 + skipped

    def enroll(
        self, secrets: list[bytes], tokens: dict[str, tuple[bytes, int]], recovery: list[str]
    ) -> None:
        """The account enrolls, with new secrets, and tokens that stand at a counter."""
        self.secrets = secrets
        self.tokens = {name: secret for name, (secret, _) in tokens.items()}
        self.last |= {name: counter - 1 for name, (_, counter) in tokens.items()}
        self.recovery, self.all_recovery = set(recovery), set(recovery)

    # -- what holds ---------------------------------------------------------------------------

    def locked(self, now: int, door: str) -> bool:
        """Whether a lock for a time holds at this door: root's holds at each."""
        return now < max(self.until.get("root", 0), self.until.get(door, 0))

    def let_in_free(self, now: int, service: str, address: str) -> bool:
        """Whether no code is asked for there."""
        at = self.trusted.get((service, address))
        if at is None or self.foreign or self.stopped:
            return False
        if self.locked(now, "root") or self.locked(now, "own"):
            return False
        return at <= now < at + self.numbers.grace

    def matched(self, text: str, now: int) -> list[tuple[bytes | str, int]]:
        """The devices and steps whose code that is, used ones too."""
        found: list[tuple[bytes | str, int]] = [*self._of_phones(text, now, self.numbers.window)]
        for name, secret in self.tokens.items():
            first = max(0, self.last[name] - self.numbers.look_ahead + 1)
            counters = range(first, self.last[name] + self.numbers.look_ahead + 1)
            found += [(name, counter) for counter in counters if totp(secret, counter) == text]
        return found

    # -- how ----------------------------------------------------------------------------------

    def _of_phones(self, text: str, now: int, reach: int) -> list[tuple[bytes, int]]:
        middle = now // PERIOD
        steps = range(max(0, middle - reach), middle + reach + 1)
        return [(key, step) for key in self.secrets for step in steps if totp(key, step) == text]

    def _refusal(self, text: str, now: int, door: str, address: str) -> str | None:
        if self.stopped:
            return "locked-by-administrator"
        if not self.secrets:
            return "not-enrolled"
        if self.foreign:
            return "other-uid"
        if self.locked(now, door):
            return "locked"
        if now < self.until.get(f"from {address}", 0):
            return "locked-address"
        said_before = text in [said for _, said in self._recent(door, now) if said]
        return "repeated-code" if said_before else None

    def _accept(  # noqa: PLR0913, PLR0917 -- all that an acceptance leaves
        self,
        text: str,
        matched: list[tuple[bytes | str, int]],
        now: int,
        door: str,
        service: str,
        address: str,
    ) -> None:
        self.recovery.discard(text)
        for device, step in matched:
            self.last[device] = max(step, self.last.get(device, -1))
        for counted in (door, f"from {address}"):
            self.failed.pop(counted, None)
            self.until.pop(counted, None)
        self.row[door] = 0
        if door == "root" and self.numbers.grace and address != "unknown":
            # In the future it was so by a wrong clock; no policy gives more than 30 days.
            age = {place: now - at for place, at in self.trusted.items()}
            self.trusted = {p: now - a for p, a in age.items() if 0 <= a < 30 * DAY}
            self.trusted[service, address] = now

    def _fail(self, text: str, now: int, door: str, address: str, *, guess: bool) -> bool:
        self._trust_no_more(address)
        locks = self._count(door, text, now)
        if guess:
            since = now - self.numbers.days * DAY
            row = self.row[door] = self.row.get(door, 0) + 1
            lately = [*(at for at in self.guesses.get(door, []) if at > since), now]
            self.guesses[door] = lately
            if row >= self.numbers.in_a_row or len(lately) > self.numbers.in_days:
                locks = True
                if door == "root":
                    self.stopped = True
                else:
                    self.failed[door] = []
                    self.until[door] = now + self.numbers.days * DAY
        if locks:
            self.trusted.clear()
        return locks

    def _count(self, where: str, text: str, now: int) -> bool:
        self.failed[where] = [*self._recent(where, now), (now, text)]
        if len(self.failed[where]) < self.numbers.failures:
            return False
        self.failed[where], self.until[where] = [], now + self.numbers.duration
        return True

    def _recent(self, where: str, now: int) -> list[tuple[int, str]]:
        since = now - self.numbers.period
        return [(at, said) for at, said in self.failed.get(where, []) if at > since]

    def _trust_no_more(self, address: str) -> None:
        self.trusted = {p: at for p, at in self.trusted.items() if p[1] != address}

    def _drift(self, text: str, now: int) -> int | None:
        near = self._of_phones(text, now, FAR)
        off = [s - now // PERIOD for key, s in near if s > self.last.get(key, -1)]
        return min(off, key=abs) * PERIOD if off else None

    def _ahead(self, text: str) -> int | None:
        return min(
            (
                skipped
                for name, secret in self.tokens.items()
                for skipped in range(FAR_AHEAD)
                if totp(secret, self.last[name] + 1 + skipped) == text
            ),
            default=None,
        )
