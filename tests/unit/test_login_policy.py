"""What policy changes in a login beyond whether a code is asked for: services that are not
named, whose name it is, words for the refused, lockout's numbers, own doors."""

from __future__ import annotations

from pathlib import Path

import pytest

from pam_totp import administration
from pam_totp.account import Person
from pam_totp.errors import StoreError
from pam_totp.lockout import Counter
from pam_totp.verdict import Verdict
from tests.unit.world import ALICE, BOB, CODE_PROMPT, NOON, OFFICE, PASSWORD_PROMPT, Talk, World


def test_a_service_that_is_not_named(world: World) -> None:
    """The module has no say there, in any of its lines: nothing is asked, counted or kept, for
    a locked account too."""
    world.enroll()
    administration.lock(world.store, "alice", NOON, "root")
    before = world.events(None)
    login = world.login(Talk("alice", service="cron"))
    for line in (login.check, login.wrong_password, login.collect, login.account):
        assert line() is Verdict.NOT_NAMED
    assert world.events(None) == before


def test_somebody_without_a_code_who_needs_one(world: World) -> None:
    """Who must use a code and has none is asked as everybody, refused, and it is kept."""
    world.sets("mfa=required")
    talk = Talk("bob", [(CODE_PROMPT, "123456")])
    assert world.login(talk).check() is Verdict.NOT_ENROLLED
    assert not talk.script
    assert talk.delays == [2.0]
    assert [event.what for event in world.events("bob")] == ["not-enrolled"]


def test_a_wrong_password_of_somebody_who_needs_a_code(world: World) -> None:
    """A wrong password looks the same for the enrolled, for who has no code and for a name
    that nobody has, where all must use one; each is counted."""
    world.enroll()
    world.sets("mfa=required")
    for name in ("alice", "bob", "nobody-here"):
        talk = Talk(name, [(CODE_PROMPT, "123456")])
        assert world.login(talk).wrong_password() is Verdict.WRONG_PASSWORD
        assert not talk.script
        assert talk.delays == [2.0]


def test_collect_for_somebody_who_needs_a_code(world: World) -> None:
    """A field with a code at its end is refused where nothing is enrolled, whatever the code."""
    world.sets("mfa=required")
    talk = Talk("bob", [(PASSWORD_PROMPT, "secret123456"), (CODE_PROMPT, "")], service="openvpn")
    assert world.through_field(talk, password="secret123456") is Verdict.NO_CODE


def test_grace_needs_no_collect(world: World) -> None:
    """A stack with `collect` has no grace: OpenVPN has tokens of its own."""
    phone = world.enroll()
    world.sets("grace=1h")
    assert world.check(phone.code(NOON), service="openvpn") is Verdict.ACCEPTED
    world.clock.now += 60
    talk = Talk("alice", [(PASSWORD_PROMPT, "secret"), (CODE_PROMPT, "")], service="openvpn")
    assert world.through_field(talk, password="secret") is Verdict.NO_CODE


def test_a_wrong_password_where_no_code_is_needed_ends_grace(world: World) -> None:
    """A wrong password ends the grace of its address elsewhere too, at a service that is
    exempted itself; one from another address does not."""
    phone = world.enroll()
    world.sets("grace=1h")
    world.sets("mfa=off", service="login")
    assert world.check(phone.code(NOON)) is Verdict.ACCEPTED
    for address, verdict in (("198.51.100.9", Verdict.NOT_NEEDED), (OFFICE, Verdict.WRONG_CODE)):
        talk = Talk("alice", service="login", rhost=address)
        assert world.login(talk).wrong_password() is Verdict.WRONG_PASSWORD
        script = [(CODE_PROMPT, phone.wrong(NOON)[0])]
        assert world.login(Talk("alice", [*script])).check() is verdict


def test_grace_says_so(world: World) -> None:
    """A login in grace is no acceptance: the password's module decides, and the line says why
    no code was asked for."""
    phone = world.enroll()
    world.sets("grace=1h")
    assert world.check(phone.code(NOON)) is Verdict.ACCEPTED
    assert world.login(Talk("alice")).check() is Verdict.NOT_NEEDED
    assert 'detail="a code was accepted from here"' in world.lines[-1]


def test_a_second_name_of_one_uid(world: World) -> None:
    """A uid that has enrolled under another name is refused under this one, and told how; with
    an enrollment of its own it is an account like others."""
    world.enroll()
    world.people["alice2"] = Person("alice2", ALICE.uid)
    assert world.login(Talk("alice2")).check() is Verdict.OTHER_UID
    assert "uid 1001 has enrolled as alice" in world.lines[-1]
    assert world.login(Talk("bob")).check() is Verdict.NOT_NEEDED
    second = world.enroll(Person("alice2", ALICE.uid))
    assert world.check(second.code(NOON), "alice2") is Verdict.ACCEPTED
    administration.reset(world.store, "alice2", NOON, "root")
    administration.reset(world.store, "alice", NOON, "root")
    assert world.login(Talk("alice2")).check() is Verdict.NOT_NEEDED


def test_a_uid_that_was_somebody_elses(world: World) -> None:
    """Who has the uid of an account that is gone is not taken for its owner."""
    world.enroll()
    del world.people["alice"]
    world.people["carol"] = Person("carol", ALICE.uid)
    assert world.login(Talk("carol")).check() is Verdict.NOT_NEEDED


def test_a_second_name_where_no_code_is_needed(world: World) -> None:
    """Where the policy asks for no code, a second name is none either."""
    world.enroll()
    world.people["alice2"] = Person("alice2", ALICE.uid)
    world.sets("mfa=off")
    assert world.login(Talk("alice2")).check() is Verdict.NOT_NEEDED


def test_lockout_by_policy(world: World) -> None:
    """Number, period and duration of a lock are the policy's, for whom it sets them."""
    phone, other = world.enroll(), world.enroll(BOB)
    world.sets("lockout-failures=2", "lockout-duration=1h", user="alice")
    for code in phone.wrong(NOON, 2):
        assert world.check(code) is Verdict.WRONG_CODE
    assert world.check(phone.code(NOON)) is Verdict.LOCKED
    for code in other.wrong(NOON, 2):
        assert world.check(code, "bob") is Verdict.WRONG_CODE
    assert world.check(other.code(NOON), "bob") is Verdict.ACCEPTED
    world.clock.now += 3599
    assert world.check(phone.code(world.clock.now)) is Verdict.LOCKED
    world.clock.now += 1
    assert world.check(phone.code(world.clock.now)) is Verdict.ACCEPTED


def test_wrong_passwords_by_account(world: World) -> None:
    """With lockout-scope=account wrong passwords lock the account from everywhere; with the
    default they lock the address alone."""
    phone, other = world.enroll(), world.enroll(BOB)
    world.sets("lockout-scope=account", user="alice")
    for name in ("alice", "bob"):
        for _ in range(5):
            talk = Talk(name, [(CODE_PROMPT, "1")], rhost="198.51.100.1")
            assert world.login(talk).wrong_password() is Verdict.WRONG_PASSWORD
    assert world.check(phone.code(NOON)) is Verdict.LOCKED
    assert world.check(other.code(NOON), "bob", rhost="198.51.100.1") is Verdict.LOCKED_SOURCE
    assert world.check(other.code(NOON), "bob") is Verdict.ACCEPTED


def test_a_group_that_cannot_be_found_is_said(world: World) -> None:
    """Where NSS does not find a group, the stricter rule holds and a line says so."""
    world.sets("mfa=required", group="staff")
    assert world.check("123456", "bob") is Verdict.NOT_ENROLLED
    (line,) = (line for line in world.lines if line.startswith("policy=unchecked"))
    assert "account=bob group=staff" in line
    assert "getent group staff" in line


# -- words for the refused ----------------------------------------------------------------------


def refused(world: World, code: str, name: str = "alice") -> list[str]:
    """Give a code and return what the person was told."""
    talk = Talk(name, [(CODE_PROMPT, code)])
    world.login(talk).check()
    return talk.shown


def test_plain_says_nothing(world: World) -> None:
    """As shipped, nobody is told why."""
    phone = world.enroll()
    world.sets("mfa=required")
    assert refused(world, phone.wrong(NOON)[0]) == []
    assert refused(world, "123456", "bob") == []
    administration.lock(world.store, "alice", NOON, "root")
    assert refused(world, phone.code(NOON)) == []


def test_helpful_says_why(world: World) -> None:
    """With messages=helpful a refused person is told why, never how far the code was off."""
    phone = world.enroll()
    world.sets("mfa=required", "messages=helpful")
    assert refused(world, "123456", "bob")[0].startswith("You need a code here")
    assert refused(world, phone.code(NOON, -8)) == ["Wrong code."]
    assert refused(world, phone.code(NOON)) == []
    assert "used already" in refused(world, phone.code(NOON))[0]
    for code in phone.wrong(NOON, 4):
        refused(world, code)
    (told,) = refused(world, phone.code(NOON, 1))
    assert told.startswith("Too many wrong codes. Locked until ")
    administration.lock(world.store, "alice", NOON, "root")
    assert refused(world, phone.code(NOON)) == ["Locked by an administrator."]


def test_helpful_tells_of_guessing(world: World) -> None:
    """Whom the hard stop has locked is told that somebody knows the password."""
    phone = world.enroll()
    world.sets("messages=helpful", "hard-stop=10", "lockout-failures=100")
    for code in phone.wrong(NOON, 10):
        refused(world, code)
    (told,) = refused(world, phone.code(NOON))
    assert "somebody knows it" in told


def test_helpful_speaks_the_persons_language(world: World, catalogs: Path) -> None:
    """Who is refused is told why in the language of the locale that the application has passed,
    in English if it has passed none."""
    world.enroll()
    world.sets("messages=helpful")

    def told(locale: str) -> list[str]:
        talk = Talk("alice", [(CODE_PROMPT, "000001")], language=locale)
        world.login(talk).check()
        return talk.shown

    assert told("de_DE.UTF-8") == ["Der Code ist falsch."]
    assert told("de_DE.UTF-8") == [
        "Dieser Code wurde schon abgelehnt. Bitte warten Sie auf den nächsten."
    ]
    administration.lock(world.store, "alice", NOON, "root")
    assert told("de_DE.UTF-8") == ["Gesperrt durch die Administration."]
    assert told("") == told("../de") == ["Locked by an administrator."]


def test_the_locale_is_asked_for_with_something_to_say(world: World) -> None:
    """A login that is told nothing asks the application for no locale: that would be a further
    question to it."""
    phone = world.enroll()
    talk = Talk("alice", [(CODE_PROMPT, code) for code in (*phone.wrong(NOON), phone.code(NOON))])
    assert world.login(talk).check() is Verdict.WRONG_CODE
    world.sets("messages=helpful")
    assert world.login(talk).check() is Verdict.ACCEPTED
    assert (talk.shown, talk.locale_asked) == ([], 0)


def test_helpful_only_after_a_right_password(world: World) -> None:
    """After a wrong password, and at a person's own door, nobody is told anything."""
    world.enroll()
    world.sets("messages=helpful", "mfa=required")
    talk = Talk("alice", [(CODE_PROMPT, "1")])
    world.login(talk).wrong_password()
    own = Talk("alice", [(CODE_PROMPT, "000001")], host_uid=ALICE.uid)
    world.login(own).check()
    assert talk.shown == own.shown == []


# -- a person's own door ------------------------------------------------------------------------


def test_own_door_has_no_exemption(world: World) -> None:
    """What a program of the person's own says of service and address exempts from nothing, and
    is not kept; there is no grace."""
    phone = world.enroll()
    world.sets("mfa=off", network="192.0.2.0/24")
    world.sets("grace=1h")
    assert world.login(Talk("alice")).check() is Verdict.NOT_NEEDED
    for beside in (0, 1):
        assert world.check(phone.code(NOON, beside), host_uid=ALICE.uid) is Verdict.ACCEPTED
    event = world.events()[-1]
    assert (event.service, event.rhost, event.tty) == ("", "", "")
    assert event.detail == "host uid:1001"


def test_own_door_keeps_what_changed(world: World) -> None:
    """An answer at the own door that changes nothing leaves no event."""
    phone = world.enroll()
    wrong = phone.wrong(NOON)[0]
    assert world.check(wrong, host_uid=ALICE.uid) is Verdict.WRONG_CODE
    before = len(world.events())
    for _ in range(50):
        assert world.check(wrong, host_uid=ALICE.uid) is Verdict.REPEATED_CODE
        assert world.check("", host_uid=ALICE.uid) is Verdict.NO_CODE
    assert len(world.events()) == before
    assert world.store.look("alice").codes == Counter()


@pytest.mark.parametrize("service", ["sshd", "SSHD"])
def test_services_in_any_case(world: World, service: str) -> None:
    """A service is named in whichever case the host writes it."""
    phone = world.enroll()
    assert world.check(phone.code(NOON), service=service) is Verdict.ACCEPTED


def test_an_event_that_is_lost(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who needs no code is not kept out by a store that cannot be written, and a line says what
    to do; who needs one is."""
    world.enroll(BOB)

    def full(*_: object) -> None:
        raise StoreError("state.db: database or disk is full", hint="make room")

    monkeypatch.setattr(world.store, "step", full)
    assert world.login(Talk("alice")).check() is Verdict.NOT_NEEDED
    lost = 'event=lost account=alice service=sshd detail="state.db: database or disk is full"'
    assert world.lines[0] == f'{lost} hint="make room"'
    assert world.check("123456", "bob") is Verdict.UNAVAILABLE


@pytest.mark.parametrize("kind", ["codes", "own door", "address", "administrator", "hard stop"])
def test_unlock_lifts_each_kind(world: World, kind: str) -> None:
    """`unlock` lifts every kind of lock of one account, and none of another's."""
    phones = {"alice": world.enroll(), "bob": world.enroll(BOB)}
    people = {"alice": ALICE, "bob": BOB}
    if kind == "hard stop":
        world.sets("hard-stop=10", "lockout-failures=100")

    def door(name: str) -> dict[str, int]:
        return {"host_uid": people[name].uid} if kind == "own door" else {}

    for name, phone in phones.items():
        if kind == "administrator":
            administration.lock(world.store, name, NOON, "root")
        elif kind == "address":
            for _ in range(5):
                world.login(Talk(name, [(CODE_PROMPT, "1")])).wrong_password()
        else:
            for code in phone.wrong(NOON, 10):
                world.check(code, name, **door(name))
    locks = {Verdict.LOCKED, Verdict.LOCKED_SOURCE, Verdict.LOCKED_BY_ADMINISTRATOR}
    assert world.check(phones["alice"].code(NOON), **door("alice")) in locks
    administration.unlock(world.store, "alice", NOON, "root")
    assert world.check(phones["alice"].code(NOON), **door("alice")) is Verdict.ACCEPTED
    assert world.check(phones["bob"].code(NOON), "bob", **door("bob")) in locks
