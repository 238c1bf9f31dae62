"""The `pamh` object: pam_python's API, spoken over the wire to a PAM handle elsewhere.

A handler that is written for pam_python finds what it knows.  Three things differ,
because the handle lives in another process: `pamh.pamh`, a pointer, and `xauthdata`, an
item that is no string, raise `exception`; and `service`, `user`, `rhost`, `tty` and
`ruser` are read from what the call brought along, so that they cost nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NoReturn, overload

from pam_totp.bridge import messages, wire
from pam_totp.bridge.constants import Constants
from pam_totp.bridge.environment import Environment
from pam_totp.errors import BrokenMessage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pam_totp.bridge.connection import Connection
    from pam_totp.bridge.peers import Peer


class _Item:
    """A PAM item as an attribute of `pamh`: a string, or None for C's NULL."""

    __slots__ = ("_number",)

    def __init__(self, number: int) -> None:
        self._number = number

    @overload
    def __get__(self, pamh: None, owner: type[PamHandle]) -> _Item: ...
    @overload
    def __get__(self, pamh: PamHandle, owner: type[PamHandle]) -> str | None: ...

    def __get__(self, pamh: PamHandle | None, owner: type[PamHandle]) -> _Item | str | None:
        return self if pamh is None else pamh.get_item(self._number)

    def __set__(self, pamh: PamHandle, value: str | None) -> None:
        pamh.set_item(self._number, value)


class PamHandle(Constants):
    """One PAM handle during one call.

    Every method and attribute raises `exception` where libpam answers with a failure;
    BrokenMessage or ConnectionLost where the bridge does not answer as it must.
    """

    __slots__ = ("_connection", "_items", "_kept", "caller", "peer")

    exception = messages.PamException
    Message = messages.Message
    Response = messages.Response
    XAuthData = messages.XAuthData
    libpam_version: ClassVar[str] = "1.0"
    py_initialized: ClassVar[int] = 0

    service = _Item(Constants.PAM_SERVICE)
    user = _Item(Constants.PAM_USER)
    rhost = _Item(Constants.PAM_RHOST)
    tty = _Item(Constants.PAM_TTY)
    ruser = _Item(Constants.PAM_RUSER)
    user_prompt = _Item(Constants.PAM_USER_PROMPT)
    authtok = _Item(Constants.PAM_AUTHTOK)
    oldauthtok = _Item(Constants.PAM_OLDAUTHTOK)
    authtok_type = _Item(Constants.PAM_AUTHTOK_TYPE)
    xdisplay = _Item(Constants.PAM_XDISPLAY)

    def __init__(self, connection: Connection, call: wire.Call, peer: Peer) -> None:
        self._connection = connection
        self._items = {
            self.PAM_SERVICE: call.service,
            self.PAM_USER: call.user,
            self.PAM_RHOST: call.rhost,
            self.PAM_TTY: call.tty,
            self.PAM_RUSER: call.ruser,
        }
        self._kept = call.kept
        self.peer = peer
        """The host process, as the kernel knows it; not part of pam_python's API."""
        self.caller = call.caller
        """The uid of who started that process, in its own words; neither is this."""

    @property
    def env(self) -> Environment:
        """The PAM environment.  Made when asked for: an attribute would be a cycle."""
        return Environment(self._ask)

    def conversation(
        self, prompts: messages.MessageLike | Sequence[messages.MessageLike]
    ) -> messages.Response | list[messages.Response]:
        """Show one message, or a list in one go; return one Response, or as many."""
        if isinstance(prompts, (list, tuple)):
            return self._converse(prompts) if prompts else []
        return self._converse([prompts])[0]  # type: ignore[list-item]

    def get_user(self, prompt: str | None = None) -> str | None:
        """Return the user's name; the application asks for it if it is not yet known."""
        user = self._items[self.PAM_USER]
        if user is None:
            request = wire.encode_text(wire.Type.GET_USER, prompt)
            user = self._items[self.PAM_USER] = self._value(request, person=True)
        return user

    def fail_delay(self, delay: int) -> None:
        """Ask libpam to wait about this many microseconds after a failure, at least."""
        self._ask(wire.encode_fail_delay(delay))

    def strerror(self, errnum: int) -> str:
        """Say what a PAM return value means."""
        return messages.strerror(errnum)

    def get_authtok(self, prompt: str | None = None) -> str | None:
        """Return the password, asked for if no module has yet; refused on most lines."""
        return self._value(wire.encode_text(wire.Type.GET_AUTHTOK, prompt), person=True)

    def keep(self, value: str) -> None:
        """Keep a value on the PAM handle, for this user, until the next call takes it."""
        self._ask(wire.encode_text(wire.Type.KEEP, value))
        self._kept = True

    def take(self) -> str | None:
        """Return what was kept for this user, which is then gone; None if there is nothing.

        Where the call came without, as most do, nothing is asked.
        """
        if not self._kept:
            return None
        self._kept = False
        return self._value(wire.encode_plain(wire.Type.TAKE))

    def get_item(self, item: int) -> str | None:
        """Return a PAM item that is a string; what the call brought along costs nothing."""
        if item in self._items:
            return self._items[item]
        return self._value(wire.encode_get_item(item))

    def set_item(self, item: int, value: str | None) -> None:
        """Set a PAM item that is a string."""
        self._ask(wire.encode_set_item(item, value))
        if item in self._items:
            self._items[item] = value

    @property
    def xauthdata(self) -> NoReturn:
        """Raise `exception` with PAM_BAD_ITEM: a structure does not cross the wire."""
        raise messages.PamException(self.PAM_BAD_ITEM)

    @xauthdata.setter
    def xauthdata(self, _value: object) -> None:
        raise messages.PamException(self.PAM_BAD_ITEM)

    @property
    def pamh(self) -> NoReturn:
        """Raise `exception` with PAM_SYMBOL_ERR: the pointer is another process's."""
        raise messages.PamException(self.PAM_SYMBOL_ERR)

    def _converse(self, prompts: Sequence[messages.MessageLike]) -> list[messages.Response]:
        request = wire.encode_converse([(prompt.msg_style, prompt.msg) for prompt in prompts])
        values = self._ask(request, values=len(prompts), person=True)
        return [messages.Response(value, 0) for value in values]

    def _value(self, request: bytes, *, person: bool = False) -> str | None:
        return self._ask(request, values=1, person=person)[0]

    def _ask(
        self, request: bytes, *, values: int | None = 0, person: bool = False
    ) -> list[str | None]:
        """Ask and return the values, of which there must be `values` (None: any number)."""
        reply = self._connection.ask(request, person=person)
        if reply.code:
            raise messages.PamException(reply.code)
        if values is not None and len(reply.values) != values:
            raise BrokenMessage("a reply with another number of values than asked for")
        return reply.values
