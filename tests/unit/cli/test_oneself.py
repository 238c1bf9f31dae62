"""The commands without USER: the real client at a terminal, and the real service behind
admin.socket, which takes whoever connects for alice."""

from __future__ import annotations

import base64
import os
import re
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import pexpect
import pytest

from pam_totp import administration, invitation
from pam_totp.account import AccountState
from pam_totp.bridge.admin import AdminServer, Bounds
from pam_totp.bridge.listener import Listener
from pam_totp.bridge.peers import Peer
from pam_totp.event import Event
from pam_totp.selfservice.session import Session
from tests.unit.selfservice.counter import PASSWORDS, Counter
from tests.unit.world import ALICE, Phone, Token, World

REPOSITORY: Final = Path(__file__).parents[3]
# The tests need no root, so here it is not root who must answer.
ENTRY: Final = f"""
import os, pathlib, sys
sys.path.insert(0, {str(REPOSITORY)!r})
from pam_totp import config
from pam_totp.selfservice.client import DIRECTORY, Client
config.DEFAULT_PATH = pathlib.Path(sys.argv.pop(1))
Client.connect.__func__.__defaults__ = (DIRECTORY, os.getuid())
from pam_totp.cli.main import main
sys.exit(main())
"""
PATIENCE: Final = 20.0
STEP: Final = 30.0
PASSWORD: Final = "Your password: "
PROOF: Final = "A code of your app, or a recovery code: "
CODE: Final = "Code that the app shows: "
STOPPED: Final = "pam-totp: no answer; nothing was changed\n"
RECOVERY_CODE: Final = r"\brc(?:-[a-z0-9]{5}){3}\b"


class Run:
    """A command, and the person who reads and types."""

    def __init__(self, spawned: pexpect.spawn[str]) -> None:
        self._spawned = spawned
        self._read = ""

    def reads(self, text: str) -> str:
        """Wait until a text is shown, and return what stood before it."""
        self._spawned.expect_exact(text.replace("\n", "\r\n"))
        before = str(self._spawned.before).replace("\r\n", "\n")
        self._read += before + text
        return before

    def answers(self, question: str, answer: str) -> str:
        """Type an answer to a question, and return what stood before that."""
        before = self.reads(question)
        self._spawned.sendline(answer)
        return before

    def presses(self, key: str) -> None:
        """Press a key with Ctrl."""
        self._spawned.sendcontrol(key)

    def ends(self, code: int = 0) -> str:
        """Wait for the end, and return all that was shown."""
        self._spawned.expect(pexpect.EOF)
        self._spawned.close()
        self._read += str(self._spawned.before).replace("\r\n", "\n")
        assert self._spawned.exitstatus == code, self._read
        return self._read

    def scans(self) -> Phone:
        """Type the key that is shown into an app, and return that."""
        key = re.findall(r"Key: +((?:[A-Z2-7]{4} ){7}[A-Z2-7]{4})", self.reads(CODE))[-1]
        return Phone(base64.b32decode(key.replace(" ", "")))

    def types(self, text: str) -> None:
        """Type a line."""
        self._spawned.sendline(text)


class Desk:
    """Alice at a machine whose service runs, with its clock in the test's hands."""

    def __init__(self, counter: Counter, configuration: Path) -> None:
        self.counter = counter
        self.world: World = counter.world
        self._configuration = configuration

    def at(self, *words: str, through: str = 'exec "$@"') -> Run:
        """Run a command at a terminal, by a line of shell."""
        entry = [sys.executable, "-I", "-c", ENTRY, str(self._configuration), *words]
        spawned = pexpect.spawn(
            "/bin/sh",
            ["-c", through, "sh", *entry],
            encoding="utf-8",
            timeout=PATIENCE,
            dimensions=(24, 200),
            env={"TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"},
        )
        return Run(spawned)

    def says(self, *words: str, code: int = 0) -> str:
        """Run a command that asks nothing, and return what it shows."""
        return self.at(*words).ends(code)

    def enroll(self) -> Phone:
        """Let alice enroll, and the time of the next code come."""
        run = self.at("enroll")
        run.answers(PASSWORD, PASSWORDS["alice"])
        phone = run.scans()
        run.types(phone.code(self.now))
        codes = re.findall(RECOVERY_CODE, run.ends())
        assert len(set(codes)) == 10
        self.later()
        return replace(phone, recovery_codes=tuple(codes))

    @property
    def now(self) -> float:
        """What the service's clock shows."""
        return self.world.clock.now

    def later(self) -> None:
        """Let the next code's time come."""
        self.world.clock.now += STEP

    def state(self) -> AccountState:
        """Return what is kept of alice."""
        return self.world.store.look("alice")

    def names(self) -> list[str]:
        """Return what alice's authenticators are called."""
        found = self.world.store.credentials("alice")
        return [one.name for one in found.authenticators] if found else []


@pytest.fixture(name="desk")
def desk_fixture(world: World, tmp_path: Path) -> Iterator[Desk]:
    """A service that runs."""
    counter = Counter(world)
    directory = tmp_path / "run"
    configuration = tmp_path / "pam-totp.yaml"
    configuration.write_text(f"issuer: Example\nruntime-directory: {directory}\n")
    holder = Listener.open(directory)
    listener = holder.beside("admin.socket")
    server = AdminServer(listener, lambda _: Session(counter.desk, ALICE.uid), Bounds(), as_alice)
    server.start()
    yield Desk(counter, configuration)
    server.stop()
    assert server.wait(PATIENCE)
    listener.close()
    holder.close()


def as_alice(_: socket.socket) -> Peer:
    """Take whoever connects for alice."""
    return Peer(os.getpid(), ALICE.uid, ALICE.uid)


@pytest.fixture(name="phone")
def phone_fixture(desk: Desk) -> Phone:
    """What alice has enrolled."""
    return desk.world.enroll()


# -- what is shown ----------------------------------------------------------------------------


def test_before_an_enrollment(desk: Desk) -> None:
    """Who has nothing is told how to begin, and is not asked."""
    assert desk.says("authenticator", "list") == (
        "Account: alice\nNo code is set up.\npam-totp: To set up a code: pam-totp enroll\n"
    )
    not_yet = "pam-totp: You have not set up a code yet.\nhint: pam-totp enroll\n"
    assert desk.says("recovery-codes", code=1) == not_yet
    assert desk.says("recovery-codes", "--new", code=1) == not_yet
    for change in (("rename", "phone", "x"), ("remove", "phone"), ("resync", "phone")):
        assert desk.says("authenticator", *change, code=1) == not_yet
    assert desk.says("authenticator", "replace", "phone", code=1) == not_yet


def test_a_first_enrollment(desk: Desk) -> None:
    """Password, picture, key and code; a wrong code and Enter alone ask again; the recovery codes
    are shown, and then what there is."""
    run = desk.at("enroll")
    run.answers(PASSWORD, PASSWORDS["alice"])
    phone = run.scans()
    run.types(phone.wrong(desk.now)[0])
    assert "Type what the app shows now." in run.answers(CODE, "")
    assert run.scans() == phone
    run.types(phone.code(desk.now))
    shown = run.ends()
    assert phone.code(desk.now) in shown
    assert "For new ones, at any time: pam-totp recovery-codes --new\n" in shown
    assert shown.endswith("\nphone is set up.\n")
    assert len(set(re.findall(RECOVERY_CODE, shown))) == 10
    assert desk.says("authenticator", "list") == (
        "Account: alice\n  phone: not used yet\nRecovery codes left: 10\n"
    )
    assert desk.says("recovery-codes") == "Recovery codes left: 10\n"
    assert desk.says("recovery-codes", "--json") == '{"account": "alice", "left": 10}\n'


def test_no_password_is_shown(desk: Desk) -> None:
    """What is typed as a password does not appear."""
    run = desk.at("enroll")
    run.answers(PASSWORD, "wrong horse")
    run.answers(PASSWORD, PASSWORDS["alice"])
    run.reads(CODE)
    run.presses("d")
    shown = run.ends(1)
    assert "Wrong password.\n" in shown
    assert "horse" not in shown


def test_without_a_picture(desk: Desk) -> None:
    """--no-qr leaves the key, for who reads it out."""
    run = desk.at("enroll", "--no-qr", "--name", "my phone")
    run.answers(PASSWORD, PASSWORDS["alice"])
    before = run.reads(CODE)
    assert "Type this key into the app (choose: time-based):" in before
    assert "█" not in before
    run.presses("d")
    assert run.ends(1).endswith(STOPPED)


def test_a_token(desk: Desk) -> None:
    """A token's own secret is typed from its papers, and its code proves it."""
    token = Token(b"12345678901234567890", counter=7)
    run = desk.at("enroll", "--type", "hotp", "--with-secret", "--counter", "7")
    run.answers(PASSWORD, PASSWORDS["alice"])
    run.answers("ecret", f"hex:{token.secret.hex()}")
    run.answers("Code that the token shows: ", token.press())
    assert run.ends().endswith("\ntoken is set up.\n")
    assert desk.names() == ["token"]


def test_papers(desk: Desk, tmp_path: Path) -> None:
    """The files that were asked for are there once it is enrolled, and gone if it is not."""
    svg, sheet = tmp_path / "me.svg", tmp_path / "me.html"
    words = ("enroll", "--qr", str(svg), "--sheet", str(sheet))
    run = desk.at(*words)
    run.answers(PASSWORD, PASSWORDS["alice"])
    run.reads(CODE)
    assert svg.exists()
    run.presses("c")
    run.ends(130)
    assert not svg.exists()
    assert not sheet.exists()
    run = desk.at(*words)
    run.answers(PASSWORD, PASSWORDS["alice"])
    phone = run.scans()
    run.types(phone.code(desk.now))
    assert "me.html is written: a secret that you alone can read" in run.ends()
    assert {path.stat().st_mode & 0o777 for path in (svg, sheet)} == {0o600}


# -- invitations ------------------------------------------------------------------------------


def invited(desk: Desk) -> str:
    """Give alice an invitation."""
    word, kept = invitation.new(desk.now, "root", lambda letters: letters[0], b"s" * 16, 3600)

    def change(state: AccountState) -> tuple[AccountState, Event]:
        return replace(state, invitation=kept), desk.world.act("invited")

    desk.world.store.change_state("alice", change)
    return word


def test_an_invitation_in_place_of_the_password(desk: Desk) -> None:
    """One question takes either."""
    either = "Your password, or your invitation (in-...): "
    word = invited(desk)
    for given in (word, PASSWORDS["alice"]):
        run = desk.at("enroll")
        run.answers(either, given)
        run.reads(CODE)
        run.presses("d")
        run.ends(1)
    run = desk.at("enroll")
    run.answers(either, f"{word[:-2]}{'b' if word[-2] != 'b' else 'c'}{word[-1]}")
    assert "That is not your invitation." in run.answers(either, word)
    run.reads(CODE)
    run.presses("d")
    run.ends(1)


def test_an_invitation_beside_the_password(desk: Desk) -> None:
    """Where one is required both are asked for, one after the other."""
    desk.world.sets("invitations=required")
    word = invited(desk)
    run = desk.at("enroll")
    run.answers(PASSWORD, PASSWORDS["alice"])
    run.answers("Your invitation (in-...): ", word)
    phone = run.scans()
    run.types(phone.code(desk.now))
    run.ends()
    assert desk.state().invitation is None


# -- what is changed --------------------------------------------------------------------------


def test_a_second_one(desk: Desk, phone: Phone) -> None:
    """A further one takes a name and a code of the first; the recovery codes stay."""
    assert desk.says("enroll", code=1) == (
        "pam-totp: You have an authenticator called phone: add one more, or replace it\n"
        "hint: for one more: pam-totp enroll --name tablet; in its place: pam-totp authenticator "
        "replace phone\n"
    )
    run = desk.at("enroll", "--name", "tablet")
    run.answers(PROOF, phone.code(desk.now))
    tablet = run.scans()
    run.types(tablet.code(desk.now))
    shown = run.ends()
    assert "The recovery codes from before stay valid.\n" in shown
    assert shown.endswith("\ntablet is set up.\n")
    assert desk.names() == ["phone", "tablet"]


def test_a_new_phone(desk: Desk, phone: Phone) -> None:
    """`replace` takes a recovery code where the old phone is gone; the old one counts until the
    new one is proved, and then no more."""
    run = desk.at("authenticator", "replace", "phone")
    run.answers(PROOF, phone.recovery_codes[0])
    new = run.scans()
    (old,) = desk.state().authenticators
    run.types(new.code(desk.now))
    assert run.ends().endswith("\nphone is set up, in the place of phone.\n")
    assert set(desk.state().authenticators).isdisjoint({old})
    assert desk.names() == ["phone"]


def test_rename_and_remove(desk: Desk, phone: Phone) -> None:
    """Another name, and one that goes; the only one stays."""
    desk.world.enroll(name="tablet")
    run = desk.at("authenticator", "rename", "tablet", "my tablet")
    run.answers(PROOF, phone.code(desk.now))
    assert run.ends().endswith("\ntablet is called my tablet now.\n")
    desk.later()
    for answer, code, names in (("n", 1, ["phone", "my tablet"]), ("y", 0, ["phone"])):
        run = desk.at("authenticator", "remove", "my tablet")
        run.answers(PROOF, phone.code(desk.now))
        run.answers("Remove my tablet? Its codes count no longer then. [y/N] ", answer)
        run.ends(code)
        assert desk.names() == names
        desk.later()
    run = desk.at("authenticator", "remove", "phone", "--yes")
    run.answers(PROOF, phone.code(desk.now))
    assert run.ends(1).endswith(
        "phone is your only authenticator. Replace it by a new one instead.\n"
    )
    desk.later()
    run = desk.at("authenticator", "rename", "tablet", "x")
    run.answers(PROOF, phone.code(desk.now))
    assert run.ends(1).endswith("You have no authenticator called tablet.\n")


def test_resync(desk: Desk, phone: Phone) -> None:
    """Two codes in a row put a device in step whose clock is off."""
    run = desk.at("authenticator", "resync", "phone")
    run.answers(PROOF, phone.recovery_codes[0])
    run.answers(CODE, phone.code(desk.now, 20))
    run.reads("Wait until it shows the next code.\n")
    run.answers(CODE, phone.code(desk.now, 20))  # the same again is asked again
    run.answers(CODE, phone.code(desk.now, 21))
    assert run.ends().endswith("phone is in step. The next login takes a new code.\n")
    (state,) = desk.state().authenticators.values()
    assert state.offset == 21


def test_new_recovery_codes(desk: Desk, phone: Phone, tmp_path: Path) -> None:
    """Asked first, then on the screen or on a sheet; earlier ones are void."""
    question = "Make new recovery codes? The 10 that are left become void. [y/N] "
    run = desk.at("recovery-codes", "--new")
    run.answers(question, "n")
    assert run.ends(1).endswith("pam-totp: nothing was changed\n")
    run = desk.at("recovery-codes", "--new")
    run.answers(question, "y")
    run.answers(PROOF, phone.code(desk.now))
    codes = re.findall(RECOVERY_CODE, run.ends())
    assert len(set(codes) - set(phone.recovery_codes)) == 10
    sheet = tmp_path / "codes.html"
    run = desk.at("recovery-codes", "--new", "--yes", "--sheet", str(sheet))
    run.answers(PROOF, phone.recovery_codes[0])
    run.answers(PROOF, codes[0])
    shown = run.ends()
    assert "Wrong code.\n" in shown
    assert "codes.html is written: a secret that you alone can read" in shown
    assert set(re.findall(RECOVERY_CODE, sheet.read_text())).isdisjoint(codes)


def test_few_recovery_codes(desk: Desk, phone: Phone) -> None:
    """With three left the way to new ones is said."""
    for code in phone.recovery_codes[:7]:
        desk.world.check(code)
    few = "pam-totp: Few recovery codes are left. For new ones: pam-totp recovery-codes --new\n"
    assert desk.says("recovery-codes") == f"Recovery codes left: 3\n{few}"
    assert desk.says("authenticator", "list").endswith(few)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("recovery-codes", "--sheet", "x"), "--sheet goes with --new"),
        (("recovery-codes", "--new", "--json"), "--new --json is for administrators"),
        (("enroll", "--no-confirm"), "go with USER, for root"),
        (("enroll", "--recovery-codes", "--sheet", "x"), "--recovery-codes is for administrators"),
        (("authenticator", "rename", "phone"), "expected [USER] NAME NEW"),
    ],
)
def test_what_does_not_go_together(words: tuple[str, ...], said: str, desk: Desk) -> None:
    """It is refused before anything is asked."""
    assert said in desk.says(*words, code=2)


# -- who stops, and who is not let ------------------------------------------------------------

QUESTIONS: Final[dict[tuple[str, ...], list[str]]] = {
    ("enroll", "--name", "tablet"): [PROOF, CODE],
    ("authenticator", "replace", "phone"): [PROOF, CODE],
    ("authenticator", "rename", "phone", "x"): [PROOF],
    ("authenticator", "remove", "other"): [PROOF, "[y/N] "],
    ("authenticator", "resync", "phone"): [PROOF, CODE, CODE],
    ("recovery-codes", "--new"): ["[y/N] ", PROOF],
}
AT_EACH: Final = [(words, n) for words, asked in QUESTIONS.items() for n in range(len(asked))]


@pytest.mark.parametrize(("words", "stop_at"), AT_EACH)
def test_who_stops(words: tuple[str, ...], stop_at: int, desk: Desk, phone: Phone) -> None:
    """Ctrl-D and Ctrl-C at any question of any command change nothing."""
    desk.world.enroll(name="other")
    before = desk.world.store.credentials("alice")
    for key, code in (("d", 1), ("c", 130)):
        run = desk.at(*words)
        for question in QUESTIONS[words][:stop_at]:
            answers = {PROOF: phone.code(desk.now), "[y/N] ": "y", CODE: phone.code(desk.now, 9)}
            run.answers(question, answers[question])
        run.reads(QUESTIONS[words][stop_at])
        run.presses(key)
        shown = run.ends(code)
        assert key == "c" or shown.endswith(STOPPED)
        desk.later()
    assert desk.world.store.credentials("alice") == before


def test_who_stops_at_the_password(desk: Desk) -> None:
    """The terminal shows again what is typed, whichever way the password was not given."""
    for key in ("d", "c"):
        run = desk.at("enroll", through='trap : INT; "$@"; stty -a')
        run.reads(PASSWORD)
        run.presses(key)
        assert re.search(r"(?<!-)\becho\b", run.ends())
    assert desk.state() == AccountState()


def test_enter_alone(desk: Desk, phone: Phone) -> None:
    """It is no answer to any question: that is asked again, and counts against nobody."""
    run = desk.at("authenticator", "rename", "phone", "x")
    run.answers(PROOF, "")
    run.answers(PROOF, " ")
    run.answers(PROOF, phone.code(desk.now))
    assert run.ends().endswith("\nphone is called x now.\n")
    assert not desk.state().own_codes.failures


def test_enter_alone_is_no_password(desk: Desk) -> None:
    """The same of the password, which PAM is not asked about."""
    run = desk.at("enroll")
    run.answers(PASSWORD, "")
    run.answers(PASSWORD, PASSWORDS["alice"])
    run.reads(CODE)
    assert len(desk.counter.pam.asked) == 1
    run.presses("d")
    run.ends(1)


def test_no_terminal(desk: Desk, phone: Phone) -> None:
    """Without one nothing is asked, and the hint says how to have one; what asks nothing goes."""
    for words in QUESTIONS:
        shown = desk.at(*words, through='exec setsid -w "$@"').ends(1)
        assert shown == (
            "pam-totp: there is no terminal to ask on\n"
            "hint: run it at a terminal, for instance by ssh -t\n"
        )
    shown = desk.at("recovery-codes", through='exec setsid -w "$@"').ends()
    assert shown == "Recovery codes left: 10\n"


def wrong_proofs(desk: Desk, kind: str, answers: Callable[[int], str]) -> str:
    """Give three wrong answers to the question for a proof, and return what is shown."""
    run = desk.at("enroll", "--name", "tablet")
    for number in range(3):
        run.answers(kind, answers(number))
    return run.ends(1)


def test_wrong_proofs_lock(desk: Desk, phone: Phone) -> None:
    """Three tries for each command, five for the lock; then nothing is asked any more."""
    wrong = phone.wrong(desk.now, 6)
    assert wrong_proofs(desk, PROOF, lambda n: wrong[n]).endswith("pam-totp: Wrong code.\n")
    run = desk.at("authenticator", "rename", "phone", "x")
    run.answers(PROOF, wrong[3])
    run.answers(PROOF, wrong[4])
    run.answers(PROOF, phone.code(desk.now))
    locked = r"Locked until (\d{4}-\d\d-\d\d )?\d\d:\d\d\.\n$"
    assert re.search(rf"pam-totp: Too many wrong answers\. {locked}", run.ends(1))
    assert re.search(locked, desk.says("authenticator", "list"))
    for words in QUESTIONS:
        assert re.fullmatch(rf"pam-totp: {locked}", desk.says(*words, code=1))
    assert desk.names() == ["phone"]


def test_wrong_passwords(desk: Desk) -> None:
    """The same by passwords, which stand for who has not enrolled."""
    shown = wrong_proofs(desk, PASSWORD, lambda number: f"wrong {number}")
    assert shown.count("Wrong password.\n") == 3
    assert desk.state().own_codes.failures


def test_locked_by_an_administrator(desk: Desk, phone: Phone) -> None:
    """It is said, and nothing is asked."""
    administration.lock(desk.world.store, "alice", desk.now, "root")
    for words in QUESTIONS:
        assert desk.says(*words, code=1) == "pam-totp: Locked by an administrator.\n"
    assert desk.says("authenticator", "list").endswith("\nLocked by an administrator.\n")


def test_left_to_administrators(desk: Desk, phone: Phone) -> None:
    """Where the policy leaves all of it to them, nothing is asked."""
    desk.world.sets("self-enrollment=off")
    for words in QUESTIONS:
        shown = desk.says(*words, code=1)
        assert shown == "pam-totp: Codes are set up by your administrator here.\n"


def test_the_limit(desk: Desk, phone: Phone) -> None:
    """Whoever has as many as are allowed is told what to do; one in place of another goes."""
    desk.world.sets("authenticators=1")
    run = desk.at("enroll", "--name", "tablet")
    run.answers(PROOF, phone.code(desk.now))
    assert run.ends(1).endswith(
        "pam-totp: You have an authenticator, and more than one is not allowed. Replace it.\n"
    )
    desk.later()
    run = desk.at("authenticator", "replace", "phone")
    run.answers(PROOF, phone.code(desk.now))
    new = run.scans()
    run.types(new.code(desk.now))
    run.ends()
    assert desk.names() == ["phone"]


def test_three_wrong_codes_at_the_end(desk: Desk) -> None:
    """Nothing is enrolled, and the hint begins anew."""
    run = desk.at("enroll")
    run.answers(PASSWORD, PASSWORDS["alice"])
    phone = run.scans()
    first, *others = phone.wrong(desk.now, 3)
    run.types(first)
    for code in others:
        run.answers(CODE, code)
    assert run.ends(1).endswith(
        "pam-totp: 3 wrong codes: nothing was set up. Remove the entry from the app before the "
        "next try\nhint: pam-totp enroll\n"
    )
    assert desk.state() == AccountState()


def test_somebody_was_quicker(desk: Desk) -> None:
    """Who has enrolled meanwhile wins; the other is told so."""
    run = desk.at("enroll")
    run.answers(PASSWORD, PASSWORDS["alice"])
    phone = run.scans()
    desk.world.enroll()
    run.types(phone.code(desk.now))
    shown = run.ends(1)
    assert shown.endswith(
        "pam-totp: Your account was changed by somebody else meanwhile. Begin again. "
        "If that was not you, tell your administrator now.\n"
    )


def test_without_the_service(desk: Desk, tmp_path: Path) -> None:
    """What to do is one line."""
    (tmp_path / "run/admin.socket").unlink()
    for words in (("authenticator", "list"), ("enroll",), ("recovery-codes",)):
        assert desk.says(*words, code=1) == (
            "pam-totp: the service pam-totpd does not run\n"
            "hint: sudo systemctl start pam-totpd, or ask your administrator\n"
        )
