"""Records as JSON."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pam_totp.account import AccountState, AdministratorLock, AuthenticatorState, Invitation
from pam_totp.errors import StoreDamaged
from pam_totp.lockout import Counter, Failure, WrongCodes
from pam_totp.store import codec

INTEGERS = st.integers(-(2**53), 2**53)
MOMENTS = st.floats(0, 1e12)
COUNTERS = st.builds(
    Counter,
    st.lists(st.builds(Failure, MOMENTS, st.text(max_size=8)), max_size=3).map(tuple),
    MOMENTS,
)
STATES = st.builds(
    AccountState,
    enrolled=st.none() | INTEGERS,
    version=INTEGERS,
    authenticators=st.dictionaries(
        st.text(max_size=5),
        st.builds(
            AuthenticatorState,
            INTEGERS,
            INTEGERS,
            st.none() | INTEGERS,
            st.none() | INTEGERS,
            st.booleans(),
        ),
        max_size=3,
    ),
    spent=st.frozensets(st.text(max_size=5), max_size=3),
    codes=COUNTERS,
    own_codes=COUNTERS,
    wrong=st.builds(WrongCodes, INTEGERS, st.lists(INTEGERS, max_size=3).map(tuple)),
    lock=st.none() | st.builds(AdministratorLock, INTEGERS, st.text(max_size=5), st.text()),
    trusted=st.dictionaries(st.text(max_size=20), MOMENTS, max_size=3),
    invitation=st.none()
    | st.builds(Invitation, st.text(), st.text(), INTEGERS, INTEGERS, st.text()),
    only_invited=st.booleans(),
)


@given(STATES)
def test_every_state_comes_back(state: AccountState) -> None:
    """Whatever a state holds, it is read as it was written."""
    assert codec.state_from_text(codec.state_to_text(state)) == state


def test_a_record_of_the_first_release() -> None:
    """A record from before there were drift and grace is read as it was."""
    text = (
        '{"v":1,"version":2,"enrolled":2,"authenticators":{"a1":[63333360,-2,1900000800],'
        '"b2":[5,0,null]},"spent":["x"],"codes":[0.0,[[1900000000.5,"f"]]],"wrong":[1,[7]],'
        '"lock":[9,"root","left"]}'
    )
    assert codec.state_from_text(text) == AccountState(
        enrolled=2,
        version=2,
        authenticators={
            "a1": AuthenticatorState(63333360, -2, 1900000800),
            "b2": AuthenticatorState(5),
        },
        spent=frozenset({"x"}),
        codes=Counter((Failure(1900000000.5, "f"),)),
        wrong=WrongCodes(1, (7,)),
        lock=AdministratorLock(9, "root", "left"),
    )
    assert codec.state_to_text(codec.state_from_text(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        '{"v":2,"version":1}',
        '{"v":1,"version":1,"authenticators":{"a":[1,2,3,4,true,6]}}',
        '{"v":1,"version":1,"trusted":7}',
    ],
)
def test_what_is_no_record(text: str) -> None:
    """What has not the form of a record is damage."""
    with pytest.raises(StoreDamaged, match="form of this version"):
        codec.state_from_text(text)
