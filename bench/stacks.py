"""What is measured: the stacks, and the accounts with their secrets in each module's own form.

The line for the password is `pam_permit.so` in every stack, so that what differs is the module
for the code alone.
"""

from __future__ import annotations

import base64
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from pam_totp import config, context, enrollment
from pam_totp.account import Person
from pam_totp.authenticator import base32
from pam_totp.clock import now
from tests.system.lab.phone import PERIOD, totp
from tests.system.lab.product import CONFIGURATION, configure, pam_totp

OURS: Final = "pam_totp"
GOOGLE: Final = "pam_google_authenticator"
OATH: Final = "pam_oath"
FLOOR: Final = "pam_permit"
ACCOUNT: Final = "pam_totp-account"

OATH_USERS: Final = 1000
_FIRST_UID: Final = 20_000
_STEPS: Final = range(-2, 12)  # so many codes are made beforehand, for five minutes
_GOOGLE_FORM: Final = '{secret}\n" RATE_LIMIT 3 30\n" DISALLOW_REUSE\n" TOTP_AUTH\n'


@dataclass(frozen=True, slots=True)
class Account:
    """One account of the bench, the same and with the same secret in every module."""

    name: str
    uid: int
    secret: str
    """base32 without padding"""

    @property
    def hexadecimal(self) -> str:
        """The secret as users.oath has it."""
        return base64.b32decode(self.secret + "=" * (-len(self.secret) % 8)).hex()


@dataclass(frozen=True, slots=True)
class Places:
    """A directory for each module's files.  Their names are new in every run: see scripts/bench."""

    ours: Path
    google: Path
    oath: Path

    @classmethod
    def make(cls, data: Path) -> Self:
        """Make them below `data`."""
        return cls(*(Path(tempfile.mkdtemp(dir=data)) for _ in range(3)))

    @property
    def users(self) -> Path:
        """Where users.oath is."""
        return self.oath / "users.oath"


def write_stacks(directory: Path, places: Places) -> None:
    """Write one PAM configuration for each module that is measured."""
    secret = f"{places.google}/${{USER}}"
    lines = {
        FLOOR: "",
        OURS: "auth required pam_totp.so",
        GOOGLE: f"auth required pam_google_authenticator.so user=root secret={secret}",
        OATH: f"auth required pam_oath.so usersfile={places.users} window=2 digits=6",
        ACCOUNT: "account required pam_totp.so",
    }
    directory.mkdir()
    for name, line in lines.items():
        (directory / name).write_text(f"auth required pam_permit.so\n{line}\n")
    (directory / "other").write_text("auth required pam_deny.so\naccount required pam_deny.so\n")


def make_accounts(count: int, places: Places) -> list[Account]:
    """Make accounts that NSS knows, and enroll each in every module."""
    people = [Person(f"bench{number:04}", _FIRST_UID + number) for number in range(count)]
    with Path("/etc/passwd").open("a") as passwd:
        passwd.writelines(
            f"{p.name}:x:{p.uid}:65534::/nonexistent:/usr/sbin/nologin\n" for p in people
        )
    accounts = _enrolled(people, places.ours)
    _write_google(accounts, places.google)
    _write_oath(accounts, places.users)
    return accounts


def write_codes(accounts: list[Account], path: Path) -> None:
    """Write what pambench reads: the first time step, then each account and its codes."""
    first = int(now() // PERIOD) + _STEPS.start
    lines = [
        " ".join([a.name, *(totp(a.secret, first + step) for step in range(len(_STEPS)))])
        for a in accounts
    ]
    path.write_text("\n".join([str(first), *lines, ""]))


def _enrolled(people: list[Person], directory: Path) -> list[Account]:
    """Set pam_totp up and enroll everyone.  As `pam-totp enroll` does, in one process."""
    pam_totp("setup", "--yes", "--ignore-clock", "--services", "all")
    configure("data-directory", str(directory))
    pam_totp("setup", "--yes", "--ignore-clock", "--services", "all")
    store = context.from_config(config.load(CONFIGURATION)).store
    accounts = []
    for person in people:
        draft = enrollment.draft(store, person, "phone", now())
        enrollment.keep(store, draft, now(), by="bench")
        accounts.append(Account(person.name, person.uid, base32(draft.authenticator.secret)))
    return accounts


def _write_google(accounts: list[Account], directory: Path) -> None:
    for account in accounts:
        file = directory / account.name
        file.touch(mode=0o600)
        file.write_text(_GOOGLE_FORM.format(secret=account.secret))


def _write_oath(accounts: list[Account], file: Path) -> None:
    """Spread the accounts evenly over a file of OATH_USERS users."""
    users = [(f"other{number:04}", "00" * 20) for number in range(OATH_USERS)]
    for number, account in enumerate(accounts):
        users[number * OATH_USERS // len(accounts)] = (account.name, account.hexadecimal)
    file.touch(mode=0o600)
    file.write_text("".join(f"HOTP/T30 {name} - {key}\n" for name, key in users))
