"""Where a login comes from, as lockout counts it."""

from __future__ import annotations

import ipaddress
from typing import Final

UNKNOWN: Final = "unknown"
OWN_DOOR: Final = "own"  # a host that is not root: what it says of addresses does not count


def source_of(rhost: str | None) -> str:
    """Return the key under which failures from `rhost` (PAM_RHOST) are counted.

    One IPv4 address is one key, one IPv6 /64 is one key (a single customer usually owns a
    whole /64), an IPv4-mapped address is its IPv4 address.

    SECURITY: the client may choose its name in reverse DNS; anything that does not parse as
    an address is `unknown`, which is delayed and never locked.
    """
    try:
        address = ipaddress.ip_address((rhost or "").partition("%")[0])
    except ValueError:
        return UNKNOWN
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            return f"{ipaddress.IPv6Address(int(address) >> 64 << 64)}/64"
        address = address.ipv4_mapped
    return str(address)
