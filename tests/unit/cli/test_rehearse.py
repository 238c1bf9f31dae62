"""`pam-totp test`: what is shown of a login."""

from __future__ import annotations

import io

from pam_totp.cli import application
from pam_totp.cli.rehearse import _asks
from pam_totp.cli.terminal import Terminal


def test_messages_are_shown_and_not_obeyed() -> None:
    """Lines and tabs stay; a terminal gets no control character that a module passes on."""
    shown = io.StringIO()
    converse = _asks(Terminal(io.StringIO("123456\n"), shown))
    assert converse(application.PAM_PROMPT_ECHO_ON, "\x1b]0;x\x07Code: ") == "123456"
    assert converse(application.PAM_TEXT_INFO, "one\n\ttwo\u202e") is None
    assert shown.getvalue() == ("\\x1b]0;x\\x07Code: [information] one\n        two\\x202e\n")
