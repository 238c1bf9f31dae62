"""An administrator enrolls many people: sheets for a group in two commands, and all that may come
in between."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

from pam_totp import administration, config, context
from tests.system.lab import camera
from tests.system.lab.machine import run
from tests.system.lab.person import Person
from tests.system.lab.phone import OathPhone
from tests.system.lab.product import COMMAND, ask_pam_totp, pam_totp
from tests.system.lab.ssh import Sshd, is_in, is_refused
from tests.system.lab.wait import wait_for

SCHOOL: Final = "school-of-the-lab"
GID: Final = 30_000
MANY: Final = 500
PASSWD: Final = Path("/etc/passwd")
SAMPLE: Final = 7
SECTION: Final = re.compile(r"<section>.*?</section>\n", re.DOTALL)


@pytest.fixture
def school(service: object, people: Callable[[], Person]) -> Iterator[Person]:
    """A group of 500: a person who can log in, listed in it, and 499 whose primary group it is.
    What they enroll is forgotten afterwards."""
    before = PASSWD.read_text()
    pupils = [f"pupil{number:03}" for number in range(MANY - 1)]
    subprocess.run(["groupadd", "--gid", str(GID), SCHOOL], check=True)
    with PASSWD.open("a") as passwd:
        passwd.writelines(
            f"{name}:x:{GID + number}:{GID}::/nonexistent:/usr/sbin/nologin\n"
            for number, name in enumerate(pupils)
        )
    person = people()
    subprocess.run(["usermod", "-aG", SCHOOL, person.name], check=True)
    yield person
    store = context.from_config(config.load()).store
    for name in pupils:
        administration.reset(store, name, 0, "the lab")
    PASSWD.write_text(
        "".join(
            f"{line}\n" for line in PASSWD.read_text().splitlines() if not line.startswith("pupil")
        )
    )
    assert set(before.splitlines()) <= {*PASSWD.read_text().splitlines()}
    subprocess.run(["groupdel", SCHOOL], check=True)


@pytest.fixture
def policy() -> Iterator[None]:
    """The policy as the lab has it, put back afterwards."""
    newest = max(version["version"] for version in ask_pam_totp("policy", "history"))
    yield
    pam_totp("policy", "revert", str(newest), "--yes", "--force")


def sections(document: Path) -> list[str]:
    """Return the pages of sheets."""
    return SECTION.findall(document.read_text())


def scanned(document: Path, wanted: list[str], place: Path) -> list[OathPhone]:
    """Print the pages of these accounts, and return the phones that have scanned them."""
    found = [s for s in sections(document) if any(f"Hello {name}," in s for name in wanted)]
    assert len(found) == len(wanted)
    head, _, _ = document.read_text().partition("<section>")
    sample = place / "sample.html"
    sample.write_text(head + "".join(found) + "</body></html>")
    uris = camera.read(camera.pages(camera.printed(sample)))
    assert len(uris) == len(wanted)
    return [OathPhone.scanned(uri) for uri in uris]


def test_a_group_of_500_in_two_commands(school: Person, policy: None, tmp_path: Path) -> None:
    """Two commands: 500 people have a sheet each, and must use a code from then on.  One of
    them scans the sheet, and logs in over SSH with the code of oathtool; without it nobody
    gets in."""
    sheets = tmp_path / "school.html"
    words = ("enroll", "--group", SCHOOL, "--sheets", str(sheets), "--recovery-codes", "--yes")
    assert pam_totp(*words) == f"{MANY} enrolled\n"
    pam_totp("policy", "set", "mfa=required", "--group", SCHOOL, "--yes")

    assert len(sections(sheets)) == MANY
    assert len(set(re.findall(r"rc-\w{5}-\w{5}-\w{5}", sheets.read_text()))) == MANY * 10
    names = [school.name, *(f"pupil{number:03}" for number in range(0, MANY - 1, MANY // SAMPLE))]
    phones = {phone.account: phone for phone in scanned(sheets, names, tmp_path)}
    assert set(phones) == set(names)
    assert len({phone.secret for phone in phones.values()}) == len(names)
    with Sshd() as sshd:
        for code, comes in (
            (phones[school.name].fresh_code(), is_in),
            ("123456", is_refused),
        ):
            with sshd.client(school.name) as client:
                client.gives_password(school.password)
                client.gives_code(code)
                comes(client)
    found = {one["account"]: one for one in ask_pam_totp("status", "--group", SCHOOL)}
    assert len(found) == MANY
    assert {one["mfa"] for one in found.values()} == {"required"}
    assert {one["recovery_codes"] for one in found.values()} == {10}


def test_a_run_that_is_killed_is_run_again(school: Person, tmp_path: Path) -> None:
    """A run that is killed leaves no sheets; the same command again has all 500 on them, each
    with the secret that counts."""
    sheets = tmp_path / "school.html"
    words = [COMMAND, "enroll", "--group", SCHOOL, "--sheets", str(sheets), "--yes"]
    first = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    part = tmp_path / ".school.html.part"
    wait_for(lambda: part.exists() or first.poll() is not None, "beginning of the run")
    first.send_signal(signal.SIGKILL)
    assert first.wait() == -signal.SIGKILL
    assert not sheets.exists()
    before = {
        one["account"] for one in ask_pam_totp("status", "--group", SCHOOL) if one["enrolled"]
    }
    done = run(*words)
    assert done.returncode == 0, done.stderr
    counts = {word: int(n) for n, word in re.findall(r"(\d+) (enrolled|shown again)", done.stdout)}
    assert counts.get("shown again", 0) == len(before)
    assert sum(counts.values()) == MANY
    assert len(sections(sheets)) == MANY
    assert not part.exists()
    (phone,) = scanned(sheets, [school.name], tmp_path)
    with Sshd() as sshd, sshd.client(school.name) as client:
        client.gives_password(school.password)
        client.gives_code(phone.fresh_code())
        is_in(client)


def test_each_reads_their_own_file_alone(
    service: object, people: Callable[[], Person], tmp_path: Path
) -> None:
    """With --files each person can read their own page, and nobody else's, nor who else has
    one."""
    alice, bob = people(), people()
    listed = tmp_path / "people.csv"
    listed.write_text(f"{alice.name}\n{bob.name}\n")
    place = Path("/srv/pages-of-the-lab")
    pam_totp("enroll", "--from", str(listed), "--files", str(place), "--yes")
    own, other = place / f"{alice.name}.html", place / f"{bob.name}.html"
    as_alice = ("runuser", "-u", alice.name, "--")
    assert f"Hello {alice.name}," in run(*as_alice, "cat", str(own)).stdout
    for words in (("cat", str(other)), ("ls", str(place)), ("rm", "-f", str(own))):
        assert run(*as_alice, *words).returncode != 0
    with suppress(FileNotFoundError):
        for path in (own, other):
            path.unlink()
        place.rmdir()


def test_a_bad_list_changes_nothing(
    service: object, people: Callable[[], Person], tmp_path: Path
) -> None:
    """Each fault of a list has its file, line and expected form; nobody is enrolled."""
    alice = people()
    listed = tmp_path / "people.csv"
    listed.write_text(
        f"user,secret\n{alice.name},\nno-such-person,\n{alice.name.upper()}x,\n"
        f"{alice.name},JBSWY3DPEHPK3PXP\n"
    )
    done = run(COMMAND, "enroll", "--from", str(listed), "--json", "--yes")
    assert (done.returncode, done.stdout) == (1, "")
    *faults, count, hint = done.stderr.splitlines()
    assert [re.findall(r"people\.csv, line (\d+): .*; expected: .+", f) for f in faults] == [
        ["3"],
        ["4"],
        ["5"],
        ["5"],
    ]
    assert "4 errors; nothing was changed" in count
    assert hint.startswith("hint: ")
    assert not alice.status()["enrolled"]


def test_people_are_invited(service: object, people: Callable[[], Person], tmp_path: Path) -> None:
    """Invitations for many are a page each, printed and read."""
    alice, bob = people(), people()
    listed = tmp_path / "people.csv"
    listed.write_text(f"{alice.name}\n{bob.name}\n")
    sheets = tmp_path / "invitations.html"
    words = ("invite", "--from", str(listed), "--sheets", str(sheets), "--yes")
    assert pam_totp(*words) == "2 invited\n"
    texts = camera.texts(camera.printed(sheets))
    assert len(texts) == 2
    for person, text in zip((alice, bob), texts, strict=True):
        assert person.name in text
        assert re.search(r"\bin-\w{5}-\w{5}-\w{5}\b", text)
