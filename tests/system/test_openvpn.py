"""OpenVPN: the shipped configurations, a real server, real clients and a tunnel between them.

Most tests run twice: with the server as shipped, and with one whose plugin has no
`deferred_auth_pam` and so handles one login after the other in one process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from tests.system.lab import openvpn
from tests.system.lab.journal import Journal
from tests.system.lab.openvpn import Client, Server, log_in, ping, static_challenge
from tests.system.lab.person import Person
from tests.system.lab.phone import now
from tests.system.lab.product import Service

ONE_FIELD: Final = "client-one-field.conf"
DEFERRED: Final = "server.conf"
PLAIN: Final = "server-plain.conf"
PEOPLE: Final = 20
ROUNDS: Final = 10  # logins of each of them
KILOBYTES: Final = 256  # by which the helper may grow

# Where it makes no difference how the plugin calls PAM.
ONE_OF_THEM: Final = pytest.mark.parametrize("server", [PLAIN], indirect=True)


@pytest.fixture(scope="module")
def directory(world: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The shipped configurations and their keys, in two joined network namespaces."""
    with openvpn.network():
        directory = tmp_path_factory.mktemp("openvpn")
        openvpn.install(directory)
        yield directory


@pytest.fixture(scope="module", params=[DEFERRED, PLAIN])
def server(request: pytest.FixtureRequest, directory: Path) -> Iterator[Server]:
    """A running server."""
    with Server(directory, request.param) as server:
        yield server


@pytest.fixture
def own_file(directory: Path, person: Person) -> Iterator[Path]:
    """The person's own configuration at the server, not there as yet."""
    file = directory / "ccd" / person.name
    yield file
    file.unlink(missing_ok=True)


@pytest.mark.usefixtures("server")
def test_static_challenge(directory: Path, person: Person, journal: Journal) -> None:
    """Password and code, each at its own question, open a tunnel that carries a ping; the log
    says which service and from where."""
    with Client(directory) as client:
        client.gives_password(person.name, person.password)
        client.gives_code(person.fresh_code())
        client.is_connected()
        assert ping()
    line = journal.wait_for("verdict=accepted").fields
    assert line["account"] == person.name
    assert (line["service"], line["rhost"]) == ("openvpn", openvpn.CLIENT_ADDRESS)


@pytest.mark.usefixtures("server")
def test_one_field(directory: Path, person: Person, journal: Journal) -> None:
    """The code behind the password, in the one field of the client, opens a tunnel that carries
    a ping; a recovery code does as well."""
    for code in (person.fresh_code(), person.phone.recovery_codes[0]):
        with Client(directory, ONE_FIELD) as client:
            client.gives_password(person.name, person.password + code)
            client.is_connected()
            assert ping()
    assert journal.verdicts(person.name) == ["accepted", "accepted"]


@pytest.mark.usefixtures("server")
def test_used_code(directory: Path, person: Person, journal: Journal) -> None:
    """A used code is refused to another client as well; that one then asks again, and the next
    code opens the tunnel."""
    code = person.fresh_code()
    assert log_in(directory, person.name, static_challenge(person.password, code))
    with Client(directory, ONE_FIELD) as client:
        client.gives_password(person.name, person.password + code)
        client.is_refused()
        client.gives_password(person.name, person.password + person.fresh_code())
        client.is_connected()
    assert journal.verdicts(person.name) == ["accepted", "replayed-code", "accepted"]


@pytest.mark.usefixtures("server")
def test_wrong_code(directory: Path, person: Person, journal: Journal) -> None:
    """A wrong code is refused and counted, wherever it stands."""
    wrong = static_challenge(person.password, person.wrong_code())
    assert not log_in(directory, person.name, wrong)
    assert not log_in(directory, person.name, person.password + person.wrong_code())
    assert person.failures == 2
    assert journal.verdicts(person.name) == ["wrong-code", "wrong-code"]


@pytest.mark.usefixtures("server")
def test_wrong_password(directory: Path, person: Person, journal: Journal) -> None:
    """A wrong password is refused, and the right code beside it is not spent."""
    code = person.fresh_code()
    assert not log_in(directory, person.name, static_challenge("wrong", code))
    assert person.failures == 0
    assert log_in(directory, person.name, static_challenge(person.password, code))
    assert journal.verdicts(person.name) == ["wrong-password", "accepted"]


@pytest.mark.usefixtures("server")
def test_without_the_service(directory: Path, person: Person, service: Service) -> None:
    """With the service stopped, right logins go on and a used code stays used: the plugin's
    helper is root all through, though the server is not."""
    service.stop()
    field = static_challenge(person.password, person.fresh_code())
    assert log_in(directory, person.name, field)
    assert not log_in(directory, person.name, field)


def test_token(
    directory: Path,
    server: Server,
    person: Person,
    journal: Journal,
    own_file: Path,
) -> None:
    """A token brings a client back without a question, even a locked person's after `kill`;
    with `disable` in its file in ccd/ as well, the person is out and is asked again."""
    with Client(directory) as client:
        client.gives_password(person.name, person.password)
        client.gives_code(person.fresh_code())
        client.is_connected()
        person.lock()
        server.end_session(person.name)
        assert not ping(seconds=0.5)
        client.reconnects()
        client.is_connected()
        assert ping()
        own_file.write_text("disable\n")
        server.end_session(person.name)
        client.reconnects()
        client.is_refused()
        client.gives_password(person.name, person.password)
    assert journal.verdicts(person.name) == ["accepted"]


def test_others_meanwhile(
    directory: Path, server: Server, people: Callable[[], Person], journal: Journal
) -> None:
    """While somebody's refusal is delayed, the packets of those connected get through a server
    with `deferred_auth_pam`, and do not without it."""
    connected, guesser = people(), people()
    with Client(directory, ONE_FIELD) as client, ThreadPoolExecutor() as elsewhere:
        client.gives_password(connected.name, connected.password)
        client.is_connected()
        guess = elsewhere.submit(log_in, directory, guesser.name, "wrong")
        journal.wait_for("pam_unix(openvpn:auth): authentication failure")
        assert ping(seconds=0.5) == (server.log.stem == DEFERRED)
        assert not guess.done()
        assert guess.result() is False


def test_many_logins(
    directory: Path, server: Server, people: Callable[[], Person], journal: Journal
) -> None:
    """200 logins are accepted by one helper, one after the other without `deferred_auth_pam` and
    many at once with it, and its resident memory after them is that after the first ten."""

    def log_in_often(person: Person) -> None:
        # The present step's code is good for half a minute at least: OpenVPN takes a hundred
        # handshakes in ten seconds, and lets a client wait that comes on top.
        codes = person.phone.recovery_codes[: ROUNDS - 1]
        for code in (person.phone.code(now()[0]), *codes):
            let_in = log_in(directory, person.name, static_challenge(person.password, code))
            said = [line for line in journal.lines if person.name in line or "refused" in line]
            assert let_in, "\n".join([*said, server.log.read_text()[-6000:]])

    first, *others = [people() for _ in range(PEOPLE)]
    for person in (first, *others):
        person.enroll()
    log_in_often(first)
    helper, size = server.helper, server.resident()
    at_once = len(others) if server.log.stem == DEFERRED else 1
    with ThreadPoolExecutor(at_once) as pool:
        assert not any(pool.map(log_in_often, others))
    assert server.helper == helper
    assert abs(server.resident() - size) <= KILOBYTES
    for person in (first, *others):
        assert journal.verdicts(person.name) == ["accepted"] * ROUNDS


@ONE_OF_THEM
@pytest.mark.usefixtures("server")
def test_wrong_password_in_one_field(directory: Path, person: Person, journal: Journal) -> None:
    """In one field too, the code behind a wrong password is not spent."""
    code = person.fresh_code()
    assert not log_in(directory, person.name, "wrong" + code)
    assert log_in(directory, person.name, person.password + code)
    assert journal.verdicts(person.name) == ["wrong-password", "accepted"]


@ONE_OF_THEM
@pytest.mark.usefixtures("server")
def test_no_code(directory: Path, person: Person, journal: Journal) -> None:
    """Who has enrolled and gives no code, in neither field, is refused and not counted."""
    assert not log_in(directory, person.name, person.password)
    assert not log_in(directory, person.name, static_challenge(person.password, ""))
    assert person.failures == 0
    assert journal.verdicts(person.name) == ["no-code", "no-code"]


@ONE_OF_THEM
@pytest.mark.usefixtures("server")
def test_malformed_challenge(directory: Path, person: Person) -> None:
    """A static challenge that does not decode opens nothing, the right password in it or not."""
    right = static_challenge(person.password, person.fresh_code())
    for field in ("SCRV1:!:!", right.rpartition(":")[0]):
        assert not log_in(directory, person.name, field), field


@ONE_OF_THEM
@pytest.mark.usefixtures("server")
def test_not_enrolled(directory: Path, newcomer: Person) -> None:
    """Who has no authenticator opens a tunnel with the password alone, from either client, and
    none with a wrong one."""
    assert log_in(directory, newcomer.name, newcomer.password)
    assert log_in(directory, newcomer.name, static_challenge(newcomer.password, ""))
    assert not log_in(directory, newcomer.name, "wrong")


@ONE_OF_THEM
@pytest.mark.usefixtures("server")
def test_locked(directory: Path, person: Person) -> None:
    """Who is locked gets no tunnel with a right code, and gets one after the unlock."""
    field = static_challenge(person.password, person.fresh_code())
    person.lock()
    assert not log_in(directory, person.name, field)
    person.unlock()
    assert log_in(directory, person.name, field)
