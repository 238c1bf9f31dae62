"""A policy as a document: a list of rules, each for somebody, somewhere.

    - mfa: optional                    # a rule for everybody
      services: [sshd, login, openvpn]
    - group: staff                     # a rule for a group
      mfa: required
      mfa-from: 2027-02-01
    - from: 192.0.2.0/24               # for everybody, from one network
      mfa: off

Values are kept as the words that people write.  What does not parse is refused as a whole.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pam_totp.errors import PolicyError
from pam_totp.policy.keys import BY_NAME, KEYS, Key, Reach
from pam_totp.policy.values import Mfa, is_service

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
MOST_RULES: Final = 1_000
_LONGEST_NAME: Final = 256


@dataclass(frozen=True, slots=True)
class Target:
    """Whom and where a rule is for; all None is everybody everywhere."""

    user: str | None = None
    group: str | None = None
    service: str | None = None
    network: Network | None = None

    @property
    def level(self) -> int:
        """0 for everybody, 1 for a group, 2 for one user."""
        return 2 if self.user is not None else 1 if self.group is not None else 0

    @property
    def places(self) -> int:
        """How many places narrow it: 0, a service or a network, or both."""
        return (self.service is not None) + (self.network is not None)

    @property
    def rank(self) -> tuple[int, int]:
        """The order of specificity: where, then who."""
        return self.places, self.level

    def beats(self, other: Target) -> bool:
        """Whether a rule for this is more specific than one for `other`, if both apply: by its
        rank, or because its network is narrower.  A service and a network are not compared."""
        if self.rank != other.rank or self.network is None or other.network is None:
            return self.rank > other.rank
        return _prefix(self.network) > _prefix(other.network)

    def __str__(self) -> str:
        who = "everybody"
        if self.user is not None:
            who = f"user {self.user}"
        elif self.group is not None:
            who = f"group {self.group}"
        service = f", service {self.service}" if self.service is not None else ""
        network = f", from {self.network}" if self.network is not None else ""
        return who + service + network


EVERYBODY: Final = Target()


@dataclass(frozen=True, slots=True)
class Rule:
    """What is set for one target: parsed values by key."""

    target: Target
    values: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        words = " ".join(f"{k.name}={k.kind.text(self.values[k.name])}" for k in _in_order(self))
        return f"{words} for {self.target}"


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules, one for each target, the most specific last."""

    rules: tuple[Rule, ...] = ()

    @property
    def groups(self) -> frozenset[str]:
        """The groups that it names."""
        return frozenset(r.target.group for r in self.rules if r.target.group is not None)

    def rule(self, target: Target) -> Rule:
        """Return the rule for a target, an empty one if there is none."""
        return next((rule for rule in self.rules if rule.target == target), Rule(target))

    def everywhere(self, name: str) -> Any:
        """Return the value of a key that only the rule for everybody can set."""
        return self.rule(EVERYBODY).values.get(name, BY_NAME[name].default)

    def setting(self, target: Target, words: Mapping[str, str]) -> Policy:
        """Return the policy with some keys of one target set.

        A date goes when `mfa` is no longer required.  Raises PolicyError.
        """
        found = {name: parsed(name, text, str(target)) for name, text in words.items()}
        known = dict(self.rule(target).values)
        if found.get("mfa", Mfa.REQUIRED) is not Mfa.REQUIRED and "mfa-from" not in found:
            known.pop("mfa-from", None)
        return self._with(Rule(target, known | found))

    def unsetting(self, target: Target, names: frozenset[str]) -> Policy:
        """Return the policy with some keys of one target left to what is less specific; all
        of them where `names` is empty.  Raises PolicyError for a key that is not set there."""
        known = self.rule(target).values
        for name in sorted(names - set(known)):
            key(name)
            raise PolicyError(f"{name} is not set for {target}", hint="pam-totp policy show")
        left = {name: value for name, value in known.items() if names and name not in names}
        return self._with(Rule(target, left))

    def _with(self, new: Rule) -> Policy:
        others = [rule for rule in self.rules if rule.target != new.target]
        return checked(others + [new] * bool(new.values))


def key(name: str) -> Key:
    """Return a key of the table.  Raises PolicyError."""
    if name not in BY_NAME:
        raise PolicyError(f"unknown key {name!r}", hint=f"known: {', '.join(BY_NAME)}")
    return BY_NAME[name]


def parsed(name: str, text: str, where: str) -> Any:
    """Return the value of a key out of its words.  Raises PolicyError with the form."""
    kind = key(name).kind
    try:
        return kind.parse(text)
    except ValueError:
        raise PolicyError(f"{where}: {name}: expected {kind.form}, found {text[:80]!r}") from None


def checked(rules: list[Rule]) -> Policy:
    """Return the policy of these rules.  Raises PolicyError for what cannot stand together."""
    seen: set[Target] = set()
    for rule in rules:
        if rule.target in seen:
            raise PolicyError(f"there are two rules for {rule.target}")
        seen.add(rule.target)
        _check(rule)
    if len(rules) > MOST_RULES:
        raise PolicyError(f"{len(rules)} rules; {MOST_RULES} is the most")
    return Policy(tuple(sorted(rules, key=lambda rule: (rule.target.rank, str(rule.target)))))


def _check(rule: Rule) -> None:
    target = rule.target
    reach = Reach.WHERE if target.places else Reach.WHO if target.level else Reach.EVERYBODY
    for name in rule.values:
        allowed = key(name).reach
        if reach > allowed:
            whom = "everybody" if allowed is Reach.EVERYBODY else "everybody, groups and users"
            raise PolicyError(f"{target}: {name} can be set for {whom} only")
    if "mfa-from" in rule.values and rule.values.get("mfa") is not Mfa.REQUIRED:
        raise PolicyError(
            f"{target}: mfa-from says from when mfa=required counts, and goes with it",
            hint="set both together: mfa=required mfa-from=2027-02-01",
        )


def from_data(data: Any) -> Policy:
    """Return the policy in a list of mappings, all of whose scalars are text.

    Raises PolicyError naming rule, key and form.
    """
    if not isinstance(data, list):
        raise PolicyError("expected a list of rules, each beginning with a dash")
    return checked([_rule(one, f"rule {at}") for at, one in enumerate(data, 1)])


def to_data(policy: Policy) -> list[dict[str, Any]]:
    """Return the policy as a list of mappings of text, the other way round."""
    return [{**_target_words(rule.target), **_value_words(rule)} for rule in policy.rules]


def _rule(data: Any, where: str) -> Rule:
    if not isinstance(data, dict):
        raise PolicyError(f"{where}: expected lines of the form `key: value`")
    words = {str(name): _word(value, f"{where}: {name}") for name, value in data.items()}
    target = target_of(
        **{one: words.pop(one, None) for one in ("user", "group", "service")},
        network=words.pop("from", None),
        where=where,
    )
    return Rule(target, {name: parsed(name, text, where) for name, text in words.items()})


def _word(value: Any, where: str) -> str:
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ",".join(value)
    if not isinstance(value, str):
        raise PolicyError(f"{where}: expected a word")
    return value


def target_of(
    *,
    user: str | None = None,
    group: str | None = None,
    service: str | None = None,
    network: str | None = None,
    where: str = "",
) -> Target:
    """Return the target that these words say.  Raises PolicyError."""
    said = f"{where}: " if where else ""
    if user is not None and group is not None:
        raise PolicyError(f"{said}a rule is for a user or for a group, not for both")
    for what, name in (("user", user), ("group", group)):
        if name is not None and not _is_name(name):
            raise PolicyError(f"{said}{what}: expected a name, found {name[:80]!r}")
    if service is not None and not is_service(service.lower()):
        raise PolicyError(f"{said}service: expected a PAM service's name, found {service[:80]!r}")
    return Target(user, group, service and service.lower(), _network(network, said))


def _is_name(text: str) -> bool:
    """Whether NSS could be asked for it: not too long, and bytes (`surrogateescape`)."""
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return 0 < len(text) <= _LONGEST_NAME


def _network(text: str | None, said: str) -> Network | None:
    if text is None:
        return None
    try:
        network = ipaddress.ip_network(text)
    except ValueError as error:
        raise PolicyError(
            f"{said}from: expected a network like 192.0.2.0/24 or 2001:db8::/32: {error}"
        ) from None
    if isinstance(network, ipaddress.IPv6Network) and network.network_address.ipv4_mapped:
        raise PolicyError(f"{said}from: write an IPv4 network as one, not inside ::ffff:0:0/96")
    return network


def _target_words(target: Target) -> dict[str, str]:
    words = {"user": target.user, "group": target.group, "service": target.service}
    network = None if target.network is None else str(target.network)
    return {k: v for k, v in {**words, "from": network}.items() if v is not None}


def _value_words(rule: Rule) -> dict[str, Any]:
    words = {k.name: k.kind.text(rule.values[k.name]) for k in _in_order(rule)}
    if "services" in words:
        return words | {"services": words["services"].split(",")}
    return words


def _in_order(rule: Rule) -> list[Key]:
    return [one for one in KEYS if one.name in rule.values]


def _prefix(network: Network) -> int:
    """Return how narrow a network is, the same for both families: 0 to 128."""
    return network.prefixlen + (96 if isinstance(network, ipaddress.IPv4Network) else 0)
