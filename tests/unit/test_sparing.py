"""Log lines of programs that are not root's: bounded for each uid, and root's never."""

from __future__ import annotations

import syslog

from pam_totp.sparing import BURST, INTERVAL, Sparing


class Log:
    """A log, with a clock of its own."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.sparing = Sparing(lambda: self.time)
        self.lines: list[str] = []

    def says(self, uid: int, line: str) -> None:
        """Log a line about a program of this uid."""
        self.sparing.log_of(uid, self._write)(syslog.LOG_NOTICE, line)

    def _write(self, priority: int, line: str) -> None:
        assert priority == syslog.LOG_NOTICE
        self.lines.append(line)


def test_root_s_lines_are_never_held_back() -> None:
    """A thousand lines of root's hosts in one moment are a thousand lines."""
    log = Log()
    for number in range(1000):
        log.says(0, f"line {number}")
    assert log.lines == [f"line {number}" for number in range(1000)]


def test_a_flood_is_held_back() -> None:
    """Of a flood from one uid the first twenty lines are written, then one in ten seconds, which
    says how many were not."""
    log = Log()
    for number in range(100):
        log.says(1000, f"line {number}")
    assert log.lines == [f"line {number}" for number in range(BURST)]
    log.lines.clear()
    log.time += INTERVAL
    log.says(1000, "later")
    log.says(1000, "too soon")
    assert log.lines == ["80 lines about programs of uid 1000 were left out", "later"]


def test_quiet_gives_the_lines_back() -> None:
    """After a time without lines there are twenty again, and never more."""
    log = Log()
    for _ in range(2):
        log.time += 1_000_000
        log.lines.clear()
        for _ in range(BURST + 5):
            log.says(1000, "a line")
        assert log.lines.count("a line") == BURST


def test_one_uid_costs_another_nothing() -> None:
    """While one uid floods, its neighbour's lines are written, and root's."""
    log = Log()
    for _ in range(100):
        log.says(1000, "flood")
    log.says(1001, "neighbour")
    log.says(0, "root")
    assert log.lines[BURST:] == ["neighbour", "root"]


def test_many_uids_are_bounded_together() -> None:
    """A person with a whole range of uids makes no more lines, and takes no more memory, than
    64 people."""
    log = Log()
    for uid in range(100_000, 110_000):
        log.says(uid, "flood")
    assert log.lines.count("flood") == 64 * BURST
    assert len(log.sparing._shares) == 64
