"""Notices as the doctor meets them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pam_totp import clock
from pam_totp.doctor.finding import Level
from pam_totp.event import Event
from pam_totp.notices import progress
from pam_totp.notices.kind import Kind
from pam_totp.notices.outbox import Waiting
from pam_totp.notices.progress import Progress
from pam_totp.store.protocol import Change

if TYPE_CHECKING:
    from .conftest import Patient


def turned_on(patient: Patient, how: str = "[/usr/local/sbin/tell]") -> None:
    """Turn notices on, by a command that is there."""
    with patient.yaml.open("a") as file:
        file.write(f"notify: {how}\n")
    patient.file("/usr/local/sbin/tell", "#!/bin/sh\n").chmod(0o755)


def locked(patient: Patient, at: float) -> Event:
    """Let an account be locked."""
    event = Event(at, "alice", "lock", actor="root")
    change = lambda subject: (None, Change(subject.state, subject.source, event))  # noqa: E731
    patient.machine.store.step("alice", "", change)
    return patient.machine.store.events("alice", 1)[0]


def test_off(patient: Patient) -> None:
    """Where notices are off there is nothing to find."""
    assert patient.found("notices") == []


def test_not_running(patient: Patient) -> None:
    """Notices that nobody sends are a warning, with the line that starts whoever does."""
    turned_on(patient)
    program = "/usr/libexec/pam-totp/pam-totp-notify"
    finding = patient.only("notices")
    assert (finding.check, finding.level) == ("notify", Level.WARNING)
    assert finding.do == f"{program} --config {patient.yaml} &"
    (patient.root / "run/systemd/system").mkdir(parents=True)
    assert patient.only("notices").do == "systemctl enable --now pam-totp-notify"


def test_running(patient: Patient) -> None:
    """A process that runs and has kept up is in order, until the configuration changes."""
    turned_on(patient)
    with progress.only_one(patient.data):
        progress.save(patient.data, Progress(0, 0.0))
        locked(patient, clock.now())
        assert patient.found("notices") == []
        later = clock.now() + 5
        os.utime(patient.yaml, (later, later))
        finding = patient.only("notices")
        assert "has changed since" in finding.found
        assert "start it again" in finding.do
        (patient.root / "run/systemd/system").mkdir(parents=True)
        assert patient.only("notices").do == "systemctl restart pam-totp-notify"


def test_behind(patient: Patient) -> None:
    """Events that wait for more than a quarter of an hour, and tries that failed, are a
    warning."""
    turned_on(patient)
    with progress.only_one(patient.data):
        progress.save(patient.data, Progress(0, 0.0))
        event = locked(patient, clock.now() - 1000)
        assert "0 failed and will be tried again, 1 more" in patient.only("notify-late").found
        tried = Waiting(Kind.LOCKED_BY_ADMINISTRATOR, event, clock.now() + 60, tries=1)
        progress.save(patient.data, Progress(event.id, event.at, (tried,)))
        assert "1 failed and will be tried again, 0 more" in patient.only("notify-late").found
        progress.save(patient.data, Progress(event.id, event.at))
        assert patient.found("notices") == []


@pytest.mark.parametrize(
    ("how", "path", "do"),
    [
        ("mail", "/usr/sbin/sendmail", "apt-get install dma"),
        ("[/opt/tell]", "/opt/tell", "install /opt/tell"),
    ],
)
def test_no_program(patient: Patient, how: str, path: str, do: str) -> None:
    """A program that is missing, or cannot be run, is a warning."""
    turned_on(patient, how)
    with progress.only_one(patient.data):
        finding = patient.only("notices")
        assert (finding.check, finding.level, finding.do) == ("notify-program", "warning", do)
        place: Path = patient.file(path, "#!/bin/sh\n")
        place.chmod(0o644)
        assert patient.only("notices").do == f"chmod +x {path}"
        place.chmod(0o755)
        assert patient.found("notices") == []
