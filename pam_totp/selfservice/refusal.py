"""Why something was not done, as a person is told."""

from __future__ import annotations

from typing import Any

from pam_totp.errors import PamTotpError


class Refusal(PamTotpError):
    """`kind` is for programs: a verdict's value, or one of the words of this package; `more` is
    what else there is to know.

    kind             what to do
    no-account       nothing can be done from here
    other-uid        ask an administrator; so for other-name, off and damaged
    prove            send `prove`, then the same again
    not-asked        this proof is none here: hello says which is
    closed           the account is closed, or wants a new password first
    unavailable, too-often
                     try again later
    not-enrolled     enroll first
    name, too-many, last, unknown-authenticator, bad-value
                     ask for something else
    no-draft, overtaken
                     begin the enrollment again
    """

    def __init__(self, kind: str, text: str, hint: str = "", **more: Any) -> None:
        super().__init__(text, hint=hint or None)
        self.kind = kind
        self.more = more
