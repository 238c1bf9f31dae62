"""SSH with the stack and the settings as shipped: password, then code."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.system.lab.journal import Journal
from tests.system.lab.person import Person
from tests.system.lab.ssh import Sshd, is_in, is_refused
from tests.system.lab.terminal import CODE, PASSWORD


@pytest.fixture(scope="module")
def sshd(world: None) -> Iterator[Sshd]:
    """Debian's sshd with our line in its stack and our drop-in."""
    with Sshd() as sshd:
        yield sshd


def test_password_and_code(sshd: Sshd, person: Person, journal: Journal) -> None:
    """A right password and a right code let in, and the log says who, whence and by what."""
    with sshd.client(person.name) as client:
        client.gives_password(person.password)
        client.gives_code(person.fresh_code())
        is_in(client)
    line = journal.wait_for("verdict=accepted")
    assert line.fields["account"] == person.name
    assert line.fields["service"] == "sshd"
    assert line.fields["rhost"] == "127.0.0.1"


def test_wrong_code(sshd: Sshd, person: Person, journal: Journal) -> None:
    """A wrong code after a right password is refused and counted."""
    with sshd.client(person.name) as client:
        client.gives_password(person.password)
        client.gives_code(person.wrong_code())
        is_refused(client)
    assert journal.verdicts(person.name) == ["wrong-code"]
    assert person.failures == 1


def test_reused_code(sshd: Sshd, person: Person, journal: Journal) -> None:
    """A code that has let in once never does again; the next one does."""
    code = person.fresh_code()
    with sshd.client(person.name) as client:
        client.gives_password(person.password)
        client.gives_code(code)
        is_in(client)
    with sshd.client(person.name) as client:
        client.gives_password(person.password)
        client.gives_code(code)
        is_refused(client)
    with sshd.client(person.name) as client:
        client.gives_password(person.password)
        client.gives_code(person.fresh_code())
        is_in(client)
    assert journal.verdicts(person.name) == ["accepted", "replayed-code", "accepted"]


def test_wrong_password(sshd: Sshd, person: Person, journal: Journal) -> None:
    """After a wrong password a code is asked for all the same, and neither spent nor counted
    against the account."""
    code = person.fresh_code()
    with sshd.client(person.name) as client:
        client.gives_password("wrong")
        client.gives_code(code)
        is_refused(client)
    assert person.failures == 0
    with sshd.client(person.name) as client:
        client.gives_password(person.password)
        client.gives_code(code)
        is_in(client)
    assert journal.verdicts(person.name) == ["wrong-password", "accepted"]


def test_wrong_password_looks_like_a_wrong_code(sshd: Sshd, person: Person) -> None:
    """What the client shows does not tell which of the two was wrong."""
    shown = []
    for password, code in (
        ("wrong", person.fresh_code()),
        (person.password, person.wrong_code()),
    ):
        with sshd.client(person.name) as client:
            client.gives_password(password)
            client.gives_code(code)
            is_refused(client)
            shown.append(client.transcript.replace(code, "CODE"))
    assert shown[0] == shown[1]


def test_right_at_the_second_try(sshd: Sshd, person: Person, journal: Journal) -> None:
    """Within one connection a right try after a wrong one lets in, whichever was wrong."""
    with sshd.client(person.name, tries=3) as client:
        client.gives_password(person.password)
        client.gives_code(person.wrong_code())
        client.gives_password("wrong")
        client.gives_code("000000")
        client.gives_password(person.password)
        client.gives_code(person.fresh_code())
        is_in(client)
    assert journal.verdicts(person.name) == ["wrong-code", "wrong-password", "accepted"]
    assert person.failures == 0


def test_code_as_people_type_it(sshd: Sshd, person: Person) -> None:
    """A code in two groups of three, with blanks around, is the same code."""
    code = person.fresh_code()
    with sshd.client(person.name) as client:
        client.gives_password(person.password)
        client.gives_code(f" {code[:3]} {code[3:]} ")
        is_in(client)


def test_recovery_code(sshd: Sshd, person: Person, journal: Journal) -> None:
    """A recovery code lets in instead of the phone, once."""
    code = person.phone.recovery_codes[0]
    with sshd.client(person.name) as client:
        client.gives_password(person.password)
        client.gives_code(code)
        is_in(client)
    with sshd.client(person.name) as client:
        client.gives_password(person.password)
        client.gives_code(code)
        is_refused(client)
    assert journal.verdicts(person.name)[0] == "accepted"
    assert person.status()["recovery_codes"] == len(person.phone.recovery_codes) - 1


def test_no_authenticator(sshd: Sshd, newcomer: Person) -> None:
    """Who has no authenticator logs in with the password alone, and only with the right one."""
    with sshd.client(newcomer.name) as client:
        client.gives_password(newcomer.password)
        is_in(client)
        assert CODE not in client.transcript
    with sshd.client(newcomer.name) as client:
        client.gives_password("wrong")
        is_refused(client)


def test_unknown_account(sshd: Sshd, world: None) -> None:
    """A name that nobody has is refused after the questions that everyone gets."""
    with sshd.client("nobody-has-this-name") as client:
        client.gives_password("wrong")
        is_refused(client)


def test_lockout_and_unlock(sshd: Sshd, person: Person, journal: Journal) -> None:
    """Five wrong codes lock the account, a right one is refused then and costs nothing, and
    an administrator's unlock lets it in."""
    for _ in range(5):
        with sshd.client(person.name) as client:
            client.gives_password(person.password)
            client.gives_code(person.wrong_code())
            is_refused(client)
    assert person.status()["locked"] == "until"
    code = person.fresh_code()
    with sshd.client(person.name) as client:
        client.gives_password(person.password)
        client.gives_code(code)
        is_refused(client)
    person.unlock()
    assert person.status()["locked"] == "no"
    with sshd.client(person.name) as client:
        client.gives_password(person.password)
        client.gives_code(code)
        is_in(client)
    assert journal.verdicts(person.name) == [*["wrong-code"] * 5, "locked", "accepted"]


def test_administrators_lock(sshd: Sshd, person: Person) -> None:
    """Who is locked by an administrator is refused with a right password and a right code."""
    person.lock()
    with sshd.client(person.name) as client:
        client.gives_password(person.password)
        client.gives_code(person.fresh_code())
        is_refused(client)
    assert person.status()["locked"] == "administrator"


def test_expired_account(sshd: Sshd, person: Person) -> None:
    """An account that has expired stays out, a right password and code notwithstanding."""
    person.expire()
    with sshd.client(person.name) as client:
        client.gives_password(person.password)
        client.gives_code(person.fresh_code())
        client.sees("Connection closed", "Permission denied")
        assert client.ends() == 255


def test_client_that_gives_up(sshd: Sshd, person: Person, journal: Journal) -> None:
    """A client that goes away at the question for the code is not counted, and the next
    login works."""
    with sshd.client(person.name) as client:
        client.gives_password(person.password)
        client.sees(CODE)
    journal.wait_for(f"account={person.name}")
    assert person.failures == 0
    with sshd.client(person.name) as client:
        client.gives_password(person.password)
        client.gives_code(person.fresh_code())
        is_in(client)
        assert client.times_shown(PASSWORD) == 1
