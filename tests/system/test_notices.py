"""Notices: people hear, apart from the login, what happens to their accounts."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Final

import pytest

from tests.system.lab import host, notices, packages, stacks, systemd
from tests.system.lab.journal import Journal
from tests.system.lab.notices import by_command, configured, mails, running, told
from tests.system.lab.person import Person
from tests.system.lab.product import DATA, Service, pam_totp
from tests.system.lab.wait import wait_for

STACK: Final = "lab-notices"
ADDRESS: Final = "192.0.2.1"
_PIDS: Final = Path("/root/hanging")

People = Callable[[], Person]


@pytest.fixture(autouse=True)
def stack(service: Service) -> Iterator[None]:
    """The shipped stack, without the delays of refusals."""
    with stacks.installed(STACK, stacks.without_delay(stacks.shipped("pam-totp"))):
        yield


@pytest.fixture(scope="module")
def _mail_program() -> None:
    """A real one, whose programs are set-group-id and set-user-id, and deliver on this machine."""
    packages.unpack(packages.DIST / "mail")
    Path("/etc/mailname").write_text("lab\n")
    Path("/etc/dma/dma.conf").write_text("MAILNAME /etc/mailname\n")


def log_in(person: Person, code: str) -> str:
    """Log in with the right password, and return what came of it."""
    rhost = f"--rhost={ADDRESS}"
    return host.login(STACK, person.name, rhost, password=person.password, code=code).result


def guess(person: Person) -> None:
    """Guess until the account locks for a time."""
    for _ in range(5):
        log_in(person, person.wrong_code())


def told_all(person: Person, after: People) -> list[str]:
    """Return what was told of somebody, when all of it has been: notices leave in the order of
    the events, and the last one is somebody else's."""
    last = after()
    last.lock()
    wait_for(lambda: told(last.name), "the last notice")
    return [one.what for one in told(person.name)]


def test_each_is_told_once(newcomer: Person, people: People, journal: Journal) -> None:
    """An enrollment, a used recovery code, a lock for a time, one by an administrator and a
    reset make one notice each; right and wrong codes, an unlock and a policy make none."""
    with by_command(journal):
        phone = newcomer.enroll()
        assert log_in(newcomer, newcomer.fresh_code()) == host.SUCCESS
        assert log_in(newcomer, phone.recovery_codes[0]) == host.SUCCESS
        guess(newcomer)
        log_in(newcomer, newcomer.wrong_code())
        newcomer.unlock()
        newcomer.lock()
        pam_totp("reset", newcomer.name, "--yes")
        assert told_all(newcomer, people) == [
            "enrolled",
            "recovery-code-used",
            "locked",
            "locked-by-administrator",
            "reset",
        ]
    assert len(said(journal, "notice=sent")) == 6


def test_what_is_told(person: Person, journal: Journal) -> None:
    """The command gets a text with when, where and what to do, the facts in its environment,
    and its own arguments."""
    with by_command(journal):
        assert log_in(person, person.phone.recovery_codes[0]) == host.SUCCESS
        (one,) = wait_for(lambda: told(person.name), "the notice")
    assert one.words == ["--from", "the lab"]
    facts = (one.facts["PAM_TOTP_SERVICE"], one.facts["PAM_TOTP_ADDRESS"], one.facts["PAM_TOTP_BY"])
    assert facts == (STACK, ADDRESS, "")
    assert one.facts["PAM_TOTP_SUBJECT"] == f"lab: a recovery code of {person.name} was used"
    assert f"Where: {STACK}, from {ADDRESS}" in one.text
    assert "If that was not you" in one.text


def test_what_a_client_sends(person: Person, journal: Journal) -> None:
    """An address that is none, with words of a shell and another line in it, is a value and
    stays one."""
    strange = "$(touch /root/ran); `touch /root/ran`\nBcc: x@example.org"
    with by_command(journal):
        for _ in range(5):
            host.login(
                STACK,
                person.name,
                f"--rhost={strange}",
                password=person.password,
                code=person.wrong_code(),
            )
        (one,) = wait_for(lambda: told(person.name), "the notice")
    assert one.facts["PAM_TOTP_ADDRESS"] == strange.replace("\n", "?")
    assert not any(line.startswith("Bcc") for line in one.text.splitlines())
    assert not Path("/root/ran").exists()


def test_what_happened_meanwhile(person: Person, people: People, journal: Journal) -> None:
    """What happens while the process is down is told when it is back, and nothing twice; at its
    very first start it tells nothing of what was."""
    with configured(notify=notices.command()):
        with running(journal):
            person.lock()
            wait_for(lambda: told(person.name), "the notice")
        pam_totp("reset", person.name, "--yes")
        with running(journal):
            assert told_all(person, people) == ["locked-by-administrator", "reset"]


def test_a_command_that_hangs(person: Person, people: People, journal: Journal) -> None:
    """While a command hangs people log in; it is killed in the end, with what it has started,
    a log line says so, and the next notice is sent."""
    other = people()
    script = (
        "#!/bin/sh\n"
        f'if [ "$PAM_TOTP_ACCOUNT" = {person.name} ]; then\n'
        f"    sleep 1000 & echo $! >{_PIDS}.new; mv {_PIDS}.new {_PIDS}; wait\n"
        "fi\n"
    )
    with by_command(journal, script):
        person.lock()
        wait_for(_PIDS.exists, "the command to hang")
        person.unlock()
        assert log_in(person, person.fresh_code()) == host.SUCCESS
        other.lock()
        assert journal.verdicts(person.name) == ["accepted"]
        assert not said(journal, "notice=")
        (failed,) = wait_for(lambda: said(journal, "is tried again"), "end of the command", 60)
        assert f"{notices.COMMAND} did not end within 30 s and was killed" in failed
        assert not Path(f"/proc/{_PIDS.read_text().strip()}").exists()
        sent = journal.wait_for("notice=sent")
        assert sent.fields["account"] == other.name
    _PIDS.unlink()


def said(journal: Journal, words: str) -> list[str]:
    """Return the log lines so far that have these words."""
    return [line for line in journal.lines if words in line]


def test_off(journal: Journal) -> None:
    """Where notices are off, the process says so and ends; nothing has failed."""
    done = subprocess.run([notices.PROGRAM], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert "set `notify` in /etc/pam-totp/pam-totp.yaml" in journal.wait_for("notices are off")


def test_only_one_runs(journal: Journal) -> None:
    """A second process ends, and says why."""
    with by_command(journal):
        done = subprocess.run([notices.PROGRAM], check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert "another pam-totp-notify runs already" in done.stderr


def arrived(person: Person, how_many: int) -> list[EmailMessage]:
    """Wait until so many mails lie in somebody's mailbox, and return them."""
    return wait_for(
        lambda: found if len(found := mails(person.name)) >= how_many else None,
        f"{how_many} mails for {person.name}",
    )


@pytest.mark.usefixtures("_mail_program")
@pytest.mark.parametrize(
    ("language", "subject", "words"),
    [
        ("en", "lab: {} was locked by an administrator", "ask your administrator"),
        ("de_DE.UTF-8", "lab: {} wurde von der Administration gesperrt", "fragen Sie bitte Ihre"),
    ],
)
def test_by_mail(language: str, subject: str, words: str, person: Person, journal: Journal) -> None:
    """A mail arrives in the person's mailbox, in the host's language."""
    with configured(notify="mail", language=language), running(journal):
        person.lock()
        (mail,) = arrived(person, 1)
    assert mail["Subject"] == subject.format(person.name)
    assert words in mail.get_content()
    assert mail["Auto-Submitted"] == "auto-generated"


@pytest.mark.usefixtures("_mail_program")
def test_under_systemd(person: Person) -> None:
    """The shipped unit sends by a mail program that is set-group-id; while notices are off it
    ends at once, and is no failed unit."""
    with systemd.booted() as machine:
        assert machine.run("systemctl", "is-enabled", "pam-totp-notify").stdout == "enabled\n"
        assert machine.run("systemctl", "start", "pam-totp-notify").returncode == 0
        wait_for(lambda: state(machine) == "inactive success", "the unit to end")
        with configured(notify="mail"):
            assert machine.run("systemctl", "restart", "pam-totp-notify").returncode == 0
            wait_for((DATA / "notices").exists, "the process to begin")
            person.lock()
            (mail,) = arrived(person, 1)
            assert state(machine) == "active success"
            assert machine.run("systemctl", "stop", "pam-totp-notify").returncode == 0
            assert state(machine) == "inactive success"
    assert mail["From"] == "root"


def state(machine: systemd.Machine) -> str:
    """Return the unit's state, and how it last ended."""
    show = ["systemctl", "show", "--value", "--property"]
    found = (machine.run(*show, what, "pam-totp-notify") for what in ("ActiveState", "Result"))
    return " ".join(one.stdout.strip() for one in found)
