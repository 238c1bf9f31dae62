"""`pam-totp authenticator list | resync`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pexpect
import pytest

from pam_totp import enrollment, nss
from pam_totp.account import AccountState, AuthenticatorState
from pam_totp.event import Event
from pam_totp.secret import Secret
from tests.unit.world import Token

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Host

KEYS = [
    "name",
    "id",
    "type",
    "algorithm",
    "digits",
    "period",
    "counter",
    "out_of_step",
    "created",
    "confirmed",
    "last_used",
    "offset",
    "drift",
]


@pytest.fixture(name="secret")
def secret_fixture(host: Host) -> str:
    """Enroll daemon; return the secret."""
    return str(host.does("enroll", "daemon", "--no-confirm", "--json").json["secret"])


def put(host: Host, state: AuthenticatorState) -> None:
    """Put daemon's authenticator into a state."""

    def change(known: AccountState) -> tuple[AccountState, Event]:
        (id_,) = [one["id"] for one in host.does("authenticator", "list", "daemon", "--json").json]
        return known.with_authenticator(id_, state), Event(0, "daemon", "test")

    host.world().store.change_state("daemon", change)


def test_the_list_for_scripts(host: Host, secret: str) -> None:
    """`--json` holds what the table shows: times in ISO 8601, clocks in seconds."""
    put(host, AuthenticatorState(7, -4, 1_900_000_800, 240))
    (one,) = host.does("authenticator", "list", "daemon", "--json").json
    assert list(one) == KEYS
    assert (one["name"], one["algorithm"], one["digits"], one["period"]) == ("phone", "SHA1", 6, 30)
    assert (one["offset"], one["drift"]) == (-120, 240)
    assert (one["type"], one["counter"], one["out_of_step"]) == ("totp", None, False)
    assert one["last_used"].startswith("2030-03-17T")


def test_the_list(host: Host, secret: str) -> None:
    """The table shows the clocks in words, and the hint under it can be run."""
    assert "not used yet" in host.does("authenticator", "list", "daemon").out
    put(host, AuthenticatorState(7, -4, 1_900_000_800, 240))
    done = host.does("authenticator", "list", "daemon")
    assert "SHA1, 6 digits, 30 s" in done.out
    assert "4 minutes fast" in done.out
    assert "2 minutes slow" in done.out
    assert f"pam-totp --config {host.path} authenticator resync daemon phone" in done.err
    assert secret not in done.out


def test_the_list_of_nobody(host: Host) -> None:
    """Who has not enrolled has an empty list, and who is no account is an error."""
    done = host.does("authenticator", "list", "daemon")
    assert (done.out, "daemon has not enrolled" in done.err) == ("", True)
    assert host.does("authenticator", "list", "daemon", "--json").json == []
    assert host.run("authenticator", "list", "no-such-name").code == 1


def test_a_person_resynchronises(
    host: Host, secret: str, code_of: Callable[[str, float], str]
) -> None:
    """Two codes in a row of a device that is two hours slow; the same one twice is asked for
    again, and the list shows what was set."""
    then = time.time() - 7500
    person = host.at_terminal("authenticator", "resync", "daemon", "phone")
    person.expect("Code: ")
    person.sendline(code_of(secret, then))
    person.expect("Wait until the app shows the next one.")
    person.expect("Next code: ")
    person.sendline(code_of(secret, then))
    person.expect("Next code: ")
    person.sendline(code_of(secret, then + 30))
    person.expect("daemon: phone is in step, its clock is 2 hours slow")
    assert ended(person) == 0
    (one,) = host.does("authenticator", "list", "daemon", "--json").json
    assert abs(one["offset"] + 7470) <= 60


def test_after_the_clock_was_ahead(
    host: Host, secret: str, code_of: Callable[[str, float], str]
) -> None:
    """Where steps are open again it is said, with what rules it out."""
    put(host, AuthenticatorState(last_step=2**33))
    person = host.at_terminal("authenticator", "resync", "daemon", "phone")
    now = time.time()
    for prompt, at in (("Code: ", now), ("Next code: ", now + 30)):
        person.expect(prompt)
        person.sendline(code_of(secret, at))
    person.expect("daemon: phone is in step, its clock is right")
    person.expect("can be used once more")
    person.expect(f"hint: pam-totp --config {host.path} reset daemon")
    assert ended(person) == 0


def test_wrong_codes(host: Host, secret: str, code_of: Callable[[str, float], str]) -> None:
    """Codes the wrong way round end with 1, say so, and change nothing."""
    now = time.time()
    person = host.at_terminal("authenticator", "resync", "daemon", "phone")
    for prompt, at in (("Code: ", now + 30), ("Next code: ", now)):
        person.expect(prompt)
        person.sendline(code_of(secret, at))
    person.expect("pam-totp: the codes are the wrong way round")
    person.expect("hint: type the earlier one first")
    assert ended(person) == 1
    (state,) = host.world().store.look("daemon").authenticators.values()
    assert state == AuthenticatorState(confirmed=False)


def test_nothing_is_asked_for_an_unknown_one(host: Host, secret: str) -> None:
    """A name that is not there is said before anybody waits for codes; the hint can be run."""
    done = host.run("authenticator", "resync", "daemon", "tablet")
    assert done.code == 1
    assert "daemon has no authenticator called 'tablet'" in done.err
    assert f"hint: pam-totp --config {host.path} authenticator list daemon" in done.err


def test_without_a_terminal(host: Host, secret: str) -> None:
    """Where there is nobody to ask it ends with 1 and says how to go on."""
    person = host.at_terminal(
        "authenticator", "resync", "daemon", "phone", through='exec setsid -w "$@"'
    )
    person.expect("there is no terminal to ask on")
    person.expect("authenticator resync daemon phone")
    assert ended(person) == 1


def ended(person: pexpect.spawn[str]) -> int:
    """Return the exit code."""
    person.expect(pexpect.EOF)
    return int(person.wait())


# -- tokens that count ------------------------------------------------------------------------


@pytest.fixture(name="token")
def token_fixture(host: Host) -> Token:
    """Enroll a token of daemon's that stands at 17."""
    token, store = Token(b"t" * 20, 17, digits=8), host.world().store
    person = nss.lookup("daemon")
    assert person is not None
    wanted = enrollment.Wanted(token.parameters, Secret(token.secret), token.counter)
    drafted = enrollment.draft(store, person, "token", time.time(), wanted)
    enrollment.keep(store, drafted, time.time(), "root")
    return token


def test_the_list_of_a_token(host: Host, token: Token) -> None:
    """The table shows the counter that is expected next, and JSON has it as a number."""
    shown = host.does("authenticator", "list", "daemon").out
    assert "HOTP, 8 digits, counter 17" in shown
    assert "30 s" not in shown
    (one,) = host.does("authenticator", "list", "daemon", "--json").json
    assert list(one) == KEYS
    assert (one["type"], one["counter"], one["period"]) == ("hotp", 17, None)


def test_a_token_is_resynchronised(host: Host, token: Token) -> None:
    """A token is pressed where an app is waited for; what is said and listed is its counter."""
    token.counter += 40
    person = host.at_terminal("authenticator", "resync", "daemon", "token")
    person.expect("Code: ")
    person.sendline(token.press())
    person.expect("Press the token for the next one.")
    person.expect("Next code: ")
    person.sendline(token.press())
    person.expect("daemon: token is in step, its counter was 40 ahead; the next login takes a new")
    assert ended(person) == 0
    assert "counter 59" in host.does("authenticator", "list", "daemon").out


def test_a_token_after_a_renewal(host: Host, token: Token) -> None:
    """`store renew` names each token that is out of step with the command that helps, and so
    do `status` and the list, until it was run."""
    done = host.does("store", "renew", "--yes")
    again = f"hint: pam-totp --config {host.path} authenticator resync daemon token"
    assert "daemon: no code of token counts until it is in step again" in done.err
    assert again in done.err
    listed = host.does("authenticator", "list", "daemon")
    assert "no code of token counts until two in a row say where it stands" in listed.err
    assert again in listed.err
    assert "counter 17" in listed.out
    assert "Out of step:    token" in host.does("status", "daemon").out
    person = host.at_terminal("authenticator", "resync", "daemon", "token")
    for prompt in ("Code: ", "Next code: "):
        person.expect(prompt)
        person.sendline(token.press())
    person.expect("its counter is right")
    assert ended(person) == 0
    assert "resync" not in host.does("authenticator", "list", "daemon").err
    assert "Out of step" not in host.does("status", "daemon").out
