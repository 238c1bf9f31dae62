"""A systemd credential as the place of the key."""

from __future__ import annotations

from pathlib import Path

import pytest

from pam_totp import config, keyfile
from pam_totp.credential import Credential
from pam_totp.errors import ConfigError, StoreError


def test_in_the_configuration() -> None:
    """`credential:NAME` is one; a name that could lead elsewhere is an error that says the form."""
    assert config.parse("key-file: credential:seal.key", "x").key_file == Credential("seal.key")
    for wrong in ("", "../seal.key", ".hidden", "a/b", "a b"):
        with pytest.raises(ConfigError, match="credential:NAME"):
            config.parse(f'key-file: "credential:{wrong}"', "x")
    with pytest.raises(ConfigError, match="an absolute path, or credential:NAME"):
        config.parse("key-file: seal.key", "x")


def test_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service finds it in the directory that systemd names; what is not in there, and where
    nothing is named, is looked for where the service's own are."""
    held = Path("/run/credentials/pam-totpd.service/seal.key")
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    assert Credential("seal.key").path == held
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert Credential("seal.key").path == held
    keyfile.create(tmp_path / "seal.key")
    assert Credential("seal.key").path == tmp_path / "seal.key"
    assert len(keyfile.load(Credential("seal.key")).keys) == 1


def test_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it the error says to start the service, or how it is given."""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(StoreError, match="does not run, or was not given it") as caught:
        keyfile.load(Credential("no-such-key"))
    assert "systemctl start pam-totpd" in (caught.value.hint or "")
    assert "LoadCredential=no-such-key" in (caught.value.hint or "")
