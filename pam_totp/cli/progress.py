"""How far long work has come, on a terminal."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Self

from rich import progress
from rich.console import Console


class Progress:
    """A bar on stderr, gone when it is done; nothing where no terminal is."""

    def __init__(self, total: int) -> None:
        self._bar = progress.Progress(
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TimeRemainingColumn(),
            console=Console(file=sys.stderr),
            transient=True,
        )
        self._task = self._bar.add_task("", total=total)
        # Where no terminal is, even a bar that is turned off writes an empty line at its end.
        self._shows = sys.stderr.isatty()

    def __enter__(self) -> Self:
        if self._shows:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._shows:
            self._bar.stop()

    def advance(self, number: int) -> None:
        """So many more are done."""
        self._bar.advance(self._task, number)
