"""Which login may confirm a trial."""

from __future__ import annotations

import pytest

from pam_totp.stack.session import Login, Process, of_chain, why_not

SHELL = Process(50, 40, 500, "dash")
SUDO = Process(60, 50, 600, "sudo")
USER = Process(40, 30, 400, "sshd")
MONITOR = Process(30, 20, 300, "sshd")
LISTENER = Process(20, 1, 10, "sshd")
FIRST = Process(1, 0, 0, "systemd")
SSH = [SUDO, SHELL, USER, MONITOR, LISTENER, FIRST]


def test_of_ssh() -> None:
    """A connection is its own sshd, and as old as that; the one that listens is nobody's."""
    assert of_chain(SSH, None) == Login("sshd/40/400", 400, None)


def test_of_a_console() -> None:
    """Getty becomes login: a console's login is as old as what login has started."""
    login = Process(7, 1, 20, "login")
    assert of_chain([SHELL, login, FIRST], None) == Login("login/7/20", 500, None)


@pytest.mark.parametrize("program", ["cron", "tmux: server", "systemd", "sshd-agent"])
def test_of_nothing(program: str) -> None:
    """What has no sshd and no login among its ancestors is no login."""
    assert of_chain([SHELL, Process(40, 1, 400, program), FIRST], None) is None


@pytest.mark.parametrize(
    ("login", "allowed"),
    [
        (Login("sshd/9/500", 500, 8), True),
        (Login("sshd/9/500", 500, None), True),
        (Login("sshd/40/400", 400, None), False),  # the one that started it
        (Login("sshd/9/500", 500, 7), False),  # the same to the kernel's audit
        (Login("sshd/9/450", 450, 8), False),  # as old as the trial
        (Login("sshd/9/100", 100, 8), False),  # older
        (None, False),
    ],
)
def test_who_may_confirm(login: Login | None, *, allowed: bool) -> None:
    """Only a login that came after the trial began, and is not the one that began it."""
    assert (why_not(login, "sshd/40/400", 7, 450) is None) == allowed
