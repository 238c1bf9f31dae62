"""The service as the doctor meets it at its socket, and how it is started."""

from __future__ import annotations

import os
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from pam_totp.bridge import wire
from pam_totp.doctor import service
from pam_totp.doctor.machine import Ran

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Patient


class Listening:
    """Something that listens where the service should, and answers what it is told to."""

    def __init__(self, listening: socket.socket) -> None:
        self.answer: bytes | None = wire.encode_finish(9)
        self.calls: list[wire.Call] = []
        self._listening = listening
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connected, _ = self._listening.accept()
            except OSError:
                return
            with connected:
                message = connected.recv(wire.WIRE_MAX_MESSAGE)
                if not message:
                    continue
                self.calls.append(wire.decode_call(message))
                if self.answer is None:
                    connected.recv(1)  # until the doctor gives up
                else:
                    connected.send(self.answer)


@pytest.fixture(name="listening")
def listening_fixture(patient: Patient) -> Iterator[Listening]:
    """A listener at the socket's place."""
    patient.file("/usr/libexec/pam-totp/oneshot", "#!/bin/sh\n").chmod(0o755)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(str(patient.runtime / "login.socket"))
        listening.listen()
        yield Listening(listening)
        listening.shutdown(socket.SHUT_RDWR)


def test_answering(patient: Patient, listening: Listening) -> None:
    """A service that answers is in order; it is asked about nobody."""
    assert patient.found("service") == []
    (call,) = listening.calls
    assert (call.argv, call.user, call.rhost) == (["doctor"], None, None)


def test_silent(patient: Patient, listening: Listening, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that takes the call and says nothing is an error, and its process is named."""
    listening.answer = None
    monkeypatch.setattr(service, "_ANSWER_SECONDS", 0.1)
    finding = patient.only("service")
    assert (finding.check, finding.level) == ("service", "error")
    assert "does not answer" in finding.found
    assert f"kill {os.getpid()}" in finding.do


@pytest.mark.parametrize("answer", [b"\x02 \x00\x00\x00\x09", b"?", wire.encode_finish(0)])
def test_another_form(patient: Patient, listening: Listening, answer: bytes) -> None:
    """An answer of another version, no answer of the wire's, and success are errors."""
    listening.answer = answer
    assert "in this version's form" in patient.only("service").found


def test_not_running(patient: Patient) -> None:
    """Without a service a warning says how to start it, by whatever starts services here."""
    patient.file("/usr/libexec/pam-totp/oneshot", "#!/bin/sh\n").chmod(0o755)
    assert patient.only("service").do == f"pam-totpd --config {patient.yaml} &"
    (patient.root / "run/systemd/system").mkdir(parents=True)
    assert patient.only("service").do == "systemctl enable --now pam-totpd"


def test_older_than_its_configuration(patient: Patient, listening: Listening) -> None:
    """A service that has read an older configuration is a warning; keys it reads again."""
    started = (patient.runtime / "login.socket").stat().st_mtime
    os.utime(patient.key, (started + 60, started + 60))
    assert patient.found("service-current") == []
    os.utime(patient.yaml, (started + 60, started + 60))
    finding = patient.only("service-current")
    assert finding.level == "warning"
    assert str(patient.yaml) in finding.found


def test_older_than_the_program(patient: Patient, listening: Listening) -> None:
    """A service that was started before the program was installed is a warning."""
    os.utime(patient.runtime / "login.socket", (1, 1))
    assert "before the last upgrade" in patient.found("service-current")[0].found


def test_one_shot(patient: Patient) -> None:
    """The one-shot must be there and be executable."""
    assert patient.only("one-shot").do == "apt-get install --reinstall libpam-totp"
    path = patient.file("/usr/libexec/pam-totp/oneshot", "")
    path.chmod(0o644)
    assert patient.only("one-shot").do == f"chown 0 {path} && chmod 0755 {path}"


def test_enabled(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit that is not enabled is a warning where systemd starts services."""
    monkeypatch.setattr(service.config, "DEFAULT_PATH", patient.yaml)
    patient.programs["systemctl"] = Ran(1, "disabled\n", "")
    assert patient.found("service-enabled") == []
    (patient.root / "run/systemd/system").mkdir(parents=True)
    assert patient.only("service-enabled").do == "systemctl enable --now pam-totpd"
    patient.programs["systemctl"] = Ran(0, "enabled\n", "")
    assert patient.found("service-enabled") == []
