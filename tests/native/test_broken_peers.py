"""Whatever a broken service says, the login is refused, and the host is none the worse."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

import pytest
from broken_peers import BROKEN_PEERS, MESSAGES, SUCCESS
from fake_service import ABSENT, LARGEST, Peer, Script, Style, Type, message, number, prompts, text
from host_program import AUTH_ERR, AUTHINFO_UNAVAIL, CODES, VALGRIND, Bridge, Ended

ALL = list(BROKEN_PEERS.values())


@pytest.mark.parametrize("script", ALL, ids=list(BROKEN_PEERS))
def test_broken_peer_is_a_refusal(bridge: Bridge, script: Script) -> None:
    """Each way to break the rules is PAM_AUTHINFO_UNAVAIL and one line in the log."""
    with bridge.service(script):
        ended = bridge.login()
    assert ended.codes() == [AUTHINFO_UNAVAIL]
    (line,) = ended.log()
    assert line.startswith('log err "pam_totp(login:auth): pam-totpd ')
    assert "the login is refused" in line


@pytest.mark.parametrize("script", ALL, ids=list(BROKEN_PEERS))
def test_broken_peer_in_the_other_calls(bridge: Bridge, script: Script) -> None:
    """In the account phase it is the same, and on `authfail` PAM_AUTH_ERR."""
    with bridge.service(script, script):
        ended = bridge.login("acct_mgmt", "authenticate", argument="authfail")
    assert ended.codes("acct_mgmt") == [AUTHINFO_UNAVAIL]
    assert ended.codes() == [AUTH_ERR]


def all_in_one_process(
    bridge: Bridge, *, wrapper: Sequence[str] = (), options: Sequence[str] = ()
) -> Ended:
    """Let one process meet all of them, one after the other."""
    with bridge.service(*ALL):
        return bridge.login(
            options=("--repeat", str(len(ALL)), *options), argument="collect", wrapper=wrapper
        )


def test_host_is_unchanged(bridge: Bridge) -> None:
    """After all of them the process has no descriptor, child, signal or setting that is new."""
    ended = all_in_one_process(bridge, options=("--report-children",))
    assert ended.codes() == [AUTHINFO_UNAVAIL] * len(ALL)
    assert ended.events[-1] == "host unchanged"
    assert ended.status == 1


def test_no_error_under_the_sanitizers(sanitized: Bridge) -> None:
    """The sanitizers find no bad access, no undefined behaviour and no leak in all of them."""
    ended = all_in_one_process(sanitized)
    assert ended.codes() == [AUTHINFO_UNAVAIL] * len(ALL)
    assert (ended.status, ended.errors) == (1, "")


def test_no_error_under_valgrind(bridge: Bridge) -> None:
    """Memcheck finds no bad access, no use of what was not set and no leak in all of them."""
    ended = all_in_one_process(bridge, wrapper=VALGRIND)
    assert ended.codes() == [AUTHINFO_UNAVAIL] * len(ALL)
    assert (ended.status, ended.errors) == (1, "")


def says_and_sees_the_end(raw: bytes) -> Script:
    """Answer the call with these bytes, and see the bridge close."""

    def script(peer: Peer) -> None:
        peer.call()
        peer.send(raw)
        assert peer.receive() == b""

    return script


def test_every_cut_of_a_good_request(sanitized: Bridge) -> None:
    """A request of several fields, cut off anywhere, is a refusal."""
    whole = prompts((Style.INFO, "Hello, Alice"), (Style.INFO, "Hello again"))
    cuts = [says_and_sees_the_end(whole[:stop]) for stop in range(1, len(whole))]
    with sanitized.service(*cuts):
        ended = sanitized.login(options=("--repeat", str(len(cuts))))
    assert ended.codes() == [AUTHINFO_UNAVAIL] * len(cuts)
    assert (len(ended.log()), ended.errors) == (len(cuts), "")


# ---- Random messages -----------------------------------------------------

FUZZ_SEED = 6238
FUZZ_LOGINS = 1500
FUZZ_MESSAGES = 12  # at most, in one login
FUZZ_LARGEST = 200_000  # the kernel takes no more as one message


def random_field(rng: random.Random) -> bytes:
    """Give a field, more often a good one than not."""
    kind = rng.randrange(6)
    if kind == 0:
        return number(
            rng.choice([0, 1, 2, 4, 6, 31, 32, 0x7FFFFFFF, 0x80000000, ABSENT - 1, ABSENT])
        )
    if kind == 1:
        return rng.randbytes(rng.randrange(9))
    if kind == 2:
        return text(None)
    if kind == 3:
        return number(rng.randrange(1, 14))
    length = rng.choice([0, 1, 2, 10, 300, 5000, LARGEST - 12])
    return text(bytes(rng.choices(b"AB=x%\xff", k=length)))


def random_message(rng: random.Random) -> bytes:
    """Give a message: a mutated one of the table, or fields at random behind a type."""
    if rng.random() < 0.3:
        raw = bytearray(rng.choice(list(MESSAGES.values())))
        for _ in range(rng.randrange(4) if raw else 0):
            raw[rng.randrange(len(raw))] = rng.randrange(256)
        return bytes(raw)
    kind = rng.choice([*Type, rng.randrange(256)])
    fields = [random_field(rng) for _ in range(rng.randrange(4))]
    if kind == Type.CONVERSE and rng.random() < 0.7:
        pairs = rng.randrange(1, 5)
        fields = [number(pairs), *[number(rng.randrange(3, 5)) + random_field(rng)] * pairs]
    return message(kind, *fields)


def expected_code(raw: bytes) -> int:
    """Say what a login comes to whose last message this was: only a good FINISH is no refusal."""
    if len(raw) == len(SUCCESS) and raw[:2] == SUCCESS[:2]:
        code = int.from_bytes(raw[2:], "big")
        return code if code in CODES else AUTHINFO_UNAVAIL
    return AUTHINFO_UNAVAIL


def fuzz(rng: random.Random, expected: list[int]) -> Script:
    """Send random messages until the bridge closes, and note what it must make of them."""

    def script(peer: Peer) -> None:
        peer.call()
        raw = b""
        try:
            for _ in range(FUZZ_MESSAGES):
                raw = random_message(rng)[:FUZZ_LARGEST]
                peer.send(raw)
                if not peer.receive():
                    break
        except ConnectionError:
            pass
        expected.append(expected_code(raw))

    return script


def test_random_messages(sanitized: Bridge) -> None:
    """Thousands of random messages never crash the host; only a whole FINISH is an answer."""
    rng = random.Random(FUZZ_SEED)
    expected: list[int] = []
    scripts = itertools.repeat(fuzz(rng, expected), FUZZ_LOGINS)
    with sanitized.service(*scripts):
        ended = sanitized.login(argument="local", options=("--repeat", str(FUZZ_LOGINS)))
    # a stack of one line shows PAM_IGNORE as PAM_PERM_DENIED
    assert ended.codes() == [6 if code == 25 else code for code in expected]
    assert ended.errors == ""
