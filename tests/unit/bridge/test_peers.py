"""Who may have how many conversations."""

from __future__ import annotations

import os
import socket

from pam_totp.bridge.peers import Admission, Limits, Peer, peer_of

SMALL = Limits(root=3, others=5, each_other=2)


def test_the_kernel_says_who_it_is() -> None:
    """peer_of returns pid, uid and gid of the process that made the connection."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        assert peer_of(ours) == Peer(os.getpid(), os.geteuid(), os.getegid())


def test_usual_limits() -> None:
    """Root has a thousand, all others 64 together and four each."""
    assert Limits() == Limits(root=1000, others=64, each_other=4)


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


def test_places_given_back_are_forgotten() -> None:
    """A uid that has left takes up no memory."""
    admission = Admission(SMALL)
    for uid in range(1, 100):
        assert admission.admit(uid)
        admission.release(uid)
    assert not admission._others
