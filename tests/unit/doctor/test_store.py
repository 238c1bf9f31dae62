"""The key, the halves of the store, and the accounts in it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from pam_totp import enrollment, keyfile
from pam_totp.account import Person
from pam_totp.doctor import store
from pam_totp.doctor.examine import examine
from pam_totp.doctor.machine import Machine
from pam_totp.errors import NameServiceError
from pam_totp.store.directory import DirectoryStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from pam_totp.doctor.finding import Finding

    from .conftest import Patient

NOW = 1_900_000_000.0


@pytest.fixture(name="daemon", autouse=True)
def daemon_fixture(patient: Patient) -> None:
    """The account daemon has enrolled, by the uid that it has everywhere."""
    opened = DirectoryStore(patient.data, keyfile.load(patient.key))
    drafted = enrollment.draft(opened, Person("daemon", 1), "phone", NOW)
    enrollment.keep(opened, drafted, NOW, "a test")
    opened.close()


def exchange_key(patient: Patient) -> None:
    """Put another key in the place of the key."""
    patient.key.unlink()
    keyfile.create(patient.key)


def write_into_key(patient: Patient) -> None:
    """Let the key be something else."""
    patient.key.chmod(0o600)
    patient.key.write_text("f0e1d2c3b4a5\n")
    patient.key.chmod(0o400)


def exchange_identity(patient: Patient) -> None:
    """Let secrets be of another generation."""
    (patient.data / "secrets/.store").write_text(f"1 {'0' * 32} {'1' * 32}\n")


def damage_state(patient: Patient) -> None:
    """Write over a page of an index that no account needs."""
    with closing(sqlite3.connect(patient.data / "state.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'source_at'"
        ).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with (patient.data / "state.db").open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * 100)


@pytest.mark.parametrize(
    ("harm", "check", "do"),
    [
        (lambda patient: patient.key.unlink(), "key", "from its copy"),
        (write_into_key, "key", "from its copy"),
        (exchange_key, "secrets", "put the key file back"),
        (lambda patient: (patient.data / "state.db").unlink(), "store", "pam-totp store renew"),
        (exchange_identity, "store", "pam-totp store renew"),
        (damage_state, "state", "from its copy"),
        (
            lambda patient: (patient.data / "secrets/daemon").unlink(),
            "secrets",
            "pam-totp reset daemon",
        ),
        (
            lambda patient: (patient.data / "secrets/daemon").write_text("x"),
            "secrets",
            "pam-totp reset daemon",
        ),
    ],
)
def test_broken(patient: Patient, harm: Callable[[Patient], object], check: str, do: str) -> None:
    """Each thing that is broken is found alone, as an error, and no secret is part of it."""
    assert patient.found("store") == []
    harm(patient)
    finding = patient.only("store")
    assert (finding.check, finding.level) == (check, "error")
    assert do in finding.do
    assert "f0e1d2c3b4a5" not in finding.found


def looked(patient: Patient, lookup: Callable[[str], Person | None]) -> list[Finding]:
    """Return what is found of names, where the name service answers like this."""
    machine = Machine(patient.yaml, patient.root, lookup=lookup)
    found = [one for one in examine(machine, ["names"]) if one.level != "ok"]
    machine.close()
    return found


def test_names(patient: Patient) -> None:
    """A name that is gone is a warning, one that is somebody else's an error, and a name
    service that cannot say is said to be that."""
    (gone,) = looked(patient, lambda _: None)
    assert (gone.level, gone.do) == ("warning", "pam-totp prune")
    (other,) = looked(patient, lambda name: Person(name, 99))
    assert (other.level, other.do) == ("error", "pam-totp prune")
    assert "uid 1 and is uid 99" in other.found

    def down(name: str) -> Person | None:
        raise NameServiceError(f"NSS could not look up {name!r}", hint="getent passwd")

    (unknown,) = looked(patient, down)
    assert (unknown.level, unknown.do) == ("error", "getent passwd")
    assert unknown.found.startswith("could not check: ")


def test_a_name_service_that_knows_some(patient: Patient) -> None:
    """Who is gone is found, though the name service cannot say anything of somebody else."""
    store = DirectoryStore(patient.data, keyfile.load(patient.key))
    person = Person("games", 5)
    enrollment.keep(store, enrollment.draft(store, person, "phone", 0.0), 0.0, "root", 0)
    store.close()

    def lookup(name: str) -> Person | None:
        if name == "games":
            raise NameServiceError(f"NSS could not look up {name!r}", hint="getent passwd")
        return None

    gone, unknown = looked(patient, lookup)
    assert (gone.level, gone.do) == ("warning", "pam-totp prune")
    assert (unknown.level, unknown.found) == (
        "error",
        "could not check: NSS could not look up 'games'",
    )


def test_space(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system with little room is a warning, one without an error, a read-only one too."""

    class Seen:
        f_frsize, f_files, f_flag = 4096, 1000, 0
        f_bavail, f_favail = 1_000_000, 1000

    seen = Seen()
    monkeypatch.setattr(store.os, "statvfs", lambda _: seen)
    assert patient.found("disk-space", "read-only") == []
    seen.f_bavail = 1000
    assert patient.only("disk-space").level == "warning"
    seen.f_bavail = 0
    assert patient.only("disk-space").level == "error"
    seen.f_bavail, seen.f_favail = 1_000_000, 0
    assert patient.only("disk-space").level == "error"
    seen.f_flag = os.ST_RDONLY
    assert patient.only("read-only").do.startswith("mount -o remount,rw /")


def test_size(patient: Patient) -> None:
    """A state.db that has grown beyond what its events need is a warning."""
    (patient.data / "state.db-wal").write_bytes(b"")
    (patient.data / "state.db-wal").chmod(0o600)
    os.truncate(patient.data / "state.db-wal", 2 << 30)
    assert patient.only("state-size").level == "warning"


def test_shared_uid(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second name of somebody who has enrolled is found until it is locked."""
    daemon = next(entry for entry in store.pwd.getpwall() if entry.pw_name == "daemon")
    second = type(daemon)(["imp", *daemon[1:]])
    monkeypatch.setattr(store.pwd, "getpwall", lambda: [daemon, second])
    finding = patient.only("store")
    assert (finding.check, finding.level) == ("shared-uid", "warning")
    assert "pam-totp enroll imp" in finding.do
