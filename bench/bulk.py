"""Measures the enrollment of many people, in the lab; `scripts/bench bulk` runs it."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from bench import machine
from pam_totp import config, context
from pam_totp.account import NOBODY
from pam_totp.clock import now
from pam_totp.decide import Subject
from pam_totp.lockout import Counter
from pam_totp.store.protocol import Change
from tests.system.lab.product import COMMAND, CONFIGURATION, configure, pam_totp

_GROUP: Final = "bench"
_GID: Final = 30_000
_LONGEST: Final = 600  # seconds, for one command
_SAMPLE: Final = 200  # people, for a program that is run once for each
_PAUSE: Final = 0.02  # seconds between two logins that go on meanwhile
_AIM: Final = 30.0  # seconds for 10,000 people, sheets included


def main() -> None:
    """Make people, enroll them, print."""
    wanted = _arguments()
    data, number = wanted.data, wanted.people
    _make_people(number)
    pam_totp("setup", "--yes", "--ignore-clock")
    configure("data-directory", str(data / "store"))
    pam_totp("setup", "--yes", "--ignore-clock")
    seconds, waited = _beside_logins(
        lambda: _run(number, "enrolled", "enroll", "--sheets", str(data / "people.html"))
    )
    rows = [(f"`enroll --group` of {number:,}, sheets", seconds)]
    codes = ("--sheets", str(data / "codes.html"), "--recovery-codes")
    rows.append(
        ("the same again, new recovery codes", _run(number, "shown_again", "enroll", *codes))
    )
    files = ("--files", str(data / "files"))
    rows.append(("the same again, a file for each", _run(number, "shown_again", "enroll", *files)))
    rows.append((f"google-authenticator, once for each of {number:,}*", _google(data) * number))
    _say("| many people | time |\n|---|--:|")
    for name, taken in rows:
        _say(f"| {name} | {taken:.1f} s |")
    size = (data / "people.html").stat().st_size / 1e6
    _say(
        f"\n* {_SAMPLE} times, and scaled; a QR code on the terminal and no sheet.\n"
        f"The sheets have {size:.0f} MB. A login beside it waited {waited * 1000:.0f} ms at most.\n"
        f"Data on {machine.file_system(data)}, medians: {machine.costs(data)}.\n"
        f"{machine.description()}\n"
    )
    each = seconds / number * 10_000
    _say(f"aim: 10,000 in {_AIM:.0f} s: {'met' if each <= _AIM else 'not met'} ({each:.1f} s)")


def _make_people(number: int) -> None:
    subprocess.run(["/usr/sbin/groupadd", "--gid", str(_GID), _GROUP], check=True)
    with Path("/etc/passwd").open("a") as passwd:
        passwd.writelines(
            f"bench{n:05}:x:{_GID + n}:{_GID}::/nonexistent:/usr/sbin/nologin\n"
            for n in range(number)
        )


def _run(number: int, outcome: str, command: str, *words: str) -> float:
    """Return how many seconds a command for the group takes, which must serve all of it."""
    before = time.perf_counter()
    done = subprocess.run(
        [COMMAND, command, "--group", _GROUP, *words, "--yes", "--json"],
        check=True,
        stdout=subprocess.PIPE,
        timeout=_LONGEST,
    )
    taken = time.perf_counter() - before
    answer = json.loads(done.stdout)
    if answer[outcome] != number:
        raise SystemExit(f"{answer[outcome]} of {number} {outcome}")
    return taken


def _beside_logins(work: Callable[[], float]) -> tuple[float, float]:
    """Return what `work` returns, and the longest time that a decision took meanwhile."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=_log_in, args=(theirs,))
    process.start()
    try:
        return work(), _asked(ours)
    finally:
        process.join(_LONGEST)


def _asked(connection: Connection) -> float:
    connection.send("stop")
    longest: float = connection.recv()
    return longest


def _log_in(connection: Connection) -> None:
    """Decide again and again, as logins do, until told to stop; send the longest time."""
    store = context.from_config(config.load(CONFIGURATION)).store
    longest = 0.0
    while not connection.poll(_PAUSE):
        before = time.perf_counter()
        store.step("nobody", "192.0.2.1", _noted)
        longest = max(longest, time.perf_counter() - before)
    connection.send(longest)


def _noted(_subject: Subject) -> tuple[None, Change]:
    """Count a wrong password, as the least that a login writes."""
    return None, Change(NOBODY, Counter(locked_until=now()))


def _google(data: Path) -> float:
    """Return how many seconds google-authenticator takes for one person."""
    place = data / "google"
    place.mkdir()
    options = (
        "-t",
        "-d",
        "-f",
        "-C",
        "-r",
        "3",
        "-R",
        "30",
        "-w",
        "3",
        "-Q",
        "UTF8",
        "-i",
        "Bench",
    )
    before = time.perf_counter()
    for number in range(_SAMPLE):
        who = ("-l", f"bench{number:05}", "-s", str(place / f"bench{number:05}"))
        subprocess.run(
            ["/usr/bin/google-authenticator", *options, *who],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            timeout=_LONGEST,
        )
    return (time.perf_counter() - before) / _SAMPLE


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path, help="a directory on a real disk, for all files")
    parser.add_argument("--people", type=int, default=10_000)
    return parser.parse_args()


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
