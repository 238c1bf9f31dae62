"""The clocks: whether the kernel calls its own synchronised, and whether somebody set it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pam_totp import clock
from pam_totp.clock import JUMP, JumpWatch
from tests.unit.world import NOON

REPOSITORY = Path(__file__).parents[2]
BOOT = 1000.0
SECONDS = st.floats(-1e9, 1e9)

KERNELS_WORD = """
#include <stdio.h>
#include <sys/timex.h>
int main(void) {
    struct timex t = { .modes = 0 };
    if (adjtimex(&t) == -1) puts("None");
    else puts(t.status & STA_UNSYNC ? "False" : "True");
}
"""

# A filter as ProtectClock=yes sets one: what sets or tells the state of the clock fails.
SANDBOX = """
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(int argc, char **argv) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clock_adjtime, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_adjtimex, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { sizeof code / sizeof *code, code };
    if (argc < 2 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
        return 99;
    execv(argv[1], argv + 1);
    return 98;
}
"""
ASK = (
    f"import sys; sys.path.insert(0, {str(REPOSITORY)!r}); "
    "from pam_totp import clock; print(clock.synchronised())"
)


def built(directory: Path, source: str) -> Path:
    """Return a program built out of C."""
    program = directory / "program"
    command = ["cc", "-Wall", "-Werror", "-x", "c", "-", "-o", program]
    subprocess.run(command, input=source, text=True, check=True)
    return program


def said_by(*command: str | Path) -> str:
    """Return what a program prints."""
    found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
    return found.stdout.strip()


# -- the kernel's word ------------------------------------------------------------------------


def test_the_kernels_word(tmp_path: Path) -> None:
    """It is what the C library's own structure says."""
    assert str(clock.synchronised()) == said_by(built(tmp_path, KERNELS_WORD))


@pytest.mark.parametrize(
    ("status", "returned", "expected"),
    [(0x40, 5, False), (0x2041, 5, False), (0, 0, True), (0x2001, 0, True), (0, -1, None)],
)
def test_what_the_kernel_may_say(
    monkeypatch: pytest.MonkeyPatch, status: int, returned: int, expected: object
) -> None:
    """STA_UNSYNC among any other bits is "no"; a leap second coming (1) is not, and an error
    is "does not say"."""

    class Libc:
        def __init__(self, *_: object, **__: object) -> None:
            pass

        @staticmethod
        def adjtimex(given: object) -> int:
            given._obj.status = status  # type: ignore[attr-defined]
            return returned

    monkeypatch.setattr(clock.ctypes, "CDLL", Libc)
    assert clock.synchronised() is expected


def test_where_the_kernel_does_not_say(tmp_path: Path) -> None:
    """Where a sandbox forbids the question there is no answer, and no error."""
    assert said_by(built(tmp_path, SANDBOX), sys.executable, "-c", ASK) == "None"


def test_the_clock_that_nobody_sets() -> None:
    """The time since boot is what the kernel says, and runs as time does."""
    before, uptime = clock.since_boot(), float(Path("/proc/uptime").read_text().split()[0])
    assert -0.02 < uptime - before < 5
    assert before <= clock.since_boot() <= before + 5
    assert abs(clock.now() - time.time()) < 5


# -- jumps ------------------------------------------------------------------------------------


def watching() -> JumpWatch:
    """Return a watch that has seen one login at NOON."""
    watch = JumpWatch()
    assert watch.noticed(NOON, BOOT, None) is None
    return watch


@given(st.floats(0, 1e8), st.floats(-JUMP + 1, JUMP - 1))
def test_time_that_passes_is_no_jump(passed: float, set_by: float) -> None:
    """However much time passes, asleep or not, and if the clock is set by less than an hour,
    nothing is noticed."""
    watch = watching()
    assert watch.noticed(NOON + passed + set_by, BOOT + passed, int(NOON)) is None


@given(st.floats(0, 1e8), st.floats(JUMP + 1, 1e9), st.sampled_from([1, -1]))
def test_a_jump_is_noticed_once(passed: float, amount: float, sign: int) -> None:
    """A clock that was set by more than an hour is noticed once, with the amount."""
    watch = watching()
    wall = NOON + passed + sign * amount
    by = watch.noticed(wall, BOOT + passed, None)
    assert by == pytest.approx(sign * amount, abs=0.01)
    assert watch.noticed(wall + 5, BOOT + passed + 5, None) is None


def test_there_and_back_again() -> None:
    """A clock that is set ahead and back is noticed twice."""
    watch = watching()
    assert watch.noticed(NOON + 7200, BOOT, None) == 7200
    assert watch.noticed(NOON + 10, BOOT + 10, None) == -7200


def test_small_steps_between_accepted_logins() -> None:
    """Steps of less than an hour add up, unless a login was accepted between them."""
    watch = watching()
    assert watch.noticed(NOON + 3000, BOOT, None) is None
    watch.accepted(NOON + 3000, BOOT)
    assert watch.noticed(NOON + 6000, BOOT, None) is None
    assert watch.noticed(NOON + 6601, BOOT, None) == 3601


@given(SECONDS, st.integers(-(10**9), 10**9))
def test_an_account_that_was_used_in_the_future(passed: float, ahead: int) -> None:
    """Whatever was before this process: an account that was used more than an hour from now
    says that the clock was set back, and by how much at least."""
    watch = watching()
    by = watch.noticed(NOON, BOOT, int(NOON) + ahead)
    assert by == (-ahead if ahead > JUMP else None)
    assert watch.noticed(NOON, BOOT, int(NOON) + ahead) == by
    assert watch.noticed(NOON, BOOT, None) is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-240, "4 minutes slow"),
        (240, "4 minutes fast"),
        (-90, "90 seconds slow"),
        (60, "60 seconds fast"),
        (120, "2 minutes fast"),
        (-150, "2 minutes slow"),
        (-2400, "40 minutes slow"),
        (7170, "120 minutes fast"),
        (-7200, "2 hours slow"),
        (86_400, "24 hours fast"),
    ],
)
def test_words(seconds: int, words: str) -> None:
    """A person is told hours, minutes or seconds, whichever is not too rough."""
    assert clock.off(seconds) == words
