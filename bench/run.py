"""Measures logins through pam_totp and through others, in the lab; scripts/bench runs it."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from bench import machine, stacks
from bench.table import ONESHOT, Times, aims, table
from tests.system.lab.journal import Collector
from tests.system.lab.product import Service

PROGRAM: Final = "bench/build/pambench"
_COMPARED: Final = [f"auth:{s}" for s in (stacks.FLOOR, stacks.OATH, stacks.GOOGLE, stacks.OURS)]
_WARM_UP: Final = 20
_ONESHOTS: Final = 10
_LONGEST: Final = 100  # seconds, for one run of the program


class Bench:
    """Accounts that are ready to log in: those that count first, then some for warming up and
    for the one-shot."""

    def __init__(self, place: Path, data: Path, logins: int) -> None:
        self._configurations, self._codes = place / "pam", place / "codes"
        self._logins = logins
        places = stacks.Places.make(data)
        accounts = stacks.make_accounts(logins + _WARM_UP + _ONESHOTS, places)
        stacks.write_stacks(self._configurations, places)
        stacks.write_codes(accounts, self._codes)

    def warm_up(self) -> None:
        """Log in a few times through every stack, uncounted."""
        self._run(self._logins, _WARM_UP, 1, [*_COMPARED, f"account:{stacks.ACCOUNT}"])

    def compare(self, rounds: int) -> str:
        """Log everyone in, once a stack and round."""
        return self._run(0, self._logins, rounds, _COMPARED)

    def account_phase(self) -> str:
        """Call the account phase for everyone."""
        return self._run(0, self._logins, 1, [f"account:{stacks.ACCOUNT}"])

    def one_shots(self) -> str:
        """Log in while no service runs."""
        return self._run(self._logins + _WARM_UP, _ONESHOTS, 1, [f"auth:{stacks.OURS}"])

    def _run(self, first: int, count: int, rounds: int, what: list[str]) -> str:
        numbers = [str(number) for number in (first, count, rounds)]
        return subprocess.run(
            [PROGRAM, self._configurations, self._codes, *numbers, *what],
            check=True,
            text=True,
            stdout=subprocess.PIPE,
            timeout=_LONGEST,
        ).stdout


def main() -> None:
    """Set up, measure, print."""
    wanted = _arguments()
    data: Path = wanted.data
    costs = machine.costs(data)
    collector, service, times = Collector(), Service(), Times()
    with tempfile.TemporaryDirectory() as place:
        try:
            bench = Bench(Path(place), data, wanted.logins)
            service.start()
            bench.warm_up()
            before = machine.memory(service.pid)
            times.add(bench.compare(wanted.rounds))
            after = machine.memory(service.pid)
            times.add(bench.account_phase())
            service.stop()
            times.add(bench.one_shots(), ONESHOT)
        finally:
            service.stop()
            collector.close()
    _say(table(times))
    _say(
        f"\n{wanted.logins * wanted.rounds:,} accepted logins a stack ({wanted.logins} accounts, "
        f"{wanted.rounds} rounds, login by login in turn), {_ONESHOTS} by the one-shot.\n"
        f"Data on {machine.file_system(data)}, medians: {costs}; "
        "state.db with synchronous=FULL.\n"
        f"pam-totpd: {before} before the run; {after} after it.\n"
        f"{machine.description()}\n"
    )
    _say(aims(times))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path, help="a directory on a real disk, for all files")
    parser.add_argument("--logins", type=int, default=400)
    # Three codes are good at any moment, and google-authenticator allows three logins in 30 s.
    parser.add_argument("--rounds", type=int, default=3, choices=range(1, 4))
    return parser.parse_args()


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
