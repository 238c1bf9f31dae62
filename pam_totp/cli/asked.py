"""Passwords and passphrases that somebody chooses: asked for twice, or read from a script."""

from __future__ import annotations

import sys

from pam_totp.cli.terminal import terminal


def chosen(what: str, instead: str) -> str:
    """Return what was typed twice, or the first line of standard input where that is no
    terminal; `instead` is the way without a terminal."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().removesuffix("\n")
    with terminal(instead) as person:
        while True:
            typed = person.ask_hidden(f"{what}: ")
            if person.ask_hidden("The same again: ") == typed:
                return typed
            person.show("These two were different.")


def given(what: str, instead: str) -> str:
    """Return what was typed once, or the first line of standard input."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().removesuffix("\n")
    with terminal(instead) as person:
        return person.ask_hidden(f"{what}: ")
