"""Records as JSON, with a version in front; the same for every store."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import astuple
from typing import Any, Final, TypeVar

from pam_totp.account import (
    NOBODY,
    AccountState,
    AdministratorLock,
    Authenticator,
    AuthenticatorState,
    Credentials,
    Invitation,
)
from pam_totp.errors import StoreDamaged
from pam_totp.lockout import Counter, Failure, WrongCodes
from pam_totp.otp import Parameters
from pam_totp.secret import Secret

VERSION: Final = 1
T = TypeVar("T")
_encode: Final = json.JSONEncoder(separators=(",", ":")).encode


def state_to_text(state: AccountState) -> str:
    """Return a state as text; what is at its default is left out."""
    record: dict[str, Any] = {"v": VERSION, "version": state.version}
    if state.enrolled is not None:
        record["enrolled"] = state.enrolled
    if state.uid is not None:
        record["uid"] = state.uid
    if state.authenticators:
        record["authenticators"] = {
            id_: _authenticator_state_record(a) for id_, a in state.authenticators.items()
        }
    if state.spent:
        record["spent"] = sorted(state.spent)
    for name, counter in (("codes", state.codes), ("own_codes", state.own_codes)):
        if counter != Counter():
            record[name] = _counter_record(counter)
    if state.wrong != WrongCodes():
        record["wrong"] = _wrong_record(state.wrong)
    if state.lock is not None:
        record["lock"] = [state.lock.at, state.lock.by, state.lock.reason]
    if state.trusted:
        record["trusted"] = dict(state.trusted)
    return _encode(record | _later_record(state))


def state_from_text(text: str) -> AccountState:
    """Return the state that `text` holds.  Raises StoreDamaged."""
    return _parsed(text, _state)


def counter_to_text(counter: Counter) -> str:
    """Return a counter as text."""
    return _encode([VERSION, *_counter_record(counter)])


def counter_from_text(text: str) -> Counter:
    """Return the counter that `text` holds.  Raises StoreDamaged."""

    def build(record: Any) -> Counter:
        if record[0] != VERSION:
            raise ValueError("version")
        return _counter(record[1:])

    return _parsed(text, build)


def credentials_to_bytes(credentials: Credentials) -> bytes:
    """Return credentials as bytes, to be sealed; the version is the seal's."""
    record = {
        "v": VERSION,
        "uid": credentials.uid,
        "authenticators": [_authenticator_record(a) for a in credentials.authenticators],
        "salt": credentials.salt.hex(),
        "recovery_codes": list(credentials.recovery_codes),
    }
    return _encode(record).encode()


def credentials_from_bytes(plain: bytes, version: int) -> Credentials:
    """Return the credentials that `plain` holds.  Raises StoreDamaged."""

    def build(record: Any) -> Credentials:
        _check_version(record)
        return Credentials(
            uid=record["uid"],
            authenticators=tuple(_authenticator(a) for a in record["authenticators"]),
            salt=bytes.fromhex(record["salt"]),
            recovery_codes=tuple(record["recovery_codes"]),
            version=version,
        )

    return _parsed(plain.decode("utf-8", "replace"), build)


def _parsed(text: str, build: Callable[[Any], T]) -> T:
    try:
        return build(json.loads(text))
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        # From None: the text of a JSON error holds the record.
        raise StoreDamaged("a record has not the form of this version") from None


def _check_version(record: Any) -> None:
    if record["v"] != VERSION:
        raise ValueError("version")


def _state(record: Any) -> AccountState:
    _check_version(record)
    get = record.get
    lock, invitation, disabled = get("lock"), get("invitation"), get("disabled")
    return AccountState(
        enrolled=get("enrolled"),
        version=record["version"],
        uid=get("uid"),
        authenticators={
            id_: AuthenticatorState(*parts) for id_, parts in get("authenticators", {}).items()
        },
        spent=frozenset(get("spent", ())),
        codes=_counter(get("codes")),
        own_codes=_counter(get("own_codes")),
        wrong=_wrong(get("wrong")),
        own_wrong=_wrong(get("own_wrong")),
        lock=AdministratorLock(*lock) if lock else None,
        trusted=dict(get("trusted", {})),
        invitation=Invitation(*invitation) if invitation else None,
        only_invited=get("only_invited", False),
        disabled=AdministratorLock(*disabled) if disabled else None,
    )


def _later_record(state: AccountState) -> dict[str, Any]:
    """Return what was added since the first version."""
    record: dict[str, Any] = {}
    if state.invitation is not None:
        record["invitation"] = list(astuple(state.invitation))
    if state.only_invited:
        record["only_invited"] = True
    if state.disabled is not None:
        record["disabled"] = list(astuple(state.disabled))
    if state.own_wrong != WrongCodes():
        record["own_wrong"] = _wrong_record(state.own_wrong)
    return record


def _authenticator_state_record(a: AuthenticatorState) -> list[int | None]:
    """Return the fields in their order; what was added since the first version is left out
    where it is at its default."""
    record = [a.last_step, a.offset, a.last_used]
    if not a.confirmed:
        return [*record, a.drift, False]
    return record if a.drift is None else [*record, a.drift]


def _counter_record(counter: Counter) -> list[Any]:
    return [counter.locked_until, [[f.at, f.fingerprint] for f in counter.failures]]


def _wrong_record(wrong: WrongCodes) -> list[Any]:
    return [wrong.in_a_row, list(wrong.at)]


def _wrong(record: Any) -> WrongCodes:
    return WrongCodes(record[0], tuple(record[1])) if record else NOBODY.wrong


def _counter(record: Any) -> Counter:
    if record is None:
        return NOBODY.codes
    return Counter(tuple(Failure(*parts) for parts in record[1]), record[0])


def _authenticator_record(a: Authenticator) -> dict[str, Any]:
    """Return the record; a TOTP authenticator's is as it was before there was HOTP."""
    record = {
        "id": a.id,
        "name": a.name,
        "secret": base64.b64encode(a.secret.reveal()).decode(),
        "algorithm": a.parameters.algorithm,
        "digits": a.parameters.digits,
        "period": a.parameters.period,
        "created": a.created,
    }
    return record if a.parameters.type == "totp" else record | {"type": a.parameters.type}


def _authenticator(record: Any) -> Authenticator:
    return Authenticator(
        id=record["id"],
        name=record["name"],
        secret=Secret(base64.b64decode(record["secret"], validate=True)),
        parameters=Parameters(
            record["algorithm"], record["digits"], record["period"], record.get("type", "totp")
        ),
        created=record["created"],
    )
