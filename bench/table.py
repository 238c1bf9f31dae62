"""From single logins to the table."""

from __future__ import annotations

import statistics
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final

from bench.stacks import ACCOUNT, FLOOR, GOOGLE, OATH, OATH_USERS, OURS

ONESHOT: Final = "one-shot"
_ROWS: Final = {
    OURS: "**pam_totp**",
    GOOGLE: "pam_google_authenticator",
    OATH: f"pam_oath, {OATH_USERS:,} users",
    FLOOR: "`pam_permit` alone (the floor)",
    ACCOUNT: "pam_totp, its `account` line alone",
    ONESHOT: "pam_totp with the service stopped (one-shot)",
}
_AIMS: Final = ((GOOGLE, 0.40), (OATH, 0.80))


@dataclass
class Times:
    """Milliseconds of single logins, by stack and round."""

    rounds: dict[str, dict[int, list[float]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )

    def add(self, printed: str, name: str | None = None) -> None:
        """Take in what pambench printed; `name` instead of the stack's own."""
        for line in printed.splitlines():
            stack, number, microseconds = line.split()
            of_stack = self.rounds[name or stack.partition(":")[2]]
            of_stack[int(number)].append(float(microseconds) / 1000)

    def all_of(self, stack: str) -> list[float]:
        """Return the times of all rounds, in ascending order."""
        return sorted(time for times in self.rounds[stack].values() for time in times)

    def median(self, stack: str) -> float:
        return statistics.median(self.all_of(stack))

    def ratio(self, stack: str, other: str) -> float:
        """Return the ratio of the medians."""
        return self.median(stack) / self.median(other)

    def ratios(self, stack: str, other: str) -> list[float]:
        """Return the ratio of the medians in each round."""
        mine, theirs = self.rounds[stack], self.rounds[other]
        return [statistics.median(mine[n]) / statistics.median(theirs[n]) for n in mine]


def table(times: Times) -> str:
    """Return the table, as Markdown."""
    head = (
        "| login, `pam_start` to `pam_end` | median | p90 | of google-authenticator | of pam_oath |"
    )
    rows = [_row(times, stack, label) for stack, label in _ROWS.items() if stack in times.rounds]
    return "\n".join([head, "|---|--:|--:|--:|--:|", *rows])


def aims(times: Times) -> str:
    """Say of each aim whether it was met."""
    return "\n".join(_aim(times, other, limit) for other, limit in _AIMS)


def _row(times: Times, stack: str, label: str) -> str:
    every = times.all_of(stack)
    p90 = every[len(every) * 9 // 10]
    ratios = " | ".join(f"{times.ratio(stack, other):.2f}" for other, _ in _AIMS)
    return f"| {label} | {statistics.median(every):.2f} ms | {p90:.2f} ms | {ratios} |"


def _aim(times: Times, other: str, limit: float) -> str:
    reached, by_round = times.ratio(OURS, other), times.ratios(OURS, other)
    said = "met" if reached <= limit else "not met"
    return (
        f"aim: at most {limit:.2f} of {other}: {said} "
        f"({reached:.2f}; by round {', '.join(f'{ratio:.2f}' for ratio in by_round)})"
    )
