"""The arguments of the stack's line, and what each of them means without the service."""

from __future__ import annotations

import pytest
from fake_service import (
    Item,
    Peer,
    Reply,
    Script,
    Style,
    Type,
    message,
    number,
    prompts,
    text,
)
from host_program import (
    AUTH_ERR,
    CODES,
    CRED_ERR,
    IGNORE,
    MODULE_UNKNOWN,
    PERM_DENIED,
    SERVICE_ERR,
    SUCCESS,
    Bridge,
)

WRONG = ["debug", "collect=1", "Collect", "collect authfail", "local local", "[]"]


def returns(code: int) -> Script:
    """Return a code at once."""

    def script(peer: Peer) -> None:
        peer.call()
        peer.finish(code)

    return script


@pytest.mark.parametrize("argument", [wrong for wrong in WRONG if "authfail" not in wrong])
def test_wrong_arguments_are_refused(bridge: Bridge, argument: str) -> None:
    """An unknown argument, or a second one, refuses everything; the log says so once a call."""
    with bridge.service():
        ended = bridge.login("authenticate", "setcred", "acct_mgmt", argument=argument)
    for step in ("authenticate", "setcred", "acct_mgmt"):
        assert ended.codes(step) == [SERVICE_ERR]
    assert len(ended.log()) == 3
    assert all("wrong arguments" in line for line in ended.log())


@pytest.mark.parametrize("argument", ["collect authfail", "authfail collect", "authfail debug"])
def test_wrong_arguments_beside_authfail(bridge: Bridge, argument: str) -> None:
    """A line with `authfail` among wrong arguments still never says anything but refused."""
    with bridge.service():
        ended = bridge.login("authenticate", "setcred", argument=argument)
    assert ended.codes() == [AUTH_ERR]
    assert ended.codes("setcred") == [SERVICE_ERR]


@pytest.mark.parametrize("code", CODES)
def test_authfail_is_never_anything_else(bridge: Bridge, code: int) -> None:
    """On `authfail` authenticate is PAM_AUTH_ERR whatever the service answers."""
    with bridge.service(returns(code)):
        assert bridge.login(argument="authfail").codes() == [AUTH_ERR]


def test_authfail_without_an_answer(bridge: Bridge) -> None:
    """On `authfail` authenticate is PAM_AUTH_ERR without an answer as well."""
    with bridge.service(lambda peer: peer.connection.close()):
        assert bridge.login(argument="authfail").codes() == [AUTH_ERR]


def test_authfail_account_is_the_services(bridge: Bridge) -> None:
    """In the account phase `authfail` means nothing: the service's code is returned."""
    with bridge.service(returns(13)):
        assert bridge.login("acct_mgmt", argument="authfail").codes("acct_mgmt") == [13]


@pytest.mark.parametrize(
    ("argument", "code"),
    [("", SUCCESS), ("collect", SUCCESS), ("authfail", CRED_ERR), ("local", IGNORE)],
)
@pytest.mark.parametrize("flag", ["0x2", "0x4", "0x8", "0x10"])
def test_setcred_asks_nobody(bridge: Bridge, argument: str, code: int, flag: str) -> None:
    """Setcred, which sshd calls in a process of its own, is answered without the service."""
    control = "[default=bad success=ok ignore=ok]"  # shows PAM_IGNORE instead of ignoring it
    with bridge.service():
        ended = bridge.login(f"setcred:{flag}", stack=[f"auth {control} {{module}} {argument}"])
    assert ended.codes("setcred") == [code]
    assert ended.log() == []


@pytest.mark.parametrize("kind", ["session", "password"])
def test_no_session_and_no_password(bridge: Bridge, kind: str) -> None:
    """A `session` or `password` line is an error of the stack at once, not a quiet success."""
    step = {"session": "open_session", "password": "chauthtok"}[kind]
    ended = bridge.login(step, stack=[f"{kind} required {{module}}"])
    assert ended.codes(step) == [MODULE_UNKNOWN]


def passwords(expected: list[Reply]) -> Script:
    """Ask for the password in each way there is."""

    def script(peer: Peer) -> None:
        peer.call()
        requests = [message(Type.GET_AUTHTOK, text("Password: "))]
        for item in (Item.AUTHTOK, Item.OLDAUTHTOK):
            requests.append(message(Type.SET_ITEM, number(item), text("other")))
            requests.append(message(Type.GET_ITEM, number(item)))
        assert [peer.ask_raw(request) for request in requests] == expected
        peer.finish()

    return script


@pytest.mark.parametrize("argument", ["collect", "local"])
@pytest.mark.parametrize("step", ["authenticate", "acct_mgmt"])
def test_password_is_the_services_business(bridge: Bridge, argument: str, step: str) -> None:
    """On `collect` and `local` lines the service reads and replaces the password."""
    done = Reply(SUCCESS, ())
    other = Reply(SUCCESS, ("other",))
    with bridge.service(passwords([Reply(SUCCESS, ("hunter2",)), done, other, done, other])):
        ended = bridge.login(step, argument=argument, options=("--answer", "Password=hunter2"))
    assert ended.codes(step) == [SUCCESS]


@pytest.mark.parametrize("argument", ["", "authfail"])
@pytest.mark.parametrize("step", ["authenticate", "acct_mgmt"])
def test_password_stays_in_the_host(bridge: Bridge, argument: str, step: str) -> None:
    """Elsewhere the password is neither asked for, nor read, nor replaced."""
    with bridge.service(passwords([Reply(PERM_DENIED, ())] * 5)):
        ended = bridge.login(step, argument=argument)
    assert not [event for event in ended.events if event.startswith("prompt")]


def test_password_goes_on_to_the_next_module(bridge: Bridge) -> None:
    """What `collect` sets as the password is what the next module of the stack gets."""

    def collect(peer: Peer) -> None:
        peer.call()
        assert peer.ask(Type.GET_AUTHTOK, text("Password: ")).values == ("hunter2123456",)
        peer.ask(Type.SET_ITEM, number(Item.AUTHTOK), text("hunter2"))
        peer.finish()

    def local(peer: Peer) -> None:
        peer.call()
        assert peer.ask(Type.GET_AUTHTOK, text("Password: ")).values == ("hunter2",)
        peer.finish()

    stack = ["auth required {module} collect", "auth required {module} local"]
    with bridge.service(collect, local):
        options = ("--answer", "Password=hunter2123456")
        assert bridge.login(stack=stack, options=options).codes() == [SUCCESS]


@pytest.mark.parametrize("argument", ["", "authfail"])
def test_password_as_an_answer_stays_in_the_host(bridge: Bridge, argument: str) -> None:
    """An application that answers every prompt with the password sends no password over."""

    def collect(peer: Peer) -> None:
        peer.call()
        peer.ask(Type.GET_AUTHTOK, text("Password: "))
        peer.finish()

    def check(peer: Peer) -> None:
        peer.call()
        asked = prompts((Style.ECHO_ON, "Code: "), (Style.ECHO_ON, "Again: "))
        assert peer.ask_raw(asked) == Reply(SUCCESS, (None, "hunter22"))
        peer.finish()

    stack = ["auth required {module} collect", f"auth required {{module}} {argument}"]
    answers = ("Password=hunter2", "Code=hunter2", "Again=hunter22")
    with bridge.service(collect, check):
        bridge.login(stack=stack, options=[part for a in answers for part in ("--answer", a)])
