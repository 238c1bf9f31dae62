"""People with a system account and, once enrolled, a phone."""

from __future__ import annotations

import itertools
import pwd
import subprocess
from typing import Any, Final

from tests.system.lab.phone import Phone
from tests.system.lab.product import ask_pam_totp, pam_totp

_names = (f"person{number}" for number in itertools.count(1))


class Person:
    """A system account.  Its name is used for one test alone, so that counters start at none."""

    def __init__(self, name: str | None = None) -> None:
        self.name = name or next(_names)
        self.password: Final = f"correct horse of {self.name}"
        subprocess.run(["useradd", "--create-home", "--shell", "/bin/sh", self.name], check=True)
        self.set_password(self.password)
        self._phone: Phone | None = None

    def set_password(self, password: str) -> None:
        """Set the password, with as few rounds of hashing as there can be."""
        subprocess.run(
            ["chpasswd", "--crypt-method", "SHA256", "--sha-rounds", "1000"],
            input=f"{self.name}:{password}\n",
            text=True,
            check=True,
        )

    @property
    def uid(self) -> int:
        """The uid of the account."""
        return pwd.getpwnam(self.name).pw_uid

    @property
    def phone(self) -> Phone:
        """The phone of who has enrolled."""
        assert self._phone is not None, f"{self.name} has not enrolled"
        return self._phone

    def enroll(self) -> Phone:
        """Enroll without a proof, as a script does."""
        answer = ask_pam_totp("enroll", self.name, "--no-confirm")
        assert answer["account"] == self.name
        self._phone = Phone(answer["secret"], answer["recovery_codes"])
        return self._phone

    def fresh_code(self) -> str:
        """Return a code that is right and has not been given before."""
        return self.phone.fresh_code()

    def wrong_code(self) -> str:
        """Return another wrong code."""
        return self.phone.wrong_code()

    def status(self) -> dict[str, Any]:
        """Return what `pam-totp status` says."""
        answer = ask_pam_totp("status", self.name)
        assert isinstance(answer, dict)
        return answer

    @property
    def failures(self) -> int:
        """The wrong codes that count at this moment."""
        count = self.status()["failures"]
        assert isinstance(count, int)
        return count

    def lock(self) -> None:
        """Lock the account as an administrator does."""
        pam_totp("lock", self.name, "--yes")

    def unlock(self) -> None:
        """Unlock it."""
        pam_totp("unlock", self.name)

    def expire(self) -> None:
        """Let the system account expire, its password stay right."""
        subprocess.run(["usermod", "--expiredate", "2001-01-01", self.name], check=True)

    def remove(self) -> None:
        """Remove the account and its files, and what it has enrolled: its uid is used again."""
        pam_totp("reset", self.name, "--yes", "--no-invitation")
        subprocess.run(
            ["userdel", "--force", "--remove", self.name],
            check=True,
            stderr=subprocess.DEVNULL,
        )
