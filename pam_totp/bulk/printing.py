"""Pages for many people, drawn while the next ones are enrolled: as one document to be printed,
or as a file for each person that only they can read."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import shlex
import signal
import stat
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self
from urllib.parse import quote

from pam_totp import sheet
from pam_totp.bulk.result import Result
from pam_totp.errors import EnrollmentError, PamTotpError, StoreError
from pam_totp.private_file import NotWritten, PrivateFile
from pam_totp.sheet import InvitationPage, Page
from pam_totp.speech import Speech
from pam_totp.store import trust

Paper = Page | InvitationPage
_PLACE_MODE: Final = 0o711  # people reach their own file in it, and see no others' names
_FILE_MODE: Final = 0o400
_TEMPORARY: Final = ".new-"  # of pam_totp.store.trust


class Output(Protocol):
    """Where pages go."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def put(self, results: Sequence[Result]) -> None:
        """Write the pages of these people, soon.  Raises NotWritten, EnrollmentError."""


class _Drawing:
    """Pages are drawn by a process beside this one: that takes a millisecond each."""

    def __init__(self, draw: Callable[[Paper], str]) -> None:
        self._draw = draw
        self._waiting: Sequence[Result] = ()
        self._open = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            self._drawer = Drawer(self._draw)
            opened.callback(self._drawer.close)
            self._begin(opened)
            self._open = opened.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            self._open.__exit__(kind, error, traceback)
            return
        with self._open:
            self._take()
            self._end()

    def put(self, results: Sequence[Result]) -> None:
        self._take()
        self._waiting = [one for one in results if one.page is not None]
        if self._waiting:
            self._drawer.send([one.page for one in self._waiting if one.page is not None])

    def _take(self) -> None:
        """Write what was drawn since the last time."""
        if self._waiting:
            people, self._waiting = self._waiting, ()
            self._write(people, self._drawer.receive())

    def _begin(self, opened: ExitStack) -> None:
        raise NotImplementedError

    def _end(self) -> None:
        """Write what stands at the end."""

    def _write(self, people: Sequence[Result], pages: Sequence[str]) -> None:
        raise NotImplementedError


class Sheets(_Drawing):
    """One document, a page for each person; it has its name when all of them are in it."""

    def __init__(self, path: Path, title: str, speech: Speech) -> None:
        super().__init__(lambda page: drawn(page, speech))
        self._file = PrivateFile(path)
        self._title, self._speech = title, speech

    def _begin(self, opened: ExitStack) -> None:
        opened.enter_context(self._file)
        self._file.write(sheet.begin(self._title, self._speech).encode())

    def _end(self) -> None:
        self._file.write(sheet.end().encode())

    def _write(self, people: Sequence[Result], pages: Sequence[str]) -> None:  # noqa: ARG002 -- in the order of the people
        self._file.write("".join(pages).encode())


class Files(_Drawing):
    """A file for each person, who alone can read it; one of an earlier run is replaced."""

    def __init__(self, path: Path, speech: Speech) -> None:
        super().__init__(lambda page: document(page, speech))
        self._path = path

    def _begin(self, opened: ExitStack) -> None:
        self._directory = _opened_place(self._path)
        opened.callback(os.close, self._directory)
        _lock(self._directory, self._path)
        _remove_abandoned(self._directory)

    def _write(self, people: Sequence[Result], pages: Sequence[str]) -> None:
        names = [file_name(one.account) for one in people]
        data = {name: page.encode() for name, page in zip(names, pages, strict=True)}
        owners = {name: one.owner for name, one in zip(names, people, strict=True)}
        try:
            trust.write_all(self._directory, data, _FILE_MODE, owners)
        except StoreError as error:
            raise NotWritten(f"{self._path}: {error}", hint=error.hint) from error


class Drawer:
    """A process that draws pages.  It ends with this one, however that ends."""

    def __init__(self, draw: Callable[[Paper], str]) -> None:
        # A fork: what draws needs no pickling, and neither store nor key is touched there.
        fork = multiprocessing.get_context("fork")
        self._connection, theirs = fork.Pipe()
        arguments = (draw, theirs, self._connection)
        self._process = fork.Process(target=_serve, args=arguments, daemon=True)
        self._process.start()
        theirs.close()

    def send(self, pages: Sequence[Paper]) -> None:
        """Let pages be drawn; what was sent before must have been received."""
        self._connection.send(pages)

    def receive(self) -> list[str]:
        """Return what was drawn of them.  Raises EnrollmentError for what cannot be."""
        try:
            found: list[str] | tuple[str, str | None] = self._connection.recv()
        except (EOFError, ConnectionResetError):
            raise PamTotpError(
                "the process that draws the pages has ended", hint="run the same command again"
            ) from None
        if isinstance(found, tuple):
            raise EnrollmentError(found[0], hint=found[1])
        return found

    def close(self) -> None:
        """Let the process end."""
        self._connection.close()
        self._process.join()


def drawn(page: Paper, speech: Speech) -> str:
    """Return a page as HTML."""
    if isinstance(page, Page):
        return sheet.page(page, speech)
    return sheet.invitation_page(page, speech)


def document(page: Paper, speech: Speech) -> str:
    """Return a page as a document of its own."""
    return sheet.begin(page.account, speech) + drawn(page, speech) + sheet.end()


def file_name(account: str) -> str:
    """Return the name of an account's file: neither `/` nor `..` nor a hidden file, whatever the
    account is called."""
    name = quote(account.encode("utf-8", "surrogateescape"), safe="@+ ")
    return f"{'%2E' + name[1:] if name.startswith('.') else name}.html"


def _serve(draw: Callable[[Paper], str], theirs: Connection, parent: Connection) -> None:
    """Draw what comes until nobody is there any more."""
    parent.close()  # or its end would not be seen here
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ^C is for the process that asked
    while True:
        try:
            theirs.send(_drawn_or_why(draw, theirs.recv()))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return


def _drawn_or_why(
    draw: Callable[[Paper], str], pages: Sequence[Paper]
) -> list[str] | tuple[str, str | None]:
    try:
        return [draw(page) for page in pages]
    except EnrollmentError as error:
        return str(error), error.hint


def _opened_place(path: Path) -> int:
    """Return a directory for files of many people, made where there is none.  Raises NotWritten
    for one in which anybody else could exchange a file, or that people cannot enter."""
    shown = shlex.quote(str(path))
    try:
        made = _made(path)
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise NotWritten(
            f"{path}: {error.strerror}", hint=f"name another directory, or: ls -ld {shown}"
        ) from error
    if made:
        os.fchmod(fd, _PLACE_MODE)
    found = os.fstat(fd)
    if found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) & 0o023 == 0o001:
        return fd
    os.close(fd)
    raise NotWritten(
        f"{path}: others can write there, or people cannot enter it",
        hint=f"name a directory that is not there yet, or: chown {os.geteuid()} {shown} "
        f"&& chmod {_PLACE_MODE:04o} {shown}",
    )


def _made(path: Path) -> bool:
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        return False
    return True


def _lock(directory: int, path: Path) -> None:
    try:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise NotWritten(
            f"{path}: somebody else is writing there at this moment",
            hint="wait until they have done, or name another directory",
        ) from None


def _remove_abandoned(directory: int) -> None:
    """Remove what a run has left that was killed: pages without a name."""
    for name in os.listdir(directory):
        if name.startswith(_TEMPORARY):
            os.unlink(name, dir_fd=directory)
