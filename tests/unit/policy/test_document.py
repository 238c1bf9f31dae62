"""The policy as a document: what parses, what does not, and in which words that is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pam_totp.errors import PolicyError
from pam_totp.policy.document import EVERYBODY, Policy, checked, from_data, target_of, to_data
from pam_totp.policy.keys import KEYS, Reach
from pam_totp.policy.values import Mfa, say_duration

WHOLE = """
- mfa: optional
  services: [sshd, login, openvpn, sudo]
  messages: helpful
  lockout-failures: 3
  lockout-period: 10m
  lockout-duration: 1h
  lockout-scope: account
  hard-stop: 50
  hard-stop-monthly: 60
  events-days: 30
  events-kept: 5000
- group: staff
  mfa: required
  mfa-from: 2027-02-01
  unenrolled: enroll
  invitations: required
  self-enrollment: off
  authenticators: 3
  hotp-look-ahead: 5
- from: 192.0.2.0/24
  mfa: off
- user: alice
  service: sshd
  from: 2001:db8::/32
  grace: 12h
"""


def read(text: str) -> Policy:
    """Read a policy as people write it."""
    return from_data(yaml.load(text, yaml.BaseLoader))


def test_every_key_can_be_written() -> None:
    """A policy that sets every key of the table parses, and comes back the same from what is
    stored of it."""
    policy = read(WHOLE)
    said = {name for rule in policy.rules for name in rule.values}
    assert said == {key.name for key in KEYS}
    assert from_data(json.loads(json.dumps(to_data(policy)))) == policy


def test_off_is_a_word() -> None:
    """`off` is a word here and not YAML's "false"."""
    assert read("- mfa: off").rules[0].values == {"mfa": Mfa.OFF}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("mfa: required", "a list of rules"),
        ("- required", "rule 1: expected lines"),
        ("- mfa: perhaps", "rule 1: mfa: expected one of off, optional, required, found 'perhaps'"),
        ("- mfa: [required]", None),
        ("- mfa: {a: b}", "rule 1: mfa: expected a word"),
        ("- mfa:", "rule 1: mfa: expected one of"),
        ("- mfaa: off", "unknown key 'mfaa'"),
        ("- mfa: required\n  mfa-from: 1.2.2027", "mfa-from: expected a date like 2027-02-01"),
        ("- mfa: required\n  mfa-from: 2027-02-30", "expected a date"),
        ("- mfa: required\n  mfa-from: 0001-01-01", "from 1970 on"),
        ("- mfa-from: 2027-02-01", "goes with it"),
        ("- mfa: off\n  mfa-from: 2027-02-01", "goes with it"),
        ("- grace: 31d", "grace: expected a duration like 90s, 15m, 12h or 30d, from 0 to 30d"),
        ("- grace: -1", "expected a duration"),
        ("- grace: \u0661h", "expected a duration"),
        ("- lockout-failures: 0", "a whole number, 1 to 100"),
        ("- lockout-failures: \u0663", "a whole number"),
        ("- hard-stop: 5", "10 to 1000"),
        ("- services: ../sshd", "names of PAM services"),
        ("- services: []", "names of PAM services"),
        ("- services: [sshd, [x]]", "expected a word"),
        ("- group: a\n  services: sshd", "services can be set for everybody only"),
        ("- user: a\n  messages: plain", "messages can be set for everybody only"),
        ("- service: sshd\n  lockout-failures: 3", "for everybody, groups and users only"),
        ("- from: 192.0.2.1/24\n  mfa: off", "host bits set"),
        ("- from: office\n  mfa: off", "a network like 192.0.2.0/24"),
        ("- from: '::ffff:192.0.2.0/120'\n  mfa: off", "write an IPv4 network as one"),
        ("- user: a\n  group: b\n  mfa: off", "not for both"),
        ("- user: ''\n  mfa: off", "user: expected a name"),
        (f"- user: {'a' * 300}\n  mfa: off", "user: expected a name"),
        ('- group: "\\ud800"\n  mfa: off', "group: expected a name"),
        ("- service: a/b\n  mfa: off", "service: expected a PAM service's name"),
        ("- mfa: off\n- mfa: required", "two rules for everybody"),
        ("- group: a\n  mfa: off\n- group: a\n  mfa: required", "two rules for group a"),
    ],
)
def test_what_cannot_be_used(text: str, words: str | None) -> None:
    """A policy that cannot be used is refused whole, with rule, key, what was found and the
    expected form."""
    if words is None:
        assert read(text).rules[0].values == {"mfa": Mfa.REQUIRED}
        return
    with pytest.raises(PolicyError) as caught:
        read(text)
    assert words in str(caught.value)


def test_setting_and_unsetting() -> None:
    """Keys are set one by one for a target and taken back one by one or all; what is empty is
    no rule."""
    staff = target_of(group="staff")
    policy = Policy().setting(staff, {"mfa": "required", "mfa-from": "2027-02-01"})
    assert str(policy.rules[0]) == "mfa=required mfa-from=2027-02-01 for group staff"
    assert policy.setting(staff, {"grace": "1h"}).rule(staff).values["mfa"] is Mfa.REQUIRED
    assert policy.setting(staff, {"mfa": "off"}).rule(staff).values == {"mfa": Mfa.OFF}
    assert policy.unsetting(staff, frozenset({"mfa-from"})).rule(staff).values == {
        "mfa": Mfa.REQUIRED
    }
    assert policy.unsetting(staff, frozenset()) == Policy()
    with pytest.raises(PolicyError, match="grace is not set for group staff"):
        policy.unsetting(staff, frozenset({"grace"}))
    with pytest.raises(PolicyError, match="unknown key"):
        policy.unsetting(EVERYBODY, frozenset({"x"}))


def test_the_table() -> None:
    """Every default parses from its own words, and every key that several rules may set has an
    order of strictness."""
    for key in KEYS:
        if key.default is not None:
            assert key.kind.parse(key.kind.text(key.default)) == key.default
        if key.reach > Reach.EVERYBODY and key.name != "mfa-from":
            assert key.strictness(key.default) is not None
            assert key.strictness is not KEYS[1].strictness, key.name


@settings(max_examples=50, deadline=None)
@given(
    st.recursive(
        st.text(max_size=9),
        lambda x: st.lists(x, max_size=4) | st.dictionaries(st.text(max_size=9), x, max_size=4),
        max_leaves=8,
    )
)
def test_anything_else(data: Any) -> None:
    """Whatever a document holds, it parses or it is a PolicyError."""
    try:
        policy = from_data(data)
    except PolicyError:
        return
    assert checked(list(policy.rules)) == policy


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0"), (1, "1s"), (60, "1m"), (5400, "90m"), (86_400, "1d")]
)
def test_durations(seconds: int, words: str) -> None:
    """A duration is said in the largest unit that says it exactly."""
    assert say_duration(seconds) == words


def test_the_manual_has_every_key() -> None:
    """docs/policy.md says of every key of the table what it does, its values and its default."""
    manual = (Path(__file__).parents[3] / "docs/policy.md").read_text()
    rows = {line.split("`")[1]: line for line in manual.splitlines() if line.startswith("| `")}
    assert list(rows) == [key.name for key in KEYS]
    for key in KEYS:
        if key.default is not None:
            assert rows[key.name].split(" | ")[1].startswith(key.kind.text(key.default)), key.name
