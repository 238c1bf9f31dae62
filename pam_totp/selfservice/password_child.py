"""The process that asks PAM about one password: /usr/libexec/pam-totp/check-password.

The question is JSON on standard input: account, password, rhost, tty.  The answer is a word on
standard output and what there is to say of it: pam_totp.selfservice.password.Outcome.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any, Final

from pam_totp.bridge import process
from pam_totp.policy.values import OWN_SERVICE

# linux-pam's _pam_types.h
_SILENT: Final = 0x8000
_DISALLOW_NULL_AUTHTOK: Final = 1
_SUCCESS: Final = 0
_WRONG: Final = frozenset(
    {
        6,  # PAM_PERM_DENIED
        7,  # PAM_AUTH_ERR
        10,  # PAM_USER_UNKNOWN
        11,  # PAM_MAXTRIES
    }
)
_CLOSED: Final = frozenset(
    {
        12,  # PAM_NEW_AUTHTOK_REQD
        13,  # PAM_ACCT_EXPIRED
    }
)


def main() -> int:
    """Answer one question; 0 if there was an answer."""
    # The service holds its signals back for its threads, and a process inherits that.
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    process.harden()
    answer = _answers_alone()
    question = json.load(sys.stdin.buffer)
    os.write(answer, ask(question).encode("utf-8", "replace"))
    return 0


def ask(question: dict[str, str]) -> str:
    """Return PAM's answer in a word, with what there is to say of it."""
    import pamela  # noqa: PLC0415 -- it looks for libpam when it is imported

    # Held here: libpam calls it until pam_end.
    converse = pamela.new_simple_password_conv((question["password"],), "utf-8")
    try:
        handle = pamela.pam_start(OWN_SERVICE, question["account"], conv_func=converse)
    except pamela.PAMError as error:
        return f"unavailable {error}"
    code = _SUCCESS
    try:
        for item, value in ((pamela.PAM_RHOST, "rhost"), (pamela.PAM_TTY, "tty")):
            if question[value]:
                handle.set_item(item, question[value])
        code, word = _asked(pamela, handle)
    except pamela.PAMError as error:
        return f"unavailable {error}"
    finally:
        pamela.PAM_END(handle, code)
    return word if code == _SUCCESS else f"{word} {pamela.pam_strerror(handle, code)} ({code})"


def _asked(pamela: Any, handle: Any) -> tuple[int, str]:
    """Return libpam's code and our word for it, of the password and of the account."""
    code = pamela.PAM_AUTHENTICATE(handle, _SILENT | _DISALLOW_NULL_AUTHTOK)
    if code in _WRONG:
        return code, "wrong"
    if code == _SUCCESS:
        code = pamela.PAM_ACCT_MGMT(handle, _SILENT | _DISALLOW_NULL_AUTHTOK)
        if code == _SUCCESS:
            return code, "right"
        if code in _WRONG:  # of the account, after a right password
            return code, "refused"
    return code, "refused" if code in _CLOSED else "unavailable"


def _answers_alone() -> int:
    """Return the descriptor for the answer; what a module prints goes nowhere."""
    answer = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return answer
