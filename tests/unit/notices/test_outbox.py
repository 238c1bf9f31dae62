"""The bookkeeping: order, tries, and the bound on repeated notices."""

from __future__ import annotations

from pam_totp.event import Event
from pam_totp.notices.kind import Kind
from pam_totp.notices.outbox import HOUR, PER_HOUR, RETRIES, TRIES, Outbox, Waiting
from tests.unit.world import NOON


def event(number: int, account: str = "alice", at: float = NOON) -> Event:
    """Return an event; its kind is the outbox's to be told."""
    return Event(at, account, "lock", id=number)


def sent(outbox: Outbox, now: float) -> list[Waiting]:
    """Send all that is due, successfully."""
    found = []
    while (one := outbox.next(now)) is not None:
        found.append(outbox.begin(one, now))
        outbox.succeeded(found[-1], now)
    return found


def test_in_order() -> None:
    """Notices leave in the order in which they came."""
    outbox = Outbox()
    for number in range(1, 4):
        outbox.add(Kind.LOCKED, event(number, f"person{number}"), NOON + number)
    assert [one.event.id for one in sent(outbox, NOON + 9)] == [1, 2, 3]
    assert outbox.waiting == []


def test_a_lock_that_repeats_fills_no_mailbox() -> None:
    """Three of a kind an hour for one account; the rest come as one, the hour after, that says
    how many they are and is of the newest."""
    outbox = Outbox()
    for number in range(1, 101):
        outbox.add(Kind.LOCKED, event(number), NOON + number)
        sent(outbox, NOON + number)
    (held,) = outbox.waiting
    assert (held.times, held.event.id) == (100 - PER_HOUR, 100)
    assert sent(outbox, NOON + HOUR) == []
    (late,) = sent(outbox, NOON + HOUR + 1)
    assert (late.times, late.event.id) == (97, 100)


def test_the_bound_before_anything_is_sent() -> None:
    """A hundred events that are read at once make three notices and one of the rest."""
    outbox = Outbox()
    for number in range(1, 101):
        outbox.add(Kind.LOCKED, event(number), NOON)
    assert [one.times for one in sent(outbox, NOON)] == [1] * PER_HOUR
    assert [one.times for one in sent(outbox, NOON + HOUR)] == [97]


def test_the_bound_is_for_one_account_and_one_kind() -> None:
    """One account's notices hold back nobody else's, and a lock no reset."""
    outbox = Outbox()
    for number in range(10):
        outbox.add(Kind.LOCKED, event(number), NOON)
    outbox.add(Kind.LOCKED, event(11, "bob"), NOON)
    outbox.add(Kind.RESET, event(12), NOON)
    assert {one.event.id for one in sent(outbox, NOON)} >= {11, 12}


def test_no_more_while_none_gets_through() -> None:
    """Where nothing can be sent, what waits for one account has a bound too."""
    outbox = Outbox()
    for number in range(1000):
        now = NOON + number
        outbox.add(Kind.LOCKED, event(number), now)
        while (one := outbox.next(now)) is not None:
            outbox.failed(outbox.begin(one, now))
    assert len(outbox.waiting) <= PER_HOUR + 1
    assert sum(one.times for one in outbox.waiting) == 1000


def test_tries() -> None:
    """A notice that fails is tried again after a minute, ten and sixty, then is given up."""
    outbox = Outbox()
    outbox.add(Kind.RESET, event(1), NOON)
    now, given_up = NOON, []
    for wait in (*RETRIES, 0.0):
        one = outbox.next(now)
        assert one is not None
        given_up.append(outbox.failed(outbox.begin(one, now)))
        assert outbox.next(now + wait - 1) is None
        now += wait
    assert given_up == [False] * (TRIES - 1) + [True]
    assert outbox.waiting == []


def test_a_try_that_was_cut_short() -> None:
    """A notice whose try was begun and is not known to have succeeded is sent again."""
    outbox = Outbox()
    outbox.add(Kind.RESET, event(1), NOON)
    one = outbox.next(NOON)
    assert one is not None
    outbox.begin(one, NOON)
    again = Outbox(outbox.waiting)
    assert [one.event.id for one in sent(again, NOON + RETRIES[0])] == [1]


def test_a_try_that_was_not_made() -> None:
    """A try that is taken back does not count."""
    outbox = Outbox()
    outbox.add(Kind.RESET, event(1), NOON)
    one = outbox.next(NOON)
    assert one is not None
    outbox.take_back(outbox.begin(one, NOON), one)
    assert outbox.next(NOON) == one


def test_a_clock_that_was_set_back() -> None:
    """What waits for a moment that is further off than any wait is sent now."""
    outbox = Outbox()
    outbox.add(Kind.RESET, event(1), NOON)
    assert len(sent(outbox, NOON - 30 * 86_400)) == 1
