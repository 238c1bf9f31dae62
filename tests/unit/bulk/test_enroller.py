"""Enrolling and inviting many people."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from pam_totp.account import Person
from pam_totp.bulk import enroller, inviter
from pam_totp.bulk.candidates import Candidate
from pam_totp.bulk.enroller import Enroller
from pam_totp.bulk.inviter import Inviter
from pam_totp.bulk.printing import Sheets
from pam_totp.bulk.result import Outcome, Result
from pam_totp.enrollment import Wanted
from pam_totp.invitation import matches
from pam_totp.otp import Parameters
from pam_totp.secret import Secret
from pam_totp.sheet import InvitationPage, Page
from pam_totp.speech import ENGLISH
from pam_totp.store.directory import DirectoryStore
from pam_totp.store.secret_files import SecretFiles
from pam_totp.upkeep import By
from pam_totp.verdict import Verdict
from tests.unit.world import NOON, Phone, World, in_processes, keyring

CROWD = tuple(Person(f"user{number}", 2000 + number, 100) for number in range(10))
PEOPLE = [Candidate(person, "phone") for person in CROWD]


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ten people be four batches."""
    monkeypatch.setattr(enroller, "BATCH", 3)
    monkeypatch.setattr(inviter, "BATCH", 3)


@pytest.fixture(autouse=True)
def crowd(world: World) -> None:
    """Let the name service know them."""
    world.people |= {person.name: person for person in CROWD}


def by() -> By:
    """An administrator, at noon."""
    return By(NOON, "root")


def enrolled(
    world: World, people: Sequence[Candidate] = PEOPLE, *, codes: bool = False
) -> list[Result]:
    """Enroll people; return what became of each."""
    batches = Enroller(world.store, "Example", by, codes=codes).run(people)
    return [one for batch in batches for one in batch]


def phone_of(result: Result) -> Phone:
    """Return the phone that has scanned a page."""
    assert isinstance(result.page, Page)
    secret = re.search(r"secret=([A-Z2-7]+)", result.page.uri)
    assert secret is not None
    assert secret[1] == result.page.key
    raw = enrollment_secret(secret[1])
    return Phone(raw, result.page.parameters, tuple(result.page.recovery_codes))


def enrollment_secret(text: str) -> bytes:
    """Return the bytes of base32 without padding, decoded by hand."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    number = 0
    for letter in text:
        number = number << 5 | alphabet.index(letter)
    bits = len(text) * 5
    return (number >> bits % 8).to_bytes(bits // 8, "big")


def test_everybody_gets_one_of_their_own(world: World) -> None:
    """Each gets an authenticator, with a secret and recovery codes of their own that log in,
    and an event that says by whom."""
    results = enrolled(world, codes=True)
    assert [one.account for one in results] == [person.name for person in CROWD]
    assert {one.outcome for one in results} == {Outcome.ENROLLED}
    assert [one.owner for one in results] == [(person.uid, 100) for person in CROWD]
    phones = [phone_of(one) for one in results]
    assert len({phone.secret for phone in phones}) == len(CROWD)
    assert len({code for phone in phones for code in phone.recovery_codes}) == 10 * len(CROWD)
    for one, phone in zip(results, phones, strict=True):
        assert world.check(phone.code(NOON), name=one.account) is Verdict.ACCEPTED
        assert world.check(phone.recovery_codes[0], name=one.account) is Verdict.ACCEPTED
        first = world.events(one.account)[0]
        assert (first.what, first.actor, first.authenticator) == ("enrolled", "root", "phone")
        assert one.events == (first,)


def test_no_recovery_codes_but_where_they_are_wanted(world: World) -> None:
    """Codes that nobody sees are not made."""
    (one, *_) = enrolled(world)
    assert isinstance(one.page, Page)
    assert one.page.recovery_codes == ()
    found = world.store.credentials("user0")
    assert found is not None
    assert found.recovery_codes == ()


def test_again_shows_what_was_never_used(world: World) -> None:
    """The same run again shows the same secrets, and changes nothing but that it says so; whom
    a code has confirmed is left as they are."""
    first = enrolled(world)
    phone = phone_of(first[0])
    assert world.check(phone.code(NOON), name="user0") is Verdict.ACCEPTED
    before = [world.store.look(person.name) for person in CROWD]
    second = enrolled(world)
    assert [one.outcome for one in second] == [Outcome.SKIPPED] + [Outcome.AGAIN] * 9
    assert "nothing was changed" in second[0].reason
    assert second[0].page is None
    assert [one.page for one in second[1:]] == [one.page for one in first[1:]]
    assert [world.store.look(person.name) for person in CROWD] == before
    assert [event.what for event in world.events("user1")] == ["enrolled", "shown"]


def test_again_with_recovery_codes(world: World) -> None:
    """Where codes are wanted, new ones come with what is shown again, and the old are void."""
    before, after = (
        phone_of(enrolled(world, codes=True)[4]),
        phone_of(enrolled(world, codes=True)[4]),
    )
    assert after.secret == before.secret
    assert not set(before.recovery_codes) & set(after.recovery_codes)
    assert world.check(before.recovery_codes[0], name="user4") is Verdict.WRONG_CODE
    assert world.check(after.recovery_codes[0], name="user4") is Verdict.ACCEPTED
    whats = [event.what for event in world.events("user4")]
    assert whats[:3] == ["enrolled", "shown", "recovery-codes"]


def test_tokens_of_their_own(world: World) -> None:
    """Who has a token gets its secret and settings enrolled; again it is the same one, and
    another secret or other settings in the file are refused, by name, with the way on."""
    token = Wanted(Parameters(digits=8, type="hotp"), Secret(b"t" * 20), 7)
    people = [Candidate(CROWD[0], "token", token)]
    (one,) = enrolled(world, people)
    assert isinstance(one.page, Page)
    assert "otpauth://hotp/" in one.page.uri
    assert "digits=8" in one.page.uri
    assert "counter=7" in one.page.uri
    (again,) = enrolled(world, people)
    assert (again.outcome, again.page) == (Outcome.AGAIN, one.page)
    for other in (
        Wanted(token.parameters, Secret(b"o" * 20), 7),
        Wanted(Parameters(), token.secret),
    ):
        (refused,) = enrolled(world, [replace(people[0], wanted=other)])
        assert refused.outcome is Outcome.FAILED
        assert "another secret or other settings" in refused.reason
        assert "pam-totp reset user0" in refused.hint
    (known,) = world.store.credentials("user0").authenticators
    assert known.secret == token.secret


def test_one_failure_stops_nobody(world: World) -> None:
    """One whose secret is damaged, or who is somebody else now, fails with the reason; the
    others are enrolled."""
    enrolled(world, PEOPLE[:2])
    (world.directory / "secrets/user0").write_bytes(b"")
    people = [*PEOPLE]
    people[1] = Candidate(Person("user1", 9999, 100), "phone")
    results = enrolled(world, people)
    assert [one.outcome for one in results] == [Outcome.FAILED] * 2 + [Outcome.ENROLLED] * 8
    assert "secret of 'user0'" in results[0].reason
    assert "user1 was enrolled as somebody else" in results[1].reason
    assert all(one.hint for one in results[:2])


def test_who_was_quicker(world: World) -> None:
    """Who enrolls by themselves while the run is under way keeps what they have."""
    batches = Enroller(world.store, "Example", by, codes=False).run(PEOPLE)
    next(batches)
    phone = world.enroll(CROWD[5])
    rest = {one.account: one for batch in batches for one in batch}
    assert rest["user5"].outcome is Outcome.FAILED
    assert "somebody else in the meantime" in rest["user5"].reason
    assert world.check(phone.code(NOON), name="user5") is Verdict.ACCEPTED
    assert rest["user9"].outcome is Outcome.ENROLLED


def test_who_has_two_is_left(world: World) -> None:
    """Who has two authenticators, confirmed or not, is left as they are."""
    enrolled(world, PEOPLE[:1])
    world.enroll(CROWD[0], "tablet")
    (one,) = enrolled(world, PEOPLE[:1])
    assert one.outcome is Outcome.SKIPPED


def test_an_invitation_is_spent(world: World) -> None:
    """Whom an administrator enrolls needs their invitation no more."""
    list(Inviter(world.store, "Example", by, 3600, str).run(CROWD[:1]))
    assert world.store.look("user0").invitation
    enrolled(world, PEOPLE[:1])
    assert world.store.look("user0").invitation is None


# -- cut short --------------------------------------------------------------------------------


def killed_at(world: World, batch: int, step: str) -> None:
    """Let a run that writes sheets be killed in a batch: before its states, before its files
    are written, or when it is kept and not yet written to the document."""
    pid = os.fork()
    if pid:
        _, status = os.waitpid(pid, 0)
        assert os.WIFSIGNALED(status)
        return
    store = DirectoryStore(world.directory, keyring())
    done = iter(range(1000))
    write = SecretFiles.write

    def die(*_: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def writing(files: SecretFiles, given: Any) -> None:
        if next(done) == batch:
            if step == "written":
                write(files, given)
            die()
        write(files, given)

    if step != "kept":
        SecretFiles.write = writing  # type: ignore[method-assign]
    with Sheets(world.directory.parent / "sheets.html", "Example", ENGLISH) as sheets:
        for number, results in enumerate(Enroller(store, "Example", by, codes=True).run(PEOPLE)):
            if step == "kept" and number == batch:
                die()
            sheets.put(results)
    os._exit(0)


@pytest.mark.parametrize("step", ["states", "written", "kept"])
@pytest.mark.parametrize("batch", range(4))
def test_a_run_that_is_killed(world: World, batch: int, step: str) -> None:
    """Wherever a run is killed there is no sheet, not even half of one; run again, everybody is
    on it, those of the first run with the secret that was kept, and every code logs in."""
    world.store._database.close()
    killed_at(world, batch, step)
    place = world.directory.parent
    assert not (place / "sheets.html").exists()
    kept = {name: state for name, state in world.store.accounts() if state.enrolled is not None}
    assert len(kept) == min(3 * (batch + (step == "kept")), 10)
    results: list[Result] = []
    with Sheets(place / "sheets.html", "Example", ENGLISH) as sheets:
        for found in Enroller(world.store, "Example", by, codes=True).run(PEOPLE):
            results += found
            sheets.put(found)
    assert sum(one.outcome is Outcome.AGAIN for one in results) == len(kept)
    assert sum(one.outcome is Outcome.ENROLLED for one in results) == 10 - len(kept)
    document = (place / "sheets.html").read_text()
    assert document.count("<section>") == 10
    assert document.endswith("</html>\n")
    assert [path.name for path in place.iterdir() if "sheets" in path.name] == ["sheets.html"]
    for one in results:
        phone = phone_of(one)
        assert world.check(phone.code(NOON), name=one.account) is Verdict.ACCEPTED
        assert world.check(phone.recovery_codes[3], name=one.account) is Verdict.ACCEPTED


def test_two_runs_at_once(world: World) -> None:
    """Of two runs for the same people at one time each person is enrolled by one of them, and
    what that one shows is right."""
    world.store._database.close()

    def run(_: int) -> list[tuple[str, str, str]]:
        own = World.__new__(World)
        own.__dict__.update(world.__dict__)
        own.store = DirectoryStore(world.directory, keyring())
        found = enrolled(own)
        return [
            (one.account, one.outcome.value, phone_of(one).secret.hex() if one.page else "")
            for one in found
        ]

    shown: dict[str, set[str]] = {}
    for results in in_processes(2, run):
        for account, outcome, secret in results:
            assert outcome in ("enrolled", "shown again", "failed")
            shown.setdefault(account, set()).update({secret} - {""})
    for account, found in shown.items():
        (secret,) = found
        phone = Phone(bytes.fromhex(secret))
        assert world.check(phone.code(NOON), name=account) is Verdict.ACCEPTED


# -- invitations ------------------------------------------------------------------------------


def invited(world: World, people: Sequence[Person] = CROWD) -> list[Result]:
    """Invite people; return what became of each."""
    batches = Inviter(world.store, "Example", by, 3600, lambda until: f"until {until}").run(people)
    return [one for batch in batches for one in batch]


def test_everybody_gets_an_invitation(world: World) -> None:
    """Each gets a word of their own, good for the time that was said, on a page that says until
    when; who has enrolled is left as they are."""
    world.enroll(CROWD[3])
    results = invited(world)
    skipped = [one.account for one in results if one.outcome is Outcome.SKIPPED]
    assert skipped == ["user3"]
    words = set()
    for one in results:
        if one.account == "user3":
            continue
        assert one.outcome is Outcome.INVITED
        assert isinstance(one.page, InvitationPage)
        assert one.page.until == f"until {int(NOON) + 3600}"
        kept = world.store.look(one.account).invitation
        assert kept is not None
        assert (kept.by, kept.until) == ("root", int(NOON) + 3600)
        assert matches(kept, one.page.word)
        assert [event.what for event in world.events(one.account)] == ["invited"]
        words.add(one.page.word)
    assert len(words) == 9


def test_the_last_invitation_counts(world: World) -> None:
    """Invited again, the earlier word is void."""
    first, second = invited(world)[0], invited(world)[0]
    assert isinstance(first.page, InvitationPage)
    assert isinstance(second.page, InvitationPage)
    kept = world.store.look("user0").invitation
    assert matches(kept, second.page.word)
    assert not matches(kept, first.page.word)


def test_who_enrolls_while_many_are_invited(world: World) -> None:
    """Who enrolls between two batches is not invited, and fails with the reason."""
    batches = Inviter(world.store, "Example", by, 3600, str).run(CROWD)
    next(batches)
    world.enroll(CROWD[9])
    (last,) = [one for batch in batches for one in batch if one.account == "user9"]
    assert last.outcome is Outcome.FAILED
    assert "needs no invitation" in last.reason
    assert world.store.look("user9").invitation is None


def test_nothing_of_a_page_is_shown_by_a_result(world: World) -> None:
    """What a result says of itself holds no secret, code or invitation."""
    for one in [*enrolled(world, PEOPLE[:1], codes=True), *invited(world, CROWD[1:2])]:
        page = one.page
        assert page is not None
        hidden = (
            [page.word] if isinstance(page, InvitationPage) else [page.key, *page.recovery_codes]
        )
        assert not any(word in repr(one) for word in hidden)
