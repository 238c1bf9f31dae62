"""`pam-totp stack`: turned on and off by the command, each followed by real logins."""

from __future__ import annotations

import fcntl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.lab import debian
from tests.system.lab.machine import (
    COPIES,
    DROP_IN,
    ENABLE,
    OFF,
    RELOADED,
    STACK,
    asks_for_a_code,
    asks_for_no_code,
    run,
)
from tests.system.lab.person import Person
from tests.system.lab.product import COMMAND, DATA, Service, pam_totp
from tests.system.lab.ssh import INSIDE, STACKS, Sshd, is_in, is_refused, stack_with
from tests.system.lab.terminal import CODE, PASSWORD, Terminal
from tests.system.test_ssh_variants import give_key

LIBRARY = Path("/usr/lib/python3/dist-packages/pam_totp")
KEY = Path("/etc/pam-totp/seal.key")
CONFIGURATION = Path("/etc/pam-totp/pam-totp.yaml")
BROKEN = {
    "store": (DATA,),
    "key": (KEY,),
    "configuration": (CONFIGURATION,),
    "Python package": (LIBRARY,),
    "service": (),
    "everything": (DATA, KEY, CONFIGURATION, LIBRARY),
}


@pytest.fixture(params=debian.RELEASES)
def release(request: pytest.FixtureRequest, off: None) -> str:
    """Each release of Debian, whose stacks are the machine's."""
    name: str = request.param
    debian.put(name, "unix")
    return name


@pytest.fixture
def off(service: object) -> Iterator[None]:
    """A machine whose sshd asks for no code."""
    subprocess.run(["ssh-keygen", "-A"], check=True, stdout=subprocess.DEVNULL)
    with debian.kept():
        pam_totp("stack", "disable", "--all")
        yield
        subprocess.run([OFF, "--all"], check=True, stdout=subprocess.DEVNULL)


def test_on_and_off(release: str, person: Person) -> None:
    """Turned on, SSH asks for the code; turned off, it does not, and every byte is as before."""
    before = STACK.read_bytes()
    asks_for_no_code(person)
    assert "turned on" in pam_totp(*ENABLE)
    asks_for_a_code(person)
    pam_totp("stack", "disable", "sshd")
    asks_for_no_code(person)
    assert STACK.read_bytes() == before
    assert not DROP_IN.exists()


def test_the_console(release: str, person: Person) -> None:
    """`login` is turned on and off like sshd; nothing about SSH changes."""
    pam_totp("stack", "enable", "login", "--yes")
    assert not DROP_IN.exists()
    with Terminal("/bin/login") as console:
        console.answers("login: ", person.name, hidden=False)
        console.gives_password(person.password)
        console.gives_code(person.fresh_code())
        console.sees("$ ")
    pam_totp("stack", "disable", "login")
    with Terminal("/bin/login") as console:
        console.answers("login: ", person.name, hidden=False)
        console.gives_password(person.password)
        console.sees("$ ")
        assert CODE not in console.transcript


def test_a_key_then_the_code(off: None, person: Person, newcomer: Person, tmp_path: Path) -> None:
    """With --code-only SSH wants a key and the code, and no password; a login that was under way
    before is over before the stack asks for none."""
    key = give_key(person, tmp_path)
    both = "publickey,keyboard-interactive"
    with Sshd("sshd", None, RELOADED, "LoginGraceTime=4") as sshd:
        with sshd.client(newcomer.name, methods="password") as early:
            early.sees(PASSWORD)
            pam_totp(*ENABLE, "--code-only")
            early.types("anything")
            assert early.ends() == 255
            assert INSIDE not in early.transcript
        with sshd.client(person.name, f"IdentityFile={key}", methods=both) as client:
            client.gives_code(person.fresh_code())
            is_in(client)
            assert PASSWORD not in client.transcript
        with sshd.client(newcomer.name) as client:
            is_refused(client)
        with sshd.client(newcomer.name, methods="password") as client:
            is_refused(client)


def test_a_key_needs_an_sshd_that_was_told(off: None) -> None:
    """Where sshd cannot be told that it must check a key, the stack goes on asking for the
    password; so it does where a `Match` block lets in without one."""
    before = STACK.read_text()
    done = run(COMMAND, *ENABLE, "--code-only")
    assert done.returncode == 1
    assert "could not be told" in done.stderr
    around = DROP_IN.parent / "60-around.conf"
    for keyword in ("AuthenticationMethods", '"AuthenticationMethods"'):
        around.write_text(f"Match User alice\n{keyword} keyboard-interactive:pam\n")
        with Sshd("sshd", None, RELOADED):
            done = run(COMMAND, *ENABLE, "--code-only")
        assert done.returncode == 1
        assert "60-around.conf:2" in done.stderr
    assert STACK.read_text() == before
    assert not DROP_IN.exists()


def test_twice(off: None) -> None:
    """Turning on twice, and off twice, is no error and changes nothing."""
    pam_totp(*ENABLE)
    on = STACK.read_bytes()
    assert "nothing to change" in pam_totp(*ENABLE)
    assert STACK.read_bytes() == on
    pam_totp("stack", "disable", "sshd")
    assert "nothing to change" in pam_totp("stack", "disable", "sshd")
    assert "nothing to change" in pam_totp("stack", "disable", "--all")


@pytest.mark.parametrize("broken", BROKEN)
def test_off_with_something_broken(
    broken: str, off: None, service: Service, person: Person, tmp_path: Path
) -> None:
    """`stack-off --all` lets people in by their password, whatever else is broken."""
    pam_totp(*ENABLE)
    away = {path: tmp_path / str(number) for number, path in enumerate(BROKEN[broken])}
    if broken in ("service", "everything"):
        service.stop()
    for path, elsewhere in away.items():
        subprocess.run(["mv", path, elsewhere], check=True)
    try:
        done = run(OFF, "--all")
        assert done.returncode == 0, done.stderr
        asks_for_no_code(person)
    finally:
        for path, elsewhere in away.items():
            subprocess.run(["mv", elsewhere, path], check=True)


def test_what_others_have_edited_stays(off: None, person: Person) -> None:
    """A line that somebody has added meanwhile is there after turning off, and ours are not."""
    pam_totp(*ENABLE)
    theirs = "session optional pam_echo.so theirs\n"
    STACK.write_text(STACK.read_text() + theirs)
    pam_totp("stack", "disable", "sshd")
    text = STACK.read_text()
    assert text.endswith(theirs)
    assert "pam-totp" not in text
    asks_for_no_code(person)


def test_an_edited_block(off: None, person: Person) -> None:
    """A block that somebody has edited is shown, kept in a copy, and gone."""
    pam_totp(*ENABLE)
    edited = STACK.read_text().replace("pam_unix.so nullok", "pam_unix.so nodelay")
    STACK.write_text(edited)
    assert "by a block that was edited" in pam_totp("stack", "show", "sshd")
    shown = pam_totp("stack", "disable", "sshd")
    assert "the block had been edited" in shown
    assert "pam_unix.so nodelay" in shown
    newest = max(COPIES.glob("*-disable-sshd*/sshd"), key=lambda path: path.stat().st_mtime)
    assert newest.read_text() == edited
    asks_for_no_code(person)


def test_a_torn_block(off: None, person: Person) -> None:
    """Where a mark is gone, the file comes back whole from the copy, and what it was is kept."""
    before = STACK.read_text()
    pam_totp(*ENABLE)
    torn = "".join(
        line for line in STACK.read_text().splitlines(keepends=True) if "pam-totp: end" not in line
    )
    STACK.write_text(torn)
    assert run(COMMAND, "stack", "show", "sshd").returncode == 1
    pam_totp("stack", "disable", "sshd")
    assert STACK.read_text() == before
    assert any(path.read_text() == torn for path in COPIES.glob("*-disable-sshd*/sshd"))
    asks_for_no_code(person)


def test_turned_on_by_hand(off: None, person: Person) -> None:
    """The two lines of before are left alone by `enable`, and taken back by `disable`."""
    before = STACK.read_text()
    STACK.write_text(stack_with("@include pam-totp"))
    DROP_IN.write_text(Path("/usr/share/libpam-totp/50-pam-totp.conf").read_text())
    done = run(COMMAND, *ENABLE)
    assert done.returncode == 0
    assert "by a line that was not written by" in done.stderr
    assert "@include pam-totp" in STACK.read_text()
    pam_totp("stack", "disable", "sshd")
    assert STACK.read_text() == before
    asks_for_no_code(person)


def test_two_administrators(off: None) -> None:
    """While one changes stacks, a second is told who it is, and nothing is changed."""
    pam_totp("stack", "enable", "login", "--yes")
    before = STACK.read_text()
    with (COPIES / "lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("alice (process 7)\n")
        lock.flush()
        done = run(COMMAND, *ENABLE)
        lock.truncate(0)
    assert done.returncode == 1
    assert "alice (process 7) is changing stacks" in done.stderr
    assert STACK.read_text() == before


def test_a_file_that_changes_while_it_is_looked_at(off: None, person: Person) -> None:
    """What was changed after the difference was shown is not overwritten."""
    with Terminal(COMMAND, "stack", "enable", "sshd", "--no-test") as administrator:
        administrator.sees("Write this?")
        changed = STACK.read_text() + "# theirs\n"
        STACK.write_text(changed)
        administrator.types("y")
        administrator.sees("has been changed since the difference was shown")
        assert administrator.ends() == 1
    assert STACK.read_text() == changed
    assert not DROP_IN.exists()


def test_a_rehearsal(off: None, person: Person) -> None:
    """A rehearsal that lets in turns it on; one that does not puts everything back."""
    before = STACK.read_text()
    enable = (COMMAND, "stack", "enable", "sshd", "--user", person.name)
    with Terminal(*enable) as administrator:
        administrator.sees("Write this?")
        administrator.types("y")
        administrator.gives_password(person.password)
        administrator.gives_code(person.wrong_code())
        administrator.sees("the rehearsal at sshd failed")
        assert administrator.ends() == 1
    assert STACK.read_text() == before
    assert not DROP_IN.exists()
    with Terminal(*enable) as administrator:
        administrator.sees("Write this?")
        administrator.types("y")
        administrator.gives_password(person.password)
        administrator.gives_code(person.fresh_code())
        administrator.sees("turned on")
        assert administrator.ends() == 0
    asks_for_a_code(person)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("40-first.conf", "PasswordAuthentication yes\n", "40-first.conf:1"),
        ("40-first.conf", "KbdInteractiveAuthentication no\n", "40-first.conf:1"),
        ("40-first.conf", "Nonsense yes\n", "sshd -t"),
    ],
)
def test_settings_that_win(off: None, name: str, text: str, said: str) -> None:
    """A line of sshd's that would win over ours is named, with what to write, and nothing
    stays changed."""
    before = STACK.read_text()
    (DROP_IN.parent / name).write_text(text)
    done = run(COMMAND, *ENABLE)
    assert done.returncode == 1
    assert said in done.stderr
    assert "hint: " in done.stderr
    assert STACK.read_text() == before
    assert not DROP_IN.exists()


def test_settings_without_the_directory(off: None) -> None:
    """An sshd_config that does not include the drop-ins is named, with the line to add."""
    settings = Path("/etc/ssh/sshd_config")
    before = settings.read_text()
    settings.write_text(before.replace("Include ", "#Include "))
    try:
        done = run(COMMAND, *ENABLE)
    finally:
        settings.write_text(before)
    assert done.returncode == 1
    assert "Include /etc/ssh/sshd_config.d/*.conf" in done.stderr
    assert not DROP_IN.exists()


def test_openvpn(off: None) -> None:
    """A service of one field gets the stack that takes it apart, in a file of its own, which is
    gone again afterwards."""
    openvpn = STACKS / "openvpn"
    openvpn.unlink(missing_ok=True)
    pam_totp("stack", "enable", "openvpn", "--yes")
    assert "pam_totp.so collect" in openvpn.read_text()
    pam_totp("stack", "disable", "openvpn")
    assert not openvpn.exists()


def test_not_set_up(off: None, tmp_path: Path) -> None:
    """Where codes cannot be checked nothing is turned on."""
    subprocess.run(["mv", CONFIGURATION, tmp_path], check=True)
    try:
        done = run(COMMAND, *ENABLE)
    finally:
        subprocess.run(["mv", tmp_path / CONFIGURATION.name, CONFIGURATION], check=True)
    assert done.returncode == 1
    assert "hint: " in done.stderr
    assert not DROP_IN.exists()
