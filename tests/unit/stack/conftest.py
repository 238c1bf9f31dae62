"""The stacks of Debian's releases (tests/stacks), each in a root of a test's own."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pam_totp.stack import Tree

DATA = Path(__file__).parents[2] / "stacks"
RELEASES = ("debian-12", "debian-13")
PROFILES = (
    "unix",
    "unix-sss",
    "unix-ldap",
    "unix-winbind",
    "krb5-unix",
    "krb5-unix-winbind-ldap-sss",
)


@pytest.fixture
def machine(tmp_path: Path) -> Callable[[str, str], Tree]:
    """Makes a machine of a release, with profiles of pam-auth-update on."""

    def make(release: str, profiles: str) -> Tree:
        stacks = tmp_path / "etc/pam.d"
        stacks.mkdir(parents=True)
        for place in (DATA / release, DATA / release / profiles):
            for file in place.iterdir():
                if file.is_file():
                    shutil.copy(file, stacks)
        for name in ("password", "session", "session-noninteractive"):
            (stacks / f"common-{name}").write_text("")
        return Tree(tmp_path)

    return make


@pytest.fixture
def custom(tmp_path: Path) -> Callable[..., Tree]:
    """Makes a machine with these files in /etc/pam.d."""

    def make(**files: str) -> Tree:
        stacks = tmp_path / "etc/pam.d"
        stacks.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (stacks / name.replace("_", "-")).write_text(text)
        return Tree(tmp_path)

    return make
