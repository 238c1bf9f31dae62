"""The name service: down, which is no "unknown", and with names of another spelling."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from tests.system.lab import directory, host, records, stacks
from tests.system.lab.directory import DirectoryPerson
from tests.system.lab.host import AUTH_ERR, SUCCESS, UNAVAILABLE
from tests.system.lab.journal import Journal
from tests.system.lab.person import Person
from tests.system.lab.phone import Phone
from tests.system.lab.product import Service, pam_totp

RIGHT, WRONG = "lab-right-password", "lab-wrong-password"

_groups = (f"robots{number}" for number in itertools.count(1))
_names = (f"member{number}" for number in itertools.count(1))


@pytest.fixture(scope="module", autouse=True)
def name_service(_service: Service) -> Iterator[None]:
    """The directory joins the files while the service is running already, and the password is
    checked by something that does not ask NSS."""
    right = stacks.with_password_module("pam-totp", "pam_debug.so auth=success")
    wrong = stacks.with_password_module("pam-totp", "pam_debug.so auth=auth_err")
    _service.ensure()
    with (
        stacks.installed(RIGHT, right),
        stacks.installed(WRONG, wrong),
        directory.asked_by_nss(),
    ):
        yield


@pytest.fixture(params=["service", "one-shot"], autouse=True)
def other_end(request: pytest.FixtureRequest, service: Service) -> None:
    """Who answers the login: the service, which runs all along, or one-shots."""
    if request.param == "one-shot":
        service.stop()


@pytest.fixture
def member() -> DirectoryPerson:
    """Somebody whom the directory alone knows."""
    return DirectoryPerson(next(_names))


@pytest.fixture
def phone(member: DirectoryPerson) -> Phone:
    """The phone with which that one has enrolled."""
    return member.enroll()


@pytest.mark.parametrize("manner", directory.MANNERS)
def test_directory_is_down(
    manner: str, member: DirectoryPerson, phone: Phone, journal: Journal
) -> None:
    """While the directory is down nobody gets in with a right password, enrolled or not and
    however it fails; nothing is counted or spent, and the log says where to look."""
    newcomer = DirectoryPerson(next(_names))
    before = records.state(member.name)
    with directory.down(manner):
        for name in (member.name, member.name.upper(), newcomer.name):
            ended = host.login(RIGHT, name)
            assert (ended.result, ended.asked_for_code) == (UNAVAILABLE, False)
            assert host.login(WRONG, name, "--rhost=203.0.113.7").result == AUTH_ERR
        assert journal.wait_for("verdict=unavailable").fields["hint"].startswith('"getent')
    assert records.state(member.name) == before
    assert "203.0.113.7" not in {source for _, source in records.addresses()}
    assert host.login(RIGHT, member.name, code=phone.fresh_code()).result == SUCCESS
    assert host.login(RIGHT, newcomer.name).result == SUCCESS


def test_directory_that_forgets(member: DirectoryPerson, phone: Phone, journal: Journal) -> None:
    """A name of somebody enrolled that NSS does not know any more is refused, not let in
    without a code."""
    accounts = directory.ACCOUNTS.read_text()
    directory.ACCOUNTS.write_text("")
    code = phone.fresh_code()
    assert host.login(RIGHT, member.name, code=code).result == AUTH_ERR
    assert journal.verdicts(member.name) == ["other-uid"]
    directory.ACCOUNTS.write_text(accounts)
    assert host.login(RIGHT, member.name, code=code).result == SUCCESS


def test_spelling_that_nss_does_not_know(person: Person, journal: Journal) -> None:
    """A password module that takes `ALICE` for `alice` lets nobody in without alice's code."""
    typed = person.name.upper()
    assert host.login(RIGHT, typed).result == AUTH_ERR
    assert journal.verdicts(typed) == ["unknown-account"]


def test_name_that_changes_hands(member: DirectoryPerson, phone: Phone, journal: Journal) -> None:
    """Who gets a name that somebody else had enrolled under inherits nothing and is refused."""
    accounts = directory.ACCOUNTS.read_text()
    directory.ACCOUNTS.write_text("")
    DirectoryPerson(member.name)
    assert host.login(RIGHT, member.name, code=phone.fresh_code()).result == AUTH_ERR
    assert journal.verdicts(member.name) == ["other-uid"]
    directory.ACCOUNTS.write_text(accounts)


def test_other_spelling(member: DirectoryPerson, phone: Phone, journal: Journal) -> None:
    """However a name is spelled, it is one account: one code, spent once, and one counter."""
    code = phone.fresh_code()
    spelled = (member.name.upper(), member.name.capitalize(), member.name)
    for spelling in spelled:
        assert host.login(RIGHT, spelling, code=phone.wrong_code()).result == AUTH_ERR
    assert len(records.state(member.name)["codes"][1]) == 3
    assert host.login(RIGHT, spelled[0], code=code).result == SUCCESS
    for spelling in spelled:
        assert host.login(RIGHT, spelling, code=code).result == AUTH_ERR
    assert not records.state(spelled[0])
    verdicts = ["wrong-code"] * 3 + ["accepted", "replayed-code"] + ["repeated-code"] * 2
    assert journal.verdicts(member.name) == verdicts


def test_wrong_password_under_another_spelling(member: DirectoryPerson, phone: Phone) -> None:
    """Wrong passwords count against the account, whatever the spelling."""
    for spelling in (member.name.upper(), member.name):
        code = phone.wrong_code()
        assert host.login(WRONG, spelling, "--rhost=203.0.113.8", code=code).result == AUTH_ERR
    assert records.wrong_passwords(member.name) == {"203.0.113.8": 2}


@pytest.fixture
def robots(newcomer: Person) -> Iterator[str]:
    """A group of the directory, whose members need no code where all others must use one."""
    group = next(_groups)
    directory.group(group, newcomer.name)
    pam_totp("policy", "set", "mfa=required", "--yes", "--force")
    pam_totp("policy", "set", "mfa=off", "--group", group, "--yes", "--force")
    yield group
    pam_totp("policy", "unset", "--group", group, "--yes", "--force")
    pam_totp("policy", "unset", "mfa", "--yes", "--force")


@pytest.mark.parametrize("manner", directory.MANNERS)
def test_groups_that_cannot_be_checked(
    manner: str, newcomer: Person, robots: str, journal: Journal
) -> None:
    """While the directory is down an exemption for one of its groups is gone: a member is under
    the strictest rule, and a line says so; when it answers again, the exemption is back."""
    assert host.login(RIGHT, newcomer.name).result == SUCCESS
    with directory.down(manner):
        ended = host.login(RIGHT, newcomer.name, code="123456")
        assert (ended.result, ended.asked_for_code) == (AUTH_ERR, True)
    assert journal.verdicts(newcomer.name)[-1] == "not-enrolled"
    line = journal.wait_for("policy=unchecked").fields
    assert (line["account"], line["group"]) == (newcomer.name, robots)
    assert line["hint"].startswith(f'"getent group {robots}')
    assert host.login(RIGHT, newcomer.name).result == SUCCESS
