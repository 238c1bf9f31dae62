"""A hardware token that counts: oathtool makes its codes."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

from tests.system.lab.person import Person
from tests.system.lab.product import COMMAND
from tests.system.lab.wait import DEADLINE


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
        words = ["--type", "hotp", "--counter", str(self.counter), "--digits", str(self.digits)]
        subprocess.run(
            [COMMAND, "enroll", person.name, *words, "--with-secret", "--no-confirm"],
            check=True,
            text=True,
            input=f"{self.key}\n",
            stdout=subprocess.DEVNULL,
            timeout=DEADLINE,
        )
