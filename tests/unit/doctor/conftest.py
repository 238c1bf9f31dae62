"""A machine in a directory of the test's own, and what its doctor finds."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import pytest

from pam_totp import keyfile
from pam_totp.doctor.examine import examine
from pam_totp.doctor.finding import Finding, Level
from pam_totp.doctor.machine import Machine, Ran
from pam_totp.store import founding

REPOSITORY: Final = Path(__file__).parents[3]
SSHD: Final = """\
usepam yes
permitrootlogin no
pubkeyauthentication yes
passwordauthentication no
kbdinteractiveauthentication yes
authenticationmethods keyboard-interactive:pam
"""


class Patient:
    """A machine that is set up, with PAM files as in Debian 12, and turned on for SSH."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.yaml = root / "etc/pam-totp/pam-totp.yaml"
        self.key = root / "etc/pam-totp/seal.key"
        self.data = root / "var/lib/pam-totp"
        self.runtime = root / "run/pam-totp"
        self.programs: dict[str, Ran | Callable[[Sequence[str]], Ran]] = {}
        self.synchronised: bool | None = True
        self.machine = self._machine()
        self._set_up()

    def file(self, path: str, text: str) -> Path:
        """Write a file of the machine."""
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        return place

    def run(self, command: Sequence[str]) -> Ran:
        """Be the machine's programs."""
        program = self.programs[Path(command[0]).name]
        return program if isinstance(program, Ran) else program(command)

    def found(self, *wanted: str) -> list[Finding]:
        """Return what is found, by a doctor who has not seen the machine before."""
        self.machine.close()
        self.machine = self._machine()
        quiet = (Level.OK, Level.UNCHECKED)
        return [one for one in examine(self.machine, wanted) if one.level not in quiet]

    def only(self, *wanted: str) -> Finding:
        """Return the only finding."""
        (finding,) = self.found(*wanted)
        assert finding.do, finding
        return finding

    def _machine(self) -> Machine:
        clock = lambda: self.synchronised  # noqa: E731
        return Machine(self.yaml, self.root, self.run, synchronised=clock)

    def _set_up(self) -> None:
        for directory in (self.yaml.parent, self.data.parent, self.runtime):
            directory.mkdir(parents=True)
        self.yaml.write_text(
            f"data-directory: {self.data}\nkey-file: {self.key}\n"
            f"runtime-directory: {self.runtime}\n"
        )
        keyfile.create(self.key)
        founding.create(self.data)
        shutil.copytree(REPOSITORY / "etc/pam.d", self.root / "etc/pam.d")
        self.file("/etc/pam.d/common-auth", "auth required pam_unix.so\n")
        self.file("/etc/pam.d/common-account", "account required pam_unix.so\n")
        self.file("/etc/pam.d/sshd", "@include pam-totp\n")
        self.file("/usr/sbin/sshd", "")
        self.file("/usr/lib/x86_64-linux-gnu/security/pam_totp.so", "")
        self.programs["sshd"] = Ran(0, SSHD, "")


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[Patient]:
    """A machine in which nothing is wrong but that no service runs."""
    made = Patient(tmp_path)
    yield made
    made.machine.close()
