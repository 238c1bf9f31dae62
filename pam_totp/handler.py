"""pam_python-style entry points: parse, call the login, return a code.

The service calls them with its own `pamh`.  The same file runs under libpam-python's
`pam_python.so` in programs that fork for each login, which proves the API and is no way to
install it (see docs/design.md).
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from typing import Any, Final

from pam_totp import context
from pam_totp.login import Login
from pam_totp.outward import (
    PAM_AUTH_ERR,
    PAM_AUTHINFO_UNAVAIL,
    PAM_IGNORE,
    PAM_PERM_DENIED,
    PAM_SUCCESS,
    PAM_USER_UNKNOWN,
    outward,
)
from pam_totp.speech import locale_of
from pam_totp.verdict import Verdict

_LINES: Final = {
    "": Login.check,
    "collect": Login.collect,
    "authfail": Login.wrong_password,
    "local": Login.local,
}
# What the words in brackets behind `auth` and `account` expect (docs/stacks.md); whatever is not
# named here ends the stack.
_LOCAL: Final = {
    Verdict.LOCAL: PAM_SUCCESS,
    Verdict.WRONG_PASSWORD: PAM_AUTH_ERR,
    Verdict.NOT_NEEDED: PAM_IGNORE,
    Verdict.NOT_NAMED: PAM_IGNORE,
    Verdict.UNAVAILABLE: PAM_AUTHINFO_UNAVAIL,
}
_LOCAL_ACCOUNT: Final = {
    Verdict.LOCAL: PAM_SUCCESS,
    Verdict.NOT_NEEDED: PAM_USER_UNKNOWN,
    Verdict.NOT_NAMED: PAM_USER_UNKNOWN,
    Verdict.UNAVAILABLE: PAM_AUTHINFO_UNAVAIL,
}


def pam_sm_authenticate(pamh: Any, flags: int, argv: list[str]) -> int:
    """Answer an `auth` line; its argument says which of them it is."""
    del flags  # PAM_SILENT silences information, and there is none
    line = _LINES.get(" ".join(argv[1:]))
    if line is None:
        return PAM_AUTHINFO_UNAVAIL  # an argument of a later release
    verdict = line(_login(pamh))
    if line is Login.local:
        return _LOCAL.get(verdict, PAM_PERM_DENIED)
    code = outward(verdict).pam_code
    # A wrong password is a refusal whatever was found out about the account.
    return PAM_AUTH_ERR if line is Login.wrong_password and code == PAM_IGNORE else code


def pam_sm_acct_mgmt(pamh: Any, flags: int, argv: list[str]) -> int:
    """Answer an `account` line: success for an account that no administrator has locked."""
    del flags
    line = _LINES.get(" ".join(argv[1:]))
    if line is None:
        return PAM_AUTHINFO_UNAVAIL
    if line is Login.local:
        return _LOCAL_ACCOUNT.get(_login(pamh).local_account(), PAM_PERM_DENIED)
    verdict = _login(pamh).account()
    if verdict is Verdict.NOT_NEEDED:
        return int(pamh.PAM_SUCCESS)
    if verdict in (Verdict.UNAVAILABLE, Verdict.NOT_NAMED):
        return outward(verdict).pam_code
    return int(pamh.PAM_PERM_DENIED)


def pam_sm_setcred(pamh: Any, flags: int, argv: list[str]) -> int:
    """Answer as the bridge does by itself: sshd calls this in another process than it
    authenticated in, where libpam runs the stack afresh, and `authfail` must not be success
    there."""
    del flags
    answers = {"authfail": pamh.PAM_CRED_ERR, "local": PAM_IGNORE}
    return int(answers.get(" ".join(argv[1:]), pamh.PAM_SUCCESS))


def _login(pamh: Any) -> Login:
    here, talk = context.current(), PamConversation(pamh)
    spared = here.sparing.log_of(talk.host_uid, here.log)
    return Login(replace(here, log=spared), talk)


class PamConversation:
    """A login's Conversation over a `pamh`.

    What `pamh` has beyond pam_python's API (`peer`, `keep`, `take`, `get_authtok`) is used
    where it is there; under pam_python.so the host is this very process, and what is kept
    stays in it.
    """

    def __init__(self, pamh: Any) -> None:
        self._pamh = pamh
        self.service: str = pamh.service or ""
        self.rhost: str = pamh.rhost or ""
        self.tty: str = pamh.tty or ""
        peer = getattr(pamh, "peer", None)
        self.host_uid: int = os.geteuid() if peer is None else peer.uid

    def user(self) -> str | None:
        """Return the name that was typed."""
        try:
            return self._text(self._pamh.get_user(None))
        except self._pamh.exception:
            return None

    def locale(self) -> str:
        """Return the locale of the PAM environment; the application's own does not get here."""
        try:
            return locale_of(self._pamh.env) if hasattr(self._pamh, "env") else ""
        except self._pamh.exception:
            return ""

    def ask(self, prompt: str) -> str | None:
        """Ask with echo: the code works once, and applications that answer every prompt
        without echo with the password would be counted as wrong codes."""
        return self._converse(self._pamh.PAM_PROMPT_ECHO_ON, prompt)

    def ask_hidden(self, prompt: str) -> str | None:
        """Ask without echo, for what is to be a password."""
        return self._converse(self._pamh.PAM_PROMPT_ECHO_OFF, prompt)

    def show(self, text: str) -> None:
        """Show a line; an application that cannot has lost nothing."""
        with contextlib.suppress(self._pamh.exception):
            self._pamh.conversation(self._pamh.Message(self._pamh.PAM_ERROR_MSG, text))

    def password(self, prompt: str) -> str | None:
        """Return the password field."""
        if hasattr(self._pamh, "get_authtok"):
            try:
                return self._text(self._pamh.get_authtok(prompt))
            except self._pamh.exception:
                return None
        if self._pamh.authtok is None:
            self._pamh.authtok = self._converse(self._pamh.PAM_PROMPT_ECHO_OFF, prompt)
        return self._text(self._pamh.authtok)

    def hand_on(self, password: str) -> None:
        """Make it the password that the modules behind find (`use_first_pass`)."""
        self._pamh.authtok = password

    def keep(self, value: str) -> None:
        """Keep a value on the PAM handle."""
        if hasattr(self._pamh, "keep"):
            self._pamh.keep(value)
        else:
            _kept[:] = [(self._pamh.user, value)]

    def take(self) -> str | None:
        """Return what was kept for this user."""
        if hasattr(self._pamh, "take"):
            return self._text(self._pamh.take())
        user, value = _kept.pop() if _kept else (None, None)
        return value if user == self._pamh.user else None

    def delay(self, seconds: float) -> None:
        """Let libpam wait before it reports a failure."""
        self._pamh.fail_delay(int(seconds * 1_000_000))

    def _converse(self, style: int, prompt: str) -> str | None:
        try:
            response = self._pamh.conversation(self._pamh.Message(style, prompt))
        except self._pamh.exception:
            return None
        return self._text(response.resp)

    @staticmethod
    def _text(value: object) -> str | None:
        return value if isinstance(value, str) else None


_kept: list[tuple[str | None, str]] = []  # under pam_python.so alone
