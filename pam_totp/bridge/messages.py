"""What a handler says and hears: messages, answers, and libpam's failures."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from functools import cache
from typing import Protocol

from pam_totp.errors import PamTotpError


@cache
def strerror(code: int) -> str:
    """Say what a PAM return value means, in libpam's own (English) words."""
    pam_strerror = ctypes.CDLL("libpam.so.0").pam_strerror
    pam_strerror.restype = ctypes.c_char_p
    words: bytes = pam_strerror(None, ctypes.c_int(code))
    return words.decode("utf-8", "replace")


class PamException(PamTotpError):
    """libpam, or the application's conversation, answered with a failure."""

    def __init__(self, pam_result: int) -> None:
        super().__init__(strerror(pam_result))
        self.pam_result = pam_result


class MessageLike(Protocol):
    """What `conversation` shows: any object with a style and a text will do."""

    @property
    def msg_style(self) -> int:
        """PAM_PROMPT_ECHO_OFF, PAM_PROMPT_ECHO_ON, PAM_ERROR_MSG or PAM_TEXT_INFO."""

    @property
    def msg(self) -> str:
        """The text, shown as it is."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message to the person."""

    msg_style: int
    msg: str


@dataclass(frozen=True, slots=True)
class Response:
    """The answer to one message, None where the application gave none; kept out of logs."""

    resp: str | None = field(repr=False)
    ret_code: int


@dataclass(frozen=True, slots=True)
class XAuthData:
    """X server credentials, which cannot cross the wire; here for the API's sake."""

    name: str
    data: str = field(repr=False)
