"""A run for many people: kept, drawn and logged batch by batch, and reported at its end."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import click

from pam_totp.bulk import result
from pam_totp.bulk.printing import Files, Output, Sheets
from pam_totp.bulk.result import Outcome, Result
from pam_totp.cli.administrator import Administrator, noted
from pam_totp.cli.progress import Progress
from pam_totp.cli.terminal import hint, plain, say
from pam_totp.cli.terminal import many as counted
from pam_totp.context import Context
from pam_totp.errors import PamTotpError
from pam_totp.sheet import Page

_MOST_NAMES: Final = 20
_HANDED_OUT: Final = (Outcome.ENROLLED, Outcome.AGAIN, Outcome.INVITED)
_WORDS: Final = {
    Outcome.ENROLLED: "enrolled",
    Outcome.AGAIN: "shown again",
    Outcome.INVITED: "invited",
    Outcome.SKIPPED: "left as they were",
    Outcome.FAILED: "failed",
}


class NotAll(PamTotpError):
    """Some of many people could not be served; the others were."""


@dataclass(frozen=True, slots=True)
class Many:
    """Who is meant, and where what they are handed goes: a document to be printed, a file for
    each of them in a directory, or the JSON of a script."""

    file: Path | None = None
    group: str | None = None
    sheets: Path | None = None
    files: Path | None = None
    codes: bool = False
    yes: bool = False
    json: bool = False

    def __bool__(self) -> bool:
        return self.file is not None or self.group is not None

    def check(self, user: str | None) -> None:
        """Raise UsageError unless it is said once who is meant, and at most once where to."""
        if sum(given is not None for given in (user, self.file, self.group)) > 1:
            raise click.UsageError("one of USER, --from FILE and --group GROUP")
        if not self and (self.files is not None or self.yes):
            raise click.UsageError("--files and --yes go with --from and --group")
        if self.sheets is not None and self.files is not None:
            raise click.UsageError("one of --sheet and --files")

    @property
    def prints(self) -> bool:
        """Whether what people are handed goes to files."""
        return self.sheets is not None or self.files is not None


class Run:
    """One run, from the first batch to the report."""

    def __init__(
        self, administrator: Administrator, world: Context, many: Many, gone: Sequence[str]
    ) -> None:
        self._administrator = administrator
        self._world = world
        self._many = many
        self._results = [result.gone(name) for name in gone]

    def run(self, batches: Iterator[list[Result]], total: int, handed: int) -> None:
        """Take the batches as they are done; `handed` is how many get something."""
        try:
            with self._output(handed) as output, Progress(total) as progress:
                for batch in batches:
                    self._take(batch)
                    if output is not None:
                        output.put(batch)
                    progress.advance(len(batch))
        except BaseException:
            self._say_cut_short()
            raise
        self._report()

    def _take(self, batch: Sequence[Result]) -> None:
        for one in batch:
            for event in one.events:
                noted(self._world, event)
            kept = one if self._many.json and not self._many.prints else replace(one, page=None)
            self._results.append(replace(kept, events=()))

    def _output(self, handed: int) -> AbstractContextManager[Output | None]:
        many, speech = self._many, self._world.speech()
        if many.sheets is not None and handed:
            return Sheets(many.sheets, self._world.config.issuer, speech)
        if many.files is not None and handed:
            return Files(many.files, speech)
        return nullcontext()

    def _say_cut_short(self) -> None:
        done = sum(one.outcome in _HANDED_OUT for one in self._results)
        if done:
            say(
                f"cut short after {people(done)}, who are done: the same command again shows "
                "them again, and goes on"
            )
            hint(self._administrator.again())

    def _report(self) -> None:
        found = Counter(one.outcome for one in self._results)
        if self._many.json:
            click.echo(json.dumps(self._as_json(found), indent=2))
        else:
            parts = [f"{found[kind]} {word}" for kind, word in _WORDS.items() if found[kind]]
            click.echo(", ".join(parts) or "nobody")
            self._say_names(Outcome.SKIPPED)
            self._say_where(sum(found[kind] for kind in _HANDED_OUT))
        self._check_failures(found[Outcome.FAILED])

    def _say_names(self, kind: Outcome) -> None:
        reasons: dict[str, list[str]] = {}
        for one in self._results:
            if one.outcome is kind:
                reasons.setdefault(one.reason, []).append(one.account)
        for reason, names in reasons.items():
            more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
            say(f"{reason}: {plain(', '.join(names[:_MOST_NAMES]))}{more}")

    def _say_where(self, handed: int) -> None:
        many = self._many
        if many.sheets is not None and handed:
            say(
                f"{plain(str(many.sheets))} has {counted(handed, 'page')}, each with a secret: "
                "print it, hand the pages out, and remove it"
            )
        elif many.files is not None and handed:
            say(f"{plain(str(many.files))} has a file for each, that only they can read")

    def _check_failures(self, number: int) -> None:
        if not number:
            return
        failures = [one for one in self._results if one.outcome is Outcome.FAILED]
        for one in failures[:_MOST_NAMES]:
            # Most errors begin with the name; others say only what is wrong.
            named = one.reason.startswith(one.account)
            say(plain(one.reason if named else f"{one.account}: {one.reason}"))
        if number > _MOST_NAMES:
            say(f"and {number - _MOST_NAMES} more failed: --json names all of them")
        raise NotAll(
            f"{number} of {len(self._results)} failed",
            hint=failures[0].hint or self._administrator.again(),
        )

    def _as_json(self, found: Counter[Outcome]) -> dict[str, Any]:
        counts = {kind.value.replace(" ", "_"): found[kind] for kind in Outcome}
        return {**counts, "people": [_person_as_json(one) for one in self._results]}


def _person_as_json(one: Result) -> dict[str, Any]:
    told: dict[str, Any] = {"account": one.account, "outcome": one.outcome.value}
    if one.reason:
        told["reason"] = one.reason
    if isinstance(one.page, Page):
        told |= {
            "secret": one.page.key,
            "uri": one.page.uri,
            "recovery_codes": list(one.page.recovery_codes),
        }
    elif one.page is not None:
        told |= {"invitation": one.page.word, "until": one.page.until}
    return told


def people(number: int) -> str:
    """Return `1 person`, `2 people`."""
    return "1 person" if number == 1 else f"{number} people"
