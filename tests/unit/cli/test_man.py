"""The manual page, against the commands."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from pam_totp.cli.main import cli

FILE = Path(__file__).parents[3] / "man/pam-totp.1"
PAGE = re.sub(r"\\f(\[.*?\]|.)", "", FILE.read_text().replace("\\-", "-"))
ENTRIES = PAGE.partition(".SH COMMANDS")[2].partition(".SH FILES")[0].split("\n.TP\n")
BORROWED = {
    "[the options of enroll]": "enroll",
    "[the same options]": "policy set",
}


def commands(group: click.Group, above: str = "") -> dict[str, click.Command]:
    """Return every command by its whole name."""
    found: dict[str, click.Command] = {}
    for name, command in group.commands.items():
        whole = f"{above}{name}"
        if isinstance(command, click.Group):
            found |= commands(command, f"{whole} ")
        else:
            found[whole] = command
    return found


def options(command: click.Command) -> set[str]:
    """Return the long options of a command."""
    shown = (p for p in command.params if isinstance(p, click.Option) and not p.hidden)
    return {max(option.opts, key=len) for option in shown}


def entry(name: str) -> str:
    """Return what the page says of a command, with the entry of the one whose options it has."""
    line = re.compile(rf'^\.[BIR]+ "?{re.escape(name)}[\s"]', re.MULTILINE)
    own = "\n".join(one for one in ENTRIES if line.search(one))
    return own + "".join(entry(other) for said, other in BORROWED.items() if said in own)


@pytest.mark.parametrize("name", commands(cli))
def test_every_option_is_named(name: str) -> None:
    """Each command has an entry that names every option of it."""
    assert entry(name)
    named = set(re.findall(r"--[a-z][a-z-]*", entry(name)))
    assert options(commands(cli)[name]) - named == set()


def test_no_other_option_is_named() -> None:
    """The page names no option that no command has."""
    there = {name for c in (cli, *commands(cli).values()) for p in c.params for name in p.opts}
    there |= {name for c in commands(cli).values() for p in c.params for name in p.secondary_opts}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", PAGE)) - there == {"--help"}


@pytest.mark.skipif(shutil.which("man") is None, reason="there is no man here")
def test_it_is_sound() -> None:
    """There is nothing that man warns of."""
    command = ["man", "--warnings", "-E", "UTF-8", "-l", str(FILE)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == ""
    assert "recovery-codes" in done.stdout
