"""Enrollment in the login: where it can be shown, and in what time."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from pam_totp.doctor.machine import Ran
from pam_totp.policy.document import Policy, target_of
from pam_totp.policy.record import to_text

from .conftest import SSHD

if TYPE_CHECKING:
    from .conftest import Patient


def enrolling(patient: Patient, *, grace: int = 600, service: str | None = None) -> None:
    """Let people enroll in the login, for which sshd gives so many seconds."""
    document = to_text(Policy().setting(target_of(service=service), {"unenrolled": "enroll"}))
    with closing(sqlite3.connect(patient.data / "state.db")) as connection:
        connection.execute(
            "INSERT INTO policy (at, actor, origin, note, document) VALUES (1, '', '', '', ?)",
            (document,),
        )
        connection.commit()
    patient.programs["sshd"] = Ran(0, f"{SSHD}\nlogingracetime {grace}\n", "")


def test_nothing_is_asked_of_those_who_enroll_nobody(patient: Patient) -> None:
    """Where the policy refuses, there is nothing to look at."""
    assert not patient.found("enrollment")


@pytest.mark.parametrize(("grace", "found"), [(120, True), (299, True), (300, False), (0, False)])
def test_time_at_sshd(patient: Patient, grace: int, *, found: bool) -> None:
    """Two minutes are short to fetch a phone and an app; 0 is no limit."""
    enrolling(patient, grace=grace)
    assert [one.check for one in patient.found("enrollment")] == ["enroll-ssh-time"] * found


@pytest.mark.parametrize(
    ("defs", "found"),
    [
        (None, True),
        ("LOGIN_TIMEOUT\t\t60\n", True),
        ("#LOGIN_TIMEOUT 900\n", True),
        ("LOGIN_TIMEOUT 600\n", False),
        ("LOGIN_TIMEOUT 0\n", False),
    ],
)
def test_time_at_the_console(patient: Patient, defs: str | None, *, found: bool) -> None:
    """One minute is what login gives as shipped."""
    enrolling(patient)
    patient.file("/etc/pam.d/login", "@include pam-totp\n")
    if defs is not None:
        patient.file("/etc/login.defs", defs)
    assert [one.check for one in patient.found("enrollment")] == ["enroll-login-time"] * found
    if found:
        assert "LOGIN_TIMEOUT 300" in patient.only("enrollment").do


@pytest.mark.parametrize("service", ["openvpn", "login"])
def test_nowhere_to_be_shown(patient: Patient, service: str) -> None:
    """A rule for a service that cannot show, or does not ask, enrolls nobody."""
    patient.file("/etc/pam.d/openvpn", "@include pam-totp-openvpn\n")
    enrolling(patient, grace=60, service=service)
    assert patient.only("enrollment").check == "enroll-shown"
