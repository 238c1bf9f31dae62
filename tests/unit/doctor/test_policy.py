"""The policy, held against names, stacks and the administrators of a machine."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from pam_totp import administration, enrollment, keyfile
from pam_totp.account import Person
from pam_totp.doctor.examine import examine
from pam_totp.doctor.finding import Finding, Level
from pam_totp.doctor.machine import Machine
from pam_totp.store.directory import DirectoryStore

if TYPE_CHECKING:
    from .conftest import Patient

PEOPLE = {name: Person(name, uid, uid) for name, uid in (("root", 0), ("alice", 5), ("bob", 6))}
GROUPS = {"sudo": ("sudo", 27, frozenset({"alice"})), "staff": ("staff", 50, frozenset())}
NOW = 1_900_000_000.0


class Policed:
    """A machine with a policy, whose name service knows some people and groups."""

    def __init__(self, patient: Patient) -> None:
        self._patient = patient

    def says(self, document: str) -> None:
        """Add a version of the policy, as it lies in the store."""
        with closing(sqlite3.connect(self._patient.data / "state.db")) as connection:
            connection.execute(
                "INSERT INTO policy (at, actor, origin, note, document) VALUES (1, '', '', '', ?)",
                (document,),
            )
            connection.commit()

    def enroll(self, name: str) -> None:
        """Enroll somebody."""
        store = DirectoryStore(self._patient.data, keyfile.load(self._patient.key))
        drafted = enrollment.draft(store, PEOPLE[name], "phone", NOW)
        enrollment.keep(store, drafted, NOW, "a test")
        store.close()

    def found(self) -> list[Finding]:
        """Return what is found of the policy."""
        machine = Machine(
            self._patient.yaml,
            self._patient.root,
            lookup=PEOPLE.get,
            group=GROUPS.get,
            member=lambda person, group: person.name in GROUPS.get(group, ("", 0, ()))[2],
            now=lambda: NOW,
        )
        try:
            found = list(examine(machine, ["policy"]))
        finally:
            machine.close()
        return [one for one in found if one.level not in (Level.OK, Level.UNCHECKED)]

    def only(self) -> tuple[str, str, str]:
        """Return check, level and line of the only finding."""
        (one,) = self.found()
        return one.check, one.level, one.do


@pytest.fixture
def policed(patient: Patient) -> Policed:
    """A machine with the policy as shipped."""
    return Policed(patient)


def test_as_shipped(policed: Policed) -> None:
    """The policy that comes with a store has nothing wrong."""
    assert policed.found() == []


@pytest.mark.parametrize("broken", ["[", '[{"mfa":"perhaps"}]', '[{"nfa":"off"}]'])
def test_broken(policed: Policed, broken: str) -> None:
    """A version that cannot be used is an error that names the one in force instead."""
    policed.says('[{"mfa":"optional"}]')
    policed.says(broken)
    assert policed.only() == ("policy", "error", "pam-totp policy revert 2")


def test_none_can_be_used(policed: Policed, patient: Patient) -> None:
    """With no version that can be used, logins are refused, and what rests on it is left out."""
    for empty, how in ((False, "UPDATE policy SET document = '['"), (True, "DELETE FROM policy")):
        with closing(sqlite3.connect(patient.data / "state.db")) as connection:
            connection.execute(how)
            connection.commit()
        (finding,) = policed.found()
        assert (finding.check, finding.level) == ("policy", "error")
        assert "logins are refused" in finding.found
        assert ("has no policy" in finding.found) is empty
        assert finding.do == "pam-totp policy edit"


@pytest.mark.parametrize(
    ("document", "check", "do"),
    [
        (
            '[{"group":"stuff","mfa":"required"}]',
            "policy-groups",
            "getent group stuff; and if it is gone: pam-totp policy unset --group stuff",
        ),
        ('[{"user":"carol","mfa":"off"}]', "policy-users", "pam-totp policy unset --user carol"),
        (
            '[{"service":"login","mfa":"required"}]',
            "policy-services",
            "pam-totp stack enable login",
        ),
        ('[{"services":["sshd","login"]}]', "policy-services", "pam-totp stack enable login"),
        (
            '[{"services":["cron"]}]',
            "policy-stacks",
            "pam-totp policy set services=cron,sshd",
        ),
    ],
)
def test_against_the_machine(
    policed: Policed, patient: Patient, document: str, check: str, do: str
) -> None:
    """Names that the machine does not know, services that do not ask, stacks that have no say."""
    patient.file("/etc/pam.d/login", "auth required pam_unix.so\naccount required pam_unix.so\n")
    policed.says(document)
    assert policed.only() == (check, "warning", do)


def test_services_elsewhere(policed: Policed) -> None:
    """Services that this machine does not have, and those of the policy as shipped, are no
    finding; nor is `all`."""
    for document in ('[{"services":["sshd","openvpn"]}]', '[{"services":["all"]}]', "[]"):
        policed.says(document)
        assert policed.found() == []


def test_through_common_auth(policed: Policed, patient: Patient) -> None:
    """A service that has the module with everything else in common-auth has nothing to do with
    it."""
    patient.file("/etc/pam.d/common-auth", "auth required pam_totp.so\n")
    patient.file("/etc/pam.d/chsh", "@include common-auth\n")
    assert policed.found() == []


def test_administrators(policed: Policed) -> None:
    """Where a code is required of everybody and no administrator has one, nobody could turn it
    back from outside."""
    policed.says('[{"mfa":"required"}]')
    assert policed.only() == ("policy-administrators", "error", "pam-totp enroll root")
    policed.enroll("bob")
    assert policed.only()[0] == "policy-administrators"
    policed.enroll("alice")
    assert policed.found() == []


def test_an_exempted_administrator(policed: Policed) -> None:
    """An administrator of whom no code is asked, or not from everywhere, can log in."""
    policed.says('[{"mfa":"required"},{"user":"root","mfa":"optional"}]')
    assert policed.found() == []
    policed.says('[{"mfa":"required"},{"from":"192.0.2.0/24","mfa":"off"}]')
    assert policed.found() == []


def test_locked_administrators(policed: Policed, patient: Patient) -> None:
    """Where all administrators are locked, the line unlocks one."""
    store = DirectoryStore(patient.data, keyfile.load(patient.key))
    administration.lock(store, "root", NOW, "a test")
    store.close()
    assert policed.only() == ("policy-administrators", "error", "pam-totp unlock root")
