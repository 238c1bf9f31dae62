"""What the tests of the core share: a host in a directory of the test's own, the phones of its
people, and a conversation that follows a script and must be used up."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from pam_totp import config, enrollment, grace
from pam_totp.account import AccountState, Authenticator, Credentials, Person
from pam_totp.answer import Answer, parse
from pam_totp.context import Context
from pam_totp.decide import Attempt, Decision, Door, Rules, Subject, decide, wrong_password
from pam_totp.errors import NameServiceError
from pam_totp.event import Event
from pam_totp.lockout import Counter
from pam_totp.login import Login
from pam_totp.otp import Parameters
from pam_totp.policy.document import target_of
from pam_totp.policy.in_force import InForce
from pam_totp.policy.record import PolicyRecord, to_text
from pam_totp.secret import Secret
from pam_totp.store import founding
from pam_totp.store.directory import DirectoryStore
from pam_totp.store.seal import Keyring
from pam_totp.verdict import Verdict

NOON: Final = 1_900_000_800.0  # the beginning of a step of 15, 30, 60 and 120 seconds
ALICE: Final = Person("alice", 1001)
BOB: Final = Person("bob", 1002)
STANDARD: Final = Parameters()
Deciding = Callable[[Attempt, Subject, Rules], Decision]
PASSWORD_PROMPT: Final = "Password: "
CODE_PROMPT: Final = "Verification code: "
OFFICE: Final = "192.0.2.7"


def totp(secret: bytes, step: int, digits: int = 6, algorithm: str = "SHA1") -> str:
    """Return the code of a step, written from RFC 4226 section 5.3 and sharing no line with
    the product."""
    mac = hmac.new(secret, struct.pack(">Q", step), algorithm.lower()).digest()
    offset = mac[-1] & 0xF
    (number,) = struct.unpack_from(">I", mac, offset)
    return f"{(number & 0x7FFFFFFF) % 10**digits:0{digits}}"


def typed(text: str) -> Answer:
    """Return what was typed as the decision gets it; "" is taken as an empty answer."""
    return parse(text) or Answer("")


def keyring(id_: str = "0badcafe", byte: bytes = b"k") -> Keyring:
    """Return a ring of one key."""
    return Keyring(id_, {id_: Secret(byte * 32)})


@dataclass
class Account:
    """An account to which attempts are made one after the other, each seeing what the one
    before has left; wrong passwords are counted for each address."""

    credentials: Credentials | None
    state: AccountState = AccountState(enrolled=1, version=1)
    sources: dict[str, Counter] = field(default_factory=dict)
    rules: Rules = Rules()
    person: Person | None = ALICE

    def attempt(
        self,
        answer: str,
        now: float,
        source: str = OFFICE,
        door: Door = Door.ROOT,
        service: str = "sshd",
    ) -> Attempt:
        """Return an attempt."""
        place = grace.place(self.person, service, source)
        return Attempt(self.person, typed(answer), answer, now, source, door, place)

    def tries(self, answer: str, now: float, **more: Any) -> Decision:
        """Let somebody answer, and remember what is to be remembered."""
        return self._kept(self.attempt(answer, now, **more), decide)

    def wrong_password(self, now: float, source: str = OFFICE, door: Door = Door.ROOT) -> Decision:
        """Let somebody give a wrong password."""
        return self._kept(self.attempt("", now, source, door), wrong_password)

    def verdict(self, answer: str, now: float, **more: Any) -> Verdict:
        """Return the verdict on an answer, remembered."""
        return self.tries(answer, now, **more).verdict

    def _kept(self, attempt: Attempt, decision: Deciding) -> Decision:
        source = self.sources.get(attempt.source, Counter())
        made = decision(attempt, Subject(self.credentials, self.state, source), self.rules)
        self.state, self.sources[attempt.source] = made.state, made.source
        return made


@dataclass
class Clock:
    """A clock that moves when it is told to."""

    now: float = NOON

    def __call__(self) -> float:
        return self.now


@dataclass
class Phone:
    """Somebody's authenticator app, and the sheet of recovery codes beside it."""

    secret: bytes
    parameters: Parameters = STANDARD
    recovery_codes: tuple[str, ...] = ()

    def code(self, now: float, beside: int = 0) -> str:
        """Return the code of the step at `now`, or so many steps beside it."""
        p = self.parameters
        return totp(self.secret, int(now // p.period) + beside, p.digits, p.algorithm)

    def wrong(self, now: float, how_many: int = 1) -> list[str]:
        """Return codes that are right at no time near `now`."""
        near = {self.code(now, beside) for beside in range(-100, 101)}
        digits = self.parameters.digits
        found = (f"{number:0{digits}}" for number in range(10**digits))
        wrong = (code for code in found if code not in near)
        return [next(wrong) for _ in range(how_many)]


@dataclass
class Token:
    """A token that counts: each press shows the next code."""

    secret: bytes
    counter: int = 0
    digits: int = 6
    algorithm: str = "SHA1"

    @property
    def parameters(self) -> Parameters:
        """Its parameters; no period says anything of it."""
        return Parameters(self.algorithm, self.digits, type="hotp")

    def code(self, counter: int) -> str:
        """Return the code of a counter."""
        return totp(self.secret, counter, self.digits, self.algorithm)

    def press(self) -> str:
        """Return the next code."""
        self.counter += 1
        return self.code(self.counter - 1)


@dataclass
class Talk:
    """A conversation by script: (prompt, answer) in order; a prompt too many, another prompt
    or an answer too few fails.  It is one PAM handle: what is kept and handed on stays."""

    name: str | None
    script: list[tuple[str, str | None]] = field(default_factory=list)
    service: str = "sshd"
    rhost: str = OFFICE
    tty: str = "ssh"
    host_uid: int = 0
    kept: str | None = None
    authtok: str | None = None
    delays: list[float] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    language: str = ""
    locale_asked: int = 0

    def show(self, text: str) -> None:
        self.shown.append(text)

    def locale(self) -> str:
        self.locale_asked += 1
        return self.language

    def user(self) -> str | None:
        return self.name

    def ask(self, prompt: str) -> str | None:
        assert self.script, f"one prompt too many: {prompt!r}"
        expected, reply = self.script.pop(0)
        assert prompt == expected
        return reply

    def ask_hidden(self, prompt: str) -> str | None:
        return self.ask(prompt)

    def password(self, prompt: str) -> str | None:
        self.authtok = self.ask(prompt)
        return self.authtok

    def hand_on(self, password: str) -> None:
        self.authtok = password

    def keep(self, value: str) -> None:
        self.kept = value

    def take(self) -> str | None:
        kept, self.kept = self.kept, None
        return kept

    def delay(self, seconds: float) -> None:
        self.delays.append(seconds)


class World:
    """A host: its store, the people that its name service knows, its clock and its log."""

    def __init__(self, directory: Path, keys: Keyring | None = None) -> None:
        self.directory = directory
        self.clock = Clock()
        self.set_by = 0.0
        self.people: dict[str, Person] = {"alice": ALICE, "ALICE": ALICE, "bob": BOB}
        self.name_service_down = False
        self.groups: dict[str, bool | None] = {}
        self.lines: list[str] = []
        self.enrollments = 0
        founding.create(directory)
        self.store = DirectoryStore(directory, keys or keyring())
        host = replace(config.parse("issuer: Example", "a test"), data_directory=directory)
        self.context = Context(
            host,
            self.store,
            now=self.clock,
            lookup=self.lookup,
            member=self.member,
            policy=InForce(self.store, self.log),
            log=self.log,
            since_boot=self.since_boot,
        )

    def since_boot(self) -> float:
        """Return a clock that goes with the other, until a test sets that one by `set_by`."""
        return self.clock.now - self.set_by

    def log(self, _priority: int, line: str) -> None:
        """Keep a log line."""
        self.lines.append(line)

    def member(self, _person: Person, group: str) -> bool | None:
        """Answer as the name service does: None for a group that it does not find."""
        return self.groups.get(group)

    def act(self, what: str) -> Event:
        """Return the event of an administrator's act."""
        return Event(self.clock.now, "", what, actor="root")

    def sets(self, *words: str, **target: str) -> None:
        """Set keys of the policy, as `policy set` does: `sets("mfa=required", group="staff")`."""
        newest = self.store.policies(1)[0]
        pairs = dict(word.split("=", 1) for word in words)
        changed = newest.policy.setting(target_of(**target), pairs)
        record = PolicyRecord(newest.id, self.clock.now, "root", "", "", to_text(changed))
        self.store.change_policy(record, self.act("policy"))

    def lookup(self, name: str) -> Person | None:
        """Answer as the name service does at this moment."""
        if self.name_service_down:
            raise NameServiceError(f"NSS could not look up {name!r}: Input/output error")
        return self.people.get(name)

    def enroll(
        self, person: Person = ALICE, name: str = "phone", parameters: Parameters = STANDARD
    ) -> Phone:
        """Enroll somebody, as `enroll --no-confirm` does.

        The secret is the same in each run: among thousands of codes, one that is wrong by the
        test's count may by chance be right.
        """
        self.enrollments += 1
        seed = f"{person.name} {name} {self.enrollments}".encode(errors="surrogatepass")
        wanted = enrollment.Wanted(parameters, Secret(hashlib.sha1(seed).digest()))
        drafted = enrollment.draft(self.store, person, name, self.clock.now, wanted)
        enrollment.keep(self.store, drafted, self.clock.now, "a test")
        return phone_of(drafted)

    def enroll_token(
        self, token: Token, person: Person = ALICE, name: str = "token", *, counter: int = 0
    ) -> None:
        """Enroll somebody's token, as `enroll --no-confirm` does."""
        wanted = enrollment.Wanted(token.parameters, Secret(token.secret), counter)
        drafted = enrollment.draft(self.store, person, name, self.clock.now, wanted)
        enrollment.keep(self.store, drafted, self.clock.now, "a test")

    def login(self, talk: Talk) -> Login:
        """Begin one PAM call."""
        return Login(self.context, talk)

    def check(self, answer: str | None, name: str = "alice", **more: Any) -> Verdict:
        """Run the plain line, which asks for the code once."""
        talk = Talk(name, [(CODE_PROMPT, answer)], **more)
        verdict = self.login(talk).check()
        assert not talk.script
        return verdict

    def through_field(self, talk: Talk, *, password: str) -> Verdict:
        """Run the stack of `collect`: the password's module knows `password`, and the script
        is used up."""
        verdict = self.login(talk).collect()
        if verdict is Verdict.NOT_NEEDED:
            right = talk.authtok == password
            verdict = self.login(talk).check() if right else self.login(talk).wrong_password()
        assert not talk.script
        return verdict

    def events(self, account: str | None = "alice") -> list[Event]:
        """Return what the store has kept of an account, or of all."""
        return self.store.events(account, 1000)


def phone_of(drafted: enrollment.Draft) -> Phone:
    """Return the phone that has scanned a draft."""
    one = drafted.authenticator
    return Phone(one.secret.reveal(), one.parameters, drafted.recovery_codes)


def credentials(*phones: Phone | Token, uid: int = ALICE.uid) -> Credentials:
    """Return the credentials of an account with these phones, called phone0, phone1, …"""
    made = (
        Authenticator(f"id{number}", f"phone{number}", Secret(phone.secret), phone.parameters)
        for number, phone in enumerate(phones)
    )
    return Credentials(uid, tuple(made))


def in_processes(how_many: int, work: Callable[[int], Any]) -> list[Any]:
    """Run `work(number)` in so many processes that start at one moment; return the results.

    The processes are forks and end without any clean-up, so that nothing that this process
    has open is touched.
    """
    gate, start = os.pipe()
    children = [_child(work, number, gate, start) for number in range(how_many)]
    os.close(gate)
    os.close(start)  # the last writer of the gate: everybody's read returns
    return [_result(*child) for child in children]


def _child(work: Callable[[int], Any], number: int, gate: int, start: int) -> tuple[int, int]:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    try:
        os.close(start)
        os.read(gate, 1)
        os.write(writing, json.dumps(work(number)).encode())
    except BaseException as error:  # noqa: BLE001  # the parent fails with it
        os.write(writing, json.dumps({"error": repr(error)}).encode())
    finally:
        os._exit(0)


def _result(pid: int, reading: int) -> Any:
    with os.fdopen(reading, "rb") as pipe:
        raw = pipe.read()
    os.waitpid(pid, 0)
    result = json.loads(raw) if raw else {"error": "died"}
    assert not (isinstance(result, dict) and "error" in result), result
    return result


def all_of(directory: Path) -> dict[str, str]:
    """Return a picture of every file under a directory: its name, and a hash of its bytes."""
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and not path.name.startswith("state.db")
    }


def counted(verdicts: Sequence[Verdict]) -> dict[str, int]:
    """Return how many there are of each verdict."""
    return {v.value: list(verdicts).count(v) for v in set(verdicts)}
