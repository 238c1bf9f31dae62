"""The wire: what is written in native/wire.h is what Python speaks, and nothing else."""

from __future__ import annotations

import contextlib
import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from bridge_end import ABSENT, CALL, REPLY, call_message, message, reply
from hypothesis import given
from hypothesis import strategies as st

from pam_totp.bridge import wire
from pam_totp.bridge.connection import Connection, ConnectionLost, Waits
from pam_totp.bridge.wire import Call, Function, Reply, Type
from pam_totp.errors import BrokenMessage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HEADER = Path(__file__).parents[3] / "native" / "wire.h"

texts = (
    st.binary(max_size=40)
    .filter(lambda data: 0 not in data)
    .map(lambda data: data.decode("utf-8", "surrogateescape"))
)
maybe_texts = st.none() | texts
numbers = st.integers(0, 0xFFFFFFFF)
calls = st.builds(
    Call,
    st.sampled_from(Function),
    numbers,
    st.lists(texts, max_size=4),
    *[maybe_texts] * 5,
    kept=st.booleans(),
    caller=numbers,
)
replies = st.builds(Reply, st.just(0), st.lists(maybe_texts, max_size=40)) | st.builds(
    Reply, st.integers(1, 31), st.just([])
)


def _enumerators(name: str) -> dict[str, int]:
    body = re.search(rf"enum {name} \{{(.*?)\}};", HEADER.read_text(), re.DOTALL)
    assert body
    return {key: int(number) for key, number in re.findall(r"(\w+) = (\d+),", body[1])}


def test_types_are_those_of_the_header() -> None:
    """The types have the names and numbers of native/wire.h, each and no more."""
    assert _enumerators("wire_type") == {f"WIRE_{kind.name}": kind.value for kind in Type}


def test_functions_are_those_of_the_header() -> None:
    """The functions have the names and numbers of native/wire.h, each and no more."""
    expected = {f"FUNCTION_{function.name}": function.value for function in Function}
    assert _enumerators("wire_function") == expected


def test_limits_are_those_of_the_header() -> None:
    """Version and limits are those of native/wire.h."""
    defined = re.findall(r"#define (WIRE_\w+) (\w+)", HEADER.read_text())
    assert len(defined) == 5
    for name, value in defined:
        assert getattr(wire, name) == int(value.rstrip("u"), 0), name


@given(calls)
def test_calls_come_through_unchanged(call: Call) -> None:
    """What a bridge sends as CALL is what the service reads, whatever bytes the names have."""
    assert wire.decode_call(wire.encode_call(call)) == call


@given(replies)
def test_replies_come_through_unchanged(answer: Reply) -> None:
    """What a bridge sends as REPLY is what the service reads."""
    assert wire.decode_reply(wire.encode_reply(answer)) == answer


def _as_call(data: bytes) -> bytes:
    return wire.encode_call(wire.decode_call(data))


def _as_reply(data: bytes) -> bytes:
    return wire.encode_reply(wire.decode_reply(data))


@given(st.binary(max_size=200))
def test_noise_is_a_broken_message(noise: bytes) -> None:
    """Arbitrary bytes raise BrokenMessage, or are exactly the message that they are read as."""
    for read in (_as_call, _as_reply):
        with contextlib.suppress(BrokenMessage):
            assert read(noise) == noise


@given(calls, st.data())
def test_a_damaged_call_is_never_misread(call: Call, data: st.DataObject) -> None:
    """A CALL with one byte changed raises BrokenMessage or reads as what its bytes say."""
    whole = bytearray(wire.encode_call(call))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    try:
        decoded = wire.decode_call(bytes(whole))
    except BrokenMessage:
        return
    assert wire.encode_call(decoded) == whole


@given(calls)
def test_a_shortened_call_is_broken(call: Call) -> None:
    """A CALL that ends anywhere before its end raises BrokenMessage."""
    whole = wire.encode_call(call)
    for size in range(len(whole)):
        with pytest.raises(BrokenMessage):
            wire.decode_call(whole[:size])


BROKEN_CALLS = {
    "another version": message(CALL, 1, 0, [], *[None] * 5, 0, 0, version=2),
    "another type": message(REPLY, 1, 0, [], *[None] * 5, 0, 0),
    "an unknown function": call_message(function=3),
    "something after the last field": call_message() + b"\0",
    "an item too few": message(CALL, 1, 0, [], "sshd", "alice", None, None, 0, 0),
    "an item too many": message(CALL, 1, 0, [], *[None] * 6, 0, 0),
    "a NUL in a name": message(CALL, 1, 0, [], "sshd", b"al\0ice", None, None, None, 0, 0),
    "an absent argument": message(CALL, 1, 0, [None], *[None] * 5, 0, 0),
    "more arguments than bytes": message(CALL, 1, 0, 0xFFFFFFFE, *[None] * 5, 0, 0),
    "nothing said of what is kept": message(CALL, 1, 0, [], *[None] * 5),
    "nothing said of the caller": message(CALL, 1, 0, [], *[None] * 5, 0),
    "a caller of 16 bits": message(CALL, 1, 0, [], *[None] * 5, 0) + b"\3\xe8",
    "more kept than there can be": call_message(kept=2),
    "a length beyond the end": message(CALL, 1, 0, [], None, None, None, None, 5) + b"abcd",
    "the greatest length": message(CALL, 1, 0, [], None, None, None, None, ABSENT - 1),
    "more than 65,536 bytes": message(CALL, 1, 0, [], "s" * 65536, *[None] * 4, 0, 0),
    "nothing": b"",
}


@pytest.mark.parametrize("broken", BROKEN_CALLS.values(), ids=BROKEN_CALLS)
def test_a_malformed_call_is_refused(broken: bytes) -> None:
    """A CALL that departs from the header in any one way raises BrokenMessage."""
    with pytest.raises(BrokenMessage):
        wire.decode_call(broken)


BROKEN_REPLIES = {
    "another version": message(REPLY, 0, [], version=0),
    "another type": message(CALL, 0, []),
    "a code that libpam does not have": reply(code=32),
    "a value beside a failure": reply("123456", code=7),
    "something after the last field": reply("123456") + b"\0",
    "a value too few": message(REPLY, 0, 2, "123456"),
    "a NUL in a value": message(REPLY, 0, 1, b"12\x003456"),
    "more values than bytes": message(REPLY, 0, ABSENT),
    "a cut number": message(REPLY, 0) + b"\0\0\0",
    "nothing": b"",
}


@pytest.mark.parametrize("broken", BROKEN_REPLIES.values(), ids=BROKEN_REPLIES)
def test_a_malformed_reply_is_refused(broken: bytes) -> None:
    """A REPLY that departs from the header in any one way raises BrokenMessage."""
    with pytest.raises(BrokenMessage):
        wire.decode_reply(broken)


UNSENDABLE: dict[str, Callable[[], bytes]] = {
    "no message": lambda: wire.encode_converse([]),
    "more than 32 messages": lambda: wire.encode_converse([(4, "x")] * 33),
    "more than 65,536 bytes": lambda: wire.encode_converse([(4, "x" * 65536)]),
    "a NUL": lambda: wire.encode_text(Type.KEEP, "a\0b"),
    "half a surrogate pair": lambda: wire.encode_text(Type.KEEP, "\ud800"),
    "a negative number": lambda: wire.encode_fail_delay(-1),
    "a number of 33 bits": lambda: wire.encode_get_item(1 << 32),
}


@pytest.mark.parametrize("encode", UNSENDABLE.values(), ids=UNSENDABLE)
def test_what_the_wire_cannot_say_is_not_sent(encode: Callable[[], bytes]) -> None:
    """A request that the bridge would have to call broken raises BrokenMessage here."""
    with pytest.raises(BrokenMessage):
        encode()


def test_a_text_that_cannot_be_sent_is_not_told() -> None:
    """The error about an unsendable text leads to no other error that holds the text."""
    with pytest.raises(BrokenMessage) as caught:
        wire.encode_text(Type.KEEP, "secret\ud800")
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_values_are_not_shown() -> None:
    """The repr of a REPLY does not hold what a person answered."""
    assert "123456" not in repr(Reply(0, ["123456"]))


@pytest.fixture
def pair() -> Iterator[tuple[Connection, socket.socket]]:
    """Connect a Connection that is in a hurry, and a host's socket."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection = Connection(ours, Waits(host=0.05, person=0.05))
    yield connection, theirs
    connection.close()
    theirs.close()


def test_a_message_of_the_greatest_size_is_received(
    pair: tuple[Connection, socket.socket],
) -> None:
    """A message of 65,536 bytes arrives whole."""
    connection, host = pair
    host.send(reply("x" * (wire.WIRE_MAX_MESSAGE - 14)))
    answer = connection.ask(wire.encode_plain(Type.TAKE))
    assert answer.values == ["x" * (wire.WIRE_MAX_MESSAGE - 14)]


def test_a_longer_message_is_broken(pair: tuple[Connection, socket.socket]) -> None:
    """A message that the kernel had to truncate raises BrokenMessage."""
    connection, host = pair
    host.send(reply("x" * (wire.WIRE_MAX_MESSAGE - 13)))
    with pytest.raises(BrokenMessage):
        connection.ask(wire.encode_plain(Type.TAKE))


def test_an_empty_message_ends_the_connection(pair: tuple[Connection, socket.socket]) -> None:
    """An empty message raises ConnectionLost, as the end of the connection does."""
    connection, host = pair
    host.send(b"")
    with pytest.raises(ConnectionLost):
        connection.receive_call()


def test_a_closed_connection_is_lost(pair: tuple[Connection, socket.socket]) -> None:
    """A host that goes away raises ConnectionLost, in receiving and in sending."""
    connection, host = pair
    host.close()
    with pytest.raises(ConnectionLost):
        connection.receive_call()
    with pytest.raises(ConnectionLost):
        connection.finish(0)


@pytest.mark.parametrize("person", [False, True])
def test_silence_ends(pair: tuple[Connection, socket.socket], *, person: bool) -> None:
    """A host that does not answer within the limit raises ConnectionLost."""
    connection, _ = pair
    with pytest.raises(ConnectionLost):
        connection.ask(wire.encode_plain(Type.TAKE), person=person)


def test_a_call_has_a_bounded_number_of_requests(
    pair: tuple[Connection, socket.socket],
) -> None:
    """The request after the thousandth raises BrokenMessage and is not sent."""
    connection, host = pair
    for _ in range(wire.WIRE_MAX_REQUESTS):
        host.send(reply(None))
        connection.ask(wire.encode_plain(Type.TAKE))
        host.recv(100)
    with pytest.raises(BrokenMessage):
        connection.ask(wire.encode_plain(Type.TAKE))
    with pytest.raises(BlockingIOError):
        host.recv(100, socket.MSG_DONTWAIT)
