"""What people may ask of admin.socket, with real accounts, real uids and the real PAM."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from tests.system.lab import records
from tests.system.lab.journal import Journal
from tests.system.lab.own import Own, Said, done
from tests.system.lab.person import Person
from tests.system.lab.phone import OathPhone
from tests.system.lab.product import DATA, Service
from tests.system.lab.ssh import Sshd, is_in, is_refused
from tests.system.lab.wait import wait_for

LONGEST: Final = 65_536

People = Callable[[], Person]


@pytest.fixture(scope="module")
def sshd(world: None) -> Iterator[Sshd]:
    """Debian's sshd with our line in its stack and our drop-in."""
    with Sshd() as sshd:
        yield sshd


def gets_in(sshd: Sshd, person: Person, code: str) -> None:
    """Log in over SSH."""
    with sshd.client(person.name) as client:
        client.gives_password(person.password)
        client.gives_code(code)
        is_in(client)


def enrolled_by(own: Own, person: Person) -> OathPhone:
    """Enroll over the connection, by password."""
    own.asks("prove", password=person.password)
    phone = OathPhone.scanned(own.asks("draft", name="phone")["uris"][0])
    phone.recovery_codes[:] = own.asks("confirm", code=phone.fresh_code())["recovery_codes"]
    return phone


# -- the password -----------------------------------------------------------------------------


def test_the_right_password(newcomer: Person, sshd: Sshd) -> None:
    """It opens the first enrollment, and what was enrolled lets in over SSH."""
    with Own(newcomer) as own:
        assert own.asks("hello")["proves"] == [["password"]]
        assert own.refused("draft", name="phone") == "prove"
        phone = enrolled_by(own, newcomer)
    gets_in(sshd, newcomer, phone.fresh_code())


def expired(person: Person) -> None:
    """The account has expired."""
    subprocess.run(["chage", "--expiredate", "1", person.name], check=True)


def must_change(person: Person) -> None:
    """The password must be changed before anything else."""
    subprocess.run(["chage", "--lastday", "0", person.name], check=True)


def locked(person: Person) -> None:
    """The password is locked."""
    subprocess.run(["passwd", "--lock", "--quiet", person.name], check=True)


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [(expired, "closed"), (must_change, "closed"), (locked, "wrong-password")],
    ids=["expired", "must-change", "locked"],
)
def test_a_closed_account(spoil: Callable[[Person], None], kind: str, newcomer: Person) -> None:
    """Its right password proves nothing, and nothing is enrolled; a locked one is a wrong one."""
    spoil(newcomer)
    with Own(newcomer) as own:
        assert own.refused("prove", password=newcomer.password) == kind
        assert own.refused("draft", name="phone") == "prove"
    assert records.events(newcomer.name) == [kind] * (kind == "wrong-password")
    assert not newcomer.status()["enrolled"]


def test_wrong_passwords(newcomer: Person, sshd: Sshd) -> None:
    """Five lock this door, and a right password too; over SSH it still lets in."""
    with Own(newcomer) as own:
        kinds = [own.refused("prove", password=f"wrong {number}") for number in range(5)]
        assert kinds == ["wrong-password"] * 5
        assert own.refused("prove", password=newcomer.password) == "locked"
    with sshd.client(newcomer.name) as client:
        client.gives_password(newcomer.password)
        is_in(client)


# -- whose account ----------------------------------------------------------------------------


def test_the_uid_decides(newcomer: Person, person: Person) -> None:
    """Whatever a message says of accounts and uids, the answer is about who has connected."""
    claims: dict[str, Any] = {"account": person.name, "user": person.name, "uid": person.uid}
    files = secrets()
    with Own(newcomer) as own:
        said = own.asks("hello", **claims)
        assert (said["account"], said["enrolled"]) == (newcomer.name, False)
        assert own.refused("prove", password=person.password, **claims) == "wrong-password"
        assert own.refused("prove", code=person.fresh_code(), **claims) == "not-asked"
        assert own.refused("remove", name="phone", **claims) == "prove"
        own.asks("prove", password=newcomer.password, **claims)
        assert own.asks("draft", name="phone", **claims)["account"] == newcomer.name
        assert own.refused("remove", name="phone", **claims) == "not-enrolled"
    assert secrets() == files
    assert person.failures == 0


def secrets() -> dict[str, bytes]:
    """Return every account's file."""
    return {path.name: path.read_bytes() for path in (DATA / "secrets").iterdir()}


# -- changes ----------------------------------------------------------------------------------

CHANGES: Final[dict[str, dict[str, Any]]] = {
    "draft": {"name": "tablet"},
    "draft in place": {"name": "phone", "replaces": "phone"},
    "rename": {"name": "phone", "new": "mine"},
    "remove": {"name": "phone"},
    "resync": {"name": "phone", "codes": ["123456", "234567"]},
    "recovery-codes": {},
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_wants_a_code(change: str, person: Person) -> None:
    """Not before a proof, and a password is none; then the account is as it was."""
    files, before = secrets(), person.status()
    with Own(person) as own:
        request = change.split(maxsplit=1)[0]
        assert own.refused(request, **CHANGES[change]) == "prove"
        assert own.refused("prove", password=person.password) == "not-asked"
        assert own.refused("prove", code=person.wrong_code()) == "wrong-code"
        assert own.refused(request, **CHANGES[change]) == "prove"
    assert secrets() == files
    assert person.status()["authenticators"] == before["authenticators"]


def test_a_code_proves_once(person: Person, sshd: Sshd) -> None:
    """A code that has proved something here proves nothing more, here or over SSH; so does a
    recovery code."""
    code, recovery = person.fresh_code(), person.phone.recovery_codes[0]
    with Own(person) as own, Own(person) as again:
        own.asks("prove", code=code)
        own.asks("rename", name="phone", new="mine")
        assert again.refused("prove", code=code) == "replayed-code"
        again.asks("prove", code=recovery)
        assert again.asks("hello")["recovery_codes"] == 9
        assert own.refused("prove", code=recovery) == "replayed-code"
    for spent in (code, recovery):
        with sshd.client(person.name) as client:
            client.gives_password(person.password)
            client.gives_code(spent)
            is_refused(client)


def test_a_lock_of_this_door(person: Person, sshd: Sshd) -> None:
    """Five wrong codes lock it, for a right code too; over SSH that code still lets in."""
    with Own(person) as own:
        kinds = [own.refused("prove", code=person.wrong_code()) for _ in range(5)]
        assert set(kinds) <= {"wrong-code", "locked"}
        code = person.fresh_code()
        assert own.refused("prove", code=code) == "locked"
    gets_in(sshd, person, code)


def test_an_enrollment_cut_off(newcomer: Person) -> None:
    """Whoever is gone before the right code leaves nothing, and begins anew."""
    files = secrets()
    own = Own(newcomer)
    own.asks("prove", password=newcomer.password)
    phone = OathPhone.scanned(own.asks("draft", name="phone")["uris"][0])
    own.dies()
    assert secrets() == files
    assert not newcomer.status()["enrolled"]
    with Own(newcomer) as own:
        own.asks("prove", password=newcomer.password)
        assert own.refused("confirm", code=phone.fresh_code()) == "no-draft"
        enrolled_by(own, newcomer)


# -- crowds and nonsense ------------------------------------------------------------------------


def test_a_crowd_of_one(people: People, sshd: Sshd, journal: Journal) -> None:
    """Who opens more connections than one may have is told so; others are answered, and logins
    go on.  A place is free again when its connection is gone."""
    crowd, other = people(), people()
    phone = other.enroll()
    places = [Own(crowd) for _ in range(4)]
    assert [own.asks("hello")["account"] for own in places] == [crowd.name] * 4
    with Own(crowd) as fifth, Own(other) as theirs:
        assert fifth.refused("hello") == "crowded"
        assert theirs.asks("hello")["enrolled"]
        gets_in(sshd, other, phone.fresh_code())
    line = journal.wait_for("too many connections at once")
    assert f"uid={crowd.uid}" in line
    for own in places:
        own.dies()
    wait_for(lambda: answered(crowd), "a free place")


def answered(person: Person) -> bool:
    """Whether a new connection is answered."""
    with Own(person) as own:
        try:
            return bool(own.asks("hello"))
        except Said:
            return False


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\xff\xfe\x00",
        b'{"v": 1, "request": "hello"',
        b"[" * 60_000,
        b'{"v": 2, "request": "hello"}',
        b'{"v": 1, "request": "shell"}',
        b'{"v": 1, "request": ["hello"]}',
        b'{"v": 1, "request": "prove", "password": "a\\u0000b"}',
        b'{"v": 1, "request": "prove", "password": "a", "code": "123456"}',
        b'{"v": 1, "request": "hello", "language": "' + b"x" * LONGEST + b'"}',
    ],
    ids=["bytes", "half", "deep", "version", "request", "list", "nul", "two", "long"],
)
def test_nonsense(nonsense: bytes, newcomer: Person, service: Service) -> None:
    """It is answered with a sentence and the end of that connection, and with nothing else."""
    pid = service.pid
    with Own(newcomer) as own:
        own.sends(nonsense)
        with pytest.raises(Said) as caught:
            done(own.hears())
        assert caught.value.kind == "broken"
        assert caught.value.text
        own.sends(json.dumps({"v": 1, "request": "hello"}).encode())
        assert own.hears() == b""
    assert answered(newcomer)
    assert service.pid == pid
