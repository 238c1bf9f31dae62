"""Where a login comes from, as lockout counts it."""

from __future__ import annotations

import ipaddress
import zlib
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_STRANGERS: Final = 4096
UNKNOWN: Final = "unknown"
OWN_DOOR: Final = "own"  # a host that is not root: what it says of addresses does not count


def address_of(rhost: str | None) -> Address | None:
    """Return the address that PAM_RHOST is, an IPv4-mapped one as its IPv4 address, or None.

    SECURITY: the client may choose its name in reverse DNS; only an address is believed.  A
    zone (`%eth0`) belongs to link-local addresses; `192.0.2.1%it.example` is a name.
    """
    bare, zone, _ = (rhost or "").partition("%")
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv4Address):
        return None if zone else address
    if zone and not address.is_link_local:
        return None
    return address.ipv4_mapped or address


def source_of(rhost: str | None) -> str:
    """Return the key under which failures from `rhost` (PAM_RHOST) are counted.

    One IPv4 address is one key, one IPv6 /64 is one key (a single customer usually owns a
    whole /64), an IPv4-mapped address is its IPv4 address.  Anything that does not parse as
    an address is `unknown`, which is delayed and never locked.
    """
    address = address_of(rhost)
    if isinstance(address, ipaddress.IPv6Address):
        return f"{ipaddress.IPv6Address(int(address) >> 64 << 64)}/64"
    return UNKNOWN if address is None else str(address)


def stranger(name: str) -> str:
    """Return under what failures of a name without an account are counted: such names share a
    table of fixed size."""
    return f"?{zlib.crc32(name.encode('utf-8', 'surrogateescape')) % _STRANGERS}"
