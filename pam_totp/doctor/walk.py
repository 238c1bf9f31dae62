"""How libpam goes through a stack (`_pam_dispatch`), for modules whose answers are known.

Rules of reading: whether a wrong code is let in depends on every line of a stack and on each
jump's count, and no list of forbidden words says it as surely as going through it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from pam_totp.stack import Line, Rule
from pam_totp.stack.pamfile import actions

SUCCESS: Final = "success"
IGNORE: Final = "ignore"

Answers = Callable[[Line], str]


@dataclass(frozen=True, slots=True)
class Walk:
    """Whether a stack accepts, and the lines that were asked, in order."""

    accepted: bool
    asked: tuple[Line, ...]

    def reaches(self, line: Line) -> bool:
        """Whether the line was asked."""
        return line in self.asked


def walk(rules: Sequence[Rule], answers: Answers) -> Walk:
    """Go through a stack; `answers` says what each module returns, by pam.conf(5)'s names.

    A substack is left by `done` and `die` alone, and counts as one line where a jump passes it.
    A jump beyond the end refuses.  `reset` forgets what was said before a substack too, which
    libpam does not; nobody has been seen to use it there.
    """
    positive: bool | None = None  # libpam's "impression"
    status, asked, at = "", [], 0
    while at < len(rules):
        line = rules[at].line
        asked.append(line)
        said = answers(line)
        action = _action(line, said)
        if action.isdigit():
            landed = _jump(rules, at, int(action))
            if landed is None:
                return Walk(accepted=False, asked=tuple(asked))
            at = landed
            continue
        if action in ("ok", "done"):
            if positive is None or (positive and status == SUCCESS):
                positive, status = True, said
        elif action in ("bad", "die"):
            positive = False
        elif action == "reset":
            positive, status = None, ""
        ends = action == "die" or (action == "done" and positive)
        at = _end(rules, at) if ends else at + 1
    return Walk(accepted=bool(positive) and status == SUCCESS, asked=tuple(asked))


def refuses(line: Line) -> bool:
    """Whether every answer of a line that is neither success nor ignore refuses the login."""
    passing = (SUCCESS, "new_authtok_reqd", IGNORE)
    others = (action for answer, action in actions(line).items() if answer not in passing)
    return all(action in ("bad", "die") for action in others)


def _action(line: Line, said: str) -> str:
    found = actions(line)
    return found.get(said, found["default"])


def _jump(rules: Sequence[Rule], at: int, count: int) -> int | None:
    """Return where a jump from `at` lands, None beyond the end of the stack it is in."""
    own, landed = _substacks(rules[at]), at + 1
    for _ in range(count):
        if landed == len(rules) or _substacks(rules[landed])[: len(own)] != own:
            return None
        inner = _substacks(rules[landed])[: len(own) + 1]
        landed += 1
        if len(inner) > len(own):
            landed = _past(rules, landed, inner)
    return landed


def _end(rules: Sequence[Rule], at: int) -> int:
    """Return what comes after the (sub)stack that a rule is in."""
    own = _substacks(rules[at])
    return _past(rules, at, own) if own else len(rules)


def _past(rules: Sequence[Rule], at: int, substacks: tuple[Line, ...]) -> int:
    while at < len(rules) and _substacks(rules[at])[: len(substacks)] == substacks:
        at += 1
    return at


def _substacks(rule: Rule) -> tuple[Line, ...]:
    return tuple(line for line in rule.through if line.control == "substack")
