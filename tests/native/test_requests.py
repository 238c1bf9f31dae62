"""What the service can ask of the bridge, and what it gets."""

from __future__ import annotations

import pytest
from fake_service import ABSENT, Item, Peer, Reply, Style, Type, message, number, prompts, text
from host_program import (
    BAD_ITEM,
    BUF_ERR,
    CONV_ERR,
    PERM_DENIED,
    SUCCESS,
    Bridge,
    Ended,
)

DONE = Reply(SUCCESS, ())


def ask(
    bridge: Bridge, *requests: bytes, argument: str = "", options: tuple[str, ...] = ()
) -> tuple[list[Reply], Ended]:
    """Send the requests in one login that then succeeds; give the replies and the events."""
    replies: list[Reply] = []

    def script(peer: Peer) -> None:
        peer.call()
        replies.extend(peer.ask_raw(request) for request in requests)
        peer.finish()

    with bridge.service(script):
        ended = bridge.login(argument=argument, options=options)
    assert ended.codes() == [SUCCESS], ended
    return replies, ended


def value(*texts: str | None) -> Reply:
    """Give the reply that has these values."""
    return Reply(SUCCESS, texts)


def test_call_carries_what_libpam_said(bridge: Bridge) -> None:
    """The call names function, flags, arguments and the five items, in that order."""
    seen: list[object] = []

    def script(peer: Peer) -> None:
        call = peer.call()
        seen.append((call.function, call.flags, call.argv))
        seen.append((call.service, call.user, call.rhost, call.tty, call.ruser))
        peer.finish()

    options = ("--rhost", "192.0.2.7", "--tty", "ssh", "--ruser", "bob")
    with bridge.service(script, script):
        bridge.login("authenticate:0x8001", "acct_mgmt", argument="collect", options=options)
    items = ("login", "alice", "192.0.2.7", "ssh", "bob")
    assert seen == [(1, 0x8001, ("collect",)), items, (2, 0, ("collect",)), items]


def test_call_says_what_is_absent(bridge: Bridge) -> None:
    """An item that the application did not set is absent, which is not the same as empty."""

    def script(peer: Peer) -> None:
        call = peer.call()
        assert (call.user, call.rhost, call.tty, call.ruser) == (None, "", None, None)
        peer.finish()

    with bridge.service(script):
        assert bridge.login(user="-", options=("--rhost", "")).codes() == [SUCCESS]


@pytest.mark.parametrize("code", range(32))
def test_finish_is_returned_as_it_is(bridge: Bridge, code: int) -> None:
    """Each code of libpam is what the module returns: a stack that ends there shows it."""

    def script(peer: Peer) -> None:
        peer.call()
        peer.finish(code)

    stack = [
        # a jump past the end of the stack is PAM_PERM_DENIED, what is ignored likewise
        "auth [default=bad ignore=ignore success=ok] {module}",
    ]
    with bridge.service(script):
        ended = bridge.login(stack=stack)
    assert ended.codes() == [PERM_DENIED if code == 25 else code]


def test_prompts_and_answers(bridge: Bridge) -> None:
    """A list of messages is shown in order; prompts have answers, the others none."""
    request = prompts(
        (Style.INFO, "Hello"),
        (Style.ECHO_ON, "Verification code: "),
        (Style.ERROR, "Look out"),
        (Style.ECHO_OFF, "Password: "),
    )
    options = ("--answer", "Verification=123 456", "--answer", "Password=")
    replies, ended = ask(bridge, request, options=options)
    assert replies == [value(None, "123 456", None, "")]
    assert ended.events[:4] == (
        'info "Hello"',
        'prompt echo_on "Verification code: "',
        'error "Look out"',
        'prompt echo_off "Password: "',
    )


def test_text_is_no_format(bridge: Bridge) -> None:
    """What the service wants shown is shown as it is: `%` has no meaning, lines stay lines."""
    shown = "%s%n%1000000d 100 % \\ sicher: ▄▀\n█"
    _, ended = ask(bridge, prompts((Style.INFO, shown)))
    escaped = shown.replace("\\", "\\\\").replace("\n", "\\n")
    assert ended.events[0] == f'info "{escaped}"'


def test_most_messages_at_once(bridge: Bridge) -> None:
    """Thirty-two messages, and one that fills the datagram, arrive whole."""
    many = prompts(*[(Style.INFO, f"line {i}") for i in range(32)])
    large = "x" * (65536 - 2 - 4 - 4 - 4)
    replies, ended = ask(bridge, many, prompts((Style.INFO, large)))
    assert replies == [value(*[None] * 32), value(None)]
    assert ended.events[31:33] == ('info "line 31"', f'info "{large}"')


def test_no_answer_is_absent(bridge: Bridge) -> None:
    """An application that succeeds without an answer gave none, which is not an empty one."""
    request = prompts((Style.ECHO_ON, "Code: "))
    replies, _ = ask(bridge, request, options=("--answer", "Code!NOTHING"))
    assert replies == [value(None)]


@pytest.mark.parametrize(
    ("length", "reply"),
    [(512, Reply(SUCCESS, ("x" * 512,))), (513, Reply(CONV_ERR, ()))],
    ids=["longest", "too long"],
)
def test_length_of_answers(bridge: Bridge, length: int, reply: Reply) -> None:
    """An answer longer than PAM allows is a failed conversation."""
    request = prompts((Style.ECHO_ON, "Code: "))
    replies, _ = ask(bridge, request, options=("--answer", "Code=" + "x" * length))
    assert replies == [reply]


def test_conversation_fails(bridge: Bridge) -> None:
    """The application's own code reaches the service, and no answers with it."""
    request = prompts((Style.ECHO_ON, "First: "), (Style.ECHO_ON, "Second: "))
    options = ("--answer", "First=1", "--answer", "Second!CONV_ERR")
    replies, _ = ask(bridge, request, options=options)
    assert replies == [Reply(CONV_ERR, ())]


def test_application_without_conversation(bridge: Bridge) -> None:
    """Where the application has no conversation function, prompts fail and nothing crashes."""
    requests = (
        prompts((Style.INFO, "Hello")),
        message(Type.GET_USER, text(None)),
        message(Type.SET_ITEM, number(Item.USER), text(None)),
        message(Type.GET_USER, text(None)),
    )
    replies, _ = ask(bridge, *requests, options=("--no-conversation",))
    assert replies == [Reply(CONV_ERR, ()), value("alice"), DONE, Reply(CONV_ERR, ())]


def test_items(bridge: Bridge) -> None:
    """Items that are strings are read, set and unset."""
    requests = [
        message(Type.GET_ITEM, number(Item.SERVICE)),
        message(Type.GET_ITEM, number(Item.RUSER)),
        message(Type.SET_ITEM, number(Item.RUSER), text("carol")),
        message(Type.GET_ITEM, number(Item.RUSER)),
        message(Type.SET_ITEM, number(Item.RUSER), text(None)),
        message(Type.GET_ITEM, number(Item.RUSER)),
        message(Type.SET_ITEM, number(Item.RUSER), text("")),
        message(Type.GET_ITEM, number(Item.RUSER)),
    ]
    replies, _ = ask(bridge, *requests)
    expected = [value("login"), value(None), DONE, value("carol"), DONE, value(None), DONE]
    assert replies == [*expected, value("")]


@pytest.mark.parametrize("item", [0, Item.CONV, Item.FAIL_DELAY, Item.XAUTHDATA, 99, ABSENT])
def test_other_items(bridge: Bridge, item: int) -> None:
    """What is no string, or no item, is neither read nor set."""
    requests = (
        message(Type.GET_ITEM, number(item)),
        message(Type.SET_ITEM, number(item), text("x")),
    )
    assert ask(bridge, *requests)[0] == [Reply(BAD_ITEM, ())] * 2


def test_service_cannot_be_renamed(bridge: Bridge) -> None:
    """PAM_SERVICE names the stack of the application's next call; it is not set, nor unset."""
    requests = (
        message(Type.SET_ITEM, number(Item.SERVICE), text("other")),
        message(Type.SET_ITEM, number(Item.SERVICE), text(None)),
        message(Type.GET_ITEM, number(Item.SERVICE)),
    )
    replies, _ = ask(bridge, *requests)
    assert replies == [Reply(PERM_DENIED, ()), Reply(PERM_DENIED, ()), value("login")]


def test_user_is_asked_for(bridge: Bridge) -> None:
    """GET_USER asks the application with the service's prompt, once."""
    request = message(Type.GET_USER, text("Who? "))
    replies: list[Reply] = []

    def script(peer: Peer) -> None:
        assert peer.call().user is None
        replies.extend((peer.ask_raw(request), peer.ask_raw(request)))
        peer.finish()

    with bridge.service(script):
        ended = bridge.login("authenticate", "user", user="-", options=("--answer", "Who=dora"))
    assert replies == [value("dora")] * 2
    assert ended.events[0] == 'prompt echo_on "Who? "'
    assert ended.events[-1] == 'user "dora"'


def test_environment(bridge: Bridge) -> None:
    """PAM's environment is written, read, listed and deleted; the process's own is not."""
    requests = [
        message(Type.GETENVLIST),
        message(Type.PUTENV, text("A=1=2")),
        message(Type.PUTENV, text("EMPTY=")),
        message(Type.GETENV, text("A")),
        message(Type.GETENV, text("PATH")),
        message(Type.GETENVLIST),
        message(Type.PUTENV, text("A")),
        message(Type.GETENVLIST),
        message(Type.PUTENV, text("A")),
    ]
    replies, ended = ask(bridge, *requests, options=("--report-children",))
    assert replies[:3] == [value(), DONE, DONE]
    assert replies[3:5] == [value("1=2"), value(None)]
    assert sorted(map(str, replies[5].values)) == ["A=1=2", "EMPTY="]
    assert replies[6:] == [DONE, value("EMPTY="), Reply(BAD_ITEM, ())]
    assert "host unchanged" in ended.events


def test_reply_that_does_not_fit(bridge: Bridge) -> None:
    """What is too much for one message is a plain error to the service, and the call goes on."""
    halves = [message(Type.PUTENV, text(f"{name}=" + "x" * 40000)) for name in "AB"]
    replies, _ = ask(bridge, *halves, message(Type.GETENVLIST), message(Type.GETENV, text("C")))
    assert replies[2:] == [Reply(BUF_ERR, ()), value(None)]


def test_fail_delay(bridge: Bridge) -> None:
    """FAIL_DELAY asks libpam for a delay, which it varies by half, and does not sleep itself."""

    def script(peer: Peer) -> None:
        peer.call()
        assert peer.ask(Type.FAIL_DELAY, number(2_000_000)) == DONE
        peer.finish(7)

    with bridge.service(script):
        ended = bridge.login()
    delays = [event for event in ended.events if event.startswith("fail_delay ")]
    assert [1_000_000 <= int(delay.split()[1]) <= 3_000_000 for delay in delays] == [True]


def test_call_too_long_for_a_message(bridge: Bridge) -> None:
    """A user name that fits into no message is refused before anyone is asked."""
    with bridge.service():
        ended = bridge.login(options=("--ruser", "x" * 70000))
    assert ended.codes() == [9]
    assert len(ended.log()) == 1


def test_what_comes_after_finish_is_not_read(bridge: Bridge) -> None:
    """FINISH is the end: the bridge closes and reads no further."""

    def script(peer: Peer) -> None:
        peer.call()
        peer.send(message(Type.FINISH, number(7)))
        peer.connection.close()

    with bridge.service(script):
        assert bridge.login().codes() == [7]
