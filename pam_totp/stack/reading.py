"""How a service checks passwords today: understood, or refused.

Wanted is this, wherever the lines stand (in the service's file or behind one include):

    before      anything that leads on to the next line
    passwords   one module, or several in a row, of those that are known
    failed      what follows a wrong password: pam_deny.so, pam_faillock.so authfail
    succeeded   what follows a right one: pam_permit.so, pam_faillock.so authsucc
    after       anything else
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pam_totp.stack import pamfile
from pam_totp.stack.chain import PASSWORD_MODULES, Password
from pam_totp.stack.pamfile import Line, StackError
from pam_totp.stack.tree import Rule

_BY_HAND: Final = (
    "write the lines by hand: put the four `auth` lines of /etc/pam.d/pam-totp in the place of "
    "the ones that check the password, as /usr/share/doc/libpam-totp/docs/stacks.md says"
)
_LOST: Final = ("ignore", "bad", "die")
_FAILLOCK: Final = "pam_faillock.so"


class NoPassword(StackError):
    """The service checks no password, so that there is no place for a code."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What was understood.  `before`, `after`, `failed` and `succeeded` are within the lines
    that will be replaced; what is `elsewhere` stays in the file as it is."""

    own: tuple[Line, ...]
    replaced: tuple[Line, ...]
    before: tuple[Rule, ...]
    passwords: list[Password]
    failed: tuple[Line, ...]
    succeeded: tuple[Line, ...]
    after: tuple[Rule, ...]
    elsewhere: tuple[Rule, ...]
    lets_in: tuple[Rule, ...]  # before any password, as `sufficient pam_rootok.so` does in su


def understand(own: tuple[Line, ...], rules: tuple[Rule, ...]) -> Reading:
    """Return how the `auth` rules behind a file's own lines check a password.

    Raises StackError that names the line at which it is no longer understood.
    """
    first, last = _passwords(own, rules)
    target = _target(rules, first, last)
    failed_stop = len(rules) if target == len(rules) else target
    failed = tuple(_failed(rule) for rule in rules[last + 1 : failed_stop])
    after = _after_permit(rules, target)
    replaced = _replaced(own, rules, first, max(last, after - 1))
    inside = [at for at, rule in enumerate(rules) if _owner(rule) in replaced]
    _check_before(rules[:first], first)
    _check_after(rules[after:])
    succeeded, rest = _succeeded([rules[at] for at in inside if at >= after])
    return Reading(
        own,
        replaced,
        tuple(rules[at] for at in inside if at < first),
        [_password(rule) for rule in rules[first : last + 1]],
        tuple(line for line in failed if line is not None),
        succeeded,
        rest,
        tuple(rule for at, rule in enumerate(rules) if at not in inside),
        tuple(rule for rule in rules[:first] if _lets_in(rule)),
    )


def _passwords(own: Sequence[Line], rules: Sequence[Rule]) -> tuple[int, int]:
    """Return the places of the first and the last password module, which stand in a row."""
    found = [at for at, rule in enumerate(rules) if rule.line.name in PASSWORD_MODULES]
    if not found:
        file = own[0].file if own else "the file"
        raise NoPassword(
            f"{file}: no `auth` line names a module that is known to check passwords "
            f"({', '.join(PASSWORD_MODULES)})",
            hint=_BY_HAND,
        )
    for at in range(found[0], found[-1] + 1):
        if at not in found:
            raise refuse(rules[at].line, "stands between modules that check the password")
        if rules[at].in_substack:
            raise refuse(rules[at].line, "is in a substack, whose end the code would not see")
    return found[0], found[-1]


def _target(rules: Sequence[Rule], first: int, last: int) -> int:
    """Return the place where a right password leads, the number of rules for the end."""
    targets = {_success(rules, at, alone=first == last) for at in range(first, last + 1)}
    if len(targets) > 1:
        raise refuse(rules[last].line, "leads elsewhere after a right password than the ones above")
    (target,) = targets
    if not last < target <= len(rules):
        raise refuse(rules[last].line, "jumps out of the stack, or between the password's lines")
    return target


def _success(rules: Sequence[Rule], at: int, *, alone: bool) -> int:
    line = rules[at].line
    action = pamfile.actions(line).get("success", pamfile.actions(line)["default"])
    if action.isdecimal():
        return at + 1 + int(action)
    if action == "done":
        return len(rules)
    if action == "ok" and alone:
        return at + 1
    raise refuse(line, f"`success={action}` is not understood here")


def _failed(rule: Rule) -> Line | None:
    """Return what is kept of a line that a wrong password leads to: ours refuses."""
    line = rule.line
    if line.name == "pam_deny.so":
        return None
    if line.name == _FAILLOCK and "authfail" in line.arguments:
        return line
    raise refuse(line, "follows a wrong password, and it is not known what it would do")


def _after_permit(rules: Sequence[Rule], target: int) -> int:
    """Return the place behind the `pam_permit.so` to which a right password leads: ours comes
    in its place."""
    is_permit = target < len(rules) and rules[target].line.name == "pam_permit.so"
    return target + is_permit


def _replaced(
    own: tuple[Line, ...], rules: Sequence[Rule], first: int, last: int
) -> tuple[Line, ...]:
    """Return the file's own lines that stand for the rules from `first` to `last`."""
    start, stop = own.index(_owner(rules[first])), own.index(_owner(rules[last]))
    lines = own[start : stop + 1]
    for line in lines:
        if line.type not in ("auth", ""):
            raise refuse(line, "stands among the `auth` lines that would be replaced")
    for rule in rules:
        if _owner(rule) in lines and rule.in_substack:
            raise refuse(rule.line, "is in a substack, which would be taken apart")
    return lines


def _check_before(rules: Sequence[Rule], first: int) -> None:
    """Raise where a line in front would jump over, or into, the password's lines."""
    for at, rule in enumerate(rules):
        for action in pamfile.actions(rule.line).values():
            if action.isdecimal() and not rule.in_substack:
                if any(other.in_substack for other in rules):
                    raise refuse(rule.line, "jumps near a substack, which counts as one line")
                if at + 1 + int(action) > first:
                    raise refuse(rule.line, "jumps over lines that check the password")


def _check_after(rules: Sequence[Rule]) -> None:
    """Raise where a line behind would make a refusal undone."""
    for rule in rules:
        if "reset" in pamfile.actions(rule.line).values():
            raise refuse(rule.line, "`reset` would forget that the code was wrong")


def _succeeded(rules: Sequence[Rule]) -> tuple[tuple[Line, ...], tuple[Rule, ...]]:
    """Part what pam_faillock hears of a right password from what else follows it."""

    def is_faillock(rule: Rule) -> bool:
        return rule.line.name == _FAILLOCK and "authsucc" in rule.line.arguments

    return (
        tuple(rule.line for rule in rules if is_faillock(rule)),
        tuple(rule for rule in rules if not is_faillock(rule)),
    )


def _password(rule: Rule) -> Password:
    line = rule.line
    wrong = {}
    for answer, action in pamfile.actions(line).items():
        if answer in ("success", "new_authtok_reqd"):
            continue  # a password that must be changed is no right one, as in the shipped stack
        if action not in _LOST:
            raise refuse(line, f"`{answer}={action}` is not understood here")
        wrong[answer] = action == "ignore"
    if line.control in ("requisite", "required"):
        wrong = {"default": False}
    return Password(line.module, line.arguments, wrong, line.optional)


def _lets_in(rule: Rule) -> bool:
    return "done" in pamfile.actions(rule.line).values() and not rule.in_substack


def _owner(rule: Rule) -> Line:
    """Return the line of the service's own file that a rule comes from."""
    return rule.through[0] if rule.through else rule.line


def refuse(line: Line, why: str) -> StackError:
    """Return the error for a line that cannot be composed with ours."""
    shown = " ".join((line.control, line.module, *line.arguments))
    return StackError(f"{line.place}: `{shown}` {why}", hint=_BY_HAND)
