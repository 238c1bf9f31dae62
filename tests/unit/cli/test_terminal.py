"""How what is said to administrators looks on their terminals."""

from __future__ import annotations

import io
import os

import pytest

from pam_totp.cli.terminal import moment, with_sudo, wrapped

AT = 1_795_000_000.0


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        """It is one."""
        return True


@pytest.fixture
def by_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody has called us by sudo."""
    monkeypatch.setenv("SUDO_USER", "alice")
    monkeypatch.setattr(os, "geteuid", lambda: 0)


@pytest.mark.usefixtures("by_sudo")
@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("pam-totp unlock alice", "sudo pam-totp unlock alice"),
        ("sudo pam-totp status", "sudo pam-totp status"),
        ("pam-totp --config /x enroll USER", "sudo pam-totp --config /x enroll USER"),
        ("pam-totp enroll --help", "pam-totp enroll --help"),
        (
            "put it back; without one: pam-totp setup",
            "put it back; without one: sudo pam-totp setup",
        ),
        ("EDITOR=nano pam-totp policy edit", "sudo EDITOR=nano pam-totp policy edit"),
        ("chown 0 /x && chmod 0600 /x", "sudo chown 0 /x && sudo chmod 0600 /x"),
        ("look at /x: timedatectl", "look at /x: timedatectl"),
        ("ls /etc/pam.d; pam-totp stack show", "ls /etc/pam.d; sudo pam-totp stack show"),
        ("see pam-totp.yaml, key-file", "see pam-totp.yaml, key-file"),
        ("/usr/libexec/pam-totp/stack-off --all", "sudo /usr/libexec/pam-totp/stack-off --all"),
    ],
)
def test_a_hint_can_be_run_by_who_came_by_sudo(said: str, shown: str) -> None:
    """What takes root has sudo in front of it, and nothing else has."""
    assert with_sudo(said) == shown


def test_root_needs_no_sudo(by_sudo: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is root, by `sudo -i` of root's own too, may have no sudo at all."""
    monkeypatch.setenv("SUDO_USER", "root")
    assert with_sudo("pam-totp setup") == "pam-totp setup"
    monkeypatch.delenv("SUDO_USER")
    assert with_sudo("pam-totp setup") == "pam-totp setup"


def test_sentences_break_between_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal no word is cut in two, a path that is wider than it included; a program gets
    one line."""
    monkeypatch.setenv("COLUMNS", "40")
    path = "/etc/" + "x" * 50
    text = f"pam-totp: what is in {path} is well-known, and this goes on"
    lines = wrapped(text, Screen(), "  ").split("\n")
    assert " ".join(line.strip() for line in lines) == text
    assert [line for line in lines if len(line) > 40] == [f"  {path}"]
    assert wrapped(text, io.StringIO()) == text


def test_a_moment_of_another_day_has_its_date() -> None:
    """The time alone is of today; seconds are shown where they are asked for."""
    today = moment(AT, AT)
    assert moment(AT, AT, seconds=True).startswith(f"{today}:")
    assert moment(AT, AT + 86_400).endswith(f" {today}")
