"""Where a login comes from, as lockout counts it."""

from __future__ import annotations

from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pam_totp.source import OWN_DOOR, UNKNOWN, source_of


@pytest.mark.parametrize(
    ("rhost", "source"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("0.0.0.0", "0.0.0.0"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("2001:DB8:0001:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::FFFF:c000:0207", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("fe80::2%anything else", "fe80::/64"),
        ("::1", "::/64"),
    ],
)
def test_addresses(rhost: str, source: str) -> None:
    """An IPv4 address counts alone, an IPv6 address with its /64, a mapped one as IPv4."""
    assert source_of(rhost) == source


@pytest.mark.parametrize(
    "rhost",
    [
        None,
        "",
        "client.example.org",
        "192.0.2.7.example.org",
        "192.0.2.07",
        "192.0.2.7 ",
        "192.0.2",
        "3221225991",
        "192.0.2.7/24",
        "2001:db8::/64",
        "1.2.3.4,192.0.2.7",
        "\u0661\u0669\u0662.\u0660.\u0662.\u0667",  # digits of another script
        "[::1]",
        "\0",
        "\udcff",
        "unknown",
        "own",
        "192.0.2.7\n",
        "192.0.2.7%",
        "192.0.2.7%client.example.org",
        "2001:db8::7%client.example.org",
        "::ffff:192.0.2.7%1",
        "::1%lo",
    ],
)
def test_what_is_no_address(rhost: str | None) -> None:
    """A name, which whoever owns the address may choose, or anything else is `unknown`."""
    assert source_of(rhost) == UNKNOWN


@given(st.text())
def test_nobody_is_taken_for_the_own_door(rhost: str) -> None:
    """No text makes the key under which hosts that are not root are counted."""
    assert source_of(rhost) != OWN_DOOR


@given(st.integers(1, 2**64 - 1), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_one_network_is_one_source(network: int, one: int, other: int) -> None:
    """All 2**64 addresses of one IPv6 network are one source."""
    first, second = (str(IPv6Address(network << 64 | host)) for host in (one, other))
    assert source_of(first) == source_of(second)
    assert source_of(first).endswith("/64")
