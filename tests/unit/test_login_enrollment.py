"""Enrollment within a login, from the right password to a verdict."""

from __future__ import annotations

import base64
import errno
import itertools
import os
import re
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from pam_totp import administration, enrollment, invitation, people
from pam_totp.account import NOBODY, Person
from pam_totp.errors import StoreError
from pam_totp.impact import Standing, standing
from pam_totp.store.database import Database
from pam_totp.verdict import Verdict
from pam_totp.who import CANNOT_SHOW, UNANSWERED
from pam_totp.words import enrollment as words
from tests.unit.world import ALICE, CODE_PROMPT, NOON, Phone, Talk, World, totp

PO = Path(__file__).parents[2] / "po/de/enrollment.po"
KEY = re.compile(r"((?:[A-Z2-7]{4} ){7}[A-Z2-7]{4})")
CODES = re.compile(r"rc-[a-z2-9]{5}-[a-z2-9]{5}-[a-z2-9]{5}")


@dataclass
class Newcomer(Talk):
    """Somebody who reads what is shown: each answer is a text, or made of the screen so far."""

    answers: list[str | Callable[[Newcomer], str] | None] = field(default_factory=list)
    prompts: list[str] = field(default_factory=list)

    def ask(self, prompt: str) -> str | None:
        self.prompts.append(prompt)
        assert self.answers, f"one prompt too many: {prompt!r}"
        answer = self.answers.pop(0)
        return answer(self) if callable(answer) else answer

    @property
    def phone(self) -> Phone:
        """The phone into which the key was typed that was shown last."""
        screen = "\n".join(self.prompts)
        key = KEY.findall(screen)[-1].replace(" ", "")
        return Phone(base64.b32decode(key), recovery_codes=tuple(CODES.findall(screen)))


def code(beside: int = 0) -> Callable[[Newcomer], str]:
    """Return what somebody types who has typed the key into an app."""
    return lambda person: person.phone.code(NOON, beside)


def wrong(person: Newcomer) -> str:
    """Type a code that is none."""
    return person.phone.wrong(NOON)[0]


@pytest.fixture
def enrolling(world: World) -> World:
    """A host where everybody must use a code, and enrolls in the login."""
    world.sets("mfa=required", "unenrolled=enroll")
    return world


def newcomer(*answers: str | Callable[[Newcomer], str] | None, **more: str) -> Newcomer:
    """Return somebody who answers so."""
    return Newcomer("alice", answers=list(answers), **more)


def untouched(world: World) -> bool:
    """Whether the login has left nothing but events."""
    return world.store.look("alice") == NOBODY and world.store.credentials("alice") is None


def test_from_a_password_to_a_shell(enrolling: World) -> None:
    """A question, a picture, a right code, the recovery codes: enrolled, let in, the code spent,
    and a recovery code opens the next login."""
    person = newcomer("", code(), "yes")
    assert enrolling.login(person).check() is Verdict.ACCEPTED
    question, picture, codes = person.prompts
    assert "[██████]" in question
    assert "▄" in picture
    assert "alice" in picture
    assert "rc-" not in question + picture
    assert len(person.phone.recovery_codes) == 10
    assert "rc-" in codes
    assert [event.what for event in enrolling.events()] == ["enrolled", "accepted"]
    assert not person.answers
    assert enrolling.check(person.phone.code(NOON)) is Verdict.REPLAYED_CODE
    assert enrolling.check(person.phone.recovery_codes[3]) is Verdict.ACCEPTED
    assert enrolling.store.look("alice").authenticators.popitem()[1].confirmed  # type: ignore[attr-defined]


@pytest.mark.parametrize("language", ["", "C.UTF-8", "de_DE.utf8"])
def test_a_picture_fits_a_small_screen(enrolling: World, language: str) -> None:
    """Picture, key and question stand on 24 lines of 80 columns, also behind what ssh puts in
    front."""
    person = newcomer(*[""] * (not language), code(), "yes", language=language)
    assert enrolling.login(person).check() is Verdict.ACCEPTED
    page = next(prompt for prompt in person.prompts if "▄" in prompt)
    lines = f"(alice@localhost) {page}".split("\n")[-24:]
    assert any("▄" in line for line in lines)
    first = next(at for at, line in enumerate(lines) if set(line) <= set("█▀▄ ") and line)
    assert first == 1 or "█" not in lines[first - 1]
    assert max(map(len, lines)) <= 80


def test_the_other_kind_of_screen(enrolling: World) -> None:
    """Enter alone draws the picture the other way round, and again."""
    person = newcomer("", "", "", code(), "yes")
    assert enrolling.login(person).check() is Verdict.ACCEPTED
    dark, light, again = (_picture(prompt) for prompt in person.prompts[1:4])
    assert dark == again
    assert light == dark.translate(str.maketrans("█▀▄ ", " ▄▀█"))


def _picture(prompt: str) -> str:
    return "\n".join(li for li in prompt.split("\n") if len(li) > 30 and set(li) <= set("█▀▄ "))


@pytest.mark.parametrize(
    ("answers", "language"), [(("k",), ""), ((), "C"), ((), "de_DE"), (("", "k"), "")]
)
def test_by_the_key_alone(enrolling: World, answers: tuple[str, ...], language: str) -> None:
    """Where no picture can be seen there is the key, and nothing of a picture."""
    person = newcomer(*answers, code(), "yes", language=language)
    assert enrolling.login(person).check() is Verdict.ACCEPTED
    assert "▄" not in person.prompts[-2]
    assert KEY.search(person.prompts[-2])


def test_two_wrong_codes(enrolling: World) -> None:
    """Wrong codes ask again, with what to do, and count for nothing; the third may be right."""
    person = newcomer("", wrong, code(-9), code(), "yes")
    assert enrolling.login(person).check() is Verdict.ACCEPTED
    assert "compare the clocks" in person.prompts[2]
    assert "270 seconds slow" in person.prompts[3]
    assert not enrolling.store.look("alice").codes.failures


def test_three_wrong_codes(enrolling: World) -> None:
    """After three nothing is enrolled, and the person is told."""
    person = newcomer("", wrong, wrong, wrong)
    assert enrolling.login(person).check() is Verdict.NOT_ENROLLED
    assert untouched(enrolling)
    assert "nothing was set up" in person.shown[0]
    assert "3 wrong codes" in enrolling.events()[-1].detail


@pytest.mark.parametrize("answers", [(None,), ("alice",), ("", None), ("", wrong, None)])
def test_abandoned(
    enrolling: World, answers: tuple[str | Callable[[Newcomer], str] | None, ...]
) -> None:
    """An application that shows nothing, or a person who goes away, leaves nothing, and the log
    says which of them it was."""
    person = newcomer(*answers)
    assert enrolling.login(person).check() is Verdict.NOT_ENROLLED
    assert untouched(enrolling)
    said = {(None,): UNANSWERED, ("alice",): CANNOT_SHOW}.get(
        answers, "the enrollment was abandoned"
    )
    assert enrolling.events()[-1].detail.startswith(said)
    assert said in enrolling.events()[-1].detail
    assert said in enrolling.lines[-1]


def test_pages_have_an_end(enrolling: World) -> None:
    """Who turns pages for ever is refused."""
    person = newcomer(*[""] * 20)
    assert enrolling.login(person).check() is Verdict.NOT_ENROLLED
    assert untouched(enrolling)


def test_an_enrollment_has_an_end(enrolling: World) -> None:
    """Who takes longer than half an hour over it begins again; the place is somebody else's."""

    def at_leisure(person: Newcomer) -> str:
        enrolling.clock.now += 1_801
        return person.phone.code(enrolling.clock.now)

    assert enrolling.login(newcomer("", at_leisure)).check() is Verdict.NOT_ENROLLED
    assert untouched(enrolling)


def test_where_a_client_sends_fields(enrolling: World) -> None:
    """Behind `collect` nothing can be shown: the login is refused, and log and event say why."""
    talk = Talk("alice", [("Password: ", "secret"), (CODE_PROMPT, None)], service="openvpn")
    assert enrolling.through_field(talk, password="secret") is Verdict.NOT_ENROLLED
    assert CANNOT_SHOW in enrolling.events()[-1].detail
    assert untouched(enrolling)


@pytest.mark.parametrize(
    "sets", [["unenrolled=refuse"], ["self-enrollment=off"], ["unenrolled=refuse", "grace=15m"]]
)
def test_only_where_the_policy_lets(enrolling: World, sets: list[str]) -> None:
    """Elsewhere the login asks for a code and refuses, as ever."""
    enrolling.sets(*sets)
    assert enrolling.check("123456") is Verdict.NOT_ENROLLED


def test_not_for_somebody_whom_nobody_knows(enrolling: World) -> None:
    """An unknown name is never enrolled, and the person's own programs enroll nobody."""
    assert enrolling.check("123456", "mallory") is Verdict.UNKNOWN_ACCOUNT
    assert enrolling.check("123456", host_uid=ALICE.uid) is Verdict.NOT_ENROLLED


def test_a_locked_account(enrolling: World) -> None:
    """Who is locked sees no picture, and who comes from a locked address neither."""
    administration.lock(enrolling.store, "alice", NOON, "root")
    assert enrolling.login(newcomer()).check() is Verdict.LOCKED_BY_ADMINISTRATOR
    administration.unlock(enrolling.store, "alice", NOON, "root")
    for _ in range(5):
        talk = Talk("alice", [(CODE_PROMPT, "123456")])
        assert enrolling.login(talk).wrong_password() is Verdict.WRONG_PASSWORD
    assert enrolling.login(newcomer()).check() is Verdict.LOCKED_SOURCE
    elsewhere = newcomer("", code(), "yes", rhost="192.0.2.99")
    assert enrolling.login(elsewhere).check() is Verdict.ACCEPTED


def test_two_at_once(enrolling: World) -> None:
    """The first to confirm wins; the other is told, refused, and changes nothing."""
    first = newcomer("", code(), "yes")

    def late(person: Newcomer) -> str:
        assert enrolling.login(first).check() is Verdict.ACCEPTED
        return person.phone.code(NOON)

    second = newcomer("", late)
    assert enrolling.login(second).check() is Verdict.NOT_ENROLLED
    assert "Somebody else has set up this account" in second.shown[0]
    assert enrolling.check(second.phone.code(NOON)) is Verdict.WRONG_CODE
    enrolling.clock.now += 30
    assert enrolling.check(first.phone.code(NOON + 30)) is Verdict.ACCEPTED


def test_a_reset_in_between(enrolling: World) -> None:
    """What an administrator does while somebody enrolls is not undone by it."""

    def after_a_reset(person: Newcomer) -> str:
        administration.reset(enrolling.store, "alice", NOON, "root")
        return person.phone.code(NOON)

    person = newcomer("", after_a_reset)
    assert enrolling.login(person).check() is Verdict.NOT_ENROLLED
    assert enrolling.store.look("alice").enrolled is None
    assert enrolling.store.look("alice").only_invited


@pytest.mark.parametrize(
    "sets", ["invitations=required", "self-enrollment=off", "unenrolled=refuse", "mfa=off"]
)
def test_a_policy_that_changes_in_between(enrolling: World, sets: str) -> None:
    """Who would not be shown the page any more when the code comes is not enrolled by it."""
    enrolling.sets("messages=helpful")

    def after_a_change(person: Newcomer) -> str:
        enrolling.sets(sets)
        return person.phone.code(NOON)

    person = newcomer("", after_a_change)
    assert enrolling.login(person).check() is Verdict.NOT_ENROLLED
    assert untouched(enrolling)
    assert "changed in the meantime" in enrolling.events()[-1].detail
    assert person.shown


@pytest.mark.parametrize("for_good", [False, True])
def test_a_lock_in_between(enrolling: World, *, for_good: bool) -> None:
    """Who is locked while the page is shown is not enrolled, and gets no recovery codes."""
    enrolling.sets("lockout-scope=account", "messages=helpful")

    def after_a_lock(person: Newcomer) -> str:
        if for_good:
            administration.lock(enrolling.store, "alice", NOON, "root")
        for _ in range(5 * (not for_good)):
            talk = Talk("alice", [(CODE_PROMPT, "123456")], rhost="203.0.113.1")
            assert enrolling.login(talk).wrong_password() is Verdict.WRONG_PASSWORD
        return person.phone.code(NOON)

    person = newcomer("", after_a_lock)
    expected = Verdict.LOCKED_BY_ADMINISTRATOR if for_good else Verdict.LOCKED
    assert enrolling.login(person).check() is expected
    assert enrolling.store.look("alice").enrolled is None
    assert enrolling.store.credentials("alice") is None
    assert ("administrator" if for_good else "Locked until") in person.shown[0]


def test_a_name_that_changes_hands_in_between(enrolling: World) -> None:
    """Who is somebody else when the code comes is not enrolled by it."""

    def after_a_change(person: Newcomer) -> str:
        enrolling.people["alice"] = Person("alice", 7777)
        return person.phone.code(NOON)

    assert enrolling.login(newcomer("", after_a_change)).check() is Verdict.NOT_ENROLLED
    assert untouched(enrolling)


def test_a_moment_before_the_page(enrolling: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What happens between the look at the account and the draft counts: a login never gives an
    account that has one a second authenticator, and a reset wants its invitation."""
    real = enrollment.draft
    acts = [
        lambda: administration.reset(enrolling.store, "alice", NOON, "root"),
        lambda: enrolling.enroll(name="tablet"),
    ]
    for act in acts:

        def drafted(*args: Any, act: Callable[[], object] = act, **more: Any) -> enrollment.Draft:
            monkeypatch.setattr(enrollment, "draft", real)
            act()
            return real(*args, **more)

        monkeypatch.setattr(enrollment, "draft", drafted)
        word = () if act is acts[0] else (invited(enrolling),)
        assert enrolling.login(newcomer(*word, "", code())).check() is Verdict.NOT_ENROLLED
    kept = enrolling.store.credentials("alice")
    assert kept is not None
    assert [one.name for one in kept.authenticators] == ["tablet"]


def test_a_second_name_is_no_way_around(enrolling: World) -> None:
    """Under a second name of somebody who has enrolled no page is shown, and one that is shown
    already enrolls nobody: else its password alone would do."""
    enrolling.people["al"] = Person("al", ALICE.uid)

    def late(person: Newcomer) -> str:
        enrolling.enroll()
        return person.phone.code(NOON)

    assert enrolling.login(replace(newcomer("", late), name="al")).check() is Verdict.NOT_ENROLLED
    assert enrolling.login(replace(newcomer(), name="al")).check() is Verdict.OTHER_UID
    assert enrolling.store.look("al").enrolled is None
    assert "enrolled as alice" in enrolling.lines[-1]


def test_a_name_that_a_terminal_would_obey(enrolling: World) -> None:
    """What cannot be printed of a name is not shown."""
    enrolling.people["eve"] = Person("e\x1b[2J\nve\u202e", 1009)
    person = replace(newcomer("", code(), "yes"), name="eve")
    assert enrolling.login(person).check() is Verdict.ACCEPTED
    assert "Account: e?[2J?ve?\n" in person.prompts[1]


def invited(world: World, valid: int = invitation.VALID) -> str:
    """Give alice an invitation; return the word."""
    word, given = invitation.new(NOON, "root", secrets.choice, b"s" * 16, valid)
    administration.invite(world.store, "alice", given)
    return word


@pytest.mark.parametrize("after_a_reset", [False, True])
def test_by_invitation(enrolling: World, after_a_reset: bool) -> None:  # noqa: FBT001
    """Where an invitation is wanted, it is asked for before anything is shown, any spelling
    will do, and it is good for one enrollment."""
    if after_a_reset:
        enrolling.enroll()
        administration.reset(enrolling.store, "alice", NOON, "root")
    else:
        enrolling.sets("invitations=required")
    word = invited(enrolling)
    person = newcomer(word.upper().replace("-", " "), "", code(), "yes")
    assert enrolling.login(person).check() is Verdict.ACCEPTED
    assert "invitation" in person.prompts[0]
    state = enrolling.store.look("alice")
    assert state.invitation is None
    assert not state.only_invited
    assert [event.what for event in enrolling.events()][-4:] == [
        *("invited", "right-invitation", "enrolled", "accepted")
    ]


def test_an_invitation_stays_until_something_is_enrolled(enrolling: World) -> None:
    """An enrollment that was given up does not use the invitation up."""
    enrolling.sets("invitations=required")
    word = invited(enrolling)
    assert enrolling.login(newcomer(word, "", None)).check() is Verdict.NOT_ENROLLED
    assert enrolling.login(newcomer(word, "", code(), "yes")).check() is Verdict.ACCEPTED


def test_wrong_invitations(enrolling: World) -> None:
    """A wrong one shows nothing and counts as a wrong code does, the same one once; five lock
    the account, and then the right one is refused too."""
    enrolling.sets("invitations=required")
    word = invited(enrolling)
    other = invitation.new(NOON, "root", secrets.choice, b"t" * 16)[0]
    for wrong_one in ("in-22222-22222-2222a", "in-22222-22222-2222a", "sesame", "1", "2", other):
        person = newcomer(wrong_one)
        assert enrolling.login(person).check() is Verdict.WRONG_INVITATION
        assert "not your invitation" in person.shown[0]
    assert enrolling.login(newcomer()).check() is Verdict.LOCKED
    assert not enrolling.store.look("alice").wrong.at
    enrolling.clock.now += 901
    assert enrolling.login(newcomer(word, "", None)).check() is Verdict.NOT_ENROLLED


def test_invitations_end(enrolling: World) -> None:
    """After its time an invitation is refused with the reason, uncounted; also one that runs
    out, or is withdrawn, while its bearer enrolls."""
    enrolling.sets("invitations=required")
    word = invited(enrolling, 60)

    def at_leisure(person: Newcomer) -> str:
        enrolling.clock.now += 60
        return person.phone.code(enrolling.clock.now)

    assert enrolling.login(newcomer(word, "", at_leisure)).check() is Verdict.NOT_ENROLLED
    person = newcomer(word)
    assert enrolling.login(person).check() is Verdict.EXPIRED_INVITATION
    assert "another one" in person.shown[0]
    assert not enrolling.store.look("alice").codes.failures
    assert enrolling.store.look("alice").enrolled is None


def test_an_invitation_is_of_one_account(enrolling: World) -> None:
    """Alice's word does not enroll Bob."""
    enrolling.sets("invitations=required")
    word = invited(enrolling)
    bob = replace(newcomer(word), name="bob")
    assert enrolling.login(bob).check() is Verdict.WRONG_INVITATION


def test_a_disk_that_is_full_at_any_moment(tmp_path: Path) -> None:
    """Whichever step of the keeping fails, nobody is let in by it, no recovery codes are shown,
    and the next login either enrolls or takes the code; without a fault those shown are good."""
    ends = []
    for number in range(20):
        world = World(tmp_path / str(number))
        world.sets("mfa=required", "unenrolled=enroll")
        person = newcomer("", code(), "yes")
        with fault_after(person, number):
            verdict = world.login(person).check()
        shown = person.phone.recovery_codes
        ends.append((verdict, enrolled := world.store.look("alice").enrolled is not None))
        if verdict is Verdict.ACCEPTED:
            assert world.check(shown[0]) is Verdict.ACCEPTED
            continue
        assert verdict is Verdict.UNAVAILABLE
        assert not shown
        world.clock.now += 30
        again = Talk("alice", [(CODE_PROMPT, person.phone.code(world.clock.now))])
        if not enrolled:
            again = newcomer("", lambda one, now=world.clock.now: one.phone.code(now), "yes")
        assert world.login(again).check() is Verdict.ACCEPTED
    kinds = [kind for kind, _ in itertools.groupby(ends)]
    assert kinds == [
        (Verdict.UNAVAILABLE, False),
        (Verdict.UNAVAILABLE, True),
        (Verdict.ACCEPTED, True),
    ]


@contextmanager
def fault_after(person: Newcomer, number: int) -> Iterator[None]:
    """Let the disk be full at so many-th of the things that are done to it once the code was
    typed: what a file takes, and the begin and end of a transaction."""
    done = itertools.count()
    real = Database.writing

    def step() -> None:
        if len(person.prompts) > 1 and next(done) == number:
            raise OSError(errno.ENOSPC, "No space left on device")

    def first(call: Callable[..., Any]) -> Callable[..., Any]:
        def stepped(*args: Any, **more: Any) -> Any:
            step()
            return call(*args, **more)

        return stepped

    @contextmanager
    def writing(database: Database) -> Iterator[sqlite3.Connection]:
        try:
            step()
            with real(database) as connection:
                yield connection
                step()
        except OSError as error:
            raise StoreError(str(error)) from error

    with pytest.MonkeyPatch.context() as patched:
        for name in ("write", "fchmod", "fsync", "rename"):
            patched.setattr(os, name, first(getattr(os, name)))
        patched.setattr(Database, "writing", writing)
        yield


def test_few_recovery_codes_left(world: World) -> None:
    """From three left on, somebody at a terminal is told after using one; at an application
    without one nothing is shown, because that could fail its login."""
    phone = world.enroll()
    for used, recovery_code in enumerate(phone.recovery_codes, 1):
        talk = Talk("alice", [(CODE_PROMPT, recovery_code)], tty="" if used == 8 else "ssh")
        assert world.login(talk).check() is Verdict.ACCEPTED
        if used < 7 or used == 8:
            assert not talk.shown
        else:
            assert f"left: {10 - used}" in talk.shown[0]
    talk = Talk("alice", [(CODE_PROMPT, totp(phone.secret, int(NOON // 30)))])
    assert world.login(talk).check() is Verdict.ACCEPTED
    assert not talk.shown


@pytest.mark.parametrize(
    "sets",
    [
        "mfa=required",
        "mfa=required unenrolled=enroll",
        "unenrolled=enroll",
        "mfa=required unenrolled=enroll self-enrollment=off",
        "mfa=required unenrolled=enroll invitations=required",
    ],
)
@pytest.mark.parametrize("has_one", [False, True])
@pytest.mark.parametrize("after_a_reset", [False, True])
def test_a_login_is_as_foreseen(
    world: World,
    sets: str,
    *,
    has_one: bool,
    after_a_reset: bool,
) -> None:
    """What is said beforehand of somebody who has not enrolled is what becomes of the login."""
    world.sets(*sets.split())
    if after_a_reset:
        world.enroll()
        administration.reset(world.store, "alice", NOON, "root")
    word = invited(world) if has_one else "in-22222-22222-2222a"
    one = people.somebody(world.context, people.find(world.context, "alice"), (), NOON)
    foreseen = standing(world.context.policy(), one, "sshd", None, NOON)
    asked = "required" in sets.replace("mfa=required", "") or after_a_reset
    person = newcomer(*[word] * asked, "", code(), "yes")
    if "unenrolled=enroll" not in sets or "self-enrollment" in sets or "mfa" not in sets:
        person = newcomer("123456")
    verdict = world.login(person).check()
    assert (
        verdict
        in {
            Standing.ENROLLS: {Verdict.ACCEPTED},
            Standing.NOT_ASKED: {Verdict.NOT_NEEDED},
            Standing.REFUSED: {Verdict.NOT_ENROLLED, Verdict.WRONG_INVITATION},
        }[foreseen]
    )
    mute = standing(world.context.policy(), one, "sshd", None, NOON, mute={"sshd"})
    assert mute is (Standing.REFUSED if foreseen is Standing.ENROLLS else foreseen)


def test_pages_are_eighty_columns_wide() -> None:
    """No line of a page breaks on a small screen, in English or German, and the first leaves
    room for what ssh puts in front of it."""
    english = [str(text) for name, text in vars(words).items() if name.isupper() and name != "N_"]
    german = re.findall(r'^msgstr "(.+)"$', PO.read_text(), re.MULTILINE)
    assert len(german) == len(english)
    for text in (*english, *(one.replace("\\n", "\n") for one in german)):
        assert max(map(len, text.split("\n"))) < 80, text
    for text in (words.INTRODUCTION, words.SCAN, words.WRONG, words.ENROLLED, words.ASK_INVITATION):
        assert len(text.split("\n")[0]) <= 50
