"""Services that break the rules of native/wire.h, each in one way.

Each of them, having broken a rule, says that the login is a success: a bridge
that overlooks the break lets the login in.
"""

from __future__ import annotations

import array
import os
import socket
from contextlib import suppress

from fake_service import (
    ABSENT,
    LARGEST,
    Item,
    Peer,
    Script,
    Style,
    Type,
    message,
    number,
    prompts,
    text,
)

SUCCESS = message(Type.FINISH, number(0))
GOOD_REQUEST = message(Type.GETENV, text("A"))

MESSAGES: dict[str, bytes] = {
    "empty": b"",
    "version alone": b"\x01",
    "version 0": message(Type.FINISH, number(0), version=0),
    "version 2": message(Type.FINISH, number(0), version=2),
    "version 255 request": message(Type.TAKE, version=255),
    "type 0": message(0),
    "type between the ranges": message(15),
    "type after the last request": message(27),
    "type after FINISH": message(33, number(0)),
    "type 255": message(255),
    "a call": message(Type.CALL, number(1), number(0), number(0), *[text("x")] * 5, number(0)),
    "a reply": message(Type.REPLY, number(0), number(0)),
    "FINISH without a code": message(Type.FINISH),
    "FINISH with a short code": message(Type.FINISH, b"\0\0\0"),
    "FINISH with more": message(Type.FINISH, number(0), b"\0"),
    "FINISH with two codes": message(Type.FINISH, number(0), number(0)),
    "FINISH code 32": message(Type.FINISH, number(32)),
    "FINISH code 256": message(Type.FINISH, number(256)),
    "FINISH code -1": message(Type.FINISH, number(0xFFFFFFFF)),
    "FINISH that is too long": SUCCESS + bytes(LARGEST - len(SUCCESS) + 1),
    "FINISH that is far too long": SUCCESS + bytes(100_000),
    "request that is whole once it is cut": message(
        Type.PUTENV, text("A=".ljust(LARGEST - 6, "x")), b"more"
    ),
    "GET_ITEM without an item": message(Type.GET_ITEM),
    "GET_ITEM with more": message(Type.GET_ITEM, number(Item.USER), text("x")),
    "SET_ITEM without a value": message(Type.SET_ITEM, number(Item.USER)),
    "SET_ITEM with a short length": message(Type.SET_ITEM, number(Item.USER), b"\0\0"),
    "SET_ITEM with two values": message(Type.SET_ITEM, number(Item.USER), text("x"), text("y")),
    "text one byte short": message(Type.GETENV, number(2), b"A"),
    "text without its bytes": message(Type.GETENV, number(1)),
    "text of 4 GiB": message(Type.GETENV, number(ABSENT - 1), b"A"),
    "text of 2 GiB": message(Type.GETENV, number(0x80000000), b"A"),
    "text that wraps around": message(Type.GETENV, number(0xFFFFFFFA), b"A"),
    "text with a NUL": message(Type.PUTENV, text(b"A=1\0B=2")),
    "text that ends in NUL": message(Type.PUTENV, text(b"A=1\0")),
    "GETENV of nothing": message(Type.GETENV, text(None)),
    "GETENV without a name": message(Type.GETENV),
    "PUTENV of nothing": message(Type.PUTENV, text(None)),
    "KEEP of nothing": message(Type.KEEP, text(None)),
    "KEEP with more": message(Type.KEEP, text("x"), b"y"),
    "TAKE with a field": message(Type.TAKE, text("x")),
    "GETENVLIST with a field": message(Type.GETENVLIST, number(0)),
    "GET_USER without a prompt": message(Type.GET_USER),
    "GET_USER with a NUL": message(Type.GET_USER, text(b"\0")),
    "GET_AUTHTOK without a prompt": message(Type.GET_AUTHTOK),
    "FAIL_DELAY without a time": message(Type.FAIL_DELAY),
    "FAIL_DELAY with more": message(Type.FAIL_DELAY, number(1), number(1)),
    "no prompts": message(Type.CONVERSE, number(0)),
    "prompts without a count": message(Type.CONVERSE),
    "33 prompts": prompts(*[(Style.INFO, "x")] * 33),
    "4 G prompts": message(Type.CONVERSE, number(0xFFFFFFFF), number(Style.INFO), text("x")),
    "fewer prompts than said": message(Type.CONVERSE, number(2), number(Style.INFO), text("x")),
    "more prompts than said": message(
        Type.CONVERSE, number(1), *[number(Style.INFO) + text("x")] * 2
    ),
    "prompt without a text": message(Type.CONVERSE, number(1), number(Style.INFO)),
    "prompt of nothing": prompts((Style.INFO, None)),
    "good prompt, then one of nothing": prompts((Style.INFO, "x"), (Style.INFO, None)),
    "prompt with a NUL": message(Type.CONVERSE, number(1), number(Style.INFO), text(b"x\0y")),
    "style 0": prompts((0, "x")),
    "style 5": prompts((5, "x")),
    "style of a binary prompt": prompts((7, "x")),
    "style beyond int": prompts((0x80000002, "x")),
}


def _says(raw: bytes) -> Script:
    """Answer the call with these bytes, then with success."""

    def script(peer: Peer) -> None:
        peer.call()
        with suppress(ConnectionError):
            peer.send(raw)
            peer.send(SUCCESS)
            while peer.receive():
                pass

    return script


def _close_at_once(peer: Peer) -> None:
    peer.connection.close()


def _close_after_the_call(peer: Peer) -> None:
    peer.call()


def _stop_sending(peer: Peer) -> None:
    peer.call()
    peer.connection.shutdown(socket.SHUT_WR)
    assert peer.receive() == b""


def _stop_listening(peer: Peer) -> None:
    """Ask, and be gone when the answer comes: a write without a reader is a SIGPIPE."""
    peer.call()
    peer.connection.shutdown(socket.SHUT_RD)
    peer.send(GOOD_REQUEST)


def _close_after_a_request(peer: Peer) -> None:
    peer.call()
    peer.send(GOOD_REQUEST)


def _break_off_after_requests(peer: Peer) -> None:
    """Do good things for a while, and leave with a value kept and prompts shown."""
    peer.call()
    peer.ask(Type.KEEP, text("x"))
    peer.ask(Type.PUTENV, text("A=1"))
    peer.ask_raw(prompts((Style.INFO, "x"), (Style.ERROR, "y")))
    _says_after_call(peer, message(99))


def _says_after_call(peer: Peer, raw: bytes) -> None:
    with suppress(ConnectionError):
        peer.send(raw)
        peer.send(SUCCESS)
        while peer.receive():
            pass


def _never_end(peer: Peer) -> None:
    """Ask until the bridge has enough; that is after a thousand answers."""
    peer.call()
    answers = 0
    with suppress(ConnectionError):
        while True:
            peer.send(GOOD_REQUEST)
            if not peer.receive():
                break
            answers += 1
    assert answers == 1000


def _send_descriptors(peer: Peer) -> None:
    """Send descriptors along with garbage; none may stay behind in the host."""
    peer.call()
    null = os.open("/dev/null", os.O_RDONLY)
    control = array.array("i", [null, null])
    with suppress(ConnectionError):
        peer.connection.sendmsg(
            [message(99)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, control.tobytes())]
        )
        peer.receive()
    os.close(null)


BROKEN_PEERS: dict[str, Script] = {
    **{name: _says(raw) for name, raw in MESSAGES.items()},
    "closes at once": _close_at_once,
    "closes after the call": _close_after_the_call,
    "stops sending": _stop_sending,
    "stops listening": _stop_listening,
    "closes after a request": _close_after_a_request,
    "breaks off after good requests": _break_off_after_requests,
    "never ends": _never_end,
    "sends descriptors": _send_descriptors,
}
