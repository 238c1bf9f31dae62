"""What a change of the policy changes, in the words in which it is set."""

from __future__ import annotations

from collections.abc import Iterator

from pam_totp.policy.document import Policy, Target
from pam_totp.policy.keys import KEYS


def difference(old: Policy, new: Policy) -> list[str]:
    """Return what is different, a line for each rule: `mfa=required for group staff`, `grace
    unset for everybody`."""
    targets = dict.fromkeys(rule.target for rule in (*old.rules, *new.rules))
    return [line for target in targets for line in _lines(old, new, target)]


def _lines(old: Policy, new: Policy, target: Target) -> Iterator[str]:
    before, after = old.rule(target).values, new.rule(target).values
    words = [
        f"{k.name}={k.kind.text(after[k.name])}"
        for k in KEYS
        if k.name in after and (k.name not in before or before[k.name] != after[k.name])
    ]
    gone = [k.name for k in KEYS if k.name in before and k.name not in after]
    if words:
        yield f"{' '.join(words)} for {target}"
    if gone:
        yield f"{' '.join(gone)} unset for {target}"
