"""Going through a stack comes to what libpam itself comes to, for stacks drawn at random."""

from __future__ import annotations

import ctypes
import random
from typing import TYPE_CHECKING

import pytest

from pam_totp.doctor.walk import walk
from pam_totp.stack import Line, Tree
from pam_totp.stack.pamfile import read

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ANSWERS = ("success", "success", "auth_err", "ignore", "authinfo_unavail", "user_unknown")
ACTIONS = ("reset", "ignore", "ok", "done", "bad", "die", "1", "2", "3")
WORDS = ("required", "requisite", "sufficient", "optional")

Talk = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p
)


class Conversation(ctypes.Structure):
    """A `struct pam_conv`."""

    _fields_ = (("talk", Talk), ("data", ctypes.c_void_p))


def accepts(confdir: Path, service: str) -> bool:
    """Return whether libpam accepts a login with the files in a directory."""
    libpam = ctypes.CDLL("libpam.so.0")
    handle, silent = ctypes.c_void_p(), Conversation(Talk(lambda *_: 19), None)
    started = libpam.pam_start_confdir(
        service.encode(), b"root", ctypes.byref(silent), str(confdir).encode(), ctypes.byref(handle)
    )
    assert started == 0
    accepted = libpam.pam_authenticate(handle, 0) == 0
    libpam.pam_end(handle, 0)
    return accepted


def control(dice: random.Random, actions: Sequence[str]) -> str:
    """Return a control: a word, or a bracket with jumps."""
    if dice.random() < 0.4:
        return dice.choice(WORDS)
    pairs = [f"{a}={dice.choice(actions)}" for a in dict.fromkeys(dice.sample(ANSWERS, 2))]
    return f"[{' '.join(pairs)} default={dice.choice(actions)}]"


def drawn(dice: random.Random, directory: Path, name: str, depth: int = 0) -> None:
    """Write a stack of pam_debug.so, with includes and substacks."""
    lines = []
    for number in range(dice.randint(1, 6)):
        if depth < 2 and dice.random() < 0.25:
            inner = f"{name}-{number}"
            drawn(dice, directory, inner, depth + 1)
            how = dice.choice(("auth substack", "auth include", "@include"))
            lines.append(f"{how} {directory / inner}")
        else:
            how = control(dice, ACTIONS[depth > 0 :])
            lines.append(f"auth {how} pam_debug.so auth={dice.choice(ANSWERS)}")
    (directory / name).write_text("\n".join(lines) + "\n")


def answer(line: Line) -> str:
    """Answer as pam_debug.so does."""
    return line.arguments[0].removeprefix("auth=")


@pytest.mark.parametrize("start", range(0, 1000, 250))
def test_as_libpam_does(tmp_path: Path, start: int) -> None:
    """For each of many stacks, libpam and we come to one answer; both answers come up often."""
    accepted = 0
    for seed in range(start, start + 250):
        service = f"s{seed}"
        drawn(random.Random(seed), tmp_path, service)
        rules = tuple(Tree().follow(read(tmp_path / service), "auth"))
        ours = walk(rules, answer)
        theirs = accepts(tmp_path, service)
        text = "\n".join(f"{len(r.through)} {r.line.text}" for r in rules)
        assert ours.accepted == theirs, f"{service}\n{text}"
        accepted += theirs
    assert 15 < accepted < 235
