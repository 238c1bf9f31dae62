"""Composed stacks whose passwords a directory checks: pam_ldap and pam_sss, slapd behind them."""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from tests.system.lab import debian, ldap, records
from tests.system.lab.journal import Journal
from tests.system.lab.ldap import DirectoryPerson, Slapd
from tests.system.lab.machine import (
    ENABLE,
    OFF,
    Someone,
    asks_for_a_code,
    asks_for_no_code,
    with_code,
)
from tests.system.lab.person import Person
from tests.system.lab.product import pam_totp
from tests.system.lab.ssh import Sshd, is_in, is_refused
from tests.system.lab.terminal import CODE
from tests.system.lab.wait import wait_for

ASKED: dict[str, Callable[[], AbstractContextManager[None]]] = {
    "unix-ldap": ldap.asked_by_nslcd,
    "unix-sss": ldap.asked_by_sssd,
}

_names = (f"dora{number}" for number in itertools.count(1))


@pytest.fixture(scope="module")
def slapd(world: None) -> Iterator[Slapd]:
    """A directory."""
    ldap.unpack()
    slapd = Slapd()
    yield slapd
    slapd.stop()


@pytest.fixture(scope="module", params=ASKED)
def profiles(request: pytest.FixtureRequest, slapd: Slapd) -> Iterator[str]:
    """A machine that asks the directory, one way and the other."""
    with ASKED[request.param]():
        yield request.param


@pytest.fixture(params=debian.RELEASES)
def off(request: pytest.FixtureRequest, profiles: str, service: object) -> Iterator[None]:
    """Such a machine with each release's stacks, whose sshd asks for no code."""
    subprocess.run(["ssh-keygen", "-A"], check=True, stdout=subprocess.DEVNULL)
    with debian.kept():
        pam_totp("stack", "disable", "--all")
        debian.put(request.param, profiles)
        yield
        subprocess.run([OFF, "--all"], check=True, stdout=subprocess.DEVNULL)


@pytest.fixture
def on(off: None, slapd: Slapd) -> Iterator[None]:
    """The same with codes asked for, and the directory up again afterwards."""
    pam_totp(*ENABLE)
    yield
    slapd.start()


@pytest.fixture(params=[False, True], ids=["", "shadow"])
def dora(request: pytest.FixtureRequest, off: None) -> DirectoryPerson:
    """Somebody enrolled whom the directory alone knows; whose `shadow` entry NSS shows too, of
    whom pam_unix may say that it could not check."""
    person = DirectoryPerson(next(_names), shadow=request.param)
    is_known(person)
    person.enroll()
    return person


def is_known(person: DirectoryPerson) -> None:
    """Wait until NSS knows the person."""
    ask = ["getent", "passwd", person.name]
    wait_for(lambda: subprocess.run(ask, check=False, capture_output=True).stdout, "known person")


def refused(sshd: Sshd, person: Someone, password: str) -> str:
    """A password is refused at once, and no code is asked for."""
    with sshd.client(person.name) as client:
        client.gives_password(password)
        is_refused(client)
        return client.transcript


def test_people_of_the_directory(on: None, dora: DirectoryPerson, journal: Journal) -> None:
    """The directory's people are asked for the code, whichever of password and code is wrong,
    and wrong passwords count."""
    asks_for_a_code(dora)
    assert journal.verdicts(dora.name) == ["accepted", "wrong-code", "wrong-password"]
    assert records.wrong_passwords(dora.name) == {"127.0.0.1": 1}
    pam_totp("stack", "disable", "sshd")
    asks_for_no_code(dora)


def test_people_of_the_machine(on: None, person: Person, journal: Journal) -> None:
    """So are those whom pam_unix knows."""
    asks_for_a_code(person)
    assert journal.verdicts(person.name) == ["accepted", "wrong-code", "wrong-password"]


def test_the_directory_is_down(
    on: None, slapd: Slapd, dora: DirectoryPerson, person: Person, journal: Journal
) -> None:
    """While it is down its people are refused, with no code and nothing counted; those of the
    machine log in; and when it is back, everybody does."""
    with Sshd() as sshd:
        with_code(sshd, dora)
        before = records.state(dora.name)
        slapd.stop()
        for password in (dora.password, "wrong"):
            assert CODE not in refused(sshd, dora, password)
        assert records.state(dora.name) == before
        assert records.wrong_passwords(dora.name) == {}
        assert journal.verdicts(dora.name) == ["accepted"]
        with_code(sshd, person)
        slapd.start()
        is_known(dora)
        wait_for(lambda: gets_in(sshd, dora), "login after the outage")


def test_a_wrong_password_while_it_is_down(
    on: None, slapd: Slapd, person: Person, journal: Journal
) -> None:
    """While it is down a wrong password of the machine's own people is refused all the same."""
    slapd.stop()
    with Sshd() as sshd, sshd.client(person.name) as client:
        client.gives_password("wrong")
        if client.sees(CODE, "Permission denied") == 0:  # SSSD knows that it is not its person
            client.types(person.fresh_code())
            client.sees("Permission denied")
        assert client.ends() == 255
    assert "accepted" not in journal.verdicts(person.name)


def gets_in(sshd: Sshd, person: DirectoryPerson) -> bool:
    """Whether password and code let in; SSSD takes a moment to see that the directory is back."""
    with sshd.client(person.name) as client:
        client.gives_password(person.password)
        if client.sees(CODE, "Permission denied") == 1:
            return False
        client.types(person.fresh_code())
        is_in(client)
    return True
