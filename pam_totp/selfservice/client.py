"""The person's end of admin.socket: typed calls, one for each request.

`pam-totp` and anything else that runs as the person speaks to the service by it.  What the
service refuses comes as `Refused`, in the language that was asked for.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from dataclasses import dataclass, field
from pathlib import Path
from struct import Struct
from types import TracebackType
from typing import Any, Final, Self

from pam_totp.errors import BrokenMessage, PamTotpError
from pam_totp.otp import Parameters
from pam_totp.selfservice import message
from pam_totp.selfservice.message import Object

DIRECTORY: Final = Path("/run/pam-totp")
SOCKET_NAME: Final = "admin.socket"
SECONDS: Final = 90.0  # for an answer: others may wait for PAM, and then so do we
_ROOT: Final = 0
_UCRED: Final = Struct("iII")
_START: Final = "sudo systemctl start pam-totpd, or ask your administrator"


class ServiceGone(PamTotpError):
    """The service cannot be asked."""


class Refused(PamTotpError):
    """The service says no.  `kind` is one of pam_totp.selfservice.refusal; `drift` and
    `tries_left` are those of a wrong code at an enrollment."""

    def __init__(self, error: Object) -> None:
        super().__init__(str(error.get("message", "")), hint=error.get("hint") or None)
        self.kind = str(error.get("kind", ""))
        self.drift: int | None = error.get("drift")
        self.tries_left = int(error.get("tries_left", 0))
        self.until: float | None = error.get("until")


@dataclass(frozen=True, slots=True)
class Device:
    """An authenticator of the account.  Times are UTC seconds."""

    name: str
    parameters: Parameters
    created: int
    last_used: int | None
    confirmed: bool


@dataclass(frozen=True, slots=True)
class Account:
    """What there is of one's own account: pam_totp.selfservice.view.

    `proves` are the ways to prove who it is: any one of them, all of its words ("password",
    "invitation", "code").  Where `self_enrollment` is False, `why_not` says why.
    """

    account: str
    issuer: str
    enrolled: bool
    proves: tuple[tuple[str, ...], ...]
    self_enrollment: bool
    why_not: str
    devices: tuple[Device, ...]
    limit: int
    recovery_codes: int
    locked: str
    locked_until: float | None


@dataclass(frozen=True, slots=True)
class Shown:
    """What somebody needs who enrolls: `uris` say the same, the longest first; `key` is "" where
    the secret is their own token's."""

    account: str
    issuer: str
    name: str
    parameters: Parameters
    counter: int
    uris: tuple[str, ...] = field(repr=False)
    key: str = field(repr=False)
    tries_left: int


@dataclass(frozen=True, slots=True)
class Resynced:
    """By how many seconds the clock is off (negative: slow), or how many codes of a token that
    counts were passed over."""

    drift: int
    ahead: int | None


class Client:
    """One conversation with the service.  Close it, or use it as a context manager: a draft
    lives as long as it does."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected

    @classmethod
    def connect(cls, directory: Path = DIRECTORY, owner: int = _ROOT) -> Self:
        """Connect to the service, whose user is `owner`.

        SECURITY: whoever listens there gets the person's password; so the directory must be one
        that nobody else can write.  Raises ServiceGone.
        """
        _check_place(directory, owner)
        connected = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        connected.settimeout(SECONDS)
        try:
            connected.connect(os.fspath(directory / SOCKET_NAME))
            listens = _listener_of(connected)
        except OSError as error:
            connected.close()
            why = "does not run" if isinstance(error, _NOT_THERE) else f"is not to be had: {error}"
            raise ServiceGone(f"the service pam-totpd {why}", hint=_START) from error
        if listens != owner:
            connected.close()
            raise ServiceGone(f"uid {listens} answers for pam-totpd", hint=_look_at(directory))
        return cls(connected)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the conversation; a draft is gone with it."""
        self._socket.close()

    def hello(self, language: str = "") -> Account:
        """Ask for one's own account; from here on the service speaks `language`."""
        said = self._ask("hello", language=language)
        return Account(
            account=said["account"],
            issuer=said["issuer"],
            enrolled=said["enrolled"],
            proves=tuple(map(tuple, said["proves"])),
            self_enrollment=said["self_enrollment"],
            why_not=said["why_not"],
            devices=tuple(map(_device, said["authenticators"])),
            limit=said["limit"],
            recovery_codes=said["recovery_codes"],
            locked=said["locked"],
            locked_until=said["locked_until"],
        )

    def prove(self, kind: str, given: str) -> tuple[str, ...]:
        """Give a password, an invitation or a code; return what is proved by now."""
        return tuple(self._ask("prove", **{kind: given})["proved"])

    def draft(
        self,
        name: str,
        parameters: Parameters | None = None,
        *,
        replaces: str = "",
        secret: str = "",
        counter: int = 0,
    ) -> Shown:
        """Begin an enrollment; `secret` is a token's own, as its papers print it."""
        how = parameters or Parameters()
        return _shown(
            self._ask(
                "draft",
                name=name,
                replaces=replaces,
                secret=secret,
                counter=counter,
                type=how.type,
                algorithm=how.algorithm,
                digits=how.digits,
                period=how.period,
            )
        )

    def show(self) -> Shown:
        """Return the draft again."""
        return _shown(self._ask("show"))

    def confirm(self, code: str) -> tuple[str, ...]:
        """Keep the draft by its code; return the recovery codes, none but the first time."""
        return tuple(self._ask("confirm", code=code)["recovery_codes"])

    def rename(self, name: str, new: str) -> None:
        """Call an authenticator something else."""
        self._ask("rename", name=name, new=new)

    def remove(self, name: str) -> None:
        """Remove an authenticator, not the last one."""
        self._ask("remove", name=name)

    def resync(self, name: str, codes: tuple[str, str]) -> Resynced:
        """Tell what an authenticator's clock or counter shows, by two codes in a row."""
        said = self._ask("resync", name=name, codes=list(codes))
        return Resynced(said["drift"], said["ahead"])

    def new_recovery_codes(self) -> tuple[str, ...]:
        """Replace all recovery codes; return the new ones, for the only time."""
        return tuple(self._ask("recovery-codes")["recovery_codes"])

    def _ask(self, request: str, **values: Any) -> Any:
        """Return the answer to a request.  Raises Refused, ServiceGone."""
        try:
            self._socket.send(message.encode({"request": request, **values}))
            data = self._socket.recv(message.LONGEST + 1)
        except OSError as error:
            data, lost = self._last_word(), error
            if not data:
                raise _ended() from lost
        if not data:
            raise _ended()
        try:
            answer = message.decode(data)
        except BrokenMessage as error:
            raise ServiceGone(
                "the service pam-totpd speaks another version", hint="ask your administrator"
            ) from error
        if "error" in answer:
            raise Refused(answer["error"])
        return answer["done"]

    def _last_word(self) -> bytes:
        """Return what the service had said before it ended the conversation."""
        with contextlib.suppress(OSError):
            self._socket.settimeout(0)
            return self._socket.recv(message.LONGEST + 1)
        return b""


_NOT_THERE: Final = (FileNotFoundError, ConnectionRefusedError)


def _ended() -> ServiceGone:
    return ServiceGone("the service has ended the conversation", hint="begin again")


def _check_place(directory: Path, owner: int) -> None:
    """Raise ServiceGone unless nobody but the service can put a socket there."""
    try:
        found = directory.lstat()
    except FileNotFoundError:
        raise ServiceGone("the service pam-totpd does not run", hint=_START) from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner or found.st_mode & 0o022:
        raise ServiceGone(
            f"{directory} is not the service's own: nothing was sent", hint=_look_at(directory)
        )


def _look_at(directory: Path) -> str:
    return f"ls -ld {directory}; tell your administrator"


def _listener_of(connected: socket.socket) -> int:
    """Return the uid of whoever listens at the other end (SO_PEERCRED)."""
    data = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    return int(_UCRED.unpack(data)[1])


def _device(said: Object) -> Device:
    return Device(
        said["name"], _parameters(said), said["created"], said["last_used"], said["confirmed"]
    )


def _shown(said: Object) -> Shown:
    return Shown(
        account=said["account"],
        issuer=said["issuer"],
        name=said["name"],
        parameters=_parameters(said),
        counter=said["counter"],
        uris=tuple(said["uris"]),
        key=said["key"],
        tries_left=said["tries_left"],
    )


def _parameters(said: Object) -> Parameters:
    return Parameters(said["algorithm"], said["digits"], said["period"], said["type"])
