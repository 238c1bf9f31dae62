"""What people may do to their own accounts, on a real store."""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import replace
from typing import Any

import pytest

from pam_totp import administration, invitation, upkeep
from pam_totp.account import AccountState, AdministratorLock, Person
from pam_totp.errors import BrokenMessage
from pam_totp.event import Event
from pam_totp.local import upkeep as local
from pam_totp.selfservice.password import Checked, Outcome
from pam_totp.selfservice.proof import SECONDS
from pam_totp.verdict import Verdict
from tests.unit.selfservice.counter import Counter, Refused, Talk
from tests.unit.world import ALICE, BOB, NOON, Phone, Token, World

RIGHT = "correct horse"
STEP = 30.0


def scanned(shown: dict[str, Any]) -> Phone:
    """Return the phone that has scanned what was shown."""
    from base64 import b32decode  # noqa: PLC0415

    key = shown["key"]
    return Phone(b32decode(key + "=" * (-len(key) % 8)))


def enroll(counter: Counter, uid: int = 1001, password: str = RIGHT) -> tuple[Talk, Phone]:
    """Let somebody enroll by their password; the clock goes on to a fresh code."""
    talk = counter.comes(uid)
    talk.asks("prove", password=password)
    phone = scanned(talk.asks("draft", name="phone"))
    answer = talk.asks("confirm", code=phone.code(counter.world.clock.now))
    counter.world.clock.now += STEP
    return talk, replace(phone, recovery_codes=tuple(answer["recovery_codes"]))


def invite(world: World, account: str = "alice", valid: int = 3600) -> str:
    """Give somebody an invitation."""
    word, kept = invitation.new(world.clock.now, "root", secrets.choice, b"s" * 16, valid)
    set_state(world, account, invitation=kept)
    return word


def set_state(world: World, account: str, **changes: Any) -> None:
    """Change what is known of an account."""

    def change(state: AccountState) -> tuple[AccountState, Event]:
        return replace(state, **changes), world.act("a test")

    world.store.change_state(account, change)


def whats(world: World, account: str = "alice") -> list[str]:
    """Return what has happened to an account."""
    return [event.what for event in world.events(account)]


# -- a first enrollment -----------------------------------------------------------------------


def test_a_first_enrollment(counter: Counter, world: World) -> None:
    """By the password alone somebody enrolls: draft, code, ten recovery codes; and the login
    takes the next code."""
    talk = counter.comes()
    hello = talk.asks("hello", language="")
    assert (hello["account"], hello["issuer"]) == ("alice", "Example")
    assert (hello["enrolled"], hello["proves"], hello["authenticators"]) == (
        False,
        [["password"]],
        [],
    )
    assert talk.asks("prove", password=RIGHT)["proved"] == ["password"]
    shown = talk.asks("draft", name="phone")
    assert "recovery_codes" not in shown
    assert not talk.asks("hello")["enrolled"]
    phone = scanned(shown)
    code = phone.code(NOON)
    codes = talk.asks("confirm", code=code)["recovery_codes"]
    assert len(codes) == len(set(codes)) == 10
    hello = talk.asks("hello")
    assert [one["name"] for one in hello["authenticators"]] == ["phone"]
    assert (hello["enrolled"], hello["recovery_codes"], hello["proves"]) == (True, 10, [["code"]])
    assert world.check(code) is Verdict.REPLAYED_CODE
    world.clock.now += STEP
    assert world.check(phone.code(world.clock.now)) is Verdict.ACCEPTED


def test_its_event_and_line(counter: Counter, world: World) -> None:
    """The event is the person's own, in the service's name, and so is the log line."""
    enroll(counter)
    (event,) = world.events()
    assert (event.what, event.actor, event.service, event.authenticator) == (
        "enrolled",
        "",
        "pam-totp",
        "phone",
    )
    assert world.lines == ["act=enrolled account=alice service=pam-totp authenticator=phone"]


def test_nothing_without_a_proof(counter: Counter, world: World) -> None:
    """Without a proof nothing is drafted or changed, and the answer says what would prove."""
    talk = counter.comes()
    with pytest.raises(Refused) as caught:
        talk.asks("draft", name="phone")
    assert caught.value.error["proves"] == [["password"]]
    for request, values in CHANGES:
        assert talk.refused(request, **values) == "prove"
    assert talk.refused("confirm", code="123456") == talk.refused("show") == "no-draft"
    assert whats(world) == []


CHANGES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("draft", {"name": "tablet"}),
    ("rename", {"name": "phone", "new": "tablet"}),
    ("remove", {"name": "phone"}),
    ("resync", {"name": "phone", "codes": ["123456", "234567"]}),
    ("recovery-codes", {}),
)


def test_abandoned(counter: Counter, world: World) -> None:
    """A draft that is not confirmed leaves nothing, and another conversation does not see it."""
    talk = counter.comes()
    talk.asks("prove", password=RIGHT)
    shown = talk.asks("draft", name="phone")
    assert talk.asks("show") == shown
    assert counter.comes().refused("show") == "no-draft"
    assert world.store.look("alice") == AccountState()
    assert whats(world) == []


def test_three_codes(counter: Counter, world: World) -> None:
    """Wrong codes ask again, with what is wrong about the clock; the third ends it, and counts
    against nobody."""
    talk = counter.comes()
    talk.asks("prove", password=RIGHT)
    phone = scanned(talk.asks("draft", name="phone"))
    wrong = [*phone.wrong(NOON, 2), phone.code(NOON, beside=-4)]
    found = []
    for code in wrong:
        with pytest.raises(Refused) as caught:
            talk.asks("confirm", code=code)
        found.append([caught.value.error[key] for key in ("kind", "tries_left", "drift")])
    assert found == [
        ["wrong-code", 2, None],
        ["wrong-code", 1, None],
        ["wrong-code", 0, -120],
    ]
    assert talk.refused("confirm", code=phone.code(NOON)) == "no-draft"
    assert world.store.look("alice") == AccountState()


def test_two_at_once(counter: Counter, world: World) -> None:
    """Of two who enroll one account the first to confirm wins; the other is told, and leaves
    nothing."""
    one, other = counter.comes(), counter.comes()
    for talk in (one, other):
        talk.asks("prove", password=RIGHT)
    first, second = (scanned(talk.asks("draft", name="phone")) for talk in (one, other))
    assert one.asks("confirm", code=first.code(NOON))["recovery_codes"]
    assert other.refused("confirm", code=second.code(NOON)) == "overtaken"
    assert other.refused("draft", name="tablet") == "prove"
    world.clock.now += STEP
    assert world.check(second.code(world.clock.now)) is Verdict.WRONG_CODE
    assert world.check(first.code(world.clock.now)) is Verdict.ACCEPTED


def test_a_token_of_ones_own(counter: Counter, world: World) -> None:
    """A token's secret is typed from its papers, and is not shown again."""
    token = Token(b"12345678901234567890", counter=7)
    talk = counter.comes()
    talk.asks("prove", password=RIGHT)
    secret = token.secret.hex()
    shown = talk.asks("draft", name="token", type="hotp", secret=secret, counter=7)
    assert (shown["key"], shown["type"], shown["counter"]) == ("", "hotp", 7)
    talk.asks("confirm", code=token.press())
    assert world.check(token.press()) is Verdict.ACCEPTED


@pytest.mark.parametrize(
    "values",
    [
        {"name": ""},
        {"name": "a\nb"},
        {"name": "x" * 41},
        {"type": "sms"},
        {"algorithm": "MD5"},
        {"digits": 5},
        {"period": 1},
        {"counter": -1},
        {"secret": "short"},
    ],
)
def test_values_that_cannot_be(counter: Counter, values: dict[str, Any]) -> None:
    """A draft of what cannot be is refused, and the conversation goes on."""
    talk = counter.comes()
    talk.asks("prove", password=RIGHT)
    assert talk.refused("draft", **{"name": "phone", **values}) == "bad-value"
    assert talk.asks("draft", name="phone")["key"]


# -- passwords --------------------------------------------------------------------------------


def test_wrong_passwords_lock_this_door(counter: Counter, world: World) -> None:
    """Five wrong passwords lock the own door, where a right one is then not even looked at; the
    root's door counts nothing."""
    talk = counter.comes()
    for _ in range(5):
        assert talk.refused("prove", password="wrong") == "wrong-password"
    assert len(counter.pam.asked) == 5
    assert talk.refused("prove", password=RIGHT) == "locked"
    assert counter.comes().refused("prove", password=RIGHT) == "locked"
    assert len(counter.pam.asked) == 5
    hello = talk.asks("hello")
    assert (hello["locked"], hello["locked_until"]) == ("until", NOON + 900)
    state = world.store.look("alice")
    assert (state.codes.failures, state.wrong.at) == ((), ())
    assert not administration.status(
        world.store, "alice", NOON, world.context.limits("alice")
    ).failures
    last = world.events()[-1]
    assert (last.what, last.service) == ("wrong-password", "pam-totp")
    assert last.detail == "host uid:1001; this locks"


def test_passwords_are_asked_one_after_the_other(counter: Counter) -> None:
    """What somebody asks in several conversations at once is answered in turn, so that the lock
    comes after the fifth wrong password and not after the eighth."""
    import threading  # noqa: PLC0415

    inside, most, lock = [0], [0], threading.Lock()

    def during() -> None:
        with lock:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        threading.Event().wait(0.02)
        with lock:
            inside[0] -= 1

    counter.pam.during = during
    found: list[str] = []

    def guesses() -> None:
        talk = counter.comes()
        found.extend(talk.refused("prove", password="wrong") for _ in range(2))

    threads = [threading.Thread(target=guesses) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
    assert sorted(found) == ["locked"] * 3 + ["wrong-password"] * 5


def test_what_could_not_be_checked_does_not_count(counter: Counter, world: World) -> None:
    """A directory that is down and an account that is closed are no wrong passwords."""
    talk = counter.comes()
    counter.pam.instead = Checked(Outcome.UNAVAILABLE, "no answer in 30 s")
    assert talk.refused("prove", password=RIGHT) == "unavailable"
    counter.pam.instead = Checked(Outcome.REFUSED, "the account has expired")
    assert talk.refused("prove", password=RIGHT) == "closed"
    assert talk.refused("draft", name="phone") == "prove"
    assert world.store.look("alice") == AccountState()
    assert "no answer in 30 s" in world.lines[0]
    assert "the account has expired" in world.lines[1]


def test_no_password_is_no_proof(counter: Counter) -> None:
    """An empty password is not asked of PAM: some stacks let accounts without one in."""
    assert counter.comes().refused("prove", password="") == "not-asked"
    assert counter.pam.asked == []


def test_a_password_proves_nothing_of_who_has_enrolled(counter: Counter) -> None:
    """Where there is an authenticator, a password is no proof, and is not asked of PAM."""
    enroll(counter)
    asked = len(counter.pam.asked)
    talk = counter.comes()
    assert talk.refused("prove", password=RIGHT) == "not-asked"
    assert talk.refused("draft", name="tablet") == "prove"
    assert len(counter.pam.asked) == asked


# -- invitations ------------------------------------------------------------------------------


def test_an_invitation_in_place_of_the_password(counter: Counter, world: World) -> None:
    """Where the policy wants no invitation, somebody who has one needs no password; it is spent
    by the enrollment."""
    word = invite(world)
    talk = counter.comes()
    assert talk.asks("hello")["proves"] == [["password"], ["invitation"]]
    talk.asks("prove", invitation=word)
    phone = scanned(talk.asks("draft", name="phone"))
    talk.asks("confirm", code=phone.code(NOON))
    assert counter.pam.asked == []
    assert world.store.look("alice").invitation is None


@pytest.mark.parametrize("by", ["policy", "reset"])
def test_password_and_invitation(counter: Counter, world: World, by: str) -> None:
    """Where an invitation is wanted, it takes both, in whichever order."""
    word = invite(world)
    if by == "policy":
        world.sets("invitations=required")
    else:
        set_state(world, "alice", only_invited=True)
    proofs = [{"password": RIGHT}, {"invitation": word}]
    for first, second in (proofs, proofs[::-1]):
        talk = counter.comes()
        assert talk.asks("hello")["proves"] == [["password", "invitation"]]
        talk.asks("prove", **first)
        assert talk.refused("draft", name="phone") == "prove"
        talk.asks("prove", **second)
        assert talk.asks("draft", name="phone")["key"]


def test_wrong_invitations(counter: Counter, world: World) -> None:
    """Wrong invitations lock the own door; one whose time is over is said to be."""
    word = invite(world, valid=60)
    talk = counter.comes()
    wrong = [word[:-1] + letter for letter in "abcdefghjk" if letter != word[-1]]
    for one in wrong[:4]:
        assert talk.refused("prove", invitation=one) == "wrong-invitation"
    world.clock.now += 60
    assert talk.refused("prove", invitation=word) == "expired-invitation"
    assert talk.refused("prove", invitation=wrong[4]) == "wrong-invitation"
    assert talk.refused("prove", invitation=word) == "locked"


def test_an_invitation_withdrawn_under_way(counter: Counter, world: World) -> None:
    """An invitation that is withdrawn, or runs out, while the picture is shown enrolls nobody."""
    word = invite(world)
    talk = counter.comes()
    talk.asks("prove", invitation=word)
    phone = scanned(talk.asks("draft", name="phone"))
    set_state(world, "alice", invitation=None)
    assert talk.refused("confirm", code=phone.code(NOON)) == "expired-invitation"
    assert world.store.look("alice").enrolled is None


# -- who has enrolled -------------------------------------------------------------------------


def test_changes_want_a_code(counter: Counter, world: World) -> None:
    """A current code proves, once; it is spent for logins as well."""
    _, phone = enroll(counter)
    talk, code = counter.comes(), phone.code(world.clock.now)
    for request, values in CHANGES:
        assert talk.refused(request, **values) == "prove"
    assert talk.asks("prove", code=code)["proved"] == ["code"]
    talk.asks("rename", name="phone", new="pocket")
    assert counter.comes().refused("prove", code=code) == "replayed-code"
    assert world.check(code) in (Verdict.REPLAYED_CODE, Verdict.REPEATED_CODE)
    accepted = world.events()[1]
    assert (accepted.what, accepted.service, accepted.authenticator) == (
        "accepted",
        "pam-totp",
        "phone",
    )


def test_a_recovery_code_proves(counter: Counter, world: World) -> None:
    """A recovery code proves once, and replaces a phone that is gone: new one confirmed, old one
    gone."""
    _, lost = enroll(counter)
    talk = counter.comes()
    talk.asks("prove", code=lost.recovery_codes[0].upper())
    shown = talk.asks("draft", name="phone", replaces="phone")
    phone = scanned(shown)
    assert talk.asks("confirm", code=phone.code(world.clock.now))["recovery_codes"] == []
    assert counter.comes().refused("prove", code=lost.recovery_codes[0]) == "replayed-code"
    assert whats(world) == ["enrolled", "accepted", "authenticator-replaced", "replayed-code"]
    assert world.events()[1].authenticator == "recovery-code"
    world.clock.now += STEP
    assert world.check(lost.code(world.clock.now)) is Verdict.WRONG_CODE
    assert world.check(phone.code(world.clock.now)) is Verdict.ACCEPTED
    assert talk.asks("hello")["recovery_codes"] == 9


def test_upkeep(counter: Counter, world: World) -> None:
    """Another authenticator, another name, one gone, new recovery codes: one proof for all of
    them, an event and a line for each."""
    talk, phone = enroll(counter)
    tablet = scanned(talk.asks("draft", name="tablet"))
    assert talk.asks("confirm", code=tablet.code(world.clock.now))["recovery_codes"] == []
    talk.asks("rename", name="tablet", new="desk")
    assert talk.refused("rename", name="desk", new="phone") == "name"
    talk.asks("remove", name="phone")
    assert talk.refused("remove", name="phone") == "unknown-authenticator"
    assert talk.refused("remove", name="desk") == "last"
    codes = talk.asks("recovery-codes")["recovery_codes"]
    assert len(set(codes) - set(phone.recovery_codes)) == 10
    done = ["added", "renamed", "removed"]
    expected = ["enrolled", *(f"authenticator-{what}" for what in done), "recovery-codes"]
    assert whats(world) == expected
    assert all(event.service == "pam-totp" and not event.actor for event in world.events())
    assert [line.split()[0] for line in world.lines] == [f"act={what}" for what in expected]


def test_resynchronisation(counter: Counter, world: World) -> None:
    """Two codes of a clock that is an hour slow set its window off, once a recovery code has
    proved who it is; the event is the person's own."""
    _, phone = enroll(counter)
    talk = counter.comes()
    talk.asks("prove", code=phone.recovery_codes[0])
    slow = world.clock.now - 3600
    codes = [phone.code(slow, beside) for beside in (-1, 0)]
    assert talk.asks("resync", name="phone", codes=codes) == {"drift": -3600, "ahead": None}
    event = world.events()[-1]
    assert (event.what, event.service, event.actor) == ("resync", "pam-totp", "")
    assert talk.refused("resync", name="phone", codes=codes[::-1]) == "bad-value"
    assert world.check(phone.code(slow, 1)) is Verdict.ACCEPTED


def test_the_limit(counter: Counter, world: World) -> None:
    """An account has as many authenticators as the policy says; one may be replaced."""
    talk, _ = enroll(counter)
    world.sets("authenticators=1")
    assert talk.refused("draft", name="tablet") == "too-many"
    assert talk.asks("draft", name="tablet", replaces="phone")["key"]
    assert talk.refused("draft", name="tablet", replaces="desk") == "unknown-authenticator"


def test_wrong_codes_lock_this_door(counter: Counter, world: World) -> None:
    """Five wrong codes lock the own door alone: root's hosts take the next right one."""
    _, phone = enroll(counter)
    talk = counter.comes()
    for code in phone.wrong(world.clock.now, 5):
        assert talk.refused("prove", code=code) == "wrong-code"
    assert talk.refused("prove", code=phone.code(world.clock.now)) == "locked"
    assert world.check(phone.code(world.clock.now)) is Verdict.ACCEPTED


def test_a_hundred_guesses_close_this_door(counter: Counter, world: World) -> None:
    """After a hundred wrong codes no right one proves anything here for thirty days, which is
    said with the date; the logins go on, and `unlock` ends it."""
    phone = world.enroll()
    for number, code in enumerate(phone.wrong(NOON, 100)):
        world.clock.now += 900 if number % 5 == 0 else 1
        assert counter.comes().refused("prove", code=code) == "wrong-code"
    world.clock.now += 29 * 86_400
    with pytest.raises(Refused) as refused:
        counter.comes().asks("prove", code=phone.code(world.clock.now))
    assert refused.value.kind == "locked"
    world.clock.now -= 2 * 86_400
    with pytest.raises(Refused, match=r"Locked until 2030-\d\d-\d\d \d\d:\d\d"):
        counter.comes().asks("prove", code=phone.code(world.clock.now))
    assert world.check(phone.code(world.clock.now)) is Verdict.ACCEPTED
    administration.unlock(world.store, "alice", world.clock.now, "root")
    world.clock.now += 30
    counter.comes().asks("prove", code=phone.code(world.clock.now))


def test_a_proof_ends(counter: Counter, world: World) -> None:
    """After five minutes another proof is wanted, whatever the clock of the machine says."""
    talk, _ = enroll(counter)
    world.clock.now += SECONDS - STEP
    assert talk.refused("recovery-codes") == "prove"
    talk, _ = enroll(counter, 1002, "battery staple")
    world.clock.now += SECONDS - STEP - 1
    world.clock.now -= 86_400
    world.set_by = -86_400
    assert talk.asks("recovery-codes")["recovery_codes"]


def test_a_proof_is_of_one_enrollment(counter: Counter, world: World) -> None:
    """After a reset nothing that was proved or drafted before it counts: not to change the next
    enrollment, and not to make it."""
    talk, _ = enroll(counter)
    tablet = scanned(talk.asks("draft", name="tablet"))
    administration.reset(world.store, "alice", world.clock.now, "root")
    assert talk.refused("confirm", code=tablet.code(world.clock.now)) == "overtaken"
    assert talk.refused("draft", name="tablet") == "prove"
    set_state(world, "alice", only_invited=False)
    enroll(counter)
    assert talk.refused("recovery-codes") == "prove"


def test_a_change_by_somebody_else(counter: Counter, world: World) -> None:
    """Somebody else's change of the account wants another proof."""
    talk, _ = enroll(counter)
    administration_rename(world)
    assert talk.refused("remove", name="pocket") == "prove"


def administration_rename(world: World) -> None:
    """Rename alice's phone, as an administrator does."""
    from pam_totp import upkeep  # noqa: PLC0415

    upkeep.rename(world.store, "alice", "phone", "pocket", upkeep.By(world.clock.now, "root"))


# -- who may not ------------------------------------------------------------------------------


@pytest.mark.parametrize("lock", ["administrator", "root's door"])
def test_locked_accounts(counter: Counter, world: World, lock: str) -> None:
    """A lock by an administrator or by wrong codes at logins holds here as well, also for what
    is under way; the account can be seen."""
    talk, phone = enroll(counter)
    tablet = scanned(talk.asks("draft", name="tablet"))
    if lock == "administrator":
        set_state(world, "alice", lock=AdministratorLock(int(NOON), "root", "left"))
        kind, locked = "locked-by-administrator", "administrator"
    else:
        for code in phone.wrong(world.clock.now, 5):
            world.check(code)
        kind, locked = "locked", "until"
    for request, values in (
        *CHANGES,
        ("confirm", {"code": tablet.code(world.clock.now)}),
        ("prove", {"code": phone.code(world.clock.now)}),
        ("prove", {"code": phone.recovery_codes[0]}),
    ):
        assert talk.refused(request, **values) == kind, request
    assert talk.asks("hello")["locked"] == locked


@pytest.mark.parametrize("word", ["self-enrollment=off", "mfa=off"])
def test_where_the_policy_leaves_it_to_administrators(
    counter: Counter, world: World, word: str
) -> None:
    """Where the policy says so, the account can be seen and not changed, with whom to ask; no
    password is asked of PAM."""
    _, phone = enroll(counter)
    world.sets(word)
    asked = len(counter.pam.asked)
    for uid, proof in ((1001, {"code": phone.code(world.clock.now)}), (1002, {"password": "x"})):
        talk = counter.comes(uid)
        hello = talk.asks("hello")
        assert not hello["self_enrollment"]
        assert "administrator" in hello["why_not"]
        assert talk.refused("prove", **proof) == "off"
        assert all(talk.refused(request, **values) == "off" for request, values in CHANGES)
    assert len(counter.pam.asked) == asked


def test_a_place_where_codes_are_needed(counter: Counter, world: World) -> None:
    """Where the policy wants no code but at one service, people may set one up for that."""
    world.sets("mfa=off")
    world.sets("mfa=required", service="openvpn")
    enroll(counter)


def test_an_invitation_that_is_wanted_meanwhile(counter: Counter, world: World) -> None:
    """Where the policy comes to want an invitation after the draft, the password that was given
    enrolls nobody any more."""
    talk = counter.comes()
    talk.asks("prove", password="correct horse")
    key = talk.asks("draft", name="phone")["key"]
    phone = Phone(base64.b32decode(key + "=" * (-len(key) % 8)))
    world.sets("invitations=required")
    assert talk.refused("confirm", code=phone.code(NOON)) == "prove"
    assert world.store.look("alice").enrolled is None


def test_changes_have_a_bound(counter: Counter, world: World) -> None:
    """Nobody pushes other people's events out by changing their own account all the time: sixty
    in an hour, however many connections there are, and other people are not affected."""
    phone, bob = world.enroll(), world.enroll(BOB)
    names = ["phone", "telephone"]
    for number in range(60):
        if number % 30 == 0:
            talk = counter.comes()
            world.clock.now += 60
            talk.asks("prove", code=phone.code(world.clock.now))
        talk.asks("rename", name=names[number % 2], new=names[1 - number % 2])
    for request in ("recovery-codes", "remove", "rename", "resync"):
        values = {"name": "phone", "new": "x", "codes": ["1", "2"]}
        assert talk.refused(request, **values) == "too-often"
    other = counter.comes(BOB.uid)
    other.asks("prove", code=bob.code(world.clock.now))
    other.asks("rename", name="phone", new="mine")
    world.clock.now += 3_600
    talk = counter.comes()
    talk.asks("prove", code=phone.code(world.clock.now))
    talk.asks("rename", name="phone", new="mine")


def test_a_uid_without_a_name(counter: Counter) -> None:
    """A uid that NSS does not know has no account, and sees nobody's."""
    talk = counter.comes(4711)
    for request, values in (("hello", {}), ("prove", {"password": "x"}), *CHANGES):
        assert talk.refused(request, **values) == "no-account"


def test_a_name_that_is_somebody_elses_now(counter: Counter, world: World) -> None:
    """Who has got a name that somebody else had enrolled sees and changes nothing."""
    _, phone = enroll(counter)
    world.people = {"alice": Person("alice", 2001)}
    talk = counter.comes(2001)
    for request, values in (("hello", {}), ("prove", {"code": phone.code(NOON)}), *CHANGES):
        assert talk.refused(request, **values) == "other-uid"


def test_a_second_name_of_one_uid(counter: Counter, world: World) -> None:
    """Who has enrolled under another name of the same uid does not enroll a second time by a
    password."""
    enroll(counter)
    world.people = {"alix": Person("alix", 1001), "alice": ALICE}
    talk = counter.comes()
    assert talk.asks("hello")["account"] == "alix"
    assert talk.refused("prove", password="x") == "other-name"


def test_two_people(counter: Counter, world: World) -> None:
    """Each sees and changes their own account alone, by whatever they send."""
    enroll(counter)
    talk = counter.comes(BOB.uid)
    assert talk.asks("hello", account="alice", uid=1001)["account"] == "bob"
    talk.asks("prove", password="battery staple", account="alice")
    assert counter.pam.asked[-1].account == "bob"
    assert talk.refused("remove", name="phone", account="alice") == "not-enrolled"


def test_root_is_an_account(counter: Counter, world: World) -> None:
    """Root acts for itself alone, at its own door like everybody."""
    world.people["root"] = Person("root", 0)
    talk = counter.comes(0)
    assert talk.asks("hello")["account"] == "root"
    for _ in range(5):
        talk.refused("prove", password="wrong")
    assert talk.refused("prove", password="wrong") == "locked"
    state = world.store.look("root")
    assert (state.codes.locked_until, state.own_codes.locked_until) == (0, NOON + 900)


def test_a_name_service_that_is_down(counter: Counter, world: World) -> None:
    """While the name service is down nobody is told anything but that, and a line says why."""
    world.name_service_down = True
    assert counter.comes().refused("hello") == "unavailable"
    assert "NSS could not look up" in world.lines[-1]


# -- words ------------------------------------------------------------------------------------


def test_it_speaks_german(counter: Counter, catalogs: object) -> None:
    """What is refused is said in the language of `hello`."""
    talk = counter.comes()
    talk.asks("hello", language="de_DE.UTF-8")
    with pytest.raises(Refused) as caught:
        talk.asks("prove", password="wrong")
    assert caught.value.error["message"] == "Das Passwort ist falsch."


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"request": None},
        {"request": "fly"},
        {"request": "prove"},
        {"request": "prove", "password": 1},
        {"request": "prove", "password": "a\0b"},
        {"request": "prove", "password": "\ud800"},
        {"request": "prove", "password": "a", "code": "1"},
        {"request": "hello", "language": ["de"]},
        {"request": "resync", "name": "phone", "codes": "12"},
        {"request": "resync", "name": "phone", "codes": [1, 2]},
        {"request": "rename", "name": "phone"},
    ],
)
def test_what_cannot_be_understood(counter: Counter, request_: dict[str, Any]) -> None:
    """A request that is none, or whose values are of another kind, ends the conversation; what
    it held is not repeated."""
    with pytest.raises(BrokenMessage):
        counter.comes().session.answer(request_)


def test_nothing_secret_is_logged(counter: Counter, world: World) -> None:
    """No password, code, key or recovery code is in a log line, an event or a repr."""
    talk, phone = enroll(counter)
    talk.refused("prove", password="wrong horse")
    code = phone.wrong(world.clock.now)[0]
    talk.refused("prove", code=code)
    shown = talk.asks("draft", name="tablet")
    said = json.dumps([world.lines, [str(event) for event in world.events()], repr(talk)])
    for secret in (RIGHT, "wrong horse", code, shown["key"], *phone.recovery_codes):
        assert secret not in said


def test_a_name_that_a_local_account_has_too(counter: Counter, world: World) -> None:
    """Nobody can tell whose it is: it is refused, and an administrator is told what to do."""
    by = upkeep.By(world.clock.now, "root")
    local.add(world.store, "alice", "seven green bicycles", by, first=False)
    assert counter.comes().refused("hello") == "unavailable"
    assert "pam-totp account remove alice" in world.lines[-1]
