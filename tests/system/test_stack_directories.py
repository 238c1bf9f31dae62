"""Composed stacks whose passwords a directory checks: pam_ldap and pam_sss, slapd behind them."""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

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
from tests.system.lab.terminal import CODE, Terminal
from tests.system.lab.wait import wait_for

ASKED: dict[str, Callable[[], AbstractContextManager[None]]] = {
    "unix-ldap": ldap.asked_by_nslcd,
    "unix-sss": ldap.asked_by_sssd,
}

KRB5 = """\
[libdefaults]
default_realm = LAB
dns_lookup_kdc = false
[realms]
LAB = { kdc = 127.0.0.1:1 }
"""

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


@pytest.fixture
def dora(off: None) -> DirectoryPerson:
    """Somebody enrolled whom the directory alone knows."""
    return enrolled(shadow=False)


def enrolled(*, shadow: bool) -> DirectoryPerson:
    """Return somebody new of the directory's; with a `shadow` entry pam_unix may say of them
    that it could not check."""
    person = DirectoryPerson(next(_names), shadow=shadow)
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


@pytest.mark.parametrize("shadow", [False, True])
def test_people_of_the_directory(on: None, journal: Journal, *, shadow: bool) -> None:
    """The directory's people are asked for the code, whichever of password and code is wrong,
    and wrong passwords count."""
    dora = enrolled(shadow=shadow)
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


@pytest.mark.parametrize("release", debian.RELEASES)
def test_kerberos_without_its_server(
    release: str, slapd: Slapd, person: Person, journal: Journal
) -> None:
    """Where pam_krb5 comes first and its server is away, the machine's own people log in at the
    console, where one process does all of it, and a wrong password is refused."""
    Path("/etc/krb5.conf").write_text(KRB5)
    with debian.kept():
        debian.put(release, "krb5-unix")
        pam_totp("stack", "enable", "login", "--yes")
        with Terminal("/bin/login") as console:
            console.answers("login: ", person.name, hidden=False)
            console.gives_password(person.password)
            console.gives_code(person.fresh_code())
            console.sees("$ ")
        with Terminal("/bin/login") as console:
            console.answers("login: ", person.name, hidden=False)
            console.gives_password("wrong")
            if console.sees(CODE, "Login incorrect") == 0:
                console.types(person.fresh_code())
                console.sees("Login incorrect")
    assert journal.verdicts(person.name)[0] == "accepted"
