"""A policy as a YAML file: written, read again, and refused with line, key and form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pam_totp.errors import PolicyError
from pam_totp.policy.document import Policy, target_of
from pam_totp.policy.paper import from_yaml, to_yaml

WHOLE = """\
- mfa: optional
  services: sshd, login
- group: staff
  mfa: required
  mfa-from: 2027-02-01
  lockout-failures: 10
- user: EXAMPLE\\ann
  mfa: off
- from: 192.0.2.0/24
  service: sshd
  grace: 15m
"""


def test_there_and_back() -> None:
    """What is written is read as the same, words such as `off` and dates staying words."""
    policy = from_yaml(WHOLE, "a test")
    assert from_yaml(to_yaml(policy), "a test") == policy
    assert "\n  mfa: off\n" in to_yaml(policy)
    assert "\n  mfa-from: 2027-02-01\n" in to_yaml(policy)
    assert to_yaml(Policy()) == "[]\n"


@given(name=st.text(min_size=1, max_size=20))
def test_any_name_is_kept(name: str) -> None:
    """A user may be called anything that NSS could say."""
    policy = Policy().setting(target_of(user=name), {"mfa": "off"})
    assert from_yaml(to_yaml(policy), "a test") == policy


def test_a_list_of_services_may_be_a_list() -> None:
    """YAML's own list is as good as words with commas between."""
    rules = from_yaml("- services: [sshd, login]\n", "a test").rules
    assert rules == from_yaml("- services: sshd,login\n", "a test").rules


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected a list of rules, each beginning with a dash"),
        ("# nothing\n", "expected a list of rules"),
        ("mfa: off\n", "expected a list of rules"),
        ("- mfa\n", "line 1: expected lines of the form `key: value`"),
        ("- mfa: off\n  mfa: off\n", "line 2: mfa stands there twice"),
        ("- group: a\n  group: b\n  mfa: off\n", "line 2: group stands there twice"),
        ("- mfa: {a: b}\n", "line 1: mfa: expected a word"),
        ("- ? [a]\n  : off\n", "line 1: expected a key"),
        ("- mfa: of\n", "line 1: mfa: expected one of off, optional, required, found 'of'"),
        ("-\n  mfa: off\n  grup: a\n", "line 3: unknown key 'grup'"),
        ("- from: 192.0.2.1/24\n  mfa: off\n", "line 1: from: expected a network like"),
        ("- user: a\n  group: b\n  mfa: off\n", "line 1: a rule is for a user or for a group"),
        ("- mfa: off\n- mfa: off\n", "line 2: there are two rules for everybody"),
        ("- mfa: off\n- group: a\n  services: all\n", "line 2: group a: services can be set for"),
        ("- mfa: off\n  mfa-from: 2027-02-01\n", "line 1: everybody: mfa-from says from when"),
        ("- mfa: required\n  mfa-from: 2027-02-30\n", "line 2: mfa-from: expected a date like"),
        ("- [a\n", "line 2: not YAML: expected"),
        ("- a: b: c\n", "line 1: not YAML"),
        ("- mfa: \x00\n", "not YAML"),
        ("[" * 50_000, "expected a list of rules"),
        ("- mfa: off\n---\n- mfa: off\n", "line 2: not YAML"),
    ],
)
def test_what_cannot_be_is_refused(text: str, said: str) -> None:
    """An error names file, line, key, what was found and the expected form."""
    with pytest.raises(PolicyError) as error:
        from_yaml(text, "policy.yaml")
    assert str(error.value).startswith("policy.yaml")
    assert said in str(error.value)
