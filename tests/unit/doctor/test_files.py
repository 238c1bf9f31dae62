"""Owners and permissions, each wrong in turn, and put right by the line that is given."""

from __future__ import annotations

import socket
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Patient


@pytest.mark.parametrize(
    ("place", "mode", "check", "level"),
    [
        ("etc/pam-totp/pam-totp.yaml", 0o666, "config-mode", "error"),
        ("etc/pam-totp/seal.key", 0o444, "key-mode", "error"),
        ("etc/pam-totp/seal.key", 0o600, "key-mode", "warning"),
        ("var/lib/pam-totp", 0o750, "data-mode", "error"),
        ("var/lib/pam-totp/secrets", 0o701, "data-mode", "error"),
        ("var/lib/pam-totp/secrets/.store", 0o640, "secret-files", "error"),
        ("var/lib/pam-totp/state.db", 0o604, "state-mode", "error"),
        ("etc/pam-totp", 0o775, "parents", "error"),
        ("var", 0o757, "parents", "error"),
        ("run/pam-totp", 0o775, "runtime-mode", "error"),
        ("run/pam-totp", 0o700, "runtime-mode", "warning"),
    ],
)
def test_modes(patient: Patient, place: str, mode: int, check: str, level: str) -> None:
    """A mode that lets others in is found, once, and the line that is given puts it right."""
    path = patient.root / place
    path.chmod(mode)
    finding = patient.only("files", "store")
    assert (finding.check, finding.level) == (check, level)
    assert str(path) in finding.found
    subprocess.run(["/bin/sh", "-c", finding.do], check=True)
    assert patient.found("files", "store") == []


@pytest.mark.parametrize(
    ("place", "check"),
    [
        ("etc/pam-totp/seal.key", "key-mode"),
        ("var/lib/pam-totp/secrets/.store", "secret-files"),
        ("var/lib/pam-totp/state.db", "state-mode"),
    ],
)
def test_second_names(patient: Patient, place: str, check: str) -> None:
    """A second name of a secret file is found, and the line that is given lists it."""
    path, other = patient.root / place, patient.root / "other"
    other.hardlink_to(path)
    finding = patient.only("files")
    assert (finding.check, finding.level) == (check, "error")
    command = finding.do.partition(": ")[2].replace("find /", f"find {patient.root}")
    listed = subprocess.run(["/bin/sh", "-c", command], check=True, capture_output=True, text=True)
    assert set(listed.stdout.splitlines()) == {str(path), str(other)}


def test_sticky_directories(patient: Patient) -> None:
    """In a directory that is sticky, like /tmp, others cannot exchange what is there."""
    (patient.root / "var").chmod(0o1777)
    assert patient.found("files") == []


def test_socket(patient: Patient) -> None:
    """A socket that only root can ask, and something else in its place."""
    path = patient.runtime / "login.socket"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(str(path))
        path.chmod(0o600)
        assert patient.only("files").do == f"chmod 0666 {path}"
        path.chmod(0o666)
        assert patient.found("files") == []
    path.unlink()
    path.write_text("")
    finding = patient.only("socket-mode")
    assert (finding.level, finding.do.partition(";")[0]) == ("error", f"rm {path}")
