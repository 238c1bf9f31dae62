"""A local account in a stack: its two lines, its first sign-in, and names that both know."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from types import SimpleNamespace

import pytest

from pam_totp import disabling, handler
from pam_totp.account import Person
from pam_totp.context import use
from pam_totp.local import upkeep
from pam_totp.local.account import UID, LocalAccount
from pam_totp.local.password import Verifier, verifier
from pam_totp.login import Login
from pam_totp.upkeep import By
from pam_totp.verdict import Verdict
from tests.unit.world import CODE_PROMPT, NOON, PASSWORD_PROMPT, Talk, World

GOOD = "seven green bicycles"
NEW = "eight blue bicycles"
BY = By(NOON, "root")


@pytest.fixture(name="host")
def host_fixture(world: World) -> World:
    """A host with a local account, carol."""
    upkeep.add(world.store, "carol", GOOD, BY, first=False)
    return world


def line(host: World, talk: Talk) -> Verdict:
    """Run `auth ... local`."""
    return Login(host.context, talk).local()


def phase(host: World, talk: Talk) -> Verdict:
    """Run `account ... local`."""
    return Login(host.context, talk).local_account()


def gives(password: str | None, name: str = "carol", **more: object) -> Talk:
    """Somebody who is asked for a password."""
    return Talk(name, [(PASSWORD_PROMPT, password)], **more)  # type: ignore[arg-type]


def test_right_and_wrong(host: World) -> None:
    """Its right password goes on, a wrong one is wrong, and none is an end."""
    assert line(host, gives(GOOD)) is Verdict.LOCAL
    assert line(host, gives("seven green bicycle")) is Verdict.WRONG_PASSWORD
    assert line(host, gives(None)) is Verdict.NO_CODE
    assert line(host, gives("")) is Verdict.NO_CODE


@pytest.mark.parametrize("name", ["alice", "bob", "nobody-here", "Carol", ""])
def test_others_are_asked_nothing(host: World, name: str) -> None:
    """Whoever is not ours goes on to the next module without a question."""
    assert line(host, Talk(name)) is Verdict.NOT_NEEDED
    assert phase(host, Talk(name)) is Verdict.NOT_NEEDED


def test_a_name_service_that_is_down(host: World) -> None:
    """It may know the name: the lines have no say, and the one that checks the code refuses."""
    host.name_service_down = True
    assert line(host, Talk("carol")) is Verdict.NOT_NEEDED
    assert phase(host, Talk("carol")) is Verdict.NOT_NEEDED
    assert host.login(Talk("carol")).check() is Verdict.UNAVAILABLE


def test_a_name_that_both_know(host: World) -> None:
    """If the machine gains the name later, neither is let in, and the log says what to do."""
    host.people["carol"] = Person("carol", 1003)
    assert line(host, Talk("carol")) is Verdict.NOT_NEEDED
    assert phase(host, Talk("carol")) is Verdict.NOT_NEEDED
    assert host.login(Talk("carol")).check() is Verdict.UNAVAILABLE
    assert host.login(Talk("carol")).account() is Verdict.UNAVAILABLE
    assert "pam-totp account remove carol" in host.lines[-1]
    assert host.login(Talk("carol")).wrong_password() is Verdict.UNAVAILABLE


def test_only_roots_programs(host: World) -> None:
    """A program of a person's own asks for no local account's password."""
    assert line(host, Talk("carol", host_uid=1001)) is Verdict.NOT_ALLOWED


def test_a_service_that_is_not_named(host: World) -> None:
    """Where the policy asks for no codes, nobody of ours signs in."""
    talk = Talk("carol", service="su")
    assert line(host, talk) is Verdict.NOT_NAMED
    assert phase(host, talk) is Verdict.NOT_NAMED


def test_the_code_after_it(host: World) -> None:
    """The account enrolls, is asked, is locked and is let in as everybody is."""
    host.sets("mfa=required")
    assert host.login(Talk("carol", [(CODE_PROMPT, "123456")])).check() is Verdict.NOT_ENROLLED
    phone = host.enroll(Person("carol", UID))
    talk = Talk("carol", [(CODE_PROMPT, phone.code(NOON))])
    assert host.login(talk).check() is Verdict.ACCEPTED
    for code in phone.wrong(NOON, 5):
        assert host.login(Talk("carol", [(CODE_PROMPT, code)])).check() is not Verdict.ACCEPTED
    talk = Talk("carol", [(CODE_PROMPT, phone.code(NOON, 1))])
    assert host.login(talk).check() is Verdict.LOCKED
    host.clock.now += 901
    assert phase(host, Talk("carol")) is Verdict.LOCAL


def test_wrong_passwords_count(host: World) -> None:
    """By account and address, as everybody's."""
    phone = host.enroll(Person("carol", UID))
    for _ in range(5):
        talk = Talk("carol", [(CODE_PROMPT, "123456")])
        assert host.login(talk).wrong_password() is Verdict.WRONG_PASSWORD
    talk = Talk("carol", [(CODE_PROMPT, phone.code(NOON))])
    assert host.login(talk).check() is Verdict.LOCKED_SOURCE


def test_two_local_accounts_are_two_people(host: World) -> None:
    """They share what stands for a uid, and nothing else."""
    upkeep.add(host.store, "dave", GOOD, BY, first=False)
    host.enroll(Person("carol", UID))
    assert host.login(Talk("dave")).check() is Verdict.NOT_NEEDED
    host.sets("mfa=off", group="staff")
    host.groups["staff"] = True
    assert host.login(Talk("carol", [(CODE_PROMPT, "123456")])).check() is Verdict.WRONG_CODE


@pytest.mark.parametrize("name", ["carol", "alice"])
def test_disabled(host: World, name: str) -> None:
    """Neither a local account nor one of the machine is let in anywhere, until enabled."""
    disabling.disable(host.store, name, BY, "left us")
    for service in ("sshd", "openvpn", "su", "cron"):
        assert host.login(Talk(name, service=service)).check() is Verdict.DISABLED
        assert host.login(Talk(name, service=service)).account() is Verdict.DISABLED
    if name == "carol":
        assert phase(host, Talk(name)) is Verdict.DISABLED
    assert "verdict=disabled" in host.lines[-1]
    disabling.enable(host.store, name, BY)
    assert host.login(Talk(name)).account() is Verdict.NOT_NEEDED


def test_disabled_with_a_code(host: World) -> None:
    """A right code changes nothing, and is not spent."""
    phone = host.enroll()
    disabling.disable(host.store, "alice", BY)
    code = phone.code(NOON)
    assert host.login(Talk("alice", [(CODE_PROMPT, code)])).check() is Verdict.DISABLED
    disabling.enable(host.store, "alice", BY)
    assert host.login(Talk("alice", [(CODE_PROMPT, code)])).check() is Verdict.ACCEPTED


def test_a_broken_store_refuses_nobody_elsewhere(host: World) -> None:
    """Where the policy asks for no codes root gets in, also while nothing can be looked up."""
    host.context.policy()
    (host.directory / "secrets" / ".store").unlink()
    assert host.login(Talk("alice", service="su")).check() is Verdict.NOT_NAMED


def test_a_weaker_hash_is_raised(host: World) -> None:
    """One that was made with less is made anew by the right password, and by no other."""
    strong = verifier(GOOD)
    weak = Verifier(b"salt", b"", 2**10, 8, 1)
    weak = replace(weak, digest=_scrypt(GOOD, weak))

    def weaken(known: LocalAccount | None) -> tuple[LocalAccount | None, None]:
        assert known is not None
        return replace(known, verifier=weak), None

    host.store.local_accounts.change("carol", weaken)
    assert line(host, gives("wrong password here")) is Verdict.WRONG_PASSWORD
    assert _kept(host).verifier == weak
    assert line(host, gives(GOOD)) is Verdict.LOCAL
    assert _kept(host).verifier.n == strong.n
    assert line(host, gives(GOOD)) is Verdict.LOCAL


def _scrypt(text: str, how: Verifier) -> bytes:
    return hashlib.scrypt(text.encode(), salt=how.salt, n=how.n, r=how.r, p=how.p, dklen=32)


def _kept(host: World) -> LocalAccount:
    found = host.store.local_accounts.get("carol")
    assert found is not None
    return found


# -- the first sign-in ------------------------------------------------------------------------


@pytest.fixture(name="first")
def first_fixture(host: World) -> World:
    """Carol has a password that somebody else has made."""
    upkeep.set_password(host.store, "carol", GOOD, BY, first=True)
    return host


def own(*answers: str | None) -> list[tuple[str, str | None]]:
    """The questions for an own password, and their answers."""
    prompts = ("New password: ", "The same again: ")
    return [(prompts[number % 2], given) for number, given in enumerate(answers)]


def test_it_enrolls_and_sets_a_password(first: World) -> None:
    """Whatever the policy says, and then the account is as any other."""
    phone = first.enroll(Person("carol", UID))
    talk = Talk("carol", [(CODE_PROMPT, phone.code(NOON)), *own(NEW, NEW)])
    assert first.login(talk).check() is Verdict.ACCEPTED
    assert talk.shown[-1] == "Your new password counts from now on."
    assert not _kept(first).first
    assert line(first, gives(GOOD)) is Verdict.WRONG_PASSWORD
    assert line(first, gives(NEW)) is Verdict.LOCAL
    assert [event.what for event in first.events("carol")][-1] == "password-set"
    assert NEW not in "".join(first.lines)


def test_an_enrollment_is_asked_for(first: World) -> None:
    """Who has no code is led through an enrollment, also where the policy enrolls nobody."""
    first.sets("unenrolled=refuse", "mfa=optional")
    asked: list[str] = []

    class Leaves(Talk):
        def ask(self, prompt: str) -> str | None:
            asked.append(prompt)
            return None

    assert first.login(Leaves("carol")).check() is Verdict.NOT_ENROLLED
    assert asked[0].startswith("You have no code yet.")


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ((None,), "No password was set"),
        (("short", None), "at least 15 characters"),
        ((GOOD, None), "the one that you were given"),
    ],
)
def test_no_own_password_is_no_sign_in(
    first: World, answers: tuple[str | None, ...], said: str
) -> None:
    """Without a password of one's own that can be one, the login is refused."""
    phone = first.enroll(Person("carol", UID))
    questions = [("New password: ", answer) for answer in answers]
    talk = Talk("carol", [(CODE_PROMPT, phone.code(NOON)), *questions])
    assert first.login(talk).check() is Verdict.NO_CODE
    assert any(said in shown for shown in talk.shown)
    assert _kept(first).first


def test_two_that_differ(first: World) -> None:
    """It is asked for again."""
    phone = first.enroll(Person("carol", UID))
    talk = Talk("carol", [(CODE_PROMPT, phone.code(NOON)), *own(NEW, "other", NEW, NEW)])
    assert first.login(talk).check() is Verdict.ACCEPTED
    assert "These two were different." in talk.shown


def test_not_where_nothing_can_be_asked(first: World) -> None:
    """Behind `collect` there is no first sign-in, with a code or without."""
    phone = first.enroll(Person("carol", UID))
    code = phone.code(NOON)
    talk = Talk("carol", [(PASSWORD_PROMPT, GOOD), (CODE_PROMPT, code)], service="openvpn")
    assert first.through_field(talk, password=GOOD) is Verdict.NOT_ENROLLED
    assert _kept(first).first


def test_grace_does_not_pass_it_by(first: World) -> None:
    """A code that was accepted a moment ago does not stand for an own password."""
    phone = first.enroll(Person("carol", UID))
    first.sets("grace=1h")
    talk = Talk("carol", [(CODE_PROMPT, phone.code(NOON)), *own(NEW, NEW)])
    assert first.login(talk).check() is Verdict.ACCEPTED
    upkeep.set_password(first.store, "carol", GOOD, BY, first=True)
    talk = Talk("carol", [(CODE_PROMPT, phone.code(NOON, 1)), *own(NEW, NEW)])
    assert first.login(talk).check() is Verdict.ACCEPTED


# -- what libpam is told ----------------------------------------------------------------------


class Pamh:
    """What the handler asks of a `pamh`."""

    PAM_PROMPT_ECHO_OFF = 1
    exception = RuntimeError
    peer = SimpleNamespace(uid=0)
    service, rhost, tty = "sshd", "192.0.2.7", "ssh"

    def __init__(self, user: str, password: str = "") -> None:
        self.user = user
        self._password = password

    def get_user(self, _prompt: object) -> str:
        return self.user

    def get_authtok(self, _prompt: str) -> str:
        return self._password

    def fail_delay(self, _microseconds: int) -> None:
        return


def test_codes(host: World) -> None:
    """success, auth_err and ignore are what the words in brackets expect; all else ends it."""
    use(host.context)
    module = "pam_totp.so"
    for pamh, auth, account in (
        (Pamh("carol", GOOD), 0, 0),
        (Pamh("carol", "wrong"), 7, 0),
        (Pamh("carol", ""), 6, 0),
        (Pamh("alice"), 25, 10),
    ):
        assert handler.pam_sm_authenticate(pamh, 0, [module, "local"]) == auth
        assert handler.pam_sm_acct_mgmt(pamh, 0, [module, "local"]) == account
    disabling.disable(host.store, "carol", BY)
    assert handler.pam_sm_acct_mgmt(Pamh("carol"), 0, [module, "local"]) == 6
