"""What somebody sees of their own account, and of an enrollment under way."""

from __future__ import annotations

from pam_totp import authenticator as authenticators
from pam_totp.account import AccountState, Authenticator, Credentials
from pam_totp.enrollment import Draft
from pam_totp.selfservice.message import Object
from pam_totp.who import Who


def account(who: Who, credentials: Credentials | None, now: float) -> Object:
    """Return what there is of the account.  Times are UTC seconds; `locked_until` is None where
    nothing is locked, or until an administrator unlocks."""
    state = who.state
    until = max(state.codes.locked_until, state.own_codes.locked_until)
    locked = "administrator" if state.barred else "until" if now < until else "no"
    unspent = set(credentials.recovery_codes) - state.spent if credentials else set()
    known = credentials.authenticators if credentials else ()
    return {
        "account": who.account,
        "enrolled": state.enrolled is not None,
        "authenticators": [_authenticator(one, state) for one in known],
        "limit": who.ruled.authenticators,
        "recovery_codes": len(unspent),
        "locked": locked,
        "locked_until": until if locked == "until" else None,
    }


def _authenticator(one: Authenticator, state: AccountState) -> Object:
    known = state.of(one)
    return {
        "name": one.name,
        **_parameters(one),
        "created": one.created,
        "last_used": known.last_used,
        "confirmed": known.confirmed,
    }


def draft(drafted: Draft, issuer: str, *, own_secret: bool) -> Object:
    """Return what somebody needs who enrolls: URIs that say the same, the longest first, and the
    key, "" where it came from their own token."""
    one, name = drafted.authenticator, drafted.person.name
    uris = [
        authenticators.uri(one, name, issuer, counter=drafted.counter, short=short)
        for short in (False, True)
    ]
    return {
        "account": name,
        "issuer": issuer,
        "name": one.name,
        **_parameters(one),
        "counter": drafted.counter,
        "uris": uris,
        "key": "" if own_secret else authenticators.base32(one.secret),
    }


def _parameters(one: Authenticator) -> Object:
    how = one.parameters
    return {
        "type": how.type,
        "algorithm": how.algorithm,
        "digits": how.digits,
        "period": how.period,
    }
