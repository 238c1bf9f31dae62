"""`pam-totp setup`."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pam_totp import config

if TYPE_CHECKING:
    from .conftest import Host

SHIPPED = Path(__file__).parents[3] / "etc/pam-totp.yaml"


def mode(path: Path) -> int:
    """Return the rights on a file."""
    return stat.S_IMODE(path.stat().st_mode)


def test_the_shipped_configuration_is_the_reference() -> None:
    """etc/pam-totp.yaml says what the table of options says."""
    assert SHIPPED.read_text() == config.reference()


def test_makes_what_is_missing(bare: Host) -> None:
    """Key and data directory are made, for their owner alone."""
    done = bare.does("setup", "--yes")
    assert (mode(bare.key), mode(bare.data)) == (0o400, 0o700)
    assert f"{bare.key}  " in done.out
    assert done.out.count("  made\n") == 2
    assert "Keep a copy" in done.out
    assert "@include pam-totp" in done.out


def test_again_changes_nothing(host: Host) -> None:
    """A second run says what was there and leaves every byte."""
    before = host.key.read_bytes(), host.path.read_bytes()
    done = host.does("setup", "--yes")
    assert done.out.count("was there already\n") == 3
    assert (host.key.read_bytes(), host.path.read_bytes()) == before


def test_writes_a_configuration_that_all_may_read(
    bare: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is none, the reference is written, with the issuer that was named."""
    at_home(tmp_path, monkeypatch)
    bare.path = tmp_path / "etc/new.yaml"
    bare.does("setup", "--yes", "--issuer", "Example VPN")
    assert config.load(bare.path).issuer == "Example VPN"
    assert (mode(bare.path), mode(bare.path.parent)) == (0o644, 0o755)
    assert mode(tmp_path / "key") == 0o400


def test_an_impossible_issuer_leaves_nothing(
    bare: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What apps cannot take is said before anything is written."""
    at_home(tmp_path, monkeypatch)
    bare.path = tmp_path / "etc/new.yaml"
    done = bare.run("setup", "--yes", "--issuer", "a:b")
    assert done.code == 1
    assert "issuer: expected a line of text without a colon" in done.err
    assert not bare.path.parent.exists()


def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the options of an unwritten configuration lead into the test's own directory."""
    places = {"data-directory": tmp_path / "data", "key-file": tmp_path / "key"}
    options = tuple(
        replace(option, default=str(places.get(option.name, option.default)))
        for option in config.OPTIONS
    )
    monkeypatch.setattr(config, "OPTIONS", options)


def test_the_issuer_is_asked_for(bare: Host, tmp_path: Path) -> None:
    """Without --yes a person is asked, at the terminal, before anything is written."""
    bare.path = tmp_path / "new.yaml"
    person = bare.at_terminal("setup")
    person.expect(r"Name \[.*\]: ")
    person.sendeof()
    person.expect("nothing was changed")
    person.wait()
    assert person.exitstatus == 1
    assert not bare.path.exists()


def test_no_new_key_beside_old_secrets(host: Host) -> None:
    """Where secrets wait for a lost key, a new one is not made: it would hide the loss."""
    host.does("enroll", "daemon", "--no-confirm")
    host.key.unlink()
    done = host.run("setup", "--yes")
    assert done.code == 1
    assert f"hint: put {host.key} back from its copy" in done.err
    assert not host.key.exists()


def test_half_a_store_is_not_completed(host: Host) -> None:
    """Where state.db is gone, no empty one is made: it would let everyone in."""
    (host.data / "state.db").unlink()
    done = host.run("setup", "--yes")
    assert done.code == 1
    assert f"hint: pam-totp --config {host.path} store renew" in done.err
    assert not (host.data / "state.db").exists()
