"""sshd, where its stack asks for a code: whether it lets PAM ask, and ways around the question."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from pam_totp.doctor import sshd
from pam_totp.doctor.finding import Check, Finding, Unchecked, error, note, warning
from pam_totp.doctor.machine import Machine
from pam_totp.doctor.stack import stacks
from pam_totp.stack import services_using_module
from pam_totp.stack.sshd import DROP_IN, TEMPLATE

Settings = dict[str, str]  # by keyword in lower case

SERVICE: Final = "sshd"
_ASKS: Final = ("keyboard-interactive", "keyboard-interactive:pam")
_ROOT_BY_KEY: Final = ("without-password", "prohibit-password", "forced-commands-only")


def _accepted(machine: Machine) -> Iterator[Finding]:
    try:
        sshd.settings(machine)
    except sshd.Broken as wrong:
        yield error(f"sshd does not accept its configuration: {wrong}", wrong.hint)


def _pam(machine: Machine) -> Iterator[Finding]:
    for _ in _where(machine, lambda found: found["usepam"] != "yes"):
        yield error(
            "sshd does not ask PAM (UsePAM no): nobody is asked for a code",
            _set(machine, "UsePAM", "yes"),
        )


def _keyboard(machine: Machine) -> Iterator[Finding]:
    for match in _where(machine, lambda found: found["kbdinteractiveauthentication"] != "yes"):
        yield error(
            f"sshd{_in(match)} does not ask questions (KbdInteractiveAuthentication no): who "
            "needs a code cannot give it",
            _set(machine, "KbdInteractiveAuthentication", "yes", match),
        )


def _password(machine: Machine) -> Iterator[Finding]:
    for match in _where(machine, lambda found: found["passwordauthentication"] == "yes"):
        yield warning(
            f"sshd{_in(match)} offers the method `password`, which has no place for a code: who "
            "needs one is refused there",
            _set(machine, "PasswordAuthentication", "no", match),
        )


def _possible(machine: Machine) -> Iterator[Finding]:
    for match in _where(machine, lambda found: not (_asks(found) or _by_key_alone(found))):
        yield error(
            f"no way into sshd{_in(match)} asks for a code (AuthenticationMethods)",
            _set(machine, "AuthenticationMethods", "keyboard-interactive:pam", match),
        )


def _keys(machine: Machine) -> Iterator[Finding]:
    for match in _where(machine, _by_key_alone):
        yield warning(
            f"a login with a key{_in(match)} is not asked for a code",
            _set(machine, "AuthenticationMethods", "publickey,keyboard-interactive:pam", match),
        )


def _first(machine: Machine) -> Iterator[Finding]:
    """Look for ways in that ask for the code and nothing before it, where the stack asks for no
    password."""
    if any(stack.passwords for stack in stacks(machine) if stack.service == SERVICE):
        return
    for match in _where(machine, lambda found: not _key_first(found)):
        yield error(
            f"sshd{_in(match)} lets in with a code alone, and who has no authenticator without "
            "anything: its stack asks for no password, and sshd for no key",
            _set(machine, "AuthenticationMethods", "publickey,keyboard-interactive:pam", match),
        )


def _root(machine: Machine) -> Iterator[Finding]:
    found = _usual(machine)
    if found["permitrootlogin"] not in _ROOT_BY_KEY:
        return
    if _by_key_alone(found):
        yield note("root logs in by SSH with a key alone (PermitRootLogin), without a code")
    elif _asks(found):
        yield warning(
            "root cannot log in by SSH: PermitRootLogin allows a key alone, and "
            "AuthenticationMethods wants a code",
            f"{_set(machine, 'PermitRootLogin', 'yes')} (or `no`, if that is meant)",
        )


def _usual(machine: Machine) -> Settings:
    """Return what is in force outside of all Match blocks.

    Raises Unchecked where sshd's stack does not ask for a code.
    """
    if SERVICE not in services_using_module(machine.root):
        raise Unchecked("sshd's stack does not ask for a code")
    return sshd.settings(machine)


def _where(machine: Machine, bad: Callable[[Settings], bool]) -> Iterator[str]:
    """Yield "" if it is bad outside of all Match blocks; else each block that makes it bad, by
    an example that the block is about."""
    if bad(_usual(machine)):
        yield ""
        return
    for match in dict.fromkeys(line.value for line in sshd.lines(machine) if line.is_match):
        connection = sshd.example(match)
        if connection is not None and bad(sshd.settings(machine, connection)):
            yield match


def _in(match: str) -> str:
    return f" in `Match {match}`" if match else ""


def _asks(found: Settings) -> bool:
    """Whether one of the ways in lets PAM ask."""
    return any(way == ["any"] or set(way) & set(_ASKS) for way in _ways(found))


def _key_first(found: Settings) -> bool:
    """Whether every way in that lets PAM ask wants a key before."""
    return all(
        way != ["any"] and (not set(way) & set(_ASKS) or "publickey" in way) for way in _ways(found)
    )


def _by_key_alone(found: Settings) -> bool:
    """Whether one of the ways in wants a key, and nothing that PAM asks."""
    alone = (way for way in _ways(found) if not set(way) & set(_ASKS))
    by_key = any("publickey" in way or way == ["any"] for way in alone)
    return by_key and found["pubkeyauthentication"] == "yes"


def _ways(found: Settings) -> list[list[str]]:
    """Return the lists of methods, one of which is enough; each is all that it wants."""
    return [way.split(",") for way in found["authenticationmethods"].split()]


def _set(machine: Machine, keyword: str, value: str, match: str = "") -> str:
    """Return what to run or to change for a setting: the shipped file if it is missing, else the
    line that counts, which is the first."""
    reload = "systemctl reload ssh" if machine.systemd else ""
    if not match and not machine.at(str(DROP_IN)).exists() and keyword != "AuthenticationMethods":
        return " && ".join(filter(None, (f"install -m 644 {TEMPLATE} {DROP_IN}", reload)))
    wanted = (x for x in sshd.lines(machine) if x.keyword == keyword.lower() and x.match == match)
    line = next(wanted, None)
    place = f"in `Match {match}`" if match else f"in {DROP_IN}"
    change = f"{line.place}: {keyword} {value}" if line else f"{place} write: {keyword} {value}"
    return ", then: ".join(filter(None, (change, reload)))


CHECKS: Final = (
    Check("ssh-config", "sshd accepts its configuration", _accepted),
    Check("ssh-pam", "sshd asks PAM", _pam),
    Check("ssh-keyboard", "sshd lets PAM ask questions", _keyboard),
    Check("ssh-password", "sshd does not offer a method without a place for the code", _password),
    Check("ssh-methods", "sshd has a way in that asks for a code", _possible),
    Check("ssh-first", "a password or a key comes before the code", _first),
    Check("ssh-keys", "a login with a key is asked for a code", _keys),
    Check("ssh-root", "root is asked like everyone", _root),
)
