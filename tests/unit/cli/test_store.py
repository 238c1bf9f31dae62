"""`pam-totp store renew`: whatever came apart, nobody gets in before, and by no old code after."""

from __future__ import annotations

import shutil
import sqlite3
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from pam_totp import nss
from pam_totp.answer import parse
from pam_totp.decide import Attempt, Rules, Subject, decide
from pam_totp.errors import StoreError
from pam_totp.store.protocol import Change
from pam_totp.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Host


@dataclass
class Enrolled:
    """A host where daemon has enrolled and has logged in with one code."""

    host: Host
    secret: str
    recovery_codes: list[str]
    code_of: Callable[[str, float], str]
    now: float

    def login(self, answer: str, now: float) -> Verdict:
        """Return the verdict on an answer, as a login gets it."""
        person, typed = nss.lookup("daemon"), parse(answer)
        assert typed is not None

        def decision(subject: Subject) -> tuple[Verdict, Change]:
            attempt = Attempt(person, typed, f"{now}{answer}", now, "192.0.2.1")
            made = decide(attempt, subject, Rules())
            return made.verdict, Change(made.state, made.source)

        return self.host.world().store.step("daemon", "192.0.2.1", decision)

    def code(self, now: float) -> str:
        """Return what the app shows at a moment."""
        return self.code_of(self.secret, now)


@pytest.fixture(name="daemon")
def daemon_fixture(host: Host, code_of: Callable[[str, float], str]) -> Enrolled:
    """An enrolled account that has been used."""
    answer = host.does("enroll", "daemon", "--no-confirm", "--json").json
    daemon = Enrolled(host, answer["secret"], answer["recovery_codes"], code_of, time.time())
    earlier = daemon.now - 60
    assert daemon.login(daemon.code(earlier), earlier) is Verdict.ACCEPTED
    return daemon


def lose_state(host: Host) -> None:
    """state.db is gone."""
    for path in host.data.glob("state.db*"):
        path.unlink()


def take_anothers_state(host: Host) -> None:
    """state.db is that of another store, where daemon was enrolled twice and reset."""
    other = host.data.parent / "other.yaml"
    other.write_text(
        f"data-directory: {host.data.parent}/other\nkey-file: {host.data.parent}/other.key\n"
    )
    own, host.path = host.path, other
    host.does("setup", "--yes", "--ignore-clock")
    for _ in range(2):
        host.does("enroll", "daemon", "--no-confirm")
        host.does("reset", "daemon", "--yes")
    host.path = own
    lose_state(host)
    for path in (host.data.parent / "other").glob("state.db*"):
        shutil.copy2(path, host.data)


def take_an_older_generation(host: Host) -> None:
    """state.db is the store's own, from before its last renewal, copied as files."""
    kept = {p.name: p.read_bytes() for p in host.data.glob("state.db*")}
    host.does("store", "renew", "--yes")
    lose_state(host)
    for name, data in kept.items():
        (host.data / name).write_bytes(data)
        (host.data / name).chmod(0o600)


def lose_identity(host: Host) -> None:
    """secrets/.store is gone."""
    (host.data / "secrets/.store").unlink()


def break_identity(host: Host) -> None:
    """secrets/.store is garbage."""
    (host.data / "secrets/.store").write_bytes(b"garbage")


def overwrite_state(host: Host) -> None:
    """state.db is garbage."""
    lose_state(host)
    garbage(host, b"no database at all " * 1000)


def empty_state(host: Host) -> None:
    """state.db is empty."""
    lose_state(host)
    garbage(host, b"")


def strange_state(host: Host) -> None:
    """state.db is a database of something else."""
    lose_state(host)
    garbage(host, b"")
    with sqlite3.connect(host.data / "state.db") as connection:
        connection.execute("PRAGMA user_version = 1")
        connection.execute("CREATE TABLE bookmark (title TEXT)")
    connection.close()


def cut_state(host: Host) -> None:
    """state.db has lost its end."""
    with sqlite3.connect(host.data / "state.db") as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    whole = (host.data / "state.db").read_bytes()
    lose_state(host)
    garbage(host, whole[: 4096 * 2 + 1000])


def garbage(host: Host, data: bytes) -> None:
    """Put bytes in the place of state.db, with the right mode."""
    (host.data / "state.db").write_bytes(data)
    (host.data / "state.db").chmod(0o600)


ACCIDENTS = [
    lose_state,
    take_anothers_state,
    take_an_older_generation,
    lose_identity,
    break_identity,
    overwrite_state,
    empty_state,
    strange_state,
    cut_state,
]


@pytest.mark.parametrize("accident", ACCIDENTS)
def test_refused_before_and_renewed_after(
    daemon: Enrolled, accident: Callable[[Host], None], log_lines: list[str]
) -> None:
    """After each accident logins are refused; after `store renew` the present codes and all
    recovery codes are void, and the next code gets in."""
    accident(daemon.host)
    with pytest.raises(StoreError):
        daemon.login(daemon.code(daemon.now), daemon.now)
    assert daemon.host.run("status").code == 1

    done = daemon.host.does("store", "renew", "--yes")
    assert done.out == "renewed, 1 account; logins go on with the next code\n"
    assert log_lines[-1].startswith("act=renew by=")
    now = time.time()
    for at in (daemon.now - 60, now - 30, now, now + 30):
        assert daemon.login(daemon.code(at), now) is not Verdict.ACCEPTED
    assert daemon.login(daemon.recovery_codes[0], now + 61) is Verdict.REPLAYED_CODE
    later = now + 1000
    assert daemon.login(daemon.code(later), later) is Verdict.ACCEPTED
    assert daemon.host.does("status", "daemon", "--json").json["recovery_codes"] == 0


def test_locks_stay_where_the_state_is_there(daemon: Enrolled) -> None:
    """An administrator's lock outlives a renewal, and so does the memory of failures."""
    daemon.host.does("lock", "daemon", "--yes")
    lose_identity(daemon.host)
    daemon.host.does("store", "renew", "--yes")
    assert daemon.host.does("status", "daemon", "--json").json["locked"] == "administrator"


def test_a_reset_account_stays_reset(daemon: Enrolled) -> None:
    """Where the state says that an account was reset, a file put back does not enroll it."""
    file = daemon.host.data / "secrets/daemon"
    kept = file.read_bytes()
    daemon.host.does("reset", "daemon", "--yes")
    file.write_bytes(kept)
    file.chmod(0o600)
    lose_identity(daemon.host)
    daemon.host.does("store", "renew", "--yes")
    assert daemon.host.does("status", "daemon", "--json").json["enrolled"] is False


def test_a_damaged_file_is_never_not_enrolled(daemon: Enrolled) -> None:
    """With the state lost and the secret damaged, the account is refused and shown, and the
    others go on."""
    daemon.host.does("enroll", "bin", "--no-confirm")
    file = daemon.host.data / "secrets/bin"
    file.write_bytes(file.read_bytes()[:-1])
    lose_state(daemon.host)
    done = daemon.host.does("store", "renew", "--yes")
    assert "bin is refused" in done.err
    one = daemon.host.does("status", "bin", "--json").json
    assert one["enrolled"] is True
    assert one["damage"]
    later = time.time() + 1000
    assert daemon.login(daemon.code(later), later) is Verdict.ACCEPTED
    daemon.host.does("reset", "bin", "--yes")
    daemon.host.does("enroll", "bin", "--no-confirm")


def test_another_key_is_not_damage(daemon: Enrolled) -> None:
    """With the wrong key nothing is renewed: the right one may still be found."""
    kept = daemon.host.key.read_bytes()
    daemon.host.key.unlink()
    daemon.host.key.write_text(f"{'ab' * 4} {'cd' * 32}\n")
    daemon.host.key.chmod(0o400)
    lose_state(daemon.host)
    done = daemon.host.run("store", "renew", "--yes")
    assert done.code == 1
    assert "hint: put the key file back from its copy" in done.err
    daemon.host.key.unlink()
    daemon.host.key.write_bytes(kept)
    daemon.host.key.chmod(0o400)
    daemon.host.does("store", "renew", "--yes")
    later = time.time() + 1000
    assert daemon.login(daemon.code(later), later) is Verdict.ACCEPTED


def test_what_others_may_have_written_is_not_put_aside(daemon: Enrolled) -> None:
    """A wrong mode is put right by chmod; a renewal would lose locks for nothing."""
    (daemon.host.data / "state.db").chmod(0o644)
    done = daemon.host.run("store", "renew", "--yes")
    assert done.code == 1
    assert f"hint: chmod 0600 {daemon.host.data}/state.db" in done.err


def test_a_newer_programs_state_is_not_put_aside(daemon: Enrolled) -> None:
    """After a downgrade nothing is thrown away."""
    with sqlite3.connect(daemon.host.data / "state.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    done = daemon.host.run("store", "renew", "--yes")
    assert done.code == 1
    assert "made by a newer version" in done.err


def test_a_lost_directory_of_secrets(daemon: Enrolled) -> None:
    """With all secrets gone, accounts stay enrolled and are refused until they are reset."""
    shutil.rmtree(daemon.host.data / "secrets")
    daemon.host.does("store", "renew", "--yes")
    assert "is gone" in daemon.host.does("status", "daemon", "--json").json["damage"]


def test_a_whole_store_is_said_to_be_whole(daemon: Enrolled) -> None:
    """Renewing what is whole is possible and said to be seldom needed; it asks first."""
    person = daemon.host.at_terminal("store", "renew")
    person.expect("secrets and state.db belong together")
    person.expect(r"for 1 account\.")
    person.expect(r"Go on\? \[y/N\] ")
    person.sendline("n")
    person.expect("nothing was changed")
    person.wait()
    assert person.exitstatus == 1
    assert daemon.host.does("status", "daemon", "--json").json["recovery_codes"] == 10
