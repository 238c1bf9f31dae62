"""The words in brackets: how a login goes from one password module to the next, and to us.

One module gives the shipped stack (etc/pam.d/pam-totp).  Several in a row are tried in turn, as
before, and a stack has no memory but the line that it is at.  So the way on is laid twice:

    1  pam_unix        right: to 5    wrong: 2    could not check: 4
    2  pam_sss         right: to 5    wrong: 3    could not check: the end, a refusal
    3  pam_totp authfail              the password was wrong by all: count it, refuse
    4  pam_sss, again  right: to 5    anything else: the end, a refusal that is not counted
    5  pam_totp        the password was right by one

A module that could not check makes a later one's "wrong" prove nothing: the person may be one
of the silent module's.  If a later one accepts, that is a right password all the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pam_totp.stack.tree import MODULE

UNIX: Final = "pam_unix.so"
PASSWORD_MODULES: Final = (UNIX, "pam_sss.so", "pam_ldap.so", "pam_krb5.so", "pam_winbind.so")

# Answers that are no wrong password, in the order of the shipped stack.  `False`: nobody could
# be asked, so that no other module can do better and the login ends.
_NOT_CHECKED: Final = {
    "authinfo_unavail": True,
    "service_err": True,
    "system_err": True,
    "buf_err": True,
    "conv_err": False,
    "conv_again": False,
    "incomplete": False,
    "abort": False,
    "authtok_err": False,
    "authtok_recover_err": False,
    "open_err": True,
    "symbol_err": True,
    "module_unknown": True,
}
_MUTES_OUTAGES: Final = "ignore_authinfo_unavail"  # pam_sss, pam_ldap: an outage is PAM_IGNORE


@dataclass(frozen=True, slots=True)
class Password:
    """A module that checks passwords, as it is used today.

    `wrong` is what an answer other than success leads to, `default` included: True if the next
    module is asked, False if the login is lost.  One that is `optional` (a dash in front) may
    be missing.
    """

    module: str
    arguments: tuple[str, ...]
    wrong: Mapping[str, bool]
    optional: bool = False

    @property
    def name(self) -> str:
        """The module's name without its directory."""
        return self.module.rsplit("/", 1)[-1]

    def goes_on_at(self, answer: str) -> bool:
        """Whether the next module is asked after this answer."""
        return self.wrong.get(answer, self.wrong["default"])

    def not_checked(self, *, alone: bool) -> dict[str, bool]:
        """Return the answers by which it says that it could not check, each with whether a
        later module is worth asking."""
        found = dict(_NOT_CHECKED)
        if self.name == UNIX and not alone:
            # It says so of everybody who has no line in /etc/shadow: the directory's people.
            del found["authinfo_unavail"]
        if self.optional:
            del found["module_unknown"]
        if _MUTES_OUTAGES in self.arguments:
            found["ignore"] = True
        return {answer: can and self.goes_on_at(answer) for answer, can in found.items()}


def lines(
    passwords: Sequence[Password], failed: Sequence[str] = (), *, local: bool = False
) -> list[str]:
    """Return the `auth` lines from the first password module to the line that checks the code,
    `pam_permit.so` behind it included.  Lines that `failed` are to hear of a wrong password
    before ours does; `local` puts local accounts in front of all."""
    last = len(passwords) - 1
    found = _local(len(passwords), len(failed)) if local else []
    found += ["# The password.  Right: on to the line that checks the code."]
    found += [_line(_words(passwords, at, len(failed)), one) for at, one in enumerate(passwords)]
    found += failed
    found += ["# The password was wrong: ask for a code all the same, count it, refuse."]
    found += [f"auth\t[cred_err={_jump(last)} default=die]\t{MODULE} authfail"]
    if last:
        found += ["# Again, for when one above could not check: a wrong password is not counted."]
        found += [_line(_again(passwords, at), passwords[at]) for at in range(1, last + 1)]
    return found + code_lines()


def code_lines() -> list[str]:
    """Return the lines that check the code."""
    return [
        "# Ask for the code and check it.",
        f"auth\trequired\t{MODULE}",
        "# Accounts without an authenticator are not asked; this line lets them in.",
        "auth\trequired\tpam_permit.so",
    ]


def _local(passwords: int, failed: int) -> list[str]:
    """Return the line for local accounts.  A wrong password of theirs is told to no module of the
    machine's accounts: the jump passes over those as well."""
    wrong, right = passwords + failed, 2 * passwords + failed
    words = f"success={right} auth_err={wrong} ignore=ignore user_unknown=ignore default=die"
    return [
        "# Local accounts of pam_totp: their password, if the name is none of this machine's.",
        f"auth\t[{words}]\t{MODULE} local",
    ]


def _line(control: str, password: Password) -> str:
    dash = "-" * password.optional
    return f"{dash}auth\t{control}\t{' '.join((password.module, *password.arguments))}"


def _words(passwords: Sequence[Password], at: int, failed: int) -> str:
    """Return the control of the module at a place of the first way, which has so many lines of
    others before our `authfail`."""
    one, count = passwords[at], len(passwords)
    more = at < count - 1
    # The second way has no line for the first module: from any place it is `count` lines on.
    stops = {
        answer: str(count + failed) if can and more else "die"
        for answer, can in one.not_checked(alone=count == 1).items()
    }
    to_authfail = _jump(count - 1 - at)
    wrong = {
        answer: "ignore" if on else to_authfail
        for answer, on in one.wrong.items()
        if answer not in stops and (answer == "default" or on != one.wrong["default"])
    }
    return _bracket({"success": str(2 * count - 1 - at + failed), **stops, **wrong})


def _again(passwords: Sequence[Password], at: int) -> str:
    """Return the control of the module at a place of the second way."""
    last = len(passwords) - 1
    success = _jump(last - at)
    if at == last:
        return _bracket({"success": success, "default": "die"})
    wrong = {a: "ignore" if on else "die" for a, on in passwords[at].wrong.items()}
    stops = {a: "die" for a, can in passwords[at].not_checked(alone=False).items() if not can}
    return _bracket({"success": success, **wrong, **stops})


def _jump(count: int) -> str:
    """Return the word for passing over so many lines: a jump over none is called ignore."""
    return str(count) if count else "ignore"


def _bracket(words: dict[str, str]) -> str:
    default = words.pop("default")
    return (
        f"[{' '.join(f'{answer}={action}' for answer, action in words.items())} default={default}]"
    )
