"""The service's end of the process that asks PAM: what it is given, what its answer is taken for,
and how long it may take.  Real processes, of programs that are written here.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from pam_totp.selfservice.password import Checked, Outcome, Passwords, Question

PATIENCE: Final = 20.0  # seconds after which a test gives up; none takes a tenth of that
SHORT: Final = 0.3  # seconds, for what does not end by itself
QUESTION: Final = Question("alice", 'corréct "horse"', "192.0.2.1", "pts/1")

Saying = Callable[..., Passwords]


@pytest.fixture
def saying(tmp_path: Path) -> Saying:
    """Make what asks a program, which is told in Python."""

    def make(text: str, **bounds: Any) -> Passwords:
        program = tmp_path / "check-password"
        program.write_text(text)
        return Passwords(
            ("/usr/bin/python3", "-I", str(program)), **{"longest": PATIENCE, **bounds}
        )

    return make


def asked(passwords: Passwords, question: Question = QUESTION) -> Checked:
    """Ask, and be answered within the time for it."""
    begun = time.monotonic()
    found = passwords(question)
    assert time.monotonic() - begun < PATIENCE
    return found


@pytest.mark.parametrize("outcome", Outcome)
def test_its_word(outcome: Outcome, saying: Saying) -> None:
    """The first word is the outcome, the rest of the line is for the log."""
    assert asked(saying(f"print('{outcome.value}')")) == Checked(outcome)
    said = saying(f"print('{outcome.value} of some reason (7)')")
    assert asked(said) == Checked(outcome, "of some reason (7)")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "print('Right')",
        "print('righteous')",
        "import os; os.write(1, b'\\xff\\xfe')",
        "print('right', flush=True); raise SystemExit(1)",
        "print('right', flush=True); import os; os.kill(os.getpid(), 9)",
        "print('right', flush=True); raise RuntimeError",
    ],
    ids=["nothing", "capital", "longer", "bytes", "status", "killed", "fault"],
)
def test_no_clear_answer(text: str, saying: Saying) -> None:
    """What is no outcome's word, or comes from a process that failed, proves nothing."""
    found = asked(saying(text))
    assert found.outcome is Outcome.UNAVAILABLE
    assert found.detail.startswith("the process that asks PAM")


def test_no_program() -> None:
    """Where it cannot be started, nothing is proved, and the log learns of what."""
    assert asked(Passwords(("/nowhere/check-password",))) == Checked(
        Outcome.UNAVAILABLE, "/nowhere/check-password: No such file or directory"
    )


_TELLS: Final = """
import json, os, sys
print("wrong", json.dumps({
    "asked": json.load(sys.stdin),
    "words": sys.argv[1:],
    "environment": sorted(os.environ),
    "descriptors": sorted(int(one) for one in os.listdir("/proc/self/fd"))[:-1],
    "leads": os.getsid(0) == os.getpid(),
    "place": os.getcwd(),
}))
"""


def test_what_it_is_given(saying: Saying, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The question on standard input, and nothing else: no word of it among the arguments or in
    the environment, nothing of the service's environment, no file that the service has open."""
    monkeypatch.setenv("LD_PRELOAD_OF_THE_SERVICE", "x")
    with (tmp_path / "seal.key").open("w") as opened:
        os.set_inheritable(opened.fileno(), 1)  # as one that a library has opened
        found = asked(saying(_TELLS))
    assert json.loads(found.detail) == {
        "asked": {
            "account": QUESTION.account,
            "password": QUESTION.password,
            "rhost": QUESTION.rhost,
            "tty": QUESTION.tty,
        },
        "words": [],
        "environment": ["LC_ALL", "PATH"],
        "descriptors": [0, 1, 2],
        "leads": True,
        "place": "/",
    }


def test_a_password_as_long_as_a_message(saying: Saying) -> None:
    """The longest that can be asked is asked as a whole; who does not listen to it has answered
    all the same."""
    long = Question("alice", "é" * 65_000)
    heard = "import json, sys; print('wrong', len(json.load(sys.stdin.buffer)['password']))"
    assert asked(saying(heard), long) == Checked(Outcome.WRONG, "65000")
    deaf = "import os; os.close(0); print('wrong')"
    assert asked(saying(deaf), long) == Checked(Outcome.WRONG)


def test_it_hangs(tmp_path: Path) -> None:
    """It is ended when its time is over, with what it has started, and that proves nothing."""
    started = tmp_path / "started"
    hangs = f"trap '' TERM; sleep 600 & echo $! >'{started}'; wait"
    found = asked(Passwords(("/bin/sh", "-c", hangs), longest=1.0))
    assert found == Checked(Outcome.UNAVAILABLE, "no answer in 1 s")
    helper = int(started.read_text())
    deadline = time.monotonic() + PATIENCE
    while _runs(helper):
        assert time.monotonic() < deadline, "what it has started still runs"
        time.sleep(0.01)


def _runs(pid: int) -> bool:
    """Whether a process does; one that has ended may wait for somebody to look."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_so_many_at_once(saying: Saying, tmp_path: Path) -> None:
    """Who finds no place within the time for it is told so and starts no process; a place is free
    again when its question is answered."""
    go_on = tmp_path / "go-on"
    waits = f"""
import os, time
open({str(tmp_path / "begun")!r}, "w").close()
while not os.path.exists({str(go_on)!r}):
    time.sleep(0.01)
print("right")
"""
    passwords = saying(waits, at_once=1, wait=SHORT)
    answers: list[Checked] = []
    first = threading.Thread(target=lambda: answers.append(asked(passwords)))
    first.start()
    deadline = time.monotonic() + PATIENCE
    while not (tmp_path / "begun").exists():
        assert time.monotonic() < deadline, "it never began"
        time.sleep(0.01)
    assert asked(passwords) == Checked(Outcome.UNAVAILABLE, "too many passwords are being checked")
    go_on.touch()
    first.join(PATIENCE)
    assert answers == [Checked(Outcome.RIGHT)]
    assert asked(passwords) == Checked(Outcome.RIGHT)
