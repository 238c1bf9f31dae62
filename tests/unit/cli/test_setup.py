"""`pam-totp setup`."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pexpect
import pytest

from pam_totp import clock, config

if TYPE_CHECKING:
    from .conftest import Host

SHIPPED = Path(__file__).parents[3] / "etc/pam-totp.yaml"


def mode(path: Path) -> int:
    """Return the rights on a file."""
    return stat.S_IMODE(path.stat().st_mode)


def test_the_shipped_configuration_is_the_reference() -> None:
    """etc/pam-totp.yaml says what the table of options says."""
    assert SHIPPED.read_text() == config.reference()


def test_makes_what_is_missing(bare: Host) -> None:
    """Key and data directory are made, for their owner alone."""
    done = bare.does("setup", "--yes", "--ignore-clock")
    assert (mode(bare.key), mode(bare.data)) == (0o400, 0o700)
    assert f"{bare.key}  " in done.out
    assert done.out.count("  made\n") == 2
    assert "Keep a copy" in done.out
    assert "Not yet turned on:\n  1. the service" in done.out
    assert f"pam-totp --config {bare.path} stack disable --all" in done.out


def test_again_changes_nothing(host: Host) -> None:
    """A second run says what was there and leaves every byte."""
    before = host.key.read_bytes(), host.path.read_bytes()
    done = host.does("setup", "--yes", "--ignore-clock")
    assert done.out.count("was there already\n") == 3
    assert (host.key.read_bytes(), host.path.read_bytes()) == before


def test_writes_a_configuration_that_all_may_read(
    bare: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is none, the reference is written, with the issuer that was named."""
    at_home(tmp_path, monkeypatch)
    bare.path = tmp_path / "etc/new.yaml"
    bare.does("setup", "--yes", "--ignore-clock", "--issuer", "Example VPN")
    assert config.load(bare.path).issuer == "Example VPN"
    assert (mode(bare.path), mode(bare.path.parent)) == (0o644, 0o755)
    assert mode(tmp_path / "key") == 0o400


def test_an_impossible_issuer_leaves_nothing(
    bare: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What apps cannot take is said before anything is written."""
    at_home(tmp_path, monkeypatch)
    bare.path = tmp_path / "etc/new.yaml"
    done = bare.run("setup", "--yes", "--ignore-clock", "--issuer", "a:b")
    assert done.code == 1
    assert "issuer: expected a line of text without a colon" in done.err
    assert not bare.path.parent.exists()


def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the options of an unwritten configuration lead into the test's own directory."""
    places = {"data-directory": tmp_path / "data", "key-file": tmp_path / "key"}
    options = tuple(
        replace(option, default=str(places.get(option.name, option.default)))
        for option in config.OPTIONS
    )
    monkeypatch.setattr(config, "OPTIONS", options)


def test_the_issuer_is_asked_for(bare: Host, tmp_path: Path) -> None:
    """Without --yes a person is asked, at the terminal, before anything is written."""
    bare.path = tmp_path / "new.yaml"
    person = bare.at_terminal("setup")
    person.expect(r"Name \[.*\]: ")
    person.sendeof()
    person.expect("nothing was changed")
    person.wait()
    assert person.exitstatus == 1
    assert not bare.path.exists()


def test_no_new_key_beside_old_secrets(host: Host) -> None:
    """Where secrets wait for a lost key, a new one is not made: it would hide the loss."""
    host.does("enroll", "daemon", "--no-confirm")
    host.key.unlink()
    done = host.run("setup", "--yes", "--ignore-clock")
    assert done.code == 1
    assert f"hint: put {host.key} back from its copy" in done.err
    assert not host.key.exists()


def test_half_a_store_is_not_completed(host: Host) -> None:
    """Where state.db is gone, no empty one is made: it would let everyone in."""
    (host.data / "state.db").unlink()
    done = host.run("setup", "--yes", "--ignore-clock")
    assert done.code == 1
    assert f"hint: pam-totp --config {host.path} store renew" in done.err
    assert not (host.data / "state.db").exists()


# -- the first policy -------------------------------------------------------------------------


def policy(host: Host) -> list[str]:
    """Return the rules in force."""
    return [str(rule) for rule in host.world().policy().rules]


def test_the_first_policy_by_options(bare: Host) -> None:
    """Services and whom to require are taken from the command line."""
    bare.does("setup", "--yes", "--ignore-clock", "--services", "sshd,SU", "--require", "root")
    assert policy(bare) == ["services=sshd,su for everybody", "mfa=required for group root"]
    (event,) = bare.world().store.events()
    assert (event.what, event.detail) == ("policy", "; ".join(policy(bare)))
    assert event.actor


def test_a_policy_that_is_there_stays(host: Host) -> None:
    """A second run does not change the policy, and says how to."""
    host.does("setup", "--yes", "--ignore-clock", "--require", "everybody")
    done = host.does("setup", "--yes", "--ignore-clock", "--require", "root")
    assert policy(host) == ["mfa=required for everybody"]
    assert "pam-totp policy set" in done.err


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--require", "no-such-group", "there is no group called 'no-such-group'"),
        ("--services", "../sshd", "expected names of PAM services"),
    ],
)
def test_an_impossible_policy_leaves_nothing(
    bare: Host, option: str, value: str, words: str
) -> None:
    """What cannot be is said before anything is made."""
    done = bare.run("setup", "--yes", option, value)
    assert done.code == 1
    assert words in done.err
    assert not bare.data.exists()
    assert not bare.key.exists()


def test_few_questions(bare: Host) -> None:
    """A person is asked for services, whom to require and the key's copy, each with a default;
    an answer that cannot be is asked for again."""
    person = bare.at_terminal("setup", "--ignore-clock")
    person.expect(r"Services \[sshd,login,openvpn\]: ")
    person.sendline("")
    person.expect(r"Required for \[nobody\]: ")
    person.sendline("no-such-group")
    person.expect("there is no group called")
    person.expect(r"Required for \[nobody\]: ")
    person.sendline("everybody")
    person.expect(r"Its name, - for none \[pam-totp-admin\]: ")
    person.sendline("daemon")
    person.expect("daemon is an account of this machine")
    person.expect(r"\[pam-totp-admin\]: ")
    person.sendline("")
    person.expect(r"shown this once:\s+((?:\w{5}-){4}\w{5})\s")
    assert person.match is not None
    given = person.match[1]
    person.expect(r"first eight characters of the copied key \[later\]: ")
    person.sendline("00000000")
    person.expect("not how this key begins")
    person.expect(r"\[later\]: ")
    person.sendline(bare.key.read_text().splitlines()[1][:8])
    person.expect("Not yet turned on")
    person.expect(pexpect.EOF)
    person.wait()
    assert person.exitstatus == 0
    assert "Keep a copy" not in (person.before or "")
    assert policy(bare) == ["mfa=required for everybody"]
    (one,) = bare.world().store.local_accounts.all()
    assert (one.name, one.administrator, one.first) == ("pam-totp-admin", True, True)
    assert one.verifier.matches(given)


def test_an_administrator_for_a_script(bare: Host) -> None:
    """--admin makes one without a question, --no-admin and --yes make none, and a second run
    leaves what is there."""
    bare.does("setup", "--yes", "--ignore-clock", "--no-admin")
    assert bare.world().store.local_accounts.all() == []
    assert bare.run("setup", "--yes", "--admin", "x", "--no-admin").code == 2
    assert "shown this once" in bare.does("setup", "--yes", "--ignore-clock", "--admin", "boss").out
    assert [one.name for one in bare.world().store.local_accounts.all()] == ["boss"]
    again = bare.run("setup", "--yes", "--ignore-clock", "--admin", "boss")
    assert (again.code, "a local account boss already" in again.err) == (1, True)
    assert bare.run("setup", "--yes", "--ignore-clock", "--admin", "daemon").code == 1


def test_nobody_wanted(bare: Host) -> None:
    """A dash is none."""
    person = bare.at_terminal("setup", "--ignore-clock")
    for prompt, answer in (
        (r"openvpn\]: ", ""),
        (r"nobody\]: ", ""),
        (r"admin\]: ", "-"),
        (r"later\]: ", ""),
    ):
        person.expect(prompt)
        person.sendline(answer)
    person.expect(pexpect.EOF)
    assert bare.world().store.local_accounts.all() == []


def test_a_copy_put_off_is_insisted_on(bare: Host) -> None:
    """Who has no copy of the key yet is told so again at the end."""
    person = bare.at_terminal("setup", "--ignore-clock")
    for prompt in (r"openvpn\]: ", r"nobody\]: ", r"admin\]: ", r"later\]: "):
        person.expect(prompt)
        person.sendline("")
    person.expect("Keep a copy")
    person.expect(pexpect.EOF)


def test_a_clock_that_nobody_keeps(bare: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that is not synchronised is a failure, said loudly with the line to run, after
    all the rest is done; one that the kernel says nothing of is none."""
    for found, code in ((None, 0), (True, 0), (False, 1)):
        monkeypatch.setattr(clock, "synchronised", lambda found=found: found)
        done = bare.run("setup", "--yes")
        assert done.code == code
    assert "THE CLOCK IS NOT SYNCHRONISED" in done.err
    assert "hint: timedatectl set-ntp true" in done.err
    assert bare.data.exists()
    assert bare.does("setup", "--yes", "--ignore-clock").err == ""
