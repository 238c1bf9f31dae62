"""The configuration, wrong in each way that is looked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pam_totp.doctor import configuration

if TYPE_CHECKING:
    from .conftest import Patient


@pytest.mark.parametrize("line", ["isuer: x", "fail-delay: fast", "- a", "issuer: [", "\0"])
def test_not_readable(patient: Patient, line: str) -> None:
    """A configuration that cannot be used is one error, which names the file to change."""
    with patient.yaml.open("a") as yaml:
        yaml.write(f"{line}\n")
    finding = patient.only("configuration", "files", "store")
    assert (finding.check, finding.level) == ("config", "error")
    assert finding.do.startswith(f"{patient.yaml}: change what is named")
    if line == "isuer: x":
        assert "known: issuer, language" in finding.do


def test_key_beside_the_data(patient: Patient) -> None:
    """A key within the data directory is a warning."""
    patient.key.rename(patient.data / "seal.key")
    patient.yaml.write_text(
        patient.yaml.read_text().replace(str(patient.key), f"{patient.data}/seal.key")
    )
    assert patient.only("configuration", "files", "store").check == "key-apart"


@pytest.mark.usefixtures("catalogs")
def test_a_language_without_a_translation(patient: Patient) -> None:
    """A language that nothing can be said in is a warning, which names those that there are."""
    with patient.yaml.open("a") as yaml:
        yaml.write("language: tlh\n")
    finding = patient.only("configuration")
    assert (finding.check, finding.level) == ("language", "warning")
    assert finding.do == f"{patient.yaml}: language: one of de, en"


def test_runtime_elsewhere(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the machine's own configuration, a socket where the module does not look is an error;
    another configuration may have one beside it."""
    assert patient.found("configuration") == []
    monkeypatch.setattr(configuration.config, "DEFAULT_PATH", patient.yaml)
    finding = patient.only("configuration")
    assert (finding.check, finding.level) == ("runtime-place", "error")
    assert f"runtime-directory: {patient.runtime}" in finding.do
