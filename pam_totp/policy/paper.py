"""A policy as a YAML file, for people who would rather edit than set.

Every scalar stays the word that stands there: YAML's own ideas of `off`, dates and numbers do
not count.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import yaml

from pam_totp.errors import PolicyError
from pam_totp.policy import document
from pam_totp.policy.document import Policy, Rule, Target

_TARGETS: Final = ("user", "group", "service", "from")
_LIST: Final = "expected a list of rules, each beginning with a dash; [] is an empty one"
_EXAMPLE: Final = "man pam-totp, or see the form: pam-totp policy show --yaml"


class _Words(yaml.SafeDumper):
    """Writes words as they are: none is in danger of being read as something else."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 -- PyYAML's own way


def to_yaml(policy: Policy) -> str:
    """Return the policy as a file."""
    data = [
        {name: ", ".join(v) if isinstance(v, list) else v for name, v in rule.items()}
        for rule in document.to_data(policy)
    ]
    # PyYAML writes some line breaks (U+0085) so that it does not read them as the same.
    plain = all(value.isprintable() for rule in data for value in rule.values())
    return yaml.dump(data, Dumper=_Words, sort_keys=False, allow_unicode=plain, width=100)


def from_yaml(text: str, name: str) -> Policy:
    """Return the policy in a file, which errors call `name`.

    Raises PolicyError naming file, line, key, what was found and the expected form.
    """
    try:
        node = yaml.compose(text, yaml.BaseLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None)
        at = f", line {mark.line + 1}" if mark else ""
        raise PolicyError(f"{name}{at}: not YAML{f': {problem}' if problem else ''}") from None
    except RecursionError:
        raise PolicyError(f"{name}: {_LIST}") from None
    if not isinstance(node, yaml.SequenceNode):
        raise PolicyError(f"{name}: {_LIST}", hint=_EXAMPLE)
    lines = [_where(one, name) for one in node.value]
    return _checked([_rule(one, name) for one in node.value], lines)


def _checked(rules: list[Rule], lines: list[str]) -> Policy:
    """Return the policy of these rules; what cannot stand together is found at its line."""
    try:
        return document.checked(rules)
    except PolicyError as error:
        for count, where in enumerate(lines, 1):
            try:
                document.checked(rules[:count])
            except PolicyError:
                raise PolicyError(f"{where}: {error}", hint=error.hint) from None
        raise


def _rule(node: yaml.Node, name: str) -> Rule:
    said: dict[str, tuple[str, str]] = {}
    for key, text, where in _pairs(node, name):
        if key in said:
            raise PolicyError(f"{where}: {key} stands there twice")
        said[key] = text, where
    target = _target(said, _where(node, name))
    return Rule(target, {k: _value(k, *at) for k, at in said.items() if k not in _TARGETS})


def _pairs(node: yaml.Node, name: str) -> Iterator[tuple[str, str, str]]:
    """Yield each key of a rule, its value in words, and where it stands."""
    if not isinstance(node, yaml.MappingNode):
        raise PolicyError(f"{_where(node, name)}: expected lines of the form `key: value`")
    for key, value in node.value:
        where = _where(key, name)
        if not isinstance(key, yaml.ScalarNode):
            raise PolicyError(f"{where}: expected a key")
        yield key.value, _word(key.value, value, where), where


def _word(key: str, node: yaml.Node, where: str) -> str:
    if isinstance(node, yaml.SequenceNode):
        return ",".join(_word(key, one, where) for one in node.value)
    if not isinstance(node, yaml.ScalarNode):
        raise PolicyError(f"{where}: {key}: expected a word")
    return str(node.value)


def _target(said: dict[str, tuple[str, str]], where: str) -> Target:
    words = {name: said[name][0] if name in said else None for name in _TARGETS}
    network = words.pop("from")
    return document.target_of(**words, network=network, where=where)


def _value(key: str, text: str, where: str) -> Any:
    try:
        document.key(key)
    except PolicyError as error:
        raise PolicyError(f"{where}: {error}", hint=error.hint) from None
    return document.parsed(key, text, where)


def _where(node: yaml.Node, name: str) -> str:
    return f"{name}, line {node.start_mark.line + 1}"
