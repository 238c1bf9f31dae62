"""Counting failures, and the locks that come of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pam_totp.lockout import Counter, Failure, Limits, WrongCodes

LIMITS = Limits()
DAY = 86_400


def failures(*moments: float, lockable: bool = True) -> Counter:
    """Return a counter after failures at these moments."""
    counter = Counter()
    for at in moments:
        counter = counter.failed(Failure(at), LIMITS, lockable=lockable)
    return counter


def test_the_limits_are_those_that_the_documents_name() -> None:
    """Five failures within 900 seconds lock for 900 seconds; a hundred stop for good."""
    assert Limits(5, 900, 900, 100, 100, 30) == LIMITS


def test_the_fifth_failure_locks() -> None:
    """Four failures do not lock, the fifth does, for 900 seconds and not one more."""
    assert not failures(0, 1, 2, 3).locked(3)
    locked = failures(0, 1, 2, 3, 4)
    assert locked.locked(4)
    assert locked.locked(903.9)
    assert not locked.locked(904)


def test_a_failure_counts_for_a_period() -> None:
    """A failure counts until 900 seconds after it, and not from then on."""
    assert failures(0, 1, 2, 3, 899.9).locked(899.9)
    assert not failures(0, 1, 2, 3, 900).locked(900)


def test_after_a_lock_counting_begins_anew() -> None:
    """The failures that led to a lock do not count again when it has ended."""
    locked = failures(0, 1, 2, 3, 4)
    again = locked.failed(Failure(905), LIMITS)
    assert not again.locked(905)
    assert len(again.recent(905, LIMITS)) == 1


def test_what_cannot_lock_is_full_instead() -> None:
    """A counter that is not lockable never locks, stays small, and says when it is full."""
    counter = failures(*range(4), lockable=False)
    assert not counter.full(4, LIMITS)
    counter = failures(*range(1000), lockable=False)
    assert counter.full(1000, LIMITS)
    assert counter.locked_until == 0
    assert len(counter.failures) == LIMITS.failures
    assert not counter.full(1000 + LIMITS.period, LIMITS)


def test_what_cannot_lock_is_full_whatever_the_clock_did() -> None:
    """Failures of a clock that was set back displace none that count for longer."""
    counter = failures(*range(4000, 4005), *range(5), lockable=False)
    assert counter.full(4004, LIMITS)


def test_a_known_answer_is_known_for_a_period() -> None:
    """An answer that was counted is known for 900 seconds."""
    counter = Counter().failed(Failure(0, "one"), LIMITS)
    assert counter.knows("one", 899.9, LIMITS)
    assert not counter.knows("one", 900, LIMITS)
    assert not counter.knows("other", 0, LIMITS)


@given(st.lists(st.floats(0, 2000), max_size=30), st.floats(0, 5000))
def test_a_clock_that_goes_back_makes_no_lock_shorter(moments: list[float], back: float) -> None:
    """Whatever came before: at an earlier moment everything counts that counts later."""
    counter = failures(*moments)
    now = max(moments, default=0)
    assert counter.locked(now - back) or not counter.locked(now)
    later, earlier = counter.recent(now, LIMITS), counter.recent(now - back, LIMITS)
    assert set(later) <= set(earlier)


def test_a_hundred_in_a_row() -> None:
    """Ninety-nine wrong codes in a row are not the end, the hundredth is."""
    wrong = WrongCodes()
    for at in range(99):
        wrong = wrong.failed(at * DAY, LIMITS)
    assert not wrong.exhausted(99 * DAY, LIMITS)
    assert wrong.failed(99 * DAY, LIMITS).exhausted(99 * DAY, LIMITS)


def test_a_success_ends_the_row_and_not_the_days() -> None:
    """Successes between them do not save an account from more than a hundred in thirty days."""
    wrong = WrongCodes()
    for at in range(100):
        wrong = wrong.failed(at, LIMITS).succeeded()
        assert not wrong.exhausted(at, LIMITS)
    assert wrong.failed(100, LIMITS).exhausted(100, LIMITS)


def test_days_are_over() -> None:
    """What is older than thirty days does not count any more."""
    wrong = WrongCodes()
    for at in range(100):
        wrong = wrong.failed(at, LIMITS).succeeded()
    late = 30 * DAY + 0.5
    assert wrong.failed(late - 1, LIMITS).exhausted(late - 1, LIMITS)
    assert not wrong.failed(late, LIMITS).exhausted(late, LIMITS)


@given(st.lists(st.tuples(st.floats(0, 40 * DAY), st.booleans()), max_size=400))
def test_the_memory_is_small(moments: list[tuple[float, bool]]) -> None:
    """However many wrong codes there are, not more are remembered than can matter."""
    wrong = WrongCodes()
    for at, success in moments:
        wrong = wrong.failed(at, LIMITS)
        assert len(wrong.at) <= LIMITS.in_days + 1
        wrong = wrong.succeeded() if success else wrong
