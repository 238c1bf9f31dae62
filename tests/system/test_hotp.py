"""Tokens that count, in real logins; oathtool is the token, and says what is right."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from pam_totp.otp import ALGORITHMS, DIGITS, Parameters, hotp, step_at
from pam_totp.secret import Secret
from tests.system.lab import host
from tests.system.lab.host import SUCCESS
from tests.system.lab.journal import Journal
from tests.system.lab.person import Person
from tests.system.lab.product import COMMAND, ask_pam_totp, pam_totp
from tests.system.lab.ssh import Sshd, is_in, is_refused
from tests.system.lab.terminal import Terminal
from tests.system.lab.token import OathToken, oathtool

KEY = "3132333435363738393031323334353637383930"  # RFC 4226 appendix D
LONGER = {"SHA1": KEY, "SHA256": KEY + KEY[:24], "SHA512": KEY * 3 + KEY[:8]}
MOMENTS = (59, 1_111_111_109, 1_900_000_799, 20_000_000_000)


@pytest.fixture(scope="module")
def sshd(world: None) -> Iterator[Sshd]:
    """Debian's sshd with our line in its stack and our drop-in."""
    with Sshd() as sshd:
        yield sshd


@pytest.fixture
def token(newcomer: Person) -> OathToken:
    """The newcomer's token, which has never been used."""
    token = OathToken(KEY)
    token.enroll(newcomer)
    return token


def gets_in(sshd: Sshd, person: Person, code: str) -> None:
    """Log in over SSH."""
    with sshd.client(person.name) as client:
        client.gives_password(person.password)
        client.gives_code(code)
        is_in(client)


def gets_a_refusal(sshd: Sshd, person: Person, code: str) -> None:
    """Be refused over SSH."""
    with sshd.client(person.name) as client:
        client.gives_password(person.password)
        client.gives_code(code)
        is_refused(client)


def listed(person: Person) -> int:
    """Return the counter that an administrator sees."""
    (one,) = ask_pam_totp("authenticator", "list", person.name)
    assert one["type"] == "hotp"
    return int(one["counter"])


@pytest.mark.parametrize("digits", DIGITS)
def test_oathtool_agrees_on_counters(digits: int) -> None:
    """A hundred codes of each length, and those of large counters, are oathtool's."""
    parameters = Parameters(digits=digits, type="hotp")
    for first, more in ((0, 99), (2**31 - 2, 4), (2**40, 1)):
        codes = oathtool("--hotp", f"-c{first}", f"-w{more}", f"-d{digits}", KEY)
        secret = Secret(bytes.fromhex(KEY))
        ours = [hotp(secret, first + number, parameters) for number in range(more + 1)]
        assert ours == codes


@pytest.mark.parametrize("period", [15, 30, 45, 60, 90, 120])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_oathtool_agrees_on_time(algorithm: str, period: int) -> None:
    """Codes of every hash, length and period are oathtool's, at moments of the RFC and at the
    end of a step."""
    secret = Secret(bytes.fromhex(LONGER[algorithm]))
    for digits in DIGITS:
        parameters = Parameters(algorithm, digits, period)
        for moment in MOMENTS:
            options = [f"--totp={algorithm.lower()}", f"-s{period}s", f"-d{digits}"]
            (code,) = oathtool(*options, f"--now=@{moment}", LONGER[algorithm])
            assert hotp(secret, step_at(moment, period), parameters) == code


@pytest.mark.parametrize(
    ("algorithm", "digits", "period"), [("SHA256", 8, 60), ("SHA512", 7, 120), ("SHA1", 6, 15)]
)
def test_every_kind_of_app_logs_in(
    newcomer: Person, algorithm: str, digits: int, period: int
) -> None:
    """Whatever `enroll` was asked for, oathtool's code of it lets in."""
    words = [f"--algorithm={algorithm}", f"--digits={digits}", f"--period={period}"]
    secret = ask_pam_totp("enroll", newcomer.name, "--no-confirm", *words)["secret"]
    options = [f"--totp={algorithm.lower()}", f"-s{period}s", f"-d{digits}", "--base32"]
    (code,) = oathtool(*options, f"--now=@{int(time.time())}", secret)
    done = host.login("sshd", newcomer.name, password=newcomer.password, code=code)
    assert done.result == SUCCESS


def test_a_token_logs_in(sshd: Sshd, newcomer: Person, token: OathToken, journal: Journal) -> None:
    """Each press lets in once, over SSH; a code that was used does not, and is told apart."""
    first = token.press()
    assert first == "755224"  # RFC 4226 appendix D
    gets_in(sshd, newcomer, first)
    gets_a_refusal(sshd, newcomer, first)
    gets_in(sshd, newcomer, token.press())
    gets_a_refusal(sshd, newcomer, first)
    verdicts = ["accepted", "replayed-code", "accepted", "replayed-code"]
    assert journal.verdicts(newcomer.name) == verdicts
    assert listed(newcomer) == 2
    assert "HOTP, 6 digits, counter 2" in pam_totp("authenticator", "list", newcomer.name)


def test_presses_without_a_login(
    sshd: Sshd, newcomer: Person, token: OathToken, journal: Journal
) -> None:
    """Nine presses in a pocket do no harm, and what they showed is used with the tenth; after
    more the code is refused and the log says what helps."""
    gets_in(sshd, newcomer, token.press(10))
    gets_a_refusal(sshd, newcomer, token.code(4))
    gets_a_refusal(sshd, newcomer, token.press(11))
    fields = journal.wait_for("the token's counter is").fields
    assert (fields["verdict"], fields["authenticator"]) == ("wrong-code", "token")
    assert fields["detail"] == '"the token\'s counter is 10 ahead: authenticator resync helps"'
    assert listed(newcomer) == 10
    pam_totp("policy", "set", "hotp-look-ahead=30", "--user", newcomer.name, "--yes")
    gets_in(sshd, newcomer, token.press())
    pam_totp("policy", "unset", "--user", newcomer.name, "--yes")


def test_resynchronised_by_two_codes(
    sshd: Sshd, newcomer: Person, token: OathToken, journal: Journal
) -> None:
    """A token far ahead is set right by two codes typed at `authenticator resync`: neither
    gets in, the next one does, and two old ones never set it back."""
    code = token.press(300)
    gets_a_refusal(sshd, newcomer, code)
    with Terminal(COMMAND, "authenticator", "resync", newcomer.name, "token") as administrator:
        administrator.answers("Code: ", token.press(), hidden=False)
        administrator.sees("Press the token for the next one.")
        administrator.answers("Next code: ", token.press(), hidden=False)
        administrator.sees("token is in step, its counter was 300 ahead")
        assert administrator.ends() == 0
    assert journal.wait_for("act=resync").fields["authenticator"] == "token"
    gets_a_refusal(sshd, newcomer, token.code(301))
    gets_in(sshd, newcomer, token.press())
    with Terminal(COMMAND, "authenticator", "resync", newcomer.name, "token") as administrator:
        administrator.answers("Code: ", token.code(20), hidden=False)
        administrator.answers("Next code: ", token.code(21), hidden=False)
        administrator.sees("one of them is an old code of token")
        assert administrator.ends() == 1
    assert listed(newcomer) == 303
