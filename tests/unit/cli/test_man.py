"""The manual page, against the commands."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from pam_totp.cli.main import cli

PAGE = (Path(__file__).parents[3] / "man/pam-totp.1").read_text().replace("\\-", "-")


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


@pytest.mark.parametrize("name", commands(cli))
def test_every_option_is_named(name: str) -> None:
    """The page names every command and every option of it."""
    assert name.partition(" ")[0] in PAGE
    assert name.rpartition(" ")[2] in PAGE
    options = (p for p in commands(cli)[name].params if isinstance(p, click.Option))
    long = {option.opts[-1] for option in options if not option.hidden}
    assert {one for one in long if one not in PAGE} == set()
