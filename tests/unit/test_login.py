"""One login as a conversation: the plain line, `authfail`, the account phase.

Over a scripted conversation and a real store; the password field is test_login_field.py's."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from pam_totp import administration, source
from pam_totp.account import NOBODY, Person
from pam_totp.clock import JumpWatch
from pam_totp.outward import outward
from pam_totp.verdict import Verdict
from tests.unit.world import ALICE, BOB, CODE_PROMPT, NOON, Talk, World, counted

FAIL_DELAY = 2.0
REFUSALS = set(Verdict) - {Verdict.ACCEPTED, Verdict.NOT_NEEDED, Verdict.NOT_NAMED}


def wrong_password(world: World, name: str = "alice", rhost: str = "192.0.2.7") -> Talk:
    """Give a wrong password and then whatever code is asked for; return the conversation."""
    asked = world.store.look(name).enrolled is not None
    talk = Talk(name, [(CODE_PROMPT, "123456")] if asked else [], rhost=rhost)
    assert world.login(talk).wrong_password() is Verdict.WRONG_PASSWORD
    assert not talk.script
    return talk


# -- the plain line ---------------------------------------------------------------------------


def test_a_right_code(world: World) -> None:
    """A right code is asked for once, with the configured prompt, accepted without delay, and
    spent."""
    phone = world.enroll()
    talk = Talk("alice", [(CODE_PROMPT, phone.code(NOON))])
    assert world.login(talk).check() is Verdict.ACCEPTED
    assert talk.delays == []
    assert world.check(phone.code(NOON)) is Verdict.REPLAYED_CODE
    rest = "account=alice service=sshd rhost=192.0.2.7 tty=ssh authenticator=phone"
    assert world.lines[-2:] == [f"verdict=accepted {rest}", f"verdict=replayed-code {rest}"]


def test_another_prompt(world: World) -> None:
    """The code is asked for in the words of the configuration."""
    phone = world.enroll()
    world.context = replace(
        world.context, config=replace(world.context.config, prompt_code="Code: ")
    )
    talk = Talk("alice", [("Code: ", phone.code(NOON))])
    assert world.login(talk).check() is Verdict.ACCEPTED


def test_a_wrong_code(world: World) -> None:
    """A wrong code is refused with the configured delay, and counted."""
    phone = world.enroll()
    talk = Talk("alice", [(CODE_PROMPT, phone.wrong(NOON)[0])])
    assert world.login(talk).check() is Verdict.WRONG_CODE
    assert talk.delays == [FAIL_DELAY]
    assert len(world.store.look("alice").codes.failures) == 1


def test_a_clock_that_is_off(world: World) -> None:
    """A code of a clock that is off is refused as any wrong one is, to the person; log, events
    and state say by how much."""
    phone = world.enroll()
    said = []
    for code in (phone.code(NOON, -8), phone.wrong(NOON)[0]):
        talk = Talk("alice", [(CODE_PROMPT, code)])
        said.append((world.login(talk).check(), talk.delays, talk.authtok, talk.kept))
    assert said[0] == said[1] == (Verdict.WRONG_CODE, [FAIL_DELAY], None, None)
    slow = "the phone's clock is 240 s slow"
    assert world.lines[-2].endswith(f'authenticator=phone detail="{slow}"')
    assert (world.events()[-2].authenticator, world.events()[-2].detail) == ("phone", slow)
    (state,) = world.store.look("alice").authenticators.values()
    assert state.drift == -240
    for code in phone.wrong(NOON, 3)[1:]:
        world.check(code)
    world.check(phone.code(NOON, 3))
    assert 'detail="this locks; the phone\'s clock is 90 s fast"' in world.lines[-2]


def jumps(world: World) -> list[str]:
    """Return what the log says of the clock."""
    return [line for line in world.lines if line.startswith("clock=")]


def sets_clock(world: World, by: float) -> None:
    """Set the clock."""
    world.clock.now += by
    world.set_by += by


@pytest.mark.parametrize("by", [-7200.0, 7200.0])
def test_a_clock_that_was_set(world: World, by: float) -> None:
    """A clock that is set by more than an hour between logins is logged once, and refuses
    nothing by itself."""
    phone = world.enroll()
    world.check(phone.wrong(NOON)[0])
    sets_clock(world, by)
    assert world.check(phone.code(NOON + by)) is Verdict.ACCEPTED
    assert world.check(phone.code(NOON + by, 1)) is Verdict.ACCEPTED
    (line,) = jumps(world)
    assert line.startswith(f'clock=jumped by={by:+.0f} account=alice hint="timedatectl; ')
    assert world.lines[-2].startswith("verdict=accepted")


def test_a_clock_that_was_set_before_this_process(world: World) -> None:
    """An account that was used in the future is logged at each try, until a right code is
    accepted; other accounts are not."""
    phone, others = world.enroll(), world.enroll(BOB)
    sets_clock(world, 7200)
    world.check(phone.code(NOON + 7200))
    world.context = replace(world.context, jumps=JumpWatch())
    sets_clock(world, -7200)
    world.lines.clear()
    world.check(others.code(NOON), "bob")
    assert jumps(world) == []
    code = phone.code(NOON)
    assert world.check(code) is Verdict.REPLAYED_CODE
    assert [line.split()[:3] for line in jumps(world)] == [
        ["clock=jumped", "by=-7200", "account=alice"]
    ]
    assert world.check(phone.recovery_codes[0]) is Verdict.ACCEPTED
    assert len(jumps(world)) == 2


def test_time_is_no_jump(world: World) -> None:
    """Days between logins, and half an hour that the clock was set by, are no line."""
    phone = world.enroll()
    for passed in (0, 86_400, 3 * 86_400):
        world.clock.now = NOON + passed
        sets_clock(world, -1800)
        world.check(phone.code(world.clock.now))
    assert jumps(world) == []


def test_a_program_of_ones_own_says_nothing_of_the_clock(world: World) -> None:
    """However often somebody's own program asks, the log is not filled with the clock."""
    phone = world.enroll()
    world.check(phone.code(NOON))
    sets_clock(world, -7200)
    world.check(phone.wrong(NOON)[0], host_uid=ALICE.uid)
    assert jumps(world) == []


@pytest.mark.parametrize("answer", [None, "", "   ", "alice"])
def test_no_answer(world: World, answer: str | None) -> None:
    """No answer, or the name instead of one, is refused and not counted."""
    world.enroll()
    before = world.store.look("alice")
    assert world.check(answer) is Verdict.NO_CODE
    assert world.store.look("alice") == before
    assert world.events()[-1].what == "no-code"


@pytest.mark.parametrize("template", ["{0} {1}", " {0}{1} ", "{0}\u00a0{1}"])
def test_as_people_type(world: World, template: str) -> None:
    """Blanks do not make a code wrong."""
    code = world.enroll().code(NOON)
    assert world.check(template.format(code[:3], code[3:])) is Verdict.ACCEPTED


def test_a_recovery_code(world: World) -> None:
    """A recovery code gets in once, however it is typed, and the log names it."""
    phone = world.enroll()
    code = phone.recovery_codes[3]
    assert world.check(code.replace("-", " ").upper()) is Verdict.ACCEPTED
    assert "authenticator=recovery-code" in world.lines[-1]
    assert world.check(code) is Verdict.REPLAYED_CODE


def test_a_spent_recovery_code_counts_once(world: World) -> None:
    """A spent recovery code is one failure, however often and in whatever spelling it comes."""
    code = world.enroll().recovery_codes[0]
    assert world.check(code) is Verdict.ACCEPTED
    assert world.check(code) is Verdict.REPLAYED_CODE
    assert world.check(code.upper().replace("-", " ")) is Verdict.REPEATED_CODE
    assert len(world.store.look("alice").codes.failures) == 1


def test_not_enrolled(world: World) -> None:
    """Whoever has not enrolled is asked nothing, and is left to the other modules."""
    talk = Talk("bob")
    assert world.login(talk).check() is Verdict.NOT_NEEDED
    assert talk.delays == []
    assert world.store.look("bob") == NOBODY


def test_a_name_that_nobody_has(world: World) -> None:
    """A name that neither NSS nor the store knows is refused, with a delay and without a
    prompt, and leaves no account behind."""
    talk = Talk("nobody-of-this-name")
    assert world.login(talk).check() is Verdict.UNKNOWN_ACCOUNT
    assert talk.delays == [FAIL_DELAY]
    assert list(world.store.accounts()) == []


def test_reset_between_prompt_and_answer(world: World) -> None:
    """Whoever is reset while the prompt is open is refused, and is not let in for free."""
    phone = world.enroll()

    class Slow(Talk):
        def ask(self, prompt: str) -> str | None:
            administration.reset(world.store, "alice", NOON, "root")
            return super().ask(prompt)

    talk = Slow("alice", [(CODE_PROMPT, phone.code(NOON))])
    assert world.login(talk).check() is Verdict.NOT_ENROLLED


def test_the_time_is_that_of_the_answer(world: World) -> None:
    """A code is checked at the moment at which it was given, not when it was asked for."""
    phone = world.enroll()

    class Slow(Talk):
        def ask(self, prompt: str) -> str | None:
            world.clock.now += 300
            return super().ask(prompt)

    talk = Slow("alice", [(CODE_PROMPT, phone.code(NOON + 300))])
    assert world.login(talk).check() is Verdict.ACCEPTED


def test_locked(world: World) -> None:
    """After five wrong codes the right one is refused as a wrong one is: the same prompt, the
    same delay, the same code to PAM; it costs nothing."""
    phone = world.enroll()
    assert counted([world.check(code) for code in phone.wrong(NOON, 5)]) == {"wrong-code": 5}
    assert 'detail="this locks"' in world.lines[-2]
    until = "2030-03-17T18:15:00+00:00"
    assert world.lines[-1] == f"lock=begins account=alice kind=codes until={until}"
    talk = Talk("alice", [(CODE_PROMPT, phone.code(NOON))])
    assert world.login(talk).check() is Verdict.LOCKED
    assert talk.delays == [FAIL_DELAY]
    assert outward(Verdict.LOCKED).pam_code == outward(Verdict.WRONG_CODE).pam_code
    world.clock.now += 900
    assert world.check(phone.code(NOON + 900)) is Verdict.ACCEPTED


def test_an_administrators_lock(world: World) -> None:
    """A lock by an administrator refuses at every line, enrolled or not."""
    phone = world.enroll()
    for person in (ALICE, BOB):
        administration.lock(world.store, person.name, NOON, "root")
        assert world.login(Talk(person.name)).account() is Verdict.LOCKED_BY_ADMINISTRATOR
    assert world.check(phone.code(NOON)) is Verdict.LOCKED_BY_ADMINISTRATOR
    talk = Talk("bob")
    assert world.login(talk).check() is Verdict.LOCKED_BY_ADMINISTRATOR
    assert talk.delays == [FAIL_DELAY]


def test_the_account_phase(world: World) -> None:
    """The account phase passes everybody whom no administrator has locked, also somebody who
    is locked for a time: that is the auth phase's business."""
    phone = world.enroll()
    for code in phone.wrong(NOON, 5):
        world.check(code)
    for name in ("alice", "bob", "nobody-of-this-name"):
        assert world.login(Talk(name)).account() is Verdict.NOT_NEEDED


# -- who it is --------------------------------------------------------------------------------


def test_one_account_under_two_names(world: World) -> None:
    """Where NSS says that ALICE is alice they are one account: one code, one count, one lock."""
    phone = world.enroll()
    assert world.check(phone.code(NOON), name="ALICE") is Verdict.ACCEPTED
    assert "account=alice" in world.lines[-1]
    assert "typed=ALICE" in world.lines[-1]
    assert world.check(phone.code(NOON)) is Verdict.REPLAYED_CODE
    assert world.check("ALICE", name="ALICE") is Verdict.NO_CODE
    assert world.check("alice", name="ALICE") is Verdict.NO_CODE
    verdicts = [world.check(code, name="ALICE") for code in phone.wrong(NOON, 4)]
    assert counted(verdicts) == {"wrong-code": 4}
    assert world.check(phone.code(NOON, 1)) is Verdict.LOCKED


def test_the_name_service_is_down(world: World) -> None:
    """While NSS cannot say who somebody is, everyone is refused as "could not check", the
    enrolled and the others, and nothing is counted or spent."""
    phone = world.enroll()
    before, events = world.store.look("alice"), world.events(None)
    world.name_service_down = True
    for name in ("alice", "bob", "nobody-of-this-name"):
        for line in ("check", "wrong_password", "collect", "account"):
            assert getattr(world.login(Talk(name)), line)() is Verdict.UNAVAILABLE
    world.name_service_down = False
    assert world.store.look("alice") == before
    assert world.events(None) == events
    assert world.check(phone.code(NOON)) is Verdict.ACCEPTED


@pytest.mark.parametrize("person", [None, Person("alice", 4711)])
def test_the_name_is_somebody_elses(world: World, person: Person | None) -> None:
    """Whoever has the name after alice gets in with no code of hers, nor without one."""
    phone = world.enroll()
    world.people.pop("alice")
    if person is not None:
        world.people["alice"] = person
    for answer in (phone.code(NOON), phone.recovery_codes[0], phone.wrong(NOON)[0]):
        assert world.check(answer) is Verdict.OTHER_UID
    assert not world.store.look("alice").spent


@pytest.mark.parametrize("name", [None, ""])
def test_no_name(world: World, name: str | None) -> None:
    """Without a name nobody gets in."""
    for line in ("check", "wrong_password", "collect", "account"):
        talk = Talk(name)
        assert getattr(world.login(talk), line)() is Verdict.MALFORMED
        assert talk.delays == [FAIL_DELAY]


@pytest.mark.parametrize("name", ["..", "../../etc/passwd", "a\0b", "a\nb", "-rf", "\udcff", "é"])
def test_strange_names(world: World, name: str, tmp_path: Path) -> None:
    """A strange name is an account like any other, and the log line stays one line."""
    outside = sorted(os.listdir(tmp_path))
    assert world.login(Talk(name)).check() is Verdict.UNKNOWN_ACCOUNT
    world.people[name] = Person(name, 1003)
    phone = world.enroll(world.people[name])
    assert world.check(phone.code(NOON), name=name) is Verdict.ACCEPTED
    wrong_password(world, name)
    assert all(line.isprintable() and line.isascii() for line in world.lines)
    assert sorted(os.listdir(tmp_path)) == outside


def test_a_name_that_no_store_can_hold(world: World) -> None:
    """A name too long for the store could not be checked, which is a refusal."""
    assert world.login(Talk("x" * 5000)).check() is Verdict.UNAVAILABLE
    assert len(world.lines[-1]) < 1000


# -- authfail ---------------------------------------------------------------------------------


def test_a_wrong_password(world: World) -> None:
    """After a wrong password a code is asked for all the same; it is neither looked at nor
    spent, and the person's own count does not move."""
    phone = world.enroll()
    before = world.store.look("alice")
    talk = Talk("alice", [(CODE_PROMPT, phone.code(NOON))])
    assert world.login(talk).wrong_password() is Verdict.WRONG_PASSWORD
    assert talk.delays == [FAIL_DELAY]
    assert world.store.look("alice") == before
    assert world.check(phone.code(NOON)) is Verdict.ACCEPTED


def test_wrong_passwords_lock_an_address_and_not_a_person(world: World) -> None:
    """Five wrong passwords from one address lock it for this account; from elsewhere the
    person gets in, and the other account is not locked from there."""
    phone, other = world.enroll(), world.enroll(BOB)
    for _ in range(5):
        wrong_password(world, rhost="198.51.100.9")
    assert 'detail="this locks the address"' in world.lines[-2]
    begins = "lock=begins account=alice kind=passwords source=198.51.100.9 until="
    assert world.lines[-1].startswith(begins)
    assert world.check(phone.code(NOON), rhost="198.51.100.9") is Verdict.LOCKED_SOURCE
    assert world.check(other.code(NOON), name="bob", rhost="198.51.100.9") is Verdict.ACCEPTED
    assert world.check(phone.code(NOON)) is Verdict.ACCEPTED


def test_one_ipv6_network_is_one_address(world: World) -> None:
    """Whoever changes the address within one IPv6 network is counted as one."""
    phone = world.enroll()
    for number in range(5):
        wrong_password(world, rhost=f"2001:db8::{number}")
    assert world.check(phone.code(NOON), rhost="2001:db8::ffff") is Verdict.LOCKED_SOURCE


@pytest.mark.parametrize("rhost", ["", "client.example.org"])
def test_no_address(world: World, rhost: str) -> None:
    """Wrong passwords without an address make refusals slow, and lock nobody out."""
    phone = world.enroll()
    delays = [wrong_password(world, rhost=rhost).delays for _ in range(6)]
    assert delays == [[FAIL_DELAY]] * 4 + [[10.0]] * 2
    assert world.check(phone.code(NOON), rhost=rhost) is Verdict.ACCEPTED


def test_wrong_password_and_wrong_code_look_alike(world: World) -> None:
    """Prompts, delays and the code to PAM are the same for a wrong password, a wrong code and
    a locked account."""
    phone = world.enroll()
    delays = [wrong_password(world).delays]
    for code in (*phone.wrong(NOON, 5), phone.code(NOON)):
        talk = Talk("alice", [(CODE_PROMPT, code)])
        world.login(talk).check()
        delays.append(talk.delays)
    delays.append(wrong_password(world).delays)
    assert delays == [[FAIL_DELAY]] * 8


def test_a_stranger_is_counted_in_a_table_of_fixed_size(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names that nobody has leave no account behind, and no more rows than the table has."""
    monkeypatch.setattr(source, "_STRANGERS", 4)
    for number in range(50):
        wrong_password(world, f"stranger{number}")
    assert list(world.store.accounts()) == []
    with world.store._database.looking() as connection:
        assert connection.execute("SELECT count(*) FROM source").fetchone() == (4,)


def test_a_wrong_password_of_somebody_not_enrolled(world: World) -> None:
    """Whoever has not enrolled is asked for no code, and is refused with the same delay."""
    assert wrong_password(world, "bob").delays == [FAIL_DELAY]
    assert world.store.look("bob") == NOBODY


def test_wrong_passwords_never_touch_what_is_kept(world: World) -> None:
    """What `collect` kept is gone after a wrong password."""
    world.enroll()
    talk = Talk("alice", kept="code:123456")
    assert world.login(talk).wrong_password() is Verdict.WRONG_PASSWORD
    assert talk.kept is None


# -- hosts that are not root's ----------------------------------------------------------------


def test_a_host_that_is_not_root(world: World) -> None:
    """A program of the person's own may check that person's code and nobody else's."""
    phone, other = world.enroll(), world.enroll(BOB)
    assert world.check(phone.code(NOON), host_uid=ALICE.uid) is Verdict.ACCEPTED
    assert "host=uid:1001" in world.lines[-1]
    for name in ("bob", "root", "nobody-of-this-name"):
        for line in ("check", "wrong_password", "collect", "account"):
            talk = Talk(name, host_uid=ALICE.uid)
            assert getattr(world.login(talk), line)() is Verdict.NOT_ALLOWED
            assert talk.delays == [FAIL_DELAY]
    assert world.check(other.code(NOON), name="bob") is Verdict.ACCEPTED


def test_its_failures_lock_its_door(world: World) -> None:
    """Wrong codes and wrong passwords at a program of the person's own lock that door alone,
    whatever address it claims."""
    phone = world.enroll()
    for code in phone.wrong(NOON, 5):
        assert world.check(code, host_uid=ALICE.uid) is Verdict.WRONG_CODE
    assert world.check(phone.code(NOON), host_uid=ALICE.uid) is Verdict.LOCKED
    assert world.check(phone.code(NOON)) is Verdict.ACCEPTED
    world.clock.now += 900
    for _ in range(5):
        talk = Talk("alice", [(CODE_PROMPT, "1")], host_uid=ALICE.uid, rhost="198.51.100.1")
        world.login(talk).wrong_password()
    now = world.clock.now
    assert world.check(phone.code(now), host_uid=ALICE.uid) is Verdict.LOCKED_SOURCE
    assert world.check(phone.code(now), rhost="198.51.100.1") is Verdict.ACCEPTED


# -- verdicts outward -------------------------------------------------------------------------


@pytest.mark.parametrize("verdict", Verdict)
def test_only_acceptance_is_success(verdict: Verdict) -> None:
    """Exactly one verdict is PAM_SUCCESS, two are PAM_IGNORE; every refusal of a person is
    PAM_AUTH_ERR and delayed, "could not check" is PAM_AUTHINFO_UNAVAIL."""
    out = outward(verdict)
    ignored = {Verdict.NOT_NEEDED: 25, Verdict.NOT_NAMED: 25}
    expected = {Verdict.ACCEPTED: 0, Verdict.UNAVAILABLE: 9, **ignored}
    assert out.pam_code == expected.get(verdict, 7)
    assert out.delayed == (verdict in REFUSALS - {Verdict.UNAVAILABLE})


def test_the_hard_stop_is_a_lock_that_begins(world: World) -> None:
    """The lock that only an administrator lifts is logged as one, with who it was and why."""
    phone = world.enroll()
    world.sets("hard-stop=10", "lockout-failures=100")
    for code in phone.wrong(NOON, 10):
        world.check(code)
    assert [line for line in world.lines if line.startswith("lock=")] == world.lines[-1:]
    begins = 'lock=begins account=alice kind=administrator by=pam-totp reason="10 wrong codes'
    assert world.lines[-1].startswith(begins)


def test_every_refusal_is_kept(world: World) -> None:
    """A refusal that counts nothing is found again among the events, with where it came from."""
    wrong = Talk("bob", service="openvpn")
    assert world.login(wrong).wrong_password() is Verdict.WRONG_PASSWORD
    assert world.login(Talk("nobody")).check() is Verdict.UNKNOWN_ACCOUNT
    world.enroll()
    world.people["toor"] = Person("toor", ALICE.uid)
    assert world.login(Talk("toor")).check() is Verdict.OTHER_UID
    kept = [(e.account, e.what, e.service, e.detail) for e in world.events(None) if not e.actor]
    assert kept == [
        ("bob", "wrong-password", "openvpn", ""),
        ("nobody", "unknown-account", "sshd", ""),
        ("toor", "other-uid", "sshd", f"uid {ALICE.uid} has enrolled as alice"),
    ]
