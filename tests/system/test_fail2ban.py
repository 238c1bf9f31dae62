"""The shipped fail2ban filter and jail, on lines of real logins and on forged ones."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import pytest

from tests.system.lab import host, ssh, stacks
from tests.system.lab.host import AUTH_ERR, SUCCESS
from tests.system.lab.journal import AUTHPRIV, Journal, Line
from tests.system.lab.person import Person
from tests.system.lab.product import policy
from tests.system.lab.ssh import Sshd
from tests.system.lab.wait import DEADLINE, wait_for

EXAMPLES: Final = Path("/usr/share/doc/libpam-totp/examples/fail2ban")
FILTER: Final = EXAMPLES / "filter.d/pam-totp.conf"
CONFIGURATION: Final = Path("/etc/fail2ban")
JOURNALD: Final = "/lib/systemd/systemd-journald"
JOURNAL_SOCKET: Final = Path("/run/systemd/journal/dev-log")
CGROUPS: Final = Path("/sys/fs/cgroup")
NOBODY: Final = 65534

STACK: Final = "lab-fail2ban"
VICTIM: Final = "203.0.113.66"  # whom forged lines want banned
WRONG: Final = "not the password"
FORMS: Final = {
    "rsyslog of Debian 12": "%b %d %H:%M:%S",
    "rsyslog of Debian 13": "%Y-%m-%dT%H:%M:%S.123456+00:00",
}
FORGED: Final = {
    "key": f"x rhost={VICTIM}",
    "whole": f"x service=sshd rhost={VICTIM} tty=ssh",
    "quote": f'x" rhost={VICTIM}',
    "escaped-quote": f'x\\" rhost={VICTIM} tty="',
    "backslash": f"x\\ rhost={VICTIM}",
    "newline": f"x\npam-totpd[1]: verdict=wrong-code account=x rhost={VICTIM}",
    "dated": f"x\nNov 24 12:00:00 lab pam-totpd[1]: verdict=wrong-code account=x rhost={VICTIM}",
    "return": f"x\rverdict=wrong-code account=x rhost={VICTIM}",
    "separator": f"x\u2028verdict=wrong-code account=x rhost={VICTIM}",
    "address": VICTIM,
}


@pytest.fixture(autouse=True)
def stack(service: object) -> Iterator[None]:
    """The shipped stack, without the delays of refusals."""
    with stacks.installed(STACK, stacks.without_delay(stacks.shipped("pam-totp"))):
        yield


def counted(log: Iterable[str], form: str = "%b %d %H:%M:%S") -> list[str]:
    """Return the addresses that fail2ban counts in a log file, one for each line counted."""
    file = Path("/run/lab/auth.log")
    stamp = time.strftime(form, time.gmtime())
    file.write_text("".join(f"{stamp} lab {line}\n" for line in log))
    return counted_in(str(file))


def counted_in(log: str) -> list[str]:
    """Return the addresses that fail2ban counts in a log."""
    done = subprocess.run(
        ["fail2ban-regex", "--out", "ip", log, FILTER],
        check=False,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    assert not done.stderr, done.stderr
    return done.stdout.split()


def log_in(account: str, rhost: str, password: str, code: str | None, *more: str) -> str:
    """Log in through the shipped stack from an address, and return PAM's answer."""
    options = (f"--rhost={rhost}", *more)
    return host.login(STACK, account, *options, password=password, code=code).result


@pytest.mark.parametrize("form", FORMS)
def test_counted(newcomer: Person, person: Person, journal: Journal, form: str) -> None:
    """Wrong passwords, wrong codes, wrong invitations, names that nobody has and tries from an
    address that is locked count, each for the address that it came from."""
    log_in(person.name, "192.0.2.1", WRONG, person.wrong_code())
    log_in(person.name, "2001:db8::1", person.password, person.wrong_code())
    log_in("nobody-has-this", "192.0.2.2", WRONG, None)
    for _ in range(5):
        log_in(person.name, "192.0.2.3", WRONG, person.wrong_code())
    assert log_in(person.name, "192.0.2.3", person.password, person.fresh_code()) == AUTH_ERR
    anyone = stacks.with_password_module("pam-totp", "pam_permit.so")
    with stacks.installed("lab-anyone", anyone) as service:
        assert host.login(service, "nobody-has-this", "--rhost=::ffff:192.0.2.4").result == AUTH_ERR
    with policy("mfa=required", "unenrolled=enroll", "invitations=required"):
        asked = (f"Password: ={newcomer.password}", "You have no code=in-22222-22222-2222a")
        options = ("--rhost=192.0.2.5", *(f"--answer={answer}" for answer in asked))
        assert host.login(STACK, newcomer.name, *options).result == AUTH_ERR
    people = (person.name, newcomer.name, "nobody-has-this")
    found = {line.fields["verdict"] for line in verdicts(journal, *people)}
    wrong = {"wrong-password", "wrong-code", "wrong-invitation"}
    assert found == {*wrong, "locked-address", "unknown-account"}
    expected = ["192.0.2.1", "2001:db8::1", "192.0.2.2", *["192.0.2.3"] * 6, "192.0.2.4"]
    expected.append("192.0.2.5")
    assert counted(journal.lines, FORMS[form]) == expected


def test_not_counted(newcomer: Person, person: Person, journal: Journal) -> None:
    """What is no guess does not count: logins, no code, the same wrong code again, a code that
    was used, an account that is locked, and addresses that are none."""
    code = person.fresh_code()
    assert log_in(newcomer.name, "192.0.2.1", newcomer.password, None) == SUCCESS
    assert log_in(person.name, "192.0.2.1", person.password, code) == SUCCESS
    assert log_in(person.name, "192.0.2.1", person.password, code) == AUTH_ERR
    assert log_in(person.name, "192.0.2.1", person.password, "") == AUTH_ERR
    wrong = person.wrong_code()
    for rhost in ("vpn.example.net", "192.0.2.999", "1:2", "fe80::1%eth0", ""):
        assert log_in(person.name, rhost, person.password, wrong) == AUTH_ERR
    assert log_in(person.name, "192.0.2.1", person.password, wrong) == AUTH_ERR
    for _ in range(3):
        log_in(person.name, "host", person.password, person.wrong_code())
    assert log_in(person.name, "192.0.2.1", person.password, person.fresh_code()) == AUTH_ERR
    assert set(journal.verdicts(person.name)) == {
        *("accepted", "replayed-code", "no-code", "wrong-code", "repeated-code", "locked")
    }
    assert counted(journal.lines) == []


def test_own_programs(person: Person, journal: Journal) -> None:
    """Nobody has an address banned by failures of a program of their own that claims it."""
    with stacks.installed("lab-own", stacks.shipped(stacks.CODE_ALONE)) as service:
        options = (f"--uid={person.uid}", f"--rhost={VICTIM}")
        assert host.login(service, person.name, *options, code=person.wrong_code()).result
    assert journal.verdicts(person.name) == ["wrong-code"]
    assert f"rhost={VICTIM}" in journal.wait_for("verdict=wrong-code")
    assert counted(journal.lines) == []


@pytest.mark.parametrize("kind", FORGED)
def test_forged(person: Person, journal: Journal, kind: str) -> None:
    """Whatever stands in the user's name, the terminal or the host's name, the one address that
    counts is where the login came from, and where that is none, nothing counts."""
    forged, wrong = FORGED[kind], person.wrong_code()
    log_in(forged, "192.0.2.1", WRONG, None)
    log_in(person.name, "192.0.2.2", person.password, wrong, f"--tty={forged}")
    log_in(person.name, "192.0.2.3", WRONG, wrong, f"--tty={forged}")
    if forged != VICTIM:
        log_in(person.name, forged, WRONG, wrong)
        log_in(forged, forged, WRONG, None, f"--tty={forged}")
    journal.verdicts(person.name)
    assert counted(journal.lines) == ["192.0.2.1", "192.0.2.2", "192.0.2.3"]


@pytest.mark.parametrize("kind", ["key", "whole", "backslash", "separator", "address"])
def test_forged_by_ssh(kind: str, journal: Journal) -> None:
    """The same by SSH, with all that sshd logs beside it, for the names that OpenSSH's own
    client is willing to send."""
    with Sshd() as sshd, sshd.client(FORGED[kind]) as client:
        client.gives_password(WRONG)
        ssh.is_refused(client)
    journal.wait_for("verdict=wrong-password")
    assert counted(journal.lines) == ["127.0.0.1"]


@pytest.mark.parametrize(
    "line",
    [
        f"sshd[1]: Invalid user pam-totpd[1]: verdict=wrong-code account=a rhost={VICTIM}",
        f"sshd[1]: pam-totpd[1]: verdict=wrong-code account=a rhost={VICTIM}",
        f"verdict=wrong-code account=a rhost={VICTIM}",
        f"kernel: [1.0]: verdict=wrong-code account=a rhost={VICTIM}",
        f"pam-totpd: verdict=wrong-code account=a rhost={VICTIM}",
        f"pam-totpd[1]: a login was refused: verdict=wrong-code account=a rhost={VICTIM}",
        f"pam-totpd[1]: verdict=accepted detail=verdict=wrong-code rhost={VICTIM}",
        f"pam-totpd[1]: act=unlock account=a from={VICTIM} reason=verdict=wrong-code",
    ],
)
def test_lines_of_others(line: str) -> None:
    """A line of another program, or one that is no failure, does not count, whatever is in it."""
    assert counted([line]) == []


# -- the journal ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def journald(lab: None) -> Iterator[None]:
    """The real journal of systemd, which wants to see control groups."""
    subprocess.run(["mount", "-t", "cgroup2", "none", CGROUPS], check=True)
    JOURNAL_SOCKET.parent.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen([JOURNALD], stderr=subprocess.DEVNULL)
    wait_for(JOURNAL_SOCKET.exists, "socket of the journal")
    yield
    process.terminate()
    process.wait(DEADLINE)
    subprocess.run(["umount", CGROUPS], check=True)


def test_journal(person: Person, journal: Journal, journald: None) -> None:
    """In the journal the same lines count, and not one that another user has written."""
    log_in(person.name, "192.0.2.1", WRONG, person.wrong_code())
    line = verdicts(journal, person.name)[0]
    written(line)
    forger = os.fork()
    if forger == 0:
        with suppress(BaseException):
            os.setuid(NOBODY)
            written(Line(line.replace("192.0.2.1", VICTIM)))
        os._exit(0)
    os.waitpid(forger, 0)
    wait_for(lambda: VICTIM in in_the_journal(), "forged line in the journal")
    assert counted_in("systemd-journal[journalflags=0]") == ["192.0.2.1"]


def written(line: Line) -> None:
    """Write a line to the journal, as the C library does."""
    stamp = time.strftime("%b %d %H:%M:%S", time.gmtime())
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(f"<{AUTHPRIV * 8 + 5}>{stamp} {line}".encode(), str(JOURNAL_SOCKET))


def in_the_journal() -> str:
    """Return what the journal holds of ours."""
    command = ["journalctl", "--quiet", "--output=cat", "-t", "pam-totpd"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


# -- the jail -------------------------------------------------------------------------------------


@contextmanager
def turned_on() -> Iterator[None]:
    """Copy the examples as docs/log.md says, with no other jail beside."""
    others = CONFIGURATION / "jail.d/defaults-debian.conf"
    before = others.read_text()
    subprocess.run(["cp", "-r", f"{EXAMPLES}/.", CONFIGURATION], check=True)
    others.write_text("")
    try:
        yield
    finally:
        for file in EXAMPLES.rglob("*.conf"):
            (CONFIGURATION / file.relative_to(EXAMPLES)).unlink()
        others.write_text(before)


def test_a_jail_bans(person: Person, journal: Journal, tmp_path: Path) -> None:
    """The jail, with a log file and an action of the test's own, bans an address after ten
    failures, and nobody before that."""
    with turned_on():
        log = tmp_path / "auth.log"
        log.write_text("")
        (CONFIGURATION / "jail.local").write_text(
            f"[pam-totp]\nbackend = polling\nlogpath = {log}\naction = dummy[target={tmp_path}/f2b]"
        )
        with server(tmp_path) as client:
            for count in range(11):
                rhost = "192.0.2.1" if count else "192.0.2.2"
                log_in(person.name, rhost, WRONG, person.wrong_code())
            journal.verdicts(person.name)
            stamp = time.strftime("%b %d %H:%M:%S")
            log.write_text("".join(f"{stamp} lab {line}\n" for line in journal.lines))
            wait_for(lambda: "192.0.2.1" in client("get", "pam-totp", "banned"), "ban")
            assert "192.0.2.2" not in client("get", "pam-totp", "banned")
        (CONFIGURATION / "jail.local").unlink()


def test_the_jail_as_shipped() -> None:
    """As shipped it reads the journal, looks no name up, and closes every port, UDP's as well."""
    with turned_on():
        command = ["fail2ban-client", "--dp"]
        shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "['add', 'pam-totp', 'systemd']" in shown
    assert "['set', 'pam-totp', 'usedns', 'no']" in shown
    assert "'tcp,udp'" in shown


@contextmanager
def server(directory: Path) -> Iterator[Callable[..., str]]:
    """Run fail2ban's server, with its files in a directory; yields its client."""
    files = ["-s", f"{directory}/socket", "-p", f"{directory}/pid"]
    more = ["--loglevel", "WARNING", "--logtarget", f"{directory}/log"]

    def client(*words: str) -> str:
        command = ["fail2ban-client", *files, *words]
        return subprocess.run(command, check=False, capture_output=True, text=True).stdout

    shutil.rmtree("/var/run/fail2ban", ignore_errors=True)
    process = subprocess.Popen(["fail2ban-server", "-f", *files, *more, "start"])
    wait_for(lambda: "Number of jail:\t1" in client("status"), "jail")
    yield client
    process.terminate()
    process.wait(DEADLINE)


def verdicts(journal: Journal, *accounts: str) -> list[Line]:
    """Return the lines with verdicts on these accounts."""
    for account in accounts:
        journal.verdicts(account)
    found = [line for line in journal.lines if "verdict=" in line]
    return [line for line in found if line.fields.get("account") in accounts]
