"""`pam-totp doctor`: what it prints, and its exit status."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pam_totp.cli import doctor
from pam_totp.doctor.examine import SUBJECTS
from pam_totp.doctor.finding import Finding, Level

from .conftest import REPOSITORY

if TYPE_CHECKING:
    from .conftest import Host


def test_order(host: Host) -> None:
    """Without findings the one line says so, and the status is 0."""
    done = host.does("doctor", "files")
    assert (done.out, done.err) == ("nothing found\n", "")


def test_findings(host: Host) -> None:
    """A finding stands under its subject with the line to run, and the last line sums up;
    errors end with 2, warnings alone with 1."""
    host.key.chmod(0o600)
    done = host.run("doctor", "files", "store")
    assert done.code == 1
    assert done.out == (
        "files\n"
        f"  warning    key-mode: {host.key}: mode 0600, expected 0400\n"
        f"             chown {host.key.stat().st_uid} {host.key} && chmod 0400 {host.key}\n"
        "\n"
        "1 warning\n"
    )
    host.data.chmod(0o755)
    done = host.run("doctor", "files", "store")
    assert (done.code, done.out.splitlines()[-1]) == (2, "1 error, 1 warning")


def test_verbose(host: Host) -> None:
    """With -v, what is in order and what could not be checked is shown, and changes no status."""
    host.path.with_name("seal.key").chmod(0o444)
    done = host.run("doctor", "-v", "files", "store")
    assert done.code == 2
    assert "  ok         data-mode: the data directory is closed to others\n" in done.out
    assert "  unchecked  key: not checked: others can get at the key\n" in done.out


def test_json(host: Host) -> None:
    """--json prints what was found as a list, an empty one for nothing."""
    assert host.does("doctor", "--json", "files").json == []
    host.key.chmod(0o600)
    done = host.run("doctor", "--json", "key-mode")
    (found,) = done.json
    assert found.keys() == {"level", "subject", "check", "found", "do"}
    assert (found["level"], found["subject"], found["check"]) == ("warning", "files", "key-mode")


def test_commands_name_the_configuration(host: Host) -> None:
    """Commands of ours are about the configuration that was looked at."""
    (host.data / "state.db").unlink()
    done = host.run("doctor", "store")
    assert f"             pam-totp --config {host.path} store renew\n" in done.out


def test_unknown_check(host: Host) -> None:
    """A check that there is not is a fault of the command line, which names the subjects."""
    done = host.run("doctor", "ssl")
    assert done.code == 2
    assert "no check called 'ssl'; subjects: configuration, files, store" in done.err


@pytest.mark.parametrize("lost", ["path", "key", "data"])
def test_everything_lost(host: Host, lost: str) -> None:
    """Whatever is lost, the doctor ends with a finding."""
    getattr(host, lost).rename(host.path.with_name("away"))
    done = host.run("doctor")
    assert done.code == 2
    assert "could not check" not in done.out


def test_what_it_shows_is_plain(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """A finding's text cannot steer the terminal."""
    bad = Finding(Level.ERROR, "a\x1b[2Jb", "c\nd", "e", "f")
    monkeypatch.setattr(doctor, "examine", lambda *_: iter([bad]))
    done = host.run("doctor")
    assert "\x1b" not in done.out
    assert "a\\x1b[2Jb" in done.out
    assert "c\\x0ad" in done.out


def test_documentation() -> None:
    """The page names each check once, under its subject and in the order of the report."""
    page = (REPOSITORY / "docs" / "doctor.md").read_text()
    rows = [line.split("|")[1].strip(" `") for line in page.splitlines() if line.startswith("| `")]
    assert rows == [check.name for subject in SUBJECTS for check in subject.checks]
