"""The places that policies tell apart: their networks, anywhere else, and no address at all."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from pam_totp.policy.document import Network, Policy, Rule
from pam_totp.source import Address

MOST: Final = 12
# One of them is in no network that anybody names: documentation (RFC 5737, RFC 3849), discard
# (RFC 6666), and others for those who name these.
_ELSEWHERE: Final = tuple(
    map(ipaddress.ip_address, ("203.0.113.1", "2001:db8::1", "100::1", "8.0.0.1", "2a00::1"))
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where logins come from, by an address that stands for all of it.  `words` are "" for
    "wherever no rule for a network applies"."""

    words: str
    address: Address | None


NO_ADDRESS: Final = Place("without an address (console, su)", None)


def places(old: Policy, new: Policy) -> list[Place]:
    """Return the places that either policy tells apart, at most `MOST`: "wherever else", then
    those whose rules change."""
    changed = [
        rule for rule in (*old.rules, *new.rules) if old.rule(rule.target) != new.rule(rule.target)
    ]
    named = [*_networks(changed), *_networks(old.rules), *_networks(new.rules)]
    networks = list(dict.fromkeys(named))
    inside = [(network, _inside(network, networks)) for network in networks]
    told_apart = [Place(f"from {network}", at) for network, at in inside if at is not None]
    return [Place("", _outside(networks)), *[NO_ADDRESS] * bool(networks), *told_apart][:MOST]


def _networks(rules: Iterable[Rule]) -> list[Network]:
    return [rule.target.network for rule in rules if rule.target.network is not None]


def _outside(networks: Sequence[Network]) -> Address | None:
    """Return an address in none of them; where they are everything, a login without one."""
    return next((at for at in _ELSEWHERE if not any(at in one for one in networks)), None)


def _inside(network: Network, networks: Sequence[Network]) -> Address | None:
    """Return an address in a network and in no narrower one, None if there is none."""
    narrower = [one for one in networks if one != network and one.version == network.version]
    narrower = [one for one in narrower if one[0] in network and one[-1] in network]
    beside = [at for one in narrower for at in (one[0] - 1, one[-1] + 1)]
    free = (at for at in (network[0], network[-1], *beside) if at in network)
    return next((at for at in free if not any(at in one for one in narrower)), None)
