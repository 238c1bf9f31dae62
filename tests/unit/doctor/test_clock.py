"""The clock, as the kernel calls it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pam_totp.doctor.examine import examine

if TYPE_CHECKING:
    from .conftest import Patient


@pytest.mark.parametrize(
    ("installed", "do"),
    [
        (None, "apt-get install systemd-timesyncd && timedatectl set-ntp true"),
        ("/lib/systemd/systemd-timesyncd", "timedatectl set-ntp true"),
        ("/usr/sbin/chronyd", "systemctl enable --now chrony && chronyc waitsync"),
        ("/usr/sbin/ntpd", "systemctl enable --now ntpsec"),
    ],
)
def test_not_synchronised(patient: Patient, installed: str | None, do: str) -> None:
    """A clock that nobody sets is an error, with the line for the time service that is there."""
    patient.synchronised = False
    if installed:
        patient.file(installed, "")
    finding = patient.only("clock")
    assert (finding.level, finding.do) == ("error", do)


def test_synchronised(patient: Patient) -> None:
    """A clock that is set is in order; one of which the kernel does not say is not checked."""
    assert patient.found("clock") == []
    patient.synchronised = None
    patient.found("clock")
    assert [one.level for one in examine(patient.machine, ["clock"])] == ["unchecked"]
