"""The keys of a policy, in one table, in the order of the documentation.  Parser, help, manual
and tests come from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from pam_totp.lockout import Scope
from pam_totp.matching import LOOK_AHEAD
from pam_totp.policy import values
from pam_totp.policy.values import (
    Invitations,
    Kind,
    Messages,
    Mfa,
    SelfEnrollment,
    Unenrolled,
)

_DAY: Final = 86_400


class Reach(IntEnum):
    """Which rules may set a key: the one for everybody alone, those for groups and users too,
    or also those for services and networks."""

    EVERYBODY = 0
    WHO = 1
    WHERE = 2


@dataclass(frozen=True, slots=True)
class Key:
    """One row.  `strictness` orders the values, the strictest highest; keys that only one rule
    may set need no order."""

    name: str
    kind: Kind
    default: Any
    reach: Reach
    meaning: str
    strictness: Callable[[Any], float] = lambda _: 0


def _fewer(value: int) -> float:
    return -value


def _longer(value: int) -> float:
    return value


KEYS: Final = (
    Key(
        "mfa",
        values.choice(Mfa),
        Mfa.OPTIONAL,
        Reach.WHERE,
        "Whether a code is needed: of everybody (required), of whoever has enrolled\n"
        "(optional), of nobody (off).",
        lambda value: list(Mfa).index(value),
    ),
    Key(
        "mfa-from",
        values.DATE,
        None,
        Reach.WHERE,
        "The day on which mfa=required of the same rule begins, at 00:00 local time;\n"
        "until then it counts as optional.",
    ),
    Key(
        "unenrolled",
        values.choice(Unenrolled),
        Unenrolled.REFUSE,
        Reach.WHERE,
        "What becomes of somebody who must use a code and has not enrolled: refuse, or\n"
        "enroll in the login itself where the application can show a QR code.",
        lambda value: value is Unenrolled.REFUSE,
    ),
    Key(
        "invitations",
        values.choice(Invitations),
        Invitations.OPTIONAL,
        Reach.WHO,
        "Whether enrollment wants an invitation beside the password.",
        lambda value: value is Invitations.REQUIRED,
    ),
    Key(
        "self-enrollment",
        values.choice(SelfEnrollment),
        SelfEnrollment.ON,
        Reach.WHO,
        "Whether people may enroll by themselves, or administrators do it for them.",
        lambda value: value is SelfEnrollment.OFF,
    ),
    Key(
        "authenticators",
        values.number(1, 20),
        5,
        Reach.WHO,
        "How many authenticators (apps and tokens) an account may have.",
        _fewer,
    ),
    Key(
        "hotp-look-ahead",
        values.number(1, 100),
        LOOK_AHEAD,
        Reach.WHO,
        "How many codes a token that counts (HOTP) may be ahead of its last login. Each\n"
        "makes a guess as much more likely to be right.",
        _fewer,
    ),
    Key(
        "grace",
        values.duration(0, 30 * _DAY),
        0,
        Reach.WHERE,
        "For how long no new code is asked of an account at the same service and\n"
        "address; 0 for always asking. A failure from there or a lock ends it.",
        _fewer,
    ),
    Key(
        "services",
        values.SERVICES,
        ("sshd", "login", "openvpn"),
        Reach.EVERYBODY,
        "The PAM services that ask for codes at all, or all. Elsewhere the module\n"
        "has no say, whatever the stack names.",
    ),
    Key(
        "messages",
        values.choice(Messages),
        Messages.PLAIN,
        Reach.EVERYBODY,
        "Whether a refused person is told why, after a right password (helpful), or\n"
        "never (plain).",
    ),
    Key(
        "lockout-failures",
        values.number(1, 100),
        5,
        Reach.WHO,
        "How many failures within lockout-period lock.",
        _fewer,
    ),
    Key(
        "lockout-period",
        values.duration(60, _DAY),
        900,
        Reach.WHO,
        "For how long a failure counts.",
        _longer,
    ),
    Key(
        "lockout-duration",
        values.duration(60, _DAY),
        900,
        Reach.WHO,
        "How long a lock holds.",
        _longer,
    ),
    Key(
        "lockout-scope",
        values.choice(Scope),
        Scope.ADDRESS,
        Reach.WHO,
        "What wrong passwords count against: account and address together, so that a\n"
        "stranger locks out an address and not a person; or the account.",
        lambda value: value is Scope.ACCOUNT,
    ),
    Key(
        "hard-stop",
        values.number(10, 1000),
        100,
        Reach.WHO,
        "How many wrong codes in a row, each after a right password, lock until an\n"
        "administrator acts. NIST SP 800-63B allows 100 at most.",
        _fewer,
    ),
    Key(
        "hard-stop-monthly",
        values.number(10, 1000),
        100,
        Reach.WHO,
        "How many wrong codes in 30 days are allowed, whatever succeeded between.",
        _fewer,
    ),
    Key(
        "events-days",
        values.number(1, 36_500),
        400,
        Reach.EVERYBODY,
        "For how many days the events of logins are kept.",
    ),
    Key(
        "events-kept",
        values.number(1_000, 100_000_000),
        1_000_000,
        Reach.EVERYBODY,
        "How many events of logins are kept at most.",
    ),
)
BY_NAME: Final = {key.name: key for key in KEYS}
