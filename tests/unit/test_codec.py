"""Records as JSON."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pam_totp.account import (
    AccountState,
    AdministratorLock,
    Authenticator,
    AuthenticatorState,
    Credentials,
    Invitation,
)
from pam_totp.errors import StoreDamaged
from pam_totp.lockout import Counter, Failure, WrongCodes
from pam_totp.otp import ALGORITHMS, DIGITS, PERIODS, TYPES, Parameters
from pam_totp.secret import Secret
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
    own_wrong=st.builds(WrongCodes, INTEGERS, st.lists(INTEGERS, max_size=3).map(tuple)),
    lock=st.none() | st.builds(AdministratorLock, INTEGERS, st.text(max_size=5), st.text()),
    trusted=st.dictionaries(st.text(max_size=20), MOMENTS, max_size=3),
    invitation=st.none()
    | st.builds(Invitation, st.text(), st.text(), INTEGERS, INTEGERS, st.text()),
    only_invited=st.booleans(),
)

CREDENTIALS = st.builds(
    Credentials,
    INTEGERS,
    st.lists(
        st.builds(
            Authenticator,
            st.text(max_size=8),
            st.text(max_size=40),
            st.builds(Secret, st.binary(max_size=512)),
            st.builds(
                Parameters,
                st.sampled_from(ALGORITHMS),
                st.sampled_from(DIGITS),
                st.sampled_from(PERIODS),
                st.sampled_from(TYPES),
            ),
            INTEGERS,
        ),
        max_size=3,
    ).map(tuple),
    st.binary(max_size=16),
    st.lists(st.text(max_size=64), max_size=10).map(tuple),
    INTEGERS,
)


@given(STATES)
def test_every_state_comes_back(state: AccountState) -> None:
    """Whatever a state holds, it is read as it was written."""
    assert codec.state_from_text(codec.state_to_text(state)) == state


@given(CREDENTIALS)
def test_all_credentials_come_back(credentials: Credentials) -> None:
    """Whatever authenticators an account has, of time or of counters, they are read as they
    were written."""
    plain = codec.credentials_to_bytes(credentials)
    assert codec.credentials_from_bytes(plain, credentials.version) == credentials


def test_an_authenticator_of_the_first_release() -> None:
    """A record from before there was HOTP is one of TOTP, and is written as it was."""
    plain = (
        b'{"v":1,"uid":1001,"authenticators":[{"id":"a1","name":"phone","secret":"c3NzcA==",'
        b'"algorithm":"SHA256","digits":8,"period":60,"created":7}],"salt":"00","recovery_codes":[]}'
    )
    found = codec.credentials_from_bytes(plain, 3)
    (one,) = found.authenticators
    assert one.parameters == Parameters("SHA256", 8, 60, "totp")
    assert codec.credentials_to_bytes(found) == plain


@pytest.mark.parametrize("type_", ['"HOTP"', '"motp"', "null", "1"])
def test_an_authenticator_of_an_unknown_type(type_: str) -> None:
    """A type that this release does not know is damage, never taken for another."""
    plain = (
        '{"v":1,"uid":1,"authenticators":[{"id":"a","name":"n","secret":"","algorithm":"SHA1",'
        f'"digits":6,"period":30,"created":7,"type":{type_}}}],"salt":"","recovery_codes":[]}}'
    )
    with pytest.raises(StoreDamaged, match="form of this version"):
        codec.credentials_from_bytes(plain.encode(), 1)


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
