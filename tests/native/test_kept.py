"""The value that waits on the PAM handle for the next call."""

from __future__ import annotations

from fake_service import Item, Peer, Reply, Script, Type, number, text
from host_program import SUCCESS, USER_UNKNOWN, Bridge

DONE = Reply(SUCCESS, ())
NOTHING = Reply(SUCCESS, (None,))


def calls_with(*kept: int) -> list[Script]:
    """Receive calls that say so of what is kept."""

    def script(expected: int) -> Script:
        def receive(peer: Peer) -> None:
            assert peer.call().kept == expected
            peer.finish()

        return receive

    return [script(expected) for expected in kept]


def keeps(value: str, *, expected: Reply = DONE) -> Script:
    """Keep a value."""

    def script(peer: Peer) -> None:
        peer.call()
        assert peer.ask(Type.KEEP, text(value)) == expected
        peer.finish()

    return script


def takes(*expected: Reply) -> Script:
    """Take what was kept, as often as there are expectations."""

    def script(peer: Peer) -> None:
        peer.call()
        assert [peer.ask(Type.TAKE) for _ in expected] == list(expected)
        peer.finish()

    return script


def test_next_call_takes_it_once(bridge: Bridge) -> None:
    """What one call keeps the next call on the same handle takes, and then it is gone."""
    with bridge.service(keeps("482913"), takes(Reply(SUCCESS, ("482913",)), NOTHING)):
        ended = bridge.login("authenticate", "acct_mgmt")
    assert (ended.codes(), ended.codes("acct_mgmt")) == ([SUCCESS], [SUCCESS])


def test_call_says_whether_there_is_one(bridge: Bridge) -> None:
    """A call says that a value was kept, until it has been taken."""
    first, second, third = calls_with(0, 1, 0)
    with bridge.service(first, keeps("1"), second, takes(Reply(SUCCESS, ("1",))), third):
        bridge.login(*["authenticate"] * 5)


def test_second_authenticate_takes_it(bridge: Bridge) -> None:
    """It survives a second pam_authenticate on the same handle."""
    with bridge.service(keeps("1"), takes(Reply(SUCCESS, ("1",)))):
        assert bridge.login("authenticate", "authenticate").codes() == [SUCCESS, SUCCESS]


def test_other_line_of_the_stack_takes_it(bridge: Bridge) -> None:
    """What a `collect` line keeps the checking line of the same stack takes."""
    stack = ["auth required {module} collect", "auth required {module}"]
    with bridge.service(keeps("1"), takes(Reply(SUCCESS, ("1",)))):
        assert bridge.login(stack=stack).codes() == [SUCCESS]


def test_later_value_replaces_earlier(bridge: Bridge) -> None:
    """There is one value at a time."""
    with bridge.service(keeps("1"), keeps("2"), takes(Reply(SUCCESS, ("2",)), NOTHING)):
        bridge.login("authenticate", "authenticate", "authenticate")


def test_empty_value_is_one(bridge: Bridge) -> None:
    """An empty value is kept as such."""
    with bridge.service(keeps(""), takes(Reply(SUCCESS, ("",)))):
        bridge.login("authenticate", "authenticate")


def test_other_user_does_not_get_it(bridge: Bridge) -> None:
    """After the application changed the user the value is gone, also for the first one."""
    with bridge.service(keeps("1"), takes(NOTHING), takes(NOTHING)):
        steps = ("authenticate", "user=bob", "authenticate", "user=alice", "authenticate")
        assert bridge.login(*steps).codes() == [SUCCESS] * 3


def test_bound_to_the_user_at_that_time(bridge: Bridge) -> None:
    """What counts is PAM_USER when the value was kept, not when the call began."""

    def script(peer: Peer) -> None:
        peer.call()
        peer.ask(Type.KEEP, text("1"))
        peer.ask(Type.SET_ITEM, number(Item.USER), text("bob"))
        assert peer.ask(Type.TAKE) == NOTHING
        peer.finish()

    with bridge.service(script):
        bridge.login()


def test_nobody_to_bind_it_to(bridge: Bridge) -> None:
    """Without a user nothing is kept, and nothing is found."""
    nobody = Reply(USER_UNKNOWN, ())
    with bridge.service(keeps("1", expected=nobody), takes(NOTHING)):
        bridge.login("authenticate", "authenticate", user="-")


def test_collect_begins_anew(bridge: Bridge) -> None:
    """A `collect` authenticate forgets what an earlier attempt left."""
    with bridge.service(keeps("1"), takes(NOTHING)):
        bridge.login("authenticate", "authenticate", argument="collect")


def test_account_phase_of_collect_begins_nothing(bridge: Bridge) -> None:
    """The account phase of a `collect` line still finds it."""
    with bridge.service(keeps("1"), takes(Reply(SUCCESS, ("1",)))):
        bridge.login("authenticate", "acct_mgmt", argument="collect")


def test_other_handle_has_its_own(bridge: Bridge) -> None:
    """A later login of the same process finds nothing."""

    def script(peer: Peer) -> None:
        peer.call()
        assert peer.ask(Type.TAKE) == NOTHING
        peer.ask(Type.KEEP, text("1"))
        peer.finish()

    with bridge.service(script, script):
        assert bridge.login(options=("--repeat", "2")).codes() == [SUCCESS, SUCCESS]
