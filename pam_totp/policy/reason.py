"""Why a rule applies or does not, and why one of them won."""

from __future__ import annotations

from pam_totp.policy.document import Rule
from pam_totp.policy.resolve import Ruling, Situation


def applies(rule: Rule, situation: Situation, *, how: bool | None) -> str:
    """Return whether a rule applies to a login, in words."""
    if how is None:
        return f"cannot be told: {_unsure(rule, situation)}"
    return "yes" if how else "no"


def won(made: Ruling) -> str:
    """Return why the rule won that a value is from."""
    hows = [(rule, how) for rule, how in made.considered if how is not False]
    if made.rule is None:
        return (
            "stricter than what may apply" if hows else "no rule that applies says anything of it"
        )
    if (made.rule, None) in hows:
        return "it cannot be told whether it applies, and it is the stricter"
    rivals = [rule.target for rule, how in hows if how and rule is not made.rule]
    if not rivals:
        return "the only one that applies"
    target = made.rule.target
    if all(target.beats(rival) for rival in rivals):
        return f"more specific than {max(rivals, key=lambda rival: rival.rank)}"
    return "of equally specific ones the strictest"


def _unsure(rule: Rule, situation: Situation) -> str:
    target = rule.target
    if situation.user is None:
        return "nobody knows the name"
    if target.service is not None and situation.service is None:
        return "no service is said"
    if target.network is not None and situation.address is None:
        return "there is no address"
    return f"NSS does not say who is in {target.group}"
