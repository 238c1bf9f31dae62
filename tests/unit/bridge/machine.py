"""A host that is set up in a directory, for tests of whole processes."""

from __future__ import annotations

import os
import pwd
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge_end import Host, call_message

from pam_totp import enrollment, keyfile
from pam_totp.account import Person
from pam_totp.otp import hotp, step_at
from pam_totp.store import founding
from pam_totp.store.directory import DirectoryStore

if TYPE_CHECKING:
    from pathlib import Path

    from pam_totp.enrollment import Draft


@dataclass
class Machine:
    """A host's files, and whoever runs the tests as its one enrolled account."""

    directory: Path
    person: Person
    draft: Draft

    @property
    def config(self) -> Path:
        """Where its configuration is."""
        return self.directory / "pam-totp.yaml"

    @property
    def run(self) -> Path:
        """Where its socket is."""
        return self.directory / "run"

    def code(self) -> str:
        """Return the code that the person's phone shows now."""
        one = self.draft.authenticator
        return hotp(one.secret, step_at(time.time(), one.parameters.period), one.parameters)

    def host(self, *argv: str, user: str | None = None, function: int = 1) -> Host:
        """Begin a login."""
        host = Host.connect(self.run)
        host.send(call_message(user or self.person.name, argv, function))
        return host


def set_up(directory: Path) -> Machine:
    """Set a host up in a directory and enroll the one who runs the tests."""
    key = directory / "seal.key"
    data = directory / "data"
    (directory / "pam-totp.yaml").write_text(
        f"data-directory: {data}\nkey-file: {key}\nruntime-directory: {directory}/run\n"
    )
    keyfile.create(key)
    founding.create(data)
    store = DirectoryStore(data, keyfile.load(key))
    own = pwd.getpwuid(os.geteuid())
    person = Person(own.pw_name, own.pw_uid)
    draft = enrollment.draft(store, person, "phone", time.time())
    enrollment.keep(store, draft, time.time(), "a test")
    return Machine(directory, person, draft)
