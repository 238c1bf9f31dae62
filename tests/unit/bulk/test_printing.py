"""Where pages go: one document, or a file for each person."""

from __future__ import annotations

import os
import signal
import stat
from pathlib import Path

import pytest

from pam_totp.bulk import printing
from pam_totp.bulk.printing import Drawer, Files, Paper, Sheets, file_name
from pam_totp.bulk.result import Outcome, Result
from pam_totp.errors import EnrollmentError, PamTotpError
from pam_totp.private_file import NotWritten
from pam_totp.sheet import InvitationPage, Page
from pam_totp.speech import ENGLISH

ROOT = os.geteuid() == 0
ME = (os.geteuid(), os.getegid())


def result(account: str, owner: tuple[int, int] = ME) -> Result:
    """Return somebody who has something to be handed."""
    page = Page(account, "Example", f"otpauth://totp/{len(account)}", "ABCD")
    return Result(account, Outcome.ENROLLED, owner=owner, page=page)


SKIPPED = Result("carol", Outcome.SKIPPED)
INVITED = Result(
    "dave", Outcome.INVITED, page=InvitationPage("dave", "Example", "in-a-b-c", "tomorrow")
)


def test_a_document(tmp_path: Path) -> None:
    """A document has a page for each who is handed something, in their order, and is its
    owner's alone."""
    with Sheets(tmp_path / "s.html", "Example", ENGLISH) as sheets:
        sheets.put([result("alice"), SKIPPED])
        sheets.put([])
        sheets.put([result("bob"), INVITED])
        assert not (tmp_path / "s.html").exists()
    text = (tmp_path / "s.html").read_text()
    places = [text.index(f">Hello {name},<") for name in ("alice", "bob")]
    assert places == sorted(places)
    assert text.index("in-a-b-c") > places[1]
    assert text.count("<section>") == 3
    assert "carol" not in text
    assert stat.S_IMODE((tmp_path / "s.html").stat().st_mode) == 0o600


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_cut_short(tmp_path: Path, error: type[BaseException]) -> None:
    """Where a run ends before its end there is no document, and no process stays behind."""
    with pytest.raises(error), Sheets(tmp_path / "s.html", "Example", ENGLISH) as sheets:  # noqa: PT012
        sheets.put([result("alice")])
        raise error
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_a_document_that_is_there(tmp_path: Path) -> None:
    """A document that is there is not overwritten, which is said before anybody is enrolled."""
    (tmp_path / "s.html").write_text("before")
    with (
        pytest.raises(NotWritten, match="is there already"),
        Sheets(tmp_path / "s.html", "Example", ENGLISH),
    ):
        pytest.fail("it began")
    assert (tmp_path / "s.html").read_text() == "before"


def test_a_file_for_each(tmp_path: Path) -> None:
    """Each has a file of their own, whose owner they are and nobody else can read, in a
    directory that they can enter and not list."""
    owners = {"alice": (2001, 3001), "bob": (2002, 3002)} if ROOT else {"alice": ME, "bob": ME}
    with Files(tmp_path / "out", ENGLISH) as files:
        files.put([result(name, owner) for name, owner in owners.items()])
        files.put([SKIPPED])
    place = tmp_path / "out"
    assert stat.S_IMODE(place.stat().st_mode) == 0o711
    assert sorted(path.name for path in place.iterdir()) == ["alice.html", "bob.html"]
    for name, owner in owners.items():
        found = (place / f"{name}.html").stat()
        assert (found.st_uid, found.st_gid) == owner
        assert stat.S_IMODE(found.st_mode) == 0o400
        text = (place / f"{name}.html").read_text()
        assert f">Hello {name},<" in text
        assert text.endswith("</html>\n")


def test_a_second_run_replaces(tmp_path: Path) -> None:
    """A file of an earlier run is replaced, a symlink in its place is not followed, and what a
    killed run has left goes."""
    place = tmp_path / "out"
    place.mkdir()
    place.chmod(0o711)
    (place / "alice.html").write_text("earlier")
    (tmp_path / "aim").write_text("aim")
    (place / "bob.html").symlink_to(tmp_path / "aim")
    (place / ".new-123-4").write_text("part")
    (place / "carol.html").write_text("hers")
    with Files(place, ENGLISH) as files:
        files.put([result("alice"), result("bob")])
    assert sorted(path.name for path in place.iterdir()) == ["alice.html", "bob.html", "carol.html"]
    assert "Hello alice" in (place / "alice.html").read_text()
    assert "Hello bob" in (place / "bob.html").read_text()
    assert not (place / "bob.html").is_symlink()
    assert (tmp_path / "aim").read_text() == "aim"
    assert (place / "carol.html").read_text() == "hers"


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o731, 0o713, 0o710, 0o700])
def test_a_place_that_is_none(tmp_path: Path, mode: int) -> None:
    """A directory in which others could exchange a file, or that people cannot enter, is
    refused before anybody is enrolled, with what to do."""
    place = tmp_path / "out"
    place.mkdir()
    place.chmod(mode)
    with pytest.raises(NotWritten, match="others can write") as raised, Files(place, ENGLISH):
        pytest.fail("it began")
    assert "chmod 0711" in (raised.value.hint or "")
    assert list(place.iterdir()) == []


@pytest.mark.skipif(not ROOT, reason="gives a directory away")
def test_anothers_place(tmp_path: Path) -> None:
    """A directory that belongs to somebody else is refused."""
    place = tmp_path / "out"
    place.mkdir()
    place.chmod(0o711)
    os.chown(place, 2001, 2001)
    with pytest.raises(NotWritten, match="others can write"), Files(place, ENGLISH):
        pytest.fail("it began")


def test_what_is_no_directory(tmp_path: Path) -> None:
    """A symlink to a directory, a file, and a place below nothing are refused."""
    (tmp_path / "real").mkdir(mode=0o711)
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "link", tmp_path / "file", tmp_path / "none/out"):
        with pytest.raises(NotWritten) as raised, Files(path, ENGLISH):
            pytest.fail("it began")
        assert raised.value.hint


def test_two_runs_in_one_place(tmp_path: Path) -> None:
    """While one run writes to a directory another one is refused."""
    with Files(tmp_path / "out", ENGLISH) as files:
        files.put([result("alice")])
        with pytest.raises(NotWritten, match="at this moment"), Files(tmp_path / "out", ENGLISH):
            pytest.fail("it began")
    assert (tmp_path / "out/alice.html").exists()


@pytest.mark.parametrize(
    ("account", "name"),
    [
        ("alice", "alice.html"),
        ("../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd.html"),
        (".new-1", "%2Enew-1.html"),
        ("CORP\\user", "CORP%5Cuser.html"),
        ("user@example.com", "user@example.com.html"),
        ("müller", "m%C3%BCller.html"),
        ("\udcff\n", "%FF%0A.html"),
        ("100%", "100%25.html"),
    ],
)
def test_names_of_files(account: str, name: str) -> None:
    """Whatever an account is called, its file lies in the directory, and in plain sight."""
    assert file_name(account) == name


# -- the process that draws -------------------------------------------------------------------


def draw(page: Paper) -> str:
    """Draw, or not."""
    if page.account == "long":
        raise EnrollmentError("too long", hint="shorter")
    if page.account == "fault":
        os._exit(1)
    return page.account


def page(account: str) -> Paper:
    """Return a page of somebody."""
    found = result(account).page
    assert found is not None
    return found


def test_what_cannot_be_drawn() -> None:
    """An error in the other process is one here; so is its end."""
    drawer = Drawer(draw)
    drawer.send([page("a"), page("b")])
    assert drawer.receive() == ["a", "b"]
    drawer.send([page("long")])
    with pytest.raises(EnrollmentError, match="too long") as raised:
        drawer.receive()
    assert raised.value.hint == "shorter"
    drawer.send([page("fault")])
    with pytest.raises(PamTotpError, match="has ended") as ended:
        drawer.receive()
    assert ended.value.hint
    drawer.close()


def test_it_ends_with_the_one_that_asks() -> None:
    """Where the process that asks is killed, the one that draws ends by itself: it would hold
    secrets, and the lock of the document."""
    reading, writing = os.pipe()
    parent = os.fork()
    if parent == 0:
        os.close(reading)
        drawer = Drawer(draw)
        os.set_inheritable(writing, True)  # noqa: FBT003
        drawer.send([page("a")])
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(parent, 0)
    os.close(writing)
    # The pipe ends when its last holder has ended, the process that draws being one.
    assert os.read(reading, 1) == b""
    os.close(reading)


def test_control_c_is_for_the_one_that_asks() -> None:
    """A ^C, which the terminal sends to both, does not end the one that draws."""
    drawer = Drawer(draw)
    drawer.send([page("a")])
    assert drawer.receive() == ["a"]
    os.kill(drawer._process.pid or 0, signal.SIGINT)
    drawer.send([page("b")])
    assert drawer.receive() == ["b"]
    drawer.close()


def test_pages_of_both_kinds() -> None:
    """A page of an enrollment and one of an invitation are drawn, each as a document too."""
    for one in (result("alice").page, INVITED.page):
        assert one is not None
        assert printing.drawn(one, ENGLISH) in printing.document(one, ENGLISH)
