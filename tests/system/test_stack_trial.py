"""`pam-totp stack enable --try`: put back unless a second login confirms it."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator

import pytest

from tests.system.lab import become, systemd
from tests.system.lab.machine import (
    DROP_IN,
    ENABLE,
    OFF,
    STACK,
    TRIAL,
    asks_for_a_code,
    asks_for_no_code,
    run,
    session,
    turned_off,
)
from tests.system.lab.person import Person
from tests.system.lab.product import COMMAND, pam_totp
from tests.system.lab.ssh import Sshd
from tests.system.lab.wait import wait_for

CONFIRM = f"sudo {COMMAND} stack confirm"
TRY = f"sudo {COMMAND} {' '.join(ENABLE)} --try"


@pytest.fixture
def sshd(service: object) -> Iterator[Sshd]:
    """An sshd that asks for no code, and reads its settings anew when told."""
    with turned_off() as sshd:
        yield sshd


@pytest.fixture
def admin(person: Person) -> Iterator[Person]:
    """Somebody enrolled who may do everything by sudo."""
    with become.trusted_sudoer(person):
        yield person


def is_put_back() -> None:
    """Wait until nothing of the change is left."""
    wait_for(lambda: not TRIAL.exists(), "end of the trial")
    assert "pam-totp" not in STACK.read_text()
    assert not DROP_IN.exists()


def test_runs_out(sshd: Sshd, admin: Person) -> None:
    """A trial that nobody confirms puts everything back, though the session that started it
    was cut off."""
    before = STACK.read_bytes()
    with session(sshd, admin, code=False) as first:
        first.types(f"{TRY} 5s")
        first.sees("on trial until")
        first.signals(signal.SIGKILL)
    assert STACK.read_bytes() != before
    is_put_back()
    assert STACK.read_bytes() == before
    asks_for_no_code(admin)


def test_is_confirmed_by_a_second_login(sshd: Sshd, admin: Person) -> None:
    """The session that started the trial cannot confirm it, nor can one from before it; one
    that came since can, and then it stays."""
    with session(sshd, admin, code=False) as older, session(sshd, admin, code=False) as first:
        first.types(f"{TRY} 10m")
        first.sees("on trial until")
        first.types(CONFIRM)
        first.sees("this is the session that the trial was started from")
        older.types(CONFIRM)
        older.sees("this session is older than the trial")
        assert TRIAL.exists()
        with session(sshd, admin, code=True) as second:
            second.types(CONFIRM)
            second.sees("confirmed, and stays")
    assert not TRIAL.exists()
    asks_for_a_code(admin)


def test_confirmed_from_no_login(sshd: Sshd) -> None:
    """What is run from no login at all confirms nothing."""
    pam_totp(*ENABLE, "--try", "10m")
    done = run("setsid", COMMAND, "stack", "confirm")
    assert done.returncode == 1
    assert "from no login that can be seen" in done.stderr
    assert TRIAL.exists()


def test_nothing_to_confirm(sshd: Sshd) -> None:
    """Without a trial there is nothing to confirm."""
    done = run(COMMAND, "stack", "confirm")
    assert done.returncode == 1
    assert "no trial is under way" in done.stderr


def test_a_restart_ends_it(sshd: Sshd) -> None:
    """A trial does not outlive the machine's run: what ends it at the start puts it back."""
    pam_totp(*ENABLE, "--try", "10m")
    assert run(OFF, "--overdue").returncode == 0
    assert TRIAL.exists()
    of_another_run()
    assert run(OFF, "--overdue").returncode == 0
    is_put_back()


def test_a_timer_that_died(sshd: Sshd) -> None:
    """Where what should end the trial is gone, the next `pam-totp stack` does."""
    pam_totp(*ENABLE, "--try", "10m")
    record = TRIAL.read_text().splitlines()
    past = [("until=1" if line.startswith("until=") else line) for line in record]
    TRIAL.write_text("\n".join([*past, ""]))
    done = run(COMMAND, "stack", "confirm")
    assert "no trial is under way" in done.stderr
    is_put_back()


def test_a_file_that_cannot_be_written(sshd: Sshd) -> None:
    """A trial whose file cannot be written at its end is put back as soon as it can."""
    pam_totp(*ENABLE, "--try", "5s")
    stacks = str(STACK.parent)
    subprocess.run(["mount", "--bind", stacks, stacks], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", stacks], check=True)
    wait_for(lambda: not DROP_IN.exists(), "first try")
    assert "pam-totp" in STACK.read_text()
    assert TRIAL.exists()
    subprocess.run(["umount", stacks], check=True)
    is_put_back()


def test_edited_during_the_trial(sshd: Sshd) -> None:
    """What somebody adds to the file during a trial is there after it."""
    pam_totp(*ENABLE, "--try", "5s")
    theirs = "session optional pam_echo.so theirs\n"
    STACK.write_text(STACK.read_text() + theirs)
    is_put_back()
    assert STACK.read_text().endswith(theirs)


def test_one_trial_at_a_time(sshd: Sshd) -> None:
    """During a trial nothing else is turned on; turning off ends the trial."""
    pam_totp(*ENABLE, "--try", "10m")
    done = run(COMMAND, "stack", "enable", "login", "--yes")
    assert done.returncode == 1
    assert "a trial of sshd is under way" in done.stderr
    assert "sshd: on trial until" in run(COMMAND, "stack", "show").stderr
    pam_totp("stack", "disable", "sshd")
    is_put_back()


@pytest.mark.parametrize("word", ["10", "0s", "2d", "25h", "m"])
def test_a_duration_that_is_none(word: str, sshd: Sshd) -> None:
    """A duration that cannot be used is refused with the expected form."""
    done = run(COMMAND, *ENABLE, "--try", word)
    assert done.returncode == 2
    assert "expected 5s to 24h" in done.stderr


def test_systemd_ends_it(sshd: Sshd) -> None:
    """Where systemd runs, a timer of its ends the trial, and the unit for the machine's start
    one that a restart has interrupted."""
    before = STACK.read_bytes()
    with systemd.booted() as machine:
        done = machine.run(COMMAND, *ENABLE, "--try", "5s")
        assert done.returncode == 0, done.stderr
        assert "pam-totp-trial-" in machine.run("systemctl", "list-timers", "--all").stdout
        assert STACK.read_bytes() != before
        is_put_back()
        assert STACK.read_bytes() == before
        assert machine.run(COMMAND, *ENABLE, "--try", "10m").returncode == 0
        of_another_run()
        assert machine.run("systemctl", "start", "pam-totp-trial").returncode == 0
        is_put_back()
    assert STACK.read_bytes() == before


def of_another_run() -> None:
    """Make the trial one from before a restart of the machine."""
    record = TRIAL.read_text().splitlines()
    other = [("boot=another" if line.startswith("boot=") else line) for line in record]
    TRIAL.write_text("\n".join([*other, ""]))
