"""Names that are none: whatever is typed for a user, it is refused with a line that says what
to do, and nothing is touched."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Host

NAMES = {
    "slash": "../../etc/passwd",
    "dots": "..",
    "NUL": "root\0x",
    "newline": "root\nverdict=accepted",
    "long": "a" * 300,
    "bytes": "al\udcff\udcfece",
    "dash": "-root",
    "dashes": "--help-me",
    "empty": "",
    "blank": " root",
    "right-to-left": "\u202etoor",
    "escape": "\x1b[2Jroot",
}
COMMANDS = {
    "status": ("status",),
    "lock": ("lock", "--yes"),
    "unlock": ("unlock",),
    "reset": ("reset", "--yes"),
    "enroll": ("enroll", "--no-confirm"),
}


@pytest.fixture(name="enrolled")
def enrolled_fixture(host: Host) -> Host:
    """A host where daemon has enrolled."""
    host.does("enroll", "daemon", "--no-confirm")
    return host


def everything(host: Host) -> dict[str, bytes]:
    """Return every file of the host but SQLite's own, and what is around its data."""
    root = host.data.parent
    files = (p for p in root.rglob("*") if p.is_file() and not p.name.startswith("state.db"))
    return {os.fspath(p): p.read_bytes() for p in files}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", NAMES)
def test_no_such_user(enrolled: Host, command: str, name: str) -> None:
    """It is refused in one line and a hint, shown without what a terminal would obey, and
    neither file nor event comes of it."""
    before, events = everything(enrolled), enrolled.world().store.events(None, 1000)
    done = enrolled.run(*COMMANDS[command], "--", NAMES[name])
    assert done.code == 1
    said = done.err.splitlines()
    assert said[0].startswith("pam-totp: ")
    assert said[-1].startswith("hint: ")
    assert len(said) == 2
    assert all(text.isprintable() for text in said)
    assert everything(enrolled) == before
    assert enrolled.world().store.events(None, 1000) == events


def test_a_dash_is_an_option(enrolled: Host) -> None:
    """Without `--` a leading dash is an option, and one that there is not."""
    assert enrolled.run("unlock", "-root").code == 2


def test_nobody_else_is_meant(enrolled: Host) -> None:
    """No spelling of such a name locks somebody else."""
    for name in NAMES.values():
        enrolled.run("lock", "--yes", "--", name)
    assert enrolled.does("status", "daemon", "--json").json["locked"] == "no"
