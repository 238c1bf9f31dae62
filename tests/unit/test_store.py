"""What every store must do.  Nothing here knows which store it is: a new one is added to
STORES and passes all of it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Barrier
from typing import Any, NoReturn

import pytest

from pam_totp.account import (
    NOBODY,
    AccountState,
    AdministratorLock,
    AuthenticatorState,
    Credentials,
)
from pam_totp.decide import Attempt, Rules, Subject, decide, wrong_password
from pam_totp.errors import EnrollmentError, PamTotpError, StoreError
from pam_totp.event import Event
from pam_totp.lockout import Counter, Failure
from pam_totp.store import founding
from pam_totp.store.directory import DirectoryStore
from pam_totp.store.protocol import (
    Change,
    CredentialsChange,
    CredentialsDecision,
    StateChange,
    Store,
)
from pam_totp.verdict import Verdict
from tests.unit.world import ALICE, NOON, OFFICE, Phone, credentials, in_processes, keyring, typed

PHONE = Phone(b"p" * 20)
MANY = 64


@dataclass(frozen=True)
class Kind:
    """One kind of store: how it is made at a place, and how a process opens it."""

    found: Callable[[Path], None]
    open: Callable[[Path], Any]


def found_directory(path: Path) -> None:
    """Make a directory store."""
    founding.create(path)


STORES = {"directory": Kind(found_directory, lambda path: DirectoryStore(path, keyring()))}


@dataclass(frozen=True)
class Place:
    """A store that was made, where each process opens it for itself."""

    kind: Kind
    path: Path

    def open(self) -> Any:
        """Open it once more."""
        return self.kind.open(self.path)


@pytest.fixture(name="place", params=STORES)
def place_fixture(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A new store of each kind."""
    place = Place(STORES[request.param], tmp_path / "store")
    place.kind.found(place.path)
    return place


@pytest.fixture(name="store")
def store_fixture(place: Place) -> Iterator[Store]:
    """It, opened."""
    opened = place.open()
    yield opened
    opened.close()


def enroll(store: Store, name: str = "alice", *phones: Phone) -> None:
    """Give an account authenticators."""
    given = credentials(*(phones or (PHONE,)))
    store.change_credentials(name, lambda _: CredentialsChange(given, lambda state: state))


def attempt(store: Store, answer: str, now: float = NOON, name: str = "alice") -> str:
    """Let somebody answer; return the verdict."""
    who = replace(ALICE, name=name)
    print_ = store.fingerprint(name, answer)

    def step(subject: Subject) -> tuple[Verdict, Change]:
        made = decide(Attempt(who, typed(answer), print_, now, OFFICE), subject, Rules())
        return made.verdict, Change(made.state, made.source, Event(now, name, made.verdict.value))

    return store.step(name, OFFICE, step).value


def wrong(store: Store, source: str, now: float = NOON, name: str = "alice") -> bool:
    """Let somebody give a wrong password; return whether it locked the address."""

    def step(subject: Subject) -> tuple[bool, Change]:
        made = wrong_password(Attempt(ALICE, typed(""), "", now, source), subject, Rules())
        return made.locks, Change(made.state, made.source)

    return store.step(name, source, step)


def source_counter(store: Store, source: str, name: str = "alice") -> Counter:
    """Return what is counted against an address."""
    return store.step(name, source, lambda s: (s.source, Change(s.state, s.source)))


# -- records ----------------------------------------------------------------------------------


def test_nobody(store: Store) -> None:
    """Of an account that was never seen nothing is known, and looking leaves nothing."""
    assert store.look("alice") == NOBODY
    assert store.credentials("alice") is None
    assert source_counter(store, OFFICE) == Counter()
    assert list(store.accounts()) == []


def test_everything_comes_back(place: Place, store: Store) -> None:
    """What a step and an enrollment leave is what another process finds, in every field."""
    full = AccountState(
        codes=Counter((Failure(NOON + 0.25, "f"),), 7.5),
        own_codes=Counter((), NOON),
        spent=frozenset({"a", "b"}),
        authenticators={"id1": AuthenticatorState(7, -3, 12, -90)},
        trusted={"sshd 1001 192.0.2.7": NOON + 0.5},
    )
    given = replace(credentials(PHONE, Phone(b"t" * 32)), salt=b"s", recovery_codes=("x", "y"))
    store.change_credentials("alice", lambda _: CredentialsChange(given, lambda _: full))
    attempt(store, PHONE.wrong(NOON)[0], NOON + 20)
    wrong(store, OFFICE)
    other = place.open()
    assert other.look("alice") == store.look("alice")
    assert other.credentials("alice") == replace(given, version=1)
    assert source_counter(other, OFFICE).failures == (Failure(NOON),)
    kept = other.look("alice")
    assert (kept.spent, kept.own_codes, kept.enrolled) == (full.spent, full.own_codes, 1)
    assert kept.authenticators == full.authenticators
    assert [f.at for f in kept.codes.failures] == [NOON + 0.25, NOON + 20]
    assert [name for name, _ in other.accounts()] == ["alice"]
    other.close()


def test_a_step_that_raises_changes_nothing(store: Store) -> None:
    """A decision that raises leaves everything as it was, and the store goes on."""
    enroll(store)
    before = store.look("alice")

    def fail(_: Subject) -> NoReturn:
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        store.step("alice", OFFICE, fail)
    with pytest.raises(RuntimeError):
        store.change_credentials("alice", fail)
    assert store.look("alice") == before
    assert attempt(store, PHONE.code(NOON)) == "accepted"


def test_accounts_are_apart(store: Store) -> None:
    """What happens to one account happens to no other, however alike the names are."""
    names = ["alice", "Alice", "alice ", "alice%", "alic", "alice.", ".alice", "%61lice"]
    for name in names:
        enroll(store, name)
    for name in names:
        assert attempt(store, PHONE.code(NOON), name=name) == "accepted"
    assert sorted(name for name, _ in store.accounts()) == sorted(names)


def test_sources_are_apart(store: Store) -> None:
    """Wrong passwords count by account and address, and `forget_sources` drops one account's."""
    for name in ("alice", "bob"):
        assert [wrong(store, "192.0.2.1", name=name) for _ in range(5)][-1]
    assert not wrong(store, "192.0.2.2")
    event = Event(NOON, "alice", "unlock")
    store.change_state("alice", lambda state: (state, event), forget_sources=True)
    for source in ("192.0.2.1", "192.0.2.2"):
        assert source_counter(store, source) == Counter()
    assert source_counter(store, "192.0.2.1", "bob").locked(NOON)


def test_an_enrollment_sees_what_is_there(store: Store) -> None:
    """An enrollment is given what the account has, and its versions rise."""
    seen: list[Credentials | None] = []

    def change(subject: Subject) -> CredentialsChange:
        seen.append(subject.credentials)
        phones = [PHONE, Phone(b"t" * 20)][: len(seen)]
        return CredentialsChange(credentials(*phones), lambda state: state)

    store.change_credentials("alice", change)
    store.change_credentials("alice", change)
    assert seen[0] is None
    assert seen[1] is not None
    assert (seen[1].version, len(seen[1].authenticators)) == (1, 1)
    found = store.credentials("alice")
    assert found is not None
    assert (found.version, len(found.authenticators)) == (2, 2)


def test_removed(store: Store) -> None:
    """Credentials that were removed are gone, and a new enrollment is a new version."""
    enroll(store)
    store.remove_credentials("alice", lambda state: (state, Event(NOON, "alice", "reset")))
    assert store.credentials("alice") is None
    assert store.look("alice").enrolled is None
    assert attempt(store, PHONE.code(NOON)) == "not-enrolled"
    store.remove_credentials("alice", lambda state: (state, Event(NOON, "alice", "reset")))
    enroll(store)
    assert store.look("alice").enrolled == store.look("alice").version
    assert attempt(store, PHONE.code(NOON)) == "accepted"


def test_fingerprints(place: Place, store: Store) -> None:
    """A fingerprint is the same in every process, another for another account, and holds
    nothing of what was typed."""
    other = place.open()
    one = store.fingerprint("alice", "123456")
    assert one == other.fingerprint("alice", "123456")
    assert one != store.fingerprint("bob", "123456")
    assert one != store.fingerprint("alice", "123457")
    assert "123456" not in one
    other.close()


STRANGE = [
    "/",
    "..",
    ".",
    "../../x",
    "a/b",
    "a\0b",
    "\0",
    "a\nb",
    "\udcff\udc80",
    "-rf",
    "-",
    ".store",
    ".new-1-x",
    "%2e%2e",
    "é",
    " ",
    "'; DROP TABLE account; --",
    "state.db",
    "*",
]


@pytest.mark.parametrize("name", STRANGE)
def test_strange_names(place: Place, store: Store, name: str) -> None:
    """A strange name is stored like any other, comes back as it was, and nothing beside the
    store is touched."""
    beside = sorted(os.listdir(place.path.parent))
    enroll(store, name)
    assert attempt(store, PHONE.code(NOON), name=name) == "accepted"
    assert attempt(store, PHONE.code(NOON), name=name) == "replayed-code"
    assert [known for known, _ in store.accounts()] == [name]
    store.remove_credentials(name, lambda state: (state, Event(NOON, name, "reset")))
    assert store.credentials(name) is None
    assert sorted(os.listdir(place.path.parent)) == beside


@pytest.mark.parametrize("name", ["", "x" * 300, "\udcff" * 300, "/" * 300, "x" * 100_000])
def test_names_that_cannot_be_kept(store: Store, name: str) -> None:
    """A name that is empty or too long is refused by every method, and leaves nothing."""
    for act in (
        lambda: store.look(name),
        lambda: store.credentials(name),
        lambda: enroll(store, name),
        lambda: attempt(store, "123456", name=name),
        lambda: store.change_state(name, lambda state: (state, Event(0, name, "lock"))),
        lambda: store.remove_credentials(name, lambda state: (state, Event(0, name, "reset"))),
    ):
        with pytest.raises(StoreError):
            act()
    assert list(store.accounts()) == []


# -- many at once -----------------------------------------------------------------------------


def together(place: Place, answers: list[str], *, processes: bool) -> dict[str, int]:
    """Give all answers at one moment, in processes or in threads; count the verdicts."""
    if processes:

        def alone(number: int) -> str:
            return attempt(place.open(), answers[number])

        verdicts = in_processes(len(answers), alone)
    else:
        store, ready = place.open(), Barrier(len(answers))

        def at_once(answer: str) -> str:
            ready.wait()
            return attempt(store, answer)

        with ThreadPoolExecutor(len(answers)) as pool:
            verdicts = list(pool.map(at_once, answers))
        store.close()
    return {verdict: verdicts.count(verdict) for verdict in set(verdicts)}


@pytest.mark.parametrize(("processes", "rounds"), [(False, 20), (True, 1)])
def test_one_right_code_many_times(place: Place, processes: object, rounds: int) -> None:
    """Of 64 attempts at one moment with one right code exactly one is accepted, each round; one
    more is counted as a replay and the others are that replay again."""
    store = place.open()
    enroll(store)
    for _ in range(rounds):
        found = together(place, [PHONE.code(NOON)] * MANY, processes=bool(processes))
        assert found == {"accepted": 1, "replayed-code": 1, "repeated-code": MANY - 2}
        forget(store)
    store.close()


@pytest.mark.parametrize("processes", [False, True])
def test_many_wrong_codes(place: Place, processes: object) -> None:
    """Of 64 different wrong codes at one moment five are checked; then the right one is
    refused."""
    store = place.open()
    enroll(store)
    found = together(place, PHONE.wrong(NOON, MANY), processes=bool(processes))
    assert found == {"wrong-code": 5, "locked": MANY - 5}
    assert attempt(store, PHONE.code(NOON)) == "locked"
    store.close()


@pytest.mark.parametrize("processes", [False, True])
def test_one_wrong_code_many_times(place: Place, processes: object) -> None:
    """The same wrong code 64 times at one moment is counted once."""
    store = place.open()
    enroll(store)
    found = together(place, PHONE.wrong(NOON) * MANY, processes=bool(processes))
    assert found == {"wrong-code": 1, "repeated-code": MANY - 1}
    assert attempt(store, PHONE.code(NOON)) == "accepted"
    store.close()


def test_many_that_enroll(place: Place) -> None:
    """Of many that enroll one account at one moment none is lost: each finds what the one
    before has left."""

    def one_more(number: int) -> int:
        def change(subject: Subject) -> CredentialsChange:
            before = subject.credentials
            mine = credentials(Phone(bytes([number]) * 20)).authenticators
            have = before.authenticators if before else ()
            return CredentialsChange(Credentials(1001, have + mine), lambda state: state)

        place.open().change_credentials("alice", change)
        return number

    in_processes(12, one_more)
    store = place.open()
    kept = store.credentials("alice")
    assert {a.secret.reveal()[0] for a in kept.authenticators} == set(range(12))
    assert store.look("alice").enrolled == 12
    store.close()


def test_logins_while_somebody_enrolls(place: Place) -> None:
    """While an account is enrolled again and again, everybody who looks at it or logs in finds
    it whole, in one version or another."""
    store = place.open()
    enroll(store)

    def work(number: int) -> list[str]:
        own = place.open()
        if number == 0:
            for _ in range(60):
                enroll(own)
            return []
        found: list[str] = []
        for _ in range(150):
            try:
                assert own.credentials("alice") is not None
                attempt(own, PHONE.wrong(NOON)[0])
            except PamTotpError as error:
                found.append(str(error))
        return found

    assert in_processes(3, work) == [[], [], []]
    store.close()


# -- durability -------------------------------------------------------------------------------


def forget(store: Store) -> None:
    """Bring an account back to where it has never logged in."""
    store.change_state(
        "alice",
        lambda s: (AccountState(enrolled=s.enrolled, version=s.version), Event(0, "alice", "test")),
    )


def killed_after(reports: int, place: Place) -> list[int]:
    """Let a process log in with one code after the other, and kill it after so many that it
    has reported as accepted; return all that it has reported."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        store = place.open()
        for step in range(1000):
            if attempt(store, PHONE.code(NOON, step), NOON + 30 * step) == "accepted":
                os.write(writing, step.to_bytes(2, "big"))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        found = pipe.read(2 * reports)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        found += pipe.read()
    return [int.from_bytes(found[at : at + 2], "big") for at in range(0, len(found), 2)]


@pytest.mark.parametrize("reports", [1, 2, 3, 5, 8, 13, 21, 34])
def test_what_was_reported_is_never_accepted_again(place: Place, reports: int) -> None:
    """After SIGKILL at any moment no code that was reported as accepted is accepted again, and
    logins go on."""
    store = place.open()
    enroll(store)
    store.close()
    reported = killed_after(reports, place)
    assert len(reported) >= reports
    store = place.open()
    for step in reported[-3:]:
        assert attempt(store, PHONE.code(NOON, step), NOON + 30 * step) != "accepted"
    later = reported[-1] + 3
    assert attempt(store, PHONE.code(NOON, later), NOON + 30 * later) == "accepted"
    store.close()


def test_killed_in_the_middle_of_a_step(place: Place) -> None:
    """A process that dies inside a step has changed nothing, and keeps nobody waiting."""
    store = place.open()
    enroll(store)
    before = store.look("alice")
    store.close()
    pid = os.fork()
    if not pid:

        def die(subject: Subject) -> NoReturn:
            made = decide(
                Attempt(ALICE, typed(PHONE.code(NOON)), "", NOON, OFFICE), subject, Rules()
            )
            assert made.verdict is Verdict.ACCEPTED
            os.kill(os.getpid(), signal.SIGKILL)
            raise AssertionError

        place.open().step("alice", OFFICE, die)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    store = place.open()
    assert store.look("alice") == before
    assert attempt(store, PHONE.code(NOON)) == "accepted"
    store.close()


# -- many accounts at once --------------------------------------------------------------------


def refusing(_: object) -> NoReturn:
    """A change that cannot be made."""
    raise EnrollmentError("not this one")


def test_many_change_at_once(store: Store) -> None:
    """Many accounts get credentials in one call: each has its own, its versions and its event,
    as if they had come one after the other."""
    enroll(store, "carol")
    names = ["alice", "bob", "carol", "dora"]

    def giving(name: str) -> CredentialsDecision:
        given = credentials(Phone(name.encode() * 4))
        event = Event(NOON, name, "enrolled", actor="root")
        return lambda _: CredentialsChange(
            given, lambda state: replace(state, spent=frozenset({name})), event
        )

    assert store.change_credentials_of({name: giving(name) for name in names}) == {}
    for name in names:
        found, state = store.credentials(name), store.look(name)
        assert found is not None
        assert found.authenticators[0].secret.reveal() == name.encode() * 4
        assert state.enrolled == state.version == found.version == (2 if name == "carol" else 1)
        assert state.spent == {name}
        assert [event.what for event in store.events(name)] == ["enrolled"]


def test_one_refusal_stops_nobody_else(store: Store) -> None:
    """Who is refused among many is as before, and is named with the reason; all others are as
    after."""
    enroll(store, "bob", Phone(b"b" * 20))
    before = store.credentials("bob")

    def giving(_: object) -> CredentialsChange:
        return CredentialsChange(credentials(PHONE), lambda state: state)

    long = "x" * 300
    refused = store.change_credentials_of(
        {"alice": giving, "bob": refusing, long: giving, "dora": giving}
    )
    assert list(refused) == ["bob", long]
    assert isinstance(refused["bob"], EnrollmentError)
    assert isinstance(refused[long], StoreError)
    assert store.credentials("bob") == before
    assert store.look("bob").version == 1
    assert store.credentials("alice")
    assert store.credentials("dora")


def test_nobody_of_many(store: Store) -> None:
    """Where there is nobody to change, or everybody is refused, nothing has changed."""
    assert store.change_credentials_of({}) == {}
    assert list(store.change_credentials_of({"alice": refusing})) == ["alice"]
    assert list(store.accounts()) == []


def test_a_fault_among_many_changes_nothing(store: Store) -> None:
    """An error that is no refusal leaves all of them as they were."""

    def broken(_: object) -> NoReturn:
        raise ZeroDivisionError

    def giving(_: object) -> CredentialsChange:
        return CredentialsChange(credentials(PHONE), lambda state: state)

    with pytest.raises(ZeroDivisionError):
        store.change_credentials_of({"alice": giving, "bob": broken})
    assert list(store.accounts()) == []


def test_many_states_change_at_once(store: Store) -> None:
    """Many states change in one call, with an event each; a refusal stops nobody else."""

    def locking(name: str) -> StateChange:
        lock = AdministratorLock(1, name)
        return lambda state: (replace(state, lock=lock), Event(NOON, name, "lock", actor="root"))

    changes = {"alice": locking("alice"), "bob": refusing, "dora": locking("dora")}
    assert list(store.change_states_of(changes)) == ["bob"]
    found = dict(store.accounts())
    assert set(found) == {"alice", "dora"}
    assert found["dora"].lock == AdministratorLock(1, "dora")
    assert [event.account for event in store.events()] == ["alice", "dora"]
