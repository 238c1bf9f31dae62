"""The stacks that name our module: each is gone through as libpam would, with right and wrong
passwords and codes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from pam_totp.doctor.finding import Check, Finding, error, warning
from pam_totp.doctor.machine import Machine
from pam_totp.doctor.stack import OTHER_CODES, OUTAGE, WRONG, Stack, argument_of, said, stacks
from pam_totp.doctor.walk import IGNORE, SUCCESS, refuses, walk
from pam_totp.stack import MODULE, Line, StackError, Tree, switch
from pam_totp.stack.pamfile import actions

_LOCAL: Final = "local"


def _checks(machine: Machine) -> Iterator[Finding]:
    """Find where nothing asks for the code, or not after a right password."""
    for stack in stacks(machine):
        if not stack.ours(""):
            yield error(
                f"{stack.service}: names the module, and has no line that checks the code",
                _compose(stack),
            )
        for walked in stack.right_passwords(SUCCESS):
            if stack.ours("") and not any(map(walked.reaches, stack.ours(""))):
                yield error(
                    f"{stack.service}: a right password does not lead to the checking line "
                    f"({stack.ours('')[0].place}): nobody is asked for a code",
                    _count(stack),
                )
        early = stack.login(WRONG, SUCCESS)
        for line in filter(early.reaches, stack.ours("") if stack.passwords else ()):
            yield error(
                f"{line.place}: asks for the code without a right password at {stack.service}: "
                "strangers can spend codes and lock people out",
                _compose(stack),
            )


def _wrong_code(machine: Machine) -> Iterator[Finding]:
    for stack in stacks(machine):
        for line in stack.ours(""):
            if not refuses(line):
                yield error(
                    f"{line.place}: with `{line.control}` a wrong code can be let in",
                    _line(line, f"auth required {MODULE}"),
                )
        if all(map(refuses, stack.ours(""))):
            yield from _let_in(stack)


def _let_in(stack: Stack) -> Iterator[Finding]:
    """Go through it with wrong codes, and with codes that could not be checked."""
    for code in (WRONG, OUTAGE):
        for walked in stack.right_passwords(code):
            if walked.accepted and any(map(walked.reaches, stack.ours(""))):
                last = walked.asked[-1]
                yield error(
                    f"{last.place}: lets a wrong code in at {stack.service}", _compose(stack)
                )
                return


def _wrong_password(machine: Machine) -> Iterator[Finding]:
    for stack in stacks(machine):
        walked = stack.login(WRONG, SUCCESS)
        if stack.passwords and walked.accepted:
            yield error(
                f"{walked.asked[-1].place}: lets a wrong password in at {stack.service}",
                _compose(stack),
            )


def _no_password(machine: Machine) -> Iterator[Finding]:
    """In SSH a key may come first: the check `ssh-first` looks at that."""
    for stack in stacks(machine):
        if not stack.passwords and stack.service != "sshd":
            yield error(
                f"{stack.service}: asks for no password, and lets in who has no authenticator",
                _compose(stack),
            )


def _right(machine: Machine) -> Iterator[Finding]:
    for stack in stacks(machine):
        if not all(walked.accepted for walked in stack.right_passwords(SUCCESS)):
            yield error(
                f"{stack.service}: refuses a right password with a right code", _compose(stack)
            )
        elif not all(walked.accepted for walked in stack.right_passwords(IGNORE)):
            line = (stack.ours("") or [stack.auth[-1].line])[0]
            yield error(
                f"{stack.service}: refuses who needs no code, because a jump is no success",
                f"sed -i '{line.number}a auth required pam_permit.so' {line.file}",
            )


def _authfail(machine: Machine) -> Iterator[Finding]:
    for stack in stacks(machine):
        if not stack.passwords or not stack.ours(""):
            continue
        walked = stack.login(WRONG, WRONG)
        if not any(map(walked.reaches, stack.ours("authfail"))):
            yield warning(
                f"{stack.service}: a wrong password does not lead to an `authfail` line: it is "
                "not counted, and told apart from a wrong code",
                _compose(stack),
            )


def _outage(machine: Machine) -> Iterator[Finding]:
    for stack in stacks(machine):
        walked = stack.login(OUTAGE, WRONG)
        for line in filter(walked.reaches, stack.ours("authfail") if stack.passwords else ()):
            yield warning(
                f"{line.place}: at {stack.service}, a password that could not be checked counts "
                "as a wrong one",
                f"{stack.passwords[0].place}: the words in brackets as in docs/stacks.md",
            )


def _credentials(machine: Machine) -> Iterator[Finding]:
    """Go through it as pam_setcred does, in sshd in a process of its own: there, `authfail`
    says `cred_err`."""
    for stack in stacks(machine):
        for answer in (SUCCESS, IGNORE):
            walked = walk(stack.auth, said(answer, SUCCESS, authfail="cred_err"))
            for line in filter(walked.reaches, stack.ours("authfail")):
                found = actions(line)
                action = found.get("cred_err", found["default"])
                if action != "ignore" and not action.isdigit():
                    yield error(
                        f"{line.place}: ends right logins in pam_setcred at {stack.service}",
                        _line(line, f"auth [cred_err=ignore default=die] {MODULE} authfail"),
                    )


def _collect(machine: Machine) -> Iterator[Finding]:
    for stack in stacks(machine):
        lines = stack.lines
        for collect in stack.ours("collect"):
            before = [line for line in stack.passwords if lines.index(line) < lines.index(collect)]
            if before:
                yield error(
                    f"{collect.place}: stands behind the password's line ({before[0].place}), "
                    "which takes password and code for the password",
                    f"{before[0].place}: put it behind {collect.place}",
                )
            for line in stack.passwords:
                if line not in before and not {"use_first_pass", "try_first_pass"} & {
                    *line.arguments
                }:
                    yield error(
                        f"{line.place}: asks for the password again, which `collect` has taken",
                        f"sed -i '{line.number}s/{line.name}/& use_first_pass/' {line.file}",
                    )


def _account(machine: Machine) -> Iterator[Finding]:
    for stack in stacks(machine):
        lines = [rule.line for rule in stack.account]
        ours = [line for line in lines if argument_of(line) not in (None, _LOCAL)]
        if not walk(stack.account, _everybody).accepted:
            yield error(
                f"{stack.service}: no `account` line lets anyone in, so that right logins fail",
                _add(machine, stack, "@include common-account"),
            )
        elif not ours:
            yield warning(
                f"{stack.service}: no `account` line names the module: whom an administrator has "
                "locked gets in with a key",
                _add(machine, stack, f"account required {MODULE}"),
            )
        elif walk(stack.account, _locked).accepted:
            yield error(
                f"{ours[0].place}: lets in whom an administrator has locked, at {stack.service}",
                _line(ours[0], f"account required {MODULE}"),
            )


def _current(machine: Machine) -> Iterator[Finding]:
    """Look at what `pam-totp stack enable` has written, before the machine's passwords changed
    or this program did."""
    for stack in stacks(machine):
        with suppress(StackError):
            if switch.look(Tree(machine.root), stack.service).state is switch.State.STALE:
                yield warning(
                    f"{stack.service}: would be composed otherwise today",
                    f"pam-totp stack show {stack.service}, and: "
                    f"pam-totp stack enable {stack.service}",
                )


def _others(machine: Machine) -> Iterator[Finding]:
    for stack in stacks(machine):
        for line in stack.lines:
            if line.name in OTHER_CODES:
                yield warning(
                    f"{line.place}: {line.name} asks for a second code at {stack.service}",
                    f"sed -i '{line.number}s/^/#/' {line.file}",
                )


def _everybody(line: Line) -> str:
    return "user_unknown" if argument_of(line) == _LOCAL else SUCCESS


def _locked(line: Line) -> str:
    ours = argument_of(line) not in (None, _LOCAL)
    return "perm_denied" if ours else _everybody(line)


def _line(line: Line, text: str) -> str:
    return f"sed -i '{line.number}s/.*/{text}/' {line.file}"


def _add(machine: Machine, stack: Stack, text: str) -> str:
    return f"echo '{text}' >>{Tree(machine.root).file(stack.service)}"


def _count(stack: Stack) -> str:
    """Return the jump that lands on the checking line, for a password's line before it."""
    lines = stack.lines
    check = lines.index(stack.ours("")[0])
    before = [line for line in stack.passwords if lines.index(line) < check]
    if not before or not before[-1].control.startswith("["):
        return _compose(stack)
    jump = check - lines.index(before[-1]) - 1
    return f"{before[-1].place}: success={jump or 'ok'}"


def _compose(stack: Stack) -> str:
    return f"pam-totp stack disable {stack.service} && pam-totp stack enable {stack.service}"


CHECKS: Final = (
    Check("stack-order", "a right password leads to the question for the code", _checks),
    Check("stack-wrong-code", "a wrong code is refused", _wrong_code),
    Check("stack-wrong-password", "a wrong password is refused", _wrong_password),
    Check("stack-password", "a password is asked for", _no_password),
    Check("stack-right", "a right login is let in", _right),
    Check("stack-authfail", "a wrong password is counted", _authfail),
    Check("stack-outage", "an outage is no wrong password", _outage),
    Check("stack-setcred", "right logins pass pam_setcred", _credentials),
    Check("stack-collect", "`collect` takes the password first", _collect),
    Check("stack-account", "a right login passes the account phase, a locked one not", _account),
    Check("stack-current", "what was composed is as it would be today", _current),
    Check("stack-others", "nothing else asks for a code", _others),
)
