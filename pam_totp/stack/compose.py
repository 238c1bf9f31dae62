"""A service's file with our lines in it, composed from the modules that it uses today.

What is understood is composed; what is not is refused, with file, line and what to write by
hand.  A stack that was guessed right a hundred times locks out, or lets in, at the next one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Final

from pam_totp.stack import block, chain, pamfile
from pam_totp.stack.pamfile import Line, StackError
from pam_totp.stack.reading import Reading, understand
from pam_totp.stack.tree import FALLBACK, MODULE, Tree, is_meant_for_inclusion

_ACCOUNT: Final = (
    "# Accounts locked by an administrator stay out, even with a right code.",
    # SECURITY: with `required` our success would let in where no line behind it says success.
    f"account\t[success=ignore ignore=ignore default=bad]\t{MODULE}",
)
_LOCAL_ACCOUNT: Final = (
    "# Local accounts of pam_totp may sign in; the modules below know nothing of them.",
    f"account\t[success=done user_unknown=ignore default=die]\t{MODULE} local",
)
_COLLECT: Final = (
    "# Take password and code from what the client sent, hand the password on.",
    f"auth\trequisite\t{MODULE} collect",
)
# What a service without a file of its own gets on Debian (/etc/pam.d/other).
_USUAL: Final = "@include common-auth\n@include common-account\n"
_CODE_MODULES: Final = (
    *("pam_google_authenticator.so", "pam_oath.so", "pam_duo.so", "pam_yubico.so"),
    *("pam_u2f.so", "pam_privacyidea.so", "pam_otpw.so"),
)


class Variant(Enum):
    """How a service comes by password and code."""

    BOTH = "password and code"
    COLLECT = "password and code, asked for before either is checked"
    CODE = "the code alone, after a key"


@dataclass(frozen=True, slots=True)
class Composition:
    """A service's file: as it is, without what is ours, and as it would be composed now."""

    service: str
    variant: Variant
    path: Path  # of the file that is written; a link is followed
    now: str | None  # None: there is no file
    base: str | None
    wanted: str
    notes: tuple[str, ...]
    local: bool = False


class ByHand(StackError):
    """The service asks for a code already, by lines that this program has not written."""


def compose(tree: Tree, service: str, variant: Variant, *, local: bool = False) -> Composition:
    """Return what the service's file is and would be, `local` accounts let in or not.

    Raises StackError, ByHand.
    """
    if is_meant_for_inclusion(service):
        raise StackError(
            f"{service!r} is included by many services, and is no service itself",
            hint="name the services, sshd for instance: pam-totp stack enable sshd",
        )
    path, now = present(tree, service)
    base = None if now is None else block.restored(now, path)
    text = base
    if text is None:
        if variant is not Variant.COLLECT:
            raise _no_file(tree, service)
        text = _USUAL
    by_hand(tree, path, text)
    own = pamfile.parse(text, path)
    rules = tuple(tree.follow(own, "auth"))
    read = understand(own, rules)
    start, stop = _replaced(read)
    lines = text.split("\n")
    at, account = _account(tree, read.own, local=local)
    composed = _auth(tree, read, variant, local=local)
    if at is None or at >= stop:
        composed += account
    was = None if base is None else lines[start:stop]
    rest = lines[stop:] if base is not None else [""]
    if base is None:
        composed += lines[stop:-1]
    lines[start:] = [*block.render(service, was, composed), *rest]
    if at is not None and at < stop:
        lines[at:at] = block.render(service, (), account)
    wanted = "\n".join(lines)
    return Composition(service, variant, path, now, base, wanted, tuple(_notes(read)), local)


def present(tree: Tree, service: str) -> tuple[Path, str | None]:
    """Return the service's own file, links followed, and its text if it is there."""
    if "/" in service or service.startswith(".") or not service.isprintable():
        raise StackError(f"{service!r} is no service's name", hint="ls /etc/pam.d")
    path = tree.root / "etc/pam.d" / service
    path = path.resolve() if path.is_symlink() else path
    try:
        return path, pamfile.load(path)
    except FileNotFoundError:
        return path, None


def by_hand(tree: Tree, path: Path, text: str) -> None:
    """Raise ByHand if lines other than our blocks name our module."""
    for rule in tree.follow(pamfile.parse(text, path), "auth"):
        if rule.line.name == MODULE:
            own = rule.through[0] if rule.through else rule.line
            behind = f" ({rule.line.place})" if rule.through else ""
            raise ByHand(
                f"{own.place}: asks for a code already, by a line that was not written by "
                f"`stack enable`: {own.text.expandtabs(1)}{behind}",
                hint=f"to have it composed instead: pam-totp stack disable {path.name}, "
                f"then: pam-totp stack enable {path.name}",
            )


def _auth(tree: Tree, read: Reading, variant: Variant, *, local: bool) -> list[str]:
    """Return the lines that take the place of the ones that check the password today."""
    passwords = read.passwords
    if variant is Variant.COLLECT:
        passwords = [_with_first_pass(one) for one in passwords]
    failed = [f"auth\t[default=ignore]\t{_call(line)}" for line in read.failed]
    succeeded = [f"auth\t[success=ok default=ignore]\t{_call(line)}" for line in read.succeeded]
    code_alone = variant is Variant.CODE
    return [
        *(_COLLECT if variant is Variant.COLLECT else ()),
        *(rule.line.text for rule in read.before),
        *(chain.code_lines() if code_alone else chain.lines(passwords, failed, local=local)),
        *succeeded,
        *(rule.line.text for rule in read.after),
        *_other_types(tree, read.replaced),
    ]


def _with_first_pass(one: chain.Password) -> chain.Password:
    """Let a module take the password that `collect` hands on, and ask for none."""
    kept = (word for word in one.arguments if word not in ("try_first_pass", "use_first_pass"))
    return replace(one, arguments=(*kept, "use_first_pass"))


def _call(line: Line) -> str:
    return " ".join((line.module, *line.arguments))


def _other_types(tree: Tree, replaced: Sequence[Line]) -> list[str]:
    """Keep what a replaced `@include` stood for besides `auth`."""
    return [
        f"{kind}\tinclude\t{line.module}"
        for line in replaced
        if not line.type
        for kind in pamfile.TYPES
        if kind != "auth" and any(tree.follow((line,), kind))
    ]


def _replaced(read: Reading) -> tuple[int, int]:
    """Return the indices of the lines that ours replace, the last exclusive."""
    last = read.replaced[-1]
    return read.replaced[0].number - 1, last.number - 1 + last.length


def _account(tree: Tree, own: Sequence[Line], *, local: bool) -> tuple[int | None, list[str]]:
    """Return the index of the first line of the `account` phase, in front of which ours must
    come, and the lines that do."""
    ours = [*_ACCOUNT, *(_LOCAL_ACCOUNT if local else ())]
    for line in own:
        if any(tree.follow((line,), "account")):
            return line.number - 1, ours
    # Without a line of its own a service has those of `other`, and with ours it would not.
    return None, [*ours, f"account\tinclude\t{FALLBACK}"]


def _notes(read: Reading) -> list[str]:
    """Return what an administrator should know of the lines that stay."""
    found = [
        f"{rule.line.place}: `{rule.line.control} {rule.line.module}` lets in before a code is "
        "asked for, as it does before a password is"
        for rule in read.lets_in
    ]
    return found + [
        f"{rule.line.place}: {rule.line.module} stays, and asks as well"
        for rule in (*read.before, *read.after, *read.elsewhere)
        if rule.line.name in _CODE_MODULES
    ]


def _no_file(tree: Tree, service: str) -> StackError:
    elsewhere = tree.file(service)
    own = tree.root / "etc/pam.d" / service
    if elsewhere is not None and elsewhere != own:
        return StackError(f"{own} is not there, {elsewhere} is", hint=f"cp {elsewhere} {own}")
    return StackError(f"{own} is not there", hint="ls /etc/pam.d")
