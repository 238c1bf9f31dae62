"""A hardware token that counts: oathtool makes its codes."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import Final

from tests.system.lab.person import Person
from tests.system.lab.wait import DEADLINE

PYTHON: Final = ("/usr/bin/python3", "-I")  # what is installed, not what lies about
_ENROLL: Final = """
import pwd, sys, time
from pam_totp import config, context, enrollment, token_secret
from pam_totp.account import Person
from pam_totp.otp import Parameters
name, typed, counter, digits = sys.argv[1:]
world = context.from_config(config.load(config.DEFAULT_PATH))
wanted = enrollment.Wanted(
    Parameters(digits=int(digits), type="hotp"), token_secret.parse(typed), int(counter)
)
person = Person(name, pwd.getpwnam(name).pw_uid)
drafted = enrollment.draft(world.store, person, "token", time.time(), wanted)
enrollment.keep(world.store, drafted, time.time(), "root")
"""


def oathtool(*words: str) -> list[str]:
    """Return the codes that oathtool makes."""
    done = subprocess.run(
        ["oathtool", *words], check=True, text=True, capture_output=True, timeout=DEADLINE
    )
    return done.stdout.split()


@dataclass
class OathToken:
    """A token as it comes in the post: its papers have the key in hex."""

    key: str
    counter: int = 0
    digits: int = 6

    def code(self, counter: int) -> str:
        """Return the code of a counter."""
        (code,) = oathtool("--hotp", f"--counter={counter}", f"--digits={self.digits}", self.key)
        return code

    def press(self, times: int = 1) -> str:
        """Press it so often; return what it shows last."""
        self.counter += times
        return self.code(self.counter - 1)

    def enroll(self, person: Person) -> None:
        """Give it to somebody, its key typed as the papers have it."""
        subprocess.run(
            [*PYTHON, "-c", _ENROLL, person.name, self.key, str(self.counter), str(self.digits)],
            check=True,
            timeout=DEADLINE,
        )
