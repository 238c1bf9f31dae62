"""The files that an enrollment leaves for its person: a QR code, a sheet to be printed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Final

import click

from pam_totp import picture, private_file, sheet
from pam_totp.cli.enrollment_page import Drafted
from pam_totp.cli.terminal import plain
from pam_totp.cli.terminal import say as say_
from pam_totp.speech import Speech

Command = Callable[..., None]
Option = Callable[[Command], Command]

_DRAWN: Final[dict[str, Callable[[str], bytes]]] = {".png": picture.png, ".svg": picture.svg}


@dataclass(frozen=True, slots=True)
class Papers:
    """Which files are wanted; `codes` says that the recovery codes stand on the sheet too."""

    qr: Path | None = None
    sheet: Path | None = None
    codes: bool = False

    @contextmanager
    def written(
        self, drafted: Drafted, codes: tuple[str, ...], say: Speech, kept: Callable[[], bool]
    ) -> Iterator[None]:
        """Write them; where the block raises and nothing was `kept`, they are gone.  Raises
        NotWritten."""
        made: list[Path] = []
        try:
            for path, data in self._files(drafted, codes, say):
                private_file.create(path, data)
                made.append(path)
            yield
        except BaseException:
            if not kept():
                for path in made:
                    path.unlink(missing_ok=True)
            raise
        for path in made:
            name_paper(path)

    def _files(
        self, drafted: Drafted, codes: tuple[str, ...], say: Speech
    ) -> Iterator[tuple[Path, bytes]]:
        account, uri = drafted.account, drafted.uris[0]
        if self.qr is not None:
            yield self.qr, _DRAWN[self.qr.suffix.lower()](uri)
        if self.sheet is not None:
            page = sheet.Page(
                account,
                drafted.issuer,
                uri,
                drafted.key,
                drafted.parameters,
                codes if self.codes else (),
            )
            yield self.sheet, document(account, sheet.page(page, say), say)


def document(title: str, pages: str, say: Speech) -> bytes:
    """Return a sheet as a file holds it."""
    text = sheet.begin(title, say) + pages + sheet.end()
    return text.encode("utf-8", "replace")


def name_paper(path: Path) -> None:
    """Say that a file was written."""
    say_(f"{plain(str(path))} is written: a secret that you alone can read")


def _picture(_context: click.Context, _option: click.Parameter, path: Path | None) -> Path | None:
    if path is not None and path.suffix.lower() not in _DRAWN:
        raise click.BadParameter(f"{str(path)!r} ends neither in .png nor in .svg")
    return path


def _sheet(*names: str, what: str) -> Option:
    kind: click.Path = click.Path(path_type=Path)
    return click.option(*names, "sheet_file", metavar="FILE", type=kind, help=what)


sheet_option: Final = _sheet("--sheet", what="Write a page to be printed (HTML).")
sheets_option: Final = _sheet(
    "--sheet",
    "--sheets",
    what="Write a page to be printed (HTML), or one for each of many people.",
)
_qr_option: Final = click.option(
    "--qr",
    "qr_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    callback=_picture,
    help="Write the QR code to a file that ends in .png or .svg.",
)
_codes_option: Final = click.option(
    "--recovery-codes",
    "codes",
    is_flag=True,
    help="Put the recovery codes on the sheet.",
)


def paper_options(command: Command) -> Command:
    """Give a command the options, which come to it as `papers`."""
    return _collecting(command, _qr_option, sheet_option)


def papers_options(command: Command) -> Command:
    """Give a command that hands out recovery codes too, to many people too, the options, which
    come to it as `papers`."""
    return _collecting(command, _qr_option, sheets_option, _codes_option)


def _collecting(command: Command, *options: Option) -> Command:
    @wraps(command)
    def collected(*args: Any, **given: Any) -> None:
        codes = given.pop("codes", False)
        papers = Papers(given.pop("qr_file"), given.pop("sheet_file"), codes)
        many = given.get("from_file") or given.get("group")  # which checks it by itself
        if papers.codes and papers.sheet is None and not many:
            raise click.UsageError("--recovery-codes goes with --sheet FILE")
        command(*args, papers=papers, **given)

    for option in reversed(options):
        option(collected)
    return collected
