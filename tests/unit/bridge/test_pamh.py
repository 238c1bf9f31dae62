"""The pamh object has pam_python's API, and asks the bridge for what the API says."""

from __future__ import annotations

import ctypes
import re
from dataclasses import FrozenInstanceError, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from bridge_end import (
    CONVERSE,
    FAIL_DELAY,
    GET_AUTHTOK,
    GET_ITEM,
    GET_USER,
    GETENV,
    GETENVLIST,
    KEEP,
    PUTENV,
    SET_ITEM,
    TAKE,
    message,
    reply,
)

from pam_totp.bridge.connection import ConnectionLost
from pam_totp.bridge.constants import Constants
from pam_totp.bridge.pamh import PamHandle
from pam_totp.bridge.peers import Peer
from pam_totp.errors import BrokenMessage, PamTotpError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge_end import ScriptedBridge

    Scripted = Callable[..., ScriptedBridge]

HEADERS = [Path("/usr/include/security") / name for name in ("_pam_types.h", "pam_modules.h")]


def _constants() -> dict[str, int]:
    return {name: value for name, value in vars(Constants).items() if name.startswith("PAM_")}


@pytest.mark.skipif(not all(map(Path.exists, HEADERS)), reason="libpam0g-dev is not installed")
def test_constants_are_those_of_libpam() -> None:
    """Every PAM_ number in libpam's headers is a constant of that name and value, and no other."""
    text = "".join(header.read_text() for header in HEADERS)
    defined = re.findall(r"^# ?define (PAM_\w+)\s+(0x[0-9A-Fa-f]+|\d+)U?\b", text, re.MULTILINE)
    assert {name: int(number, 0) for name, number in defined} == _constants()


def test_constants_are_attributes_that_stay(scripted: Scripted) -> None:
    """Constants are read from pamh, as ints, and cannot be set there."""
    pamh: Any = scripted().pamh
    assert pamh.PAM_AUTH_ERR == 7
    with pytest.raises(AttributeError):
        pamh.PAM_AUTH_ERR = 0


def test_what_the_call_brought_costs_no_question(scripted: Scripted) -> None:
    """Service, user, rhost, tty and ruser are read without asking."""
    bridge = scripted()
    pamh = bridge.pamh
    found = (pamh.service, pamh.user, pamh.rhost, pamh.tty, pamh.ruser, pamh.get_user("login: "))
    assert found == ("sshd", "alice", "192.0.2.7", "ssh", None, "alice")
    assert bridge.requests() == []


ITEMS = {
    "authtok": 6,
    "oldauthtok": 7,
    "user_prompt": 9,
    "xdisplay": 11,
    "authtok_type": 13,
}


@pytest.mark.parametrize(("name", "number"), ITEMS.items())
@pytest.mark.parametrize("value", ["väl\udcffue", None])
def test_other_items_are_asked_for(
    scripted: Scripted, name: str, number: int, value: str | None
) -> None:
    """Reading any other string item is GET_ITEM, each time."""
    data = None if value is None else value.encode("utf-8", "surrogateescape")
    answer = message(2, 0, 1, data)
    bridge = scripted(answer, answer)
    assert getattr(bridge.pamh, name) == value
    assert getattr(bridge.pamh, name) == value
    assert bridge.requests() == [message(GET_ITEM, number)] * 2


@pytest.mark.parametrize(
    ("name", "number"), [*ITEMS.items(), ("service", 1), ("user", 2), ("tty", 3), ("rhost", 4)]
)
def test_items_are_set(scripted: Scripted, name: str, number: int) -> None:
    """Setting an item is SET_ITEM, with None for NULL."""
    bridge = scripted(reply(), reply())
    setattr(bridge.pamh, name, "new")
    setattr(bridge.pamh, name, None)
    assert bridge.requests() == [message(SET_ITEM, number, "new"), message(SET_ITEM, number, None)]


def test_a_set_item_is_read_as_set(scripted: Scripted) -> None:
    """After a successful set the new value is read; after a failed one, the old."""
    bridge = scripted(reply(), reply(code=29))
    bridge.pamh.user = "bob"
    assert bridge.pamh.user == "bob"
    with pytest.raises(PamHandle.exception):
        bridge.pamh.user = "carol"
    assert bridge.pamh.user == "bob"


def test_an_unknown_user_is_asked_for_once(scripted: Scripted) -> None:
    """get_user asks the bridge where the call had no user, and its answer is kept."""
    bridge = scripted(reply("bob"), user=None)
    assert bridge.pamh.get_user("login: ") == "bob"
    assert (bridge.pamh.user, bridge.pamh.get_user()) == ("bob", "bob")
    assert bridge.requests() == [message(GET_USER, "login: ")]


def test_get_user_has_a_prompt_of_its_own(scripted: Scripted) -> None:
    """get_user without a prompt leaves the words to libpam."""
    bridge = scripted(reply("bob"), user=None)
    bridge.pamh.get_user()
    assert bridge.requests() == [message(GET_USER, None)]


def test_one_message_has_one_response(scripted: Scripted) -> None:
    """A conversation of one Message returns one Response."""
    bridge = scripted(reply("123456"))
    pamh = bridge.pamh
    response = pamh.conversation(pamh.Message(pamh.PAM_PROMPT_ECHO_ON, "Verification code: "))
    assert response == pamh.Response("123456", 0)
    assert bridge.requests() == [message(CONVERSE, 1, 2, "Verification code: ")]


def test_a_list_has_a_list_of_responses(scripted: Scripted) -> None:
    """A conversation of a list returns as many Responses, in one question."""
    bridge = scripted(reply(None, "secret"))
    pamh = bridge.pamh
    responses = pamh.conversation(
        [pamh.Message(pamh.PAM_TEXT_INFO, "Hello"), pamh.Message(pamh.PAM_PROMPT_ECHO_OFF, "?")]
    )
    assert responses == [pamh.Response(None, 0), pamh.Response("secret", 0)]
    assert bridge.requests() == [message(CONVERSE, 2, 4, "Hello", 1, "?")]


def test_a_list_of_one_is_a_list(scripted: Scripted) -> None:
    """A list with one Message returns a list, and an empty one an empty one."""
    bridge = scripted(reply("x"))
    pamh = bridge.pamh
    assert pamh.conversation([pamh.Message(1, "?")]) == [pamh.Response("x", 0)]
    assert pamh.conversation([]) == []


def test_any_object_with_style_and_text_is_a_message(scripted: Scripted) -> None:
    """What has msg_style and msg can be shown, as pam_python has it."""

    @dataclass
    class Note:
        msg_style: int
        msg: str

    bridge = scripted(reply(None))
    bridge.pamh.conversation(Note(4, "100% sure, %s"))
    assert bridge.requests() == [message(CONVERSE, 1, 4, "100% sure, %s")]


@pytest.mark.parametrize("values", [[], ["a", "b"]])
def test_another_number_of_answers_is_broken(scripted: Scripted, values: list[str]) -> None:
    """A bridge that answers one message with no value or two raises BrokenMessage."""
    pamh = scripted(reply(*values)).pamh
    with pytest.raises(BrokenMessage):
        pamh.conversation(pamh.Message(1, "?"))


def test_a_value_where_none_is_due_is_broken(scripted: Scripted) -> None:
    """A bridge that answers a set with a value raises BrokenMessage."""
    pamh = scripted(reply("x")).pamh
    with pytest.raises(BrokenMessage):
        pamh.tty = "pts/1"


def test_a_failure_is_an_exception_with_the_result(scripted: Scripted) -> None:
    """What libpam refuses raises pamh.exception, with the code and libpam's words for it."""
    pamh = scripted(reply(code=19)).pamh
    with pytest.raises(pamh.exception) as caught:
        pamh.conversation(pamh.Message(1, "?"))
    assert caught.value.pam_result == pamh.PAM_CONV_ERR
    assert str(caught.value) == pamh.strerror(pamh.PAM_CONV_ERR) == "Conversation error"
    assert isinstance(caught.value, PamTotpError)


def test_words_are_libpams() -> None:
    """Strerror says of every code what libpam says."""
    libpam = ctypes.CDLL("libpam.so.0")
    libpam.pam_strerror.restype = ctypes.c_char_p
    for code in range(33):
        assert PamHandle.strerror(None, code).encode() == libpam.pam_strerror(None, code)  # type: ignore[arg-type]


def test_a_fail_delay_is_passed_on(scripted: Scripted) -> None:
    """fail_delay passes libpam's unit on, which is microseconds."""
    bridge = scripted(reply())
    bridge.pamh.fail_delay(2_000_000)
    assert bridge.requests() == [message(FAIL_DELAY, 2_000_000)]


def test_variables_are_read(scripted: Scripted) -> None:
    """Reading pamh.env is pam_getenv, and a name without a value is missing."""
    bridge = scripted(reply("C"), reply(None), reply(None), reply(None))
    env = bridge.pamh.env
    assert env["LANG"] == "C"
    with pytest.raises(KeyError):
        env["TERM"]
    assert env.get("TERM", "dumb") == "dumb"
    assert "TERM" not in env
    assert bridge.requests() == [message(GETENV, "LANG")] + [message(GETENV, "TERM")] * 3


def test_variables_are_set_and_removed(scripted: Scripted) -> None:
    """Setting and deleting in pamh.env is pam_putenv with and without an equals sign."""
    bridge = scripted(reply(), reply(), reply("x"), reply())
    env = bridge.pamh.env
    env["A"] = "b=c"
    env["EMPTY"] = ""
    del env["A"]
    assert bridge.requests() == [
        message(PUTENV, "A=b=c"),
        message(PUTENV, "EMPTY="),
        message(GETENV, "A"),
        message(PUTENV, "A"),
    ]


def test_a_missing_variable_cannot_be_removed(scripted: Scripted) -> None:
    """Deleting a variable that is not there raises KeyError."""
    env = scripted(reply(None)).pamh.env
    with pytest.raises(KeyError):
        del env["A"]


def test_all_variables_are_listed(scripted: Scripted) -> None:
    """Iterating, counting and copying pamh.env each ask once for all."""
    listed = reply("A=b=c", "EMPTY=")
    bridge = scripted(listed, listed, listed)
    env = bridge.pamh.env
    assert list(iter(env)) == ["A", "EMPTY"]  # list(env) would also ask for the length
    assert len(env) == 2
    assert env.copy() == {"A": "b=c", "EMPTY": ""}
    assert bridge.requests() == [message(GETENVLIST)] * 3


@pytest.mark.parametrize("name", ["", "A=B"])
def test_a_name_that_pam_cannot_hold_is_an_error(scripted: Scripted, name: str) -> None:
    """An empty name, or one with "=", raises ValueError before anything is asked."""
    bridge = scripted()
    with pytest.raises(ValueError, match="name"):
        bridge.pamh.env[name] = "x"
    assert bridge.requests() == []


def test_a_value_is_kept_and_taken(scripted: Scripted) -> None:
    """Keep and take are KEEP and TAKE; where nothing was kept, take asks nothing."""
    bridge = scripted(reply(), reply("123456"))
    assert bridge.pamh.take() is None
    bridge.pamh.keep("123456")
    assert (bridge.pamh.take(), bridge.pamh.take()) == ("123456", None)
    assert bridge.requests() == [message(KEEP, "123456"), message(TAKE)]


def test_the_password_is_asked_for(scripted: Scripted) -> None:
    """get_authtok is pam_get_authtok, and where the line may not, PAM_PERM_DENIED."""
    bridge = scripted(reply("secret"), reply(code=6))
    assert bridge.pamh.get_authtok("Password: ") == "secret"
    with pytest.raises(PamHandle.exception) as caught:
        bridge.pamh.get_authtok()
    assert caught.value.pam_result == PamHandle.PAM_PERM_DENIED
    assert bridge.requests() == [message(GET_AUTHTOK, "Password: "), message(GET_AUTHTOK, None)]


def test_what_cannot_cross_a_process_says_so(scripted: Scripted) -> None:
    """The handle's pointer and xauthdata raise pamh.exception and ask nothing."""
    bridge = scripted()
    pamh: Any = bridge.pamh
    for use, result in (
        (lambda: pamh.pamh, pamh.PAM_SYMBOL_ERR),
        (lambda: pamh.xauthdata, pamh.PAM_BAD_ITEM),
        (lambda: setattr(pamh, "xauthdata", pamh.XAuthData("a", "b")), pamh.PAM_BAD_ITEM),
    ):
        with pytest.raises(pamh.exception) as caught:
            use()
        assert caught.value.pam_result == result
    assert bridge.requests() == []


def test_pamh_knows_its_host(scripted: Scripted) -> None:
    """The process that asks is pamh.peer."""
    assert scripted().pamh.peer == Peer(4711, 0, 0)


def test_pam_python_s_other_facts_are_there(scripted: Scripted) -> None:
    """libpam_version is a string, and the interpreter was there before the module."""
    pamh = scripted().pamh
    assert (pamh.libpam_version, pamh.py_initialized) == ("1.0", 0)


def test_messages_and_answers_are_immutable_and_discreet() -> None:
    """Message, Response and XAuthData cannot be changed, and no answer is in a repr."""
    response: Any = PamHandle.Response("123456", 0)
    shown: Any = PamHandle.Message(1, "?")
    secret: Any = PamHandle.XAuthData("name", "cookie")
    for instance, attribute in ((response, "resp"), (shown, "msg"), (secret, "data")):
        with pytest.raises(FrozenInstanceError):
            setattr(instance, attribute, "x")
    assert "123456" not in repr(response)
    assert "cookie" not in repr(secret)


def test_a_silent_bridge_is_lost(scripted: Scripted) -> None:
    """A question that nobody answers raises ConnectionLost."""
    pamh = scripted(wait=0.05).pamh
    with pytest.raises(ConnectionLost):
        pamh.keep("x")
