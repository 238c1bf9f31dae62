"""The frame: whatever a check meets, the others go on, and what rests on something broken is not
reported twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pam_totp.doctor import examine
from pam_totp.doctor.finding import Check, Level, Subject, Unchecked
from pam_totp.errors import StoreError

if TYPE_CHECKING:
    from .conftest import Patient


def failing(error: BaseException) -> Check:
    """Return a check that meets an error."""

    def look(_: object) -> list[object]:
        raise error

    return Check("one", "all is well", look)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "level", "says"),
    [
        (StoreError("the disk is gone", hint="buy a disk"), Level.ERROR, "the disk is gone"),
        (PermissionError(13, "Permission denied", "/x"), Level.ERROR, "Permission denied: '/x'"),
        (Unchecked("no key"), Level.UNCHECKED, "not checked: no key"),
        (ValueError("a secret"), Level.ERROR, "a fault of the program: ValueError at "),
    ],
)
def test_a_check_that_fails_is_a_finding(
    patient: Patient, monkeypatch: pytest.MonkeyPatch, error: Exception, level: Level, says: str
) -> None:
    """A check that cannot look is a finding that says why, with something to do, and without
    the words of an exception that nobody has foreseen; the check behind it is made."""
    fine = Check("two", "all is well", lambda _: [])
    monkeypatch.setattr(examine, "SUBJECTS", (Subject("s", (failing(error), fine)),))
    first, second = examine.examine(patient.machine)
    assert (first.level, first.check, first.subject) == (level, "one", "s")
    assert says in first.found
    assert "a secret" not in first.found
    assert bool(first.do) is (level is Level.ERROR)
    assert (second.level, second.check, second.found) == (Level.OK, "two", "all is well")


def test_names_are_told_apart() -> None:
    """No two checks, and no check and subject of more than one check, have one name."""
    checks = [check.name for subject in examine.SUBJECTS for check in subject.checks]
    assert len(set(checks)) == len(checks)
    for subject in examine.SUBJECTS:
        others = {c for s in examine.SUBJECTS if s is not subject for c in s.checks}
        assert subject.name not in {check.name for check in others}


def test_wanted_checks_alone(patient: Patient) -> None:
    """A subject or a check can be asked for by name."""
    names = [one.check for one in examine.examine(patient.machine, ["files", "key"])]
    assert names == [*(check.name for check in examine.files.CHECKS), "key"]


def test_nothing_is_there(patient: Patient) -> None:
    """On a machine without configuration the one error says how to begin."""
    patient.yaml.unlink()
    finding = patient.only("configuration", "files", "store")
    assert (finding.check, finding.do) == ("config", "pam-totp setup")


def test_a_machine_in_order(patient: Patient) -> None:
    """Where nothing is wrong, nothing is found, but that no service runs in this directory."""
    assert [one.check for one in patient.found()] == ["service", "one-shot"]
