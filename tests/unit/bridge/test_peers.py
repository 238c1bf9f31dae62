"""Who may have how many conversations."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from pam_totp.bridge.connection import ConnectionLost
from pam_totp.bridge.peers import ROOT, Admission, Arrivals, Limits, Peer, peer_of

SMALL = Limits(root=3, callers=5, each_caller=2, others=5, each_other=2)


def test_the_kernel_says_who_it_is() -> None:
    """peer_of returns pid, uid and gid of the process that made the connection."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        assert peer_of(ours) == Peer(os.getpid(), os.geteuid(), os.getegid())


def test_usual_limits() -> None:
    """Root has a thousand; who starts root's programs 16 each and 256 together; all others four
    each and 64 together; and 256 may be about to call."""
    assert Limits() == Limits(1000, 256, 16, 64, 4, 256)


def test_root_is_bounded() -> None:
    """Root has its number of places and no more until one is given back."""
    admission = Admission(SMALL)
    assert [admission.admit(0) for _ in range(4)] == [True, True, True, False]
    admission.release(0)
    assert [admission.admit(0) for _ in range(2)] == [True, False]


def test_each_other_uid_is_bounded() -> None:
    """Another uid has its own few places, whatever its neighbours have."""
    admission = Admission(SMALL)
    assert [admission.admit(1000) for _ in range(3)] == [True, True, False]
    assert admission.admit(1001)
    admission.release(1000)
    assert [admission.admit(1000) for _ in range(2)] == [True, False]


def test_all_other_uids_together_are_bounded() -> None:
    """The other uids share a number of places, and root keeps its own."""
    admission = Admission(SMALL)
    assert [admission.admit(1000 + n) for n in range(6)] == [True] * 5 + [False]
    assert [admission.admit(0) for _ in range(3)] == [True] * 3


def test_each_caller_is_bounded() -> None:
    """Who starts root's programs has a few places for them, whatever others have, and root's
    own and those of programs that are not root's stay free."""
    admission = Admission(SMALL)
    assert [admission.admit(ROOT, 1000) for _ in range(3)] == [True, True, False]
    assert admission.admit(ROOT, 1001)
    assert [admission.admit(ROOT) for _ in range(4)] == [True, True, True, False]
    assert [admission.admit(1000) for _ in range(3)] == [True, True, False]
    admission.release(ROOT, 1000)
    assert [admission.admit(ROOT, 1000) for _ in range(2)] == [True, False]


def test_all_callers_together_are_bounded() -> None:
    """The starters of root's programs share a number of places, and root keeps its own."""
    admission = Admission(SMALL)
    assert [admission.admit(ROOT, 1000 + n) for n in range(6)] == [True] * 5 + [False]
    assert [admission.admit(ROOT) for _ in range(3)] == [True] * 3


@pytest.mark.parametrize("claimed", [0, 1000, 1001])
def test_what_others_say_of_their_caller_is_not_looked_at(claimed: int) -> None:
    """A program that is not root's has the few places of its uid, whoever it says started it."""
    admission = Admission(SMALL)
    assert [admission.admit(1000, claimed) for _ in range(3)] == [True, True, False]
    admission.release(1000, 1002)
    assert admission.admit(1000)


def test_places_given_back_are_forgotten() -> None:
    """A uid that has left takes up no memory."""
    admission = Admission(SMALL)
    for uid in range(1, 100):
        for key in ((uid, ROOT), (ROOT, uid)):
            assert admission.admit(*key)
            admission.release(*key)
    assert not admission._others._taken
    assert not admission._callers._taken


@pytest.fixture
def pairs() -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    """Three connections: the service's end and the host's, which gives up at once."""
    made = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(3)]
    for _, host in made:
        host.settimeout(0)
    yield made
    for pair in made:
        for end in pair:
            end.close()


def test_the_oldest_arrival_goes_first(pairs: list[tuple[socket.socket, socket.socket]]) -> None:
    """Where one too many waits to call, the one that has waited longest is cut off and no
    other."""
    arrivals = Arrivals(2)
    first, *others = [arrivals.waiting(ours) for ours, _ in pairs]
    first.__enter__()
    with ExitStack() as waiting:
        for other in others:
            waiting.enter_context(other)
        assert pairs[0][1].recv(1) == b""
        with pytest.raises(ConnectionLost):
            first.__exit__(None, None, None)
    for _, host in pairs[1:]:
        with pytest.raises(BlockingIOError):
            host.recv(1)


def test_an_arrival_that_has_called_is_left_alone(
    pairs: list[tuple[socket.socket, socket.socket]],
) -> None:
    """Whose call has come is no arrival any more: any number may come after it."""
    arrivals = Arrivals(1)
    for ours, host in pairs:
        with arrivals.waiting(ours):
            pass
        with pytest.raises(BlockingIOError):
            host.recv(1)
