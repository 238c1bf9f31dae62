"""A PAM application: one login through libpam, with a person behind it.

python-pam (Debian's python3-pampy) is a client of libpam that is not ours, and that is why it
is used.  Only the layer below its `authenticate` can be: libpam's functions and structures,
as it declares them.  `authenticate` itself wants the password beforehand, gives it to the
first hidden prompt, leaves every other prompt without an answer, and shows none.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pam
from pam.__internals import PamConv, PamHandle, PamResponse, conv_func

from pam_totp.errors import PamTotpError

Converse = Callable[[int, str], str | None]
"""Shows one message of a style (PAM_PROMPT_ECHO_ON, …) and returns the answer, if it has one."""

PAM_PROMPT_ECHO_OFF: Final[int] = pam.PAM_PROMPT_ECHO_OFF
PAM_PROMPT_ECHO_ON: Final[int] = pam.PAM_PROMPT_ECHO_ON
PAM_ERROR_MSG: Final[int] = pam.PAM_ERROR_MSG
PAM_TEXT_INFO: Final[int] = pam.PAM_TEXT_INFO
PAM_RHOST: Final[int] = pam.PAM_RHOST
PAM_TTY: Final[int] = pam.PAM_TTY
PAM_SUCCESS: Final[int] = pam.PAM_SUCCESS


class PamUnusable(PamTotpError):
    """libpam did not begin a login at all."""


@dataclass(frozen=True, slots=True)
class Step:
    """One call of libpam: `words` is what libpam says of `code`."""

    name: str
    code: int
    words: str

    @property
    def succeeded(self) -> bool:
        """Whether the application goes on."""
        return bool(self.code == PAM_SUCCESS)


def log_in(service: str, user: str, items: Mapping[int, str], converse: Converse) -> list[Step]:
    """Log in as an application does, without a session: authenticate and, if that succeeds,
    account.

    What `converse` raises ends the login, as somebody who hangs up does, and is raised again.
    Raises PamUnusable.
    """
    return _Login(converse).run(service, user, items)


class _Login:
    def __init__(self, converse: Converse) -> None:
        self._converse = converse
        self._libpam: Any = pam.PamAuthenticator()
        self._handle = PamHandle()
        self._stopped: BaseException | None = None

    def run(self, service: str, user: str, items: Mapping[int, str]) -> list[Step]:
        conversation = PamConv(conv_func(self._conversation), None)
        code = self._libpam.pam_start(
            _raw(service), _raw(user), ctypes.byref(conversation), ctypes.byref(self._handle)
        )
        if code != PAM_SUCCESS:
            raise PamUnusable(
                f"libpam does not begin a login to {service!r} (code {code})",
                hint=f"cat /etc/pam.d/{service}",
            )
        try:
            for item, value in items.items():
                self._libpam.pam_set_item(self._handle, item, ctypes.c_char_p(_raw(value)))
            steps = [self._step("authenticate", self._libpam.pam_authenticate)]
            if steps[0].succeeded:
                steps.append(self._step("account", self._libpam.pam_acct_mgmt))
        finally:
            self._libpam.pam_end(self._handle, PAM_SUCCESS)
        return steps

    def _step(self, name: str, call: Callable[[Any, int], int]) -> Step:
        code = call(self._handle, 0)
        if self._stopped is not None:
            raise self._stopped
        words = self._libpam.pam_strerror(self._handle, code)
        return Step(name, code, words.decode("utf-8", "replace"))

    def _conversation(self, count: int, messages: Any, responses: Any, _data: object) -> int:
        """Answer libpam's messages: its pam_conv(3)."""
        try:
            answers = [self._answer(messages[number].contents) for number in range(count)]
        except BaseException as stop:  # noqa: BLE001 -- ctypes would print and forget it
            self._stopped = stop
            return int(pam.PAM_CONV_ERR)
        responses[0] = self._allocated(answers)
        return PAM_SUCCESS

    def _answer(self, message: Any) -> bytes | None:
        text = (message.msg or b"").decode("utf-8", "surrogateescape")
        answer = self._converse(message.msg_style, text)
        return None if answer is None else _raw(answer)

    def _allocated(self, answers: list[bytes | None]) -> Any:
        """Return pam_response structures that libpam may free: all from `calloc`."""
        size = ctypes.sizeof(PamResponse)
        array = ctypes.cast(self._libpam.calloc(len(answers), size), ctypes.POINTER(PamResponse))
        for number, answer in enumerate(answers):
            if answer is not None:
                copy = self._libpam.calloc(len(answer) + 1, 1)
                ctypes.memmove(copy, answer, len(answer))
                array[number].resp = copy
        return array


def _raw(text: str) -> bytes:
    """Return text as C strings have it, which end at a NUL.  Raises PamUnusable."""
    if "\0" in text:
        raise PamUnusable("a NUL cannot be handed to libpam")
    return text.encode("utf-8", "surrogateescape")
