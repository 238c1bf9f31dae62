"""Programs that hang, print without end, or are not there."""

from __future__ import annotations

import os
import select
from collections.abc import Callable
from pathlib import Path

import pytest

from pam_totp import config
from pam_totp.event import Event
from pam_totp.notices.channel import channel
from pam_totp.notices.kind import Kind
from pam_totp.notices.message import message
from pam_totp.notices.outbox import Waiting
from pam_totp.notices.run import NotSent, run
from pam_totp.speech import speech
from tests.unit.world import NOON

Script = Callable[[str], str]


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """Writes a program of shell and returns its path."""

    def write(text: str) -> str:
        path = tmp_path / "tell"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return str(path)

    return write


def test_input_and_surroundings(script: Script, tmp_path: Path) -> None:
    """It gets the text, its arguments and the facts, and nothing of our surroundings."""
    command = script(f'cat >{tmp_path}/text; env >{tmp_path}/env; echo "$PWD $#" >{tmp_path}/more')
    os.environ["OURS"] = "x"
    run([command, "a b"], b"text\n" * 50_000, {"FACT": "a\tb"})
    assert (tmp_path / "text").read_bytes() == b"text\n" * 50_000
    found = set((tmp_path / "env").read_text().splitlines()) - {"PWD=/", "_=/usr/bin/env"}
    found = {line for line in found if not line.startswith(("SHLVL", "OLDPWD"))}
    path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin"
    assert found == {"FACT=a\tb", "LC_ALL=C.UTF-8", path}
    assert (tmp_path / "more").read_text() == "/ 1\n"


def test_a_program_that_does_not_read(script: Script) -> None:
    """A program need not read its input."""
    run([script("exit 0")], b"x" * 1_000_000, {})


def test_a_program_that_hangs(script: Script, tmp_path: Path) -> None:
    """A program that does not end is killed with what it has started."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    command = script(f"exec >{pipe}; sleep 1000 & wait")
    with open(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK), "rb") as end:
        with pytest.raises(NotSent, match=r"did not end within 0\.5 s and was killed"):
            run([command], b"", {}, seconds=0.5)
        waiting = select.poll()
        waiting.register(end)
        assert waiting.poll(10_000) == [(end.fileno(), select.POLLHUP)]  # nobody writes any more


def test_what_is_left_at_work(script: Script) -> None:
    """A program that leaves something at work behind it, and ends, has done its part."""
    run([script("sleep 1000 & exec true")], b"", {}, seconds=20)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("echo 'no such  user' >&2; exit 67", "ended with status 67: no such user"),
        ("echo out; exit 1", "ended with status 1: out"),
        ("kill -9 $$", "was ended by signal 9"),
        ("exec yes >&2", "ended with status 1: y y y"),
    ],
)
def test_failures(script: Script, text: str, said: str) -> None:
    """A failure says how the program ended and how what it printed begins, however much that
    was; and what to do."""
    command = script(text)
    with pytest.raises(NotSent) as caught:
        run([command], b"", {})
    assert str(caught.value).startswith(f"{command} {said}")
    assert len(str(caught.value)) < 400
    assert caught.value.hint


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    """A program that is missing, or cannot be run, is a failure like any other."""
    with pytest.raises(NotSent, match="No such file") as caught:
        run([str(tmp_path / "tell")], b"", {})
    assert caught.value.hint == f"ls -l {tmp_path}/tell"
    (tmp_path / "tell").write_text("")
    with pytest.raises(NotSent, match="Permission denied"):
        run([str(tmp_path / "tell")], b"", {})


def test_no_descriptors_are_left(script: Script) -> None:
    """Neither success nor failure leaves a file open."""
    before = len(os.listdir("/proc/self/fd"))
    run([script("exit 0")], b"", {})
    for command in (script("exit 1"), "/nonexistent"):
        with pytest.raises(NotSent):
            run([command], b"", {})
    assert len(os.listdir("/proc/self/fd")) == before


def test_hostile_values_are_data(script: Script, tmp_path: Path) -> None:
    """What a client sent reaches a command in variables alone, and is never run."""
    command = script(f'printf "%s|%s" "$#" "$PAM_TOTP_ADDRESS" >{tmp_path}/got')
    way = channel(config.parse(f"notify: [{command}, one]", "a test"))
    strange = f"$(touch {tmp_path}/ran); `touch {tmp_path}/ran`\n-x"
    event = Event(NOON, "alice", "reset", "sshd", strange, id=1)
    assert way is not None
    way(message(Waiting(Kind.RESET, event, NOON), "example", speech("en")))
    assert (tmp_path / "got").read_text() == "1|" + strange.replace("\n", "?")
    assert not (tmp_path / "ran").exists()
