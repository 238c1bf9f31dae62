"""pam-totp-notify, what its command was told, and what came by mail."""

from __future__ import annotations

import json
import mailbox
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import Final

from tests.system.lab.journal import Journal
from tests.system.lab.product import CONFIGURATION, DATA, configure
from tests.system.lab.wait import DEADLINE

PROGRAM: Final = "/usr/libexec/pam-totp/pam-totp-notify"
COMMAND: Final = Path("/usr/local/sbin/tell")
SAID: Final = Path("/root/notices")

# Whole or not at all: written beside, then renamed.
_TELL: Final = f"""\
#!/usr/bin/python3 -I
import json, os, sys
facts = {{name: text for name, text in os.environ.items() if name.startswith("PAM_TOTP_")}}
name = f"{SAID}/{{int(facts['PAM_TOTP_ID']):09}}-{{os.getpid()}}"
with open(name + ".new", "w") as file:
    json.dump({{"facts": facts, "text": sys.stdin.read(), "words": sys.argv[1:]}}, file)
os.rename(name + ".new", name)
"""


@dataclass(frozen=True)
class Told:
    """What the command was told once."""

    facts: dict[str, str]
    text: str
    words: list[str]

    @property
    def what(self) -> str:
        """What it was about."""
        return self.facts["PAM_TOTP_WHAT"]


def told(account: str) -> list[Told]:
    """Return what the command was told of an account, in the order of the events."""
    files = sorted(path for path in SAID.iterdir() if not path.name.endswith(".new"))
    every = (Told(**json.loads(path.read_text())) for path in files)
    return [one for one in every if one.facts["PAM_TOTP_ACCOUNT"] == account]


@contextmanager
def configured(**options: str) -> Iterator[None]:
    """Set options of the configuration for as long as the block runs; what the events say so
    far is told to nobody."""
    before = CONFIGURATION.read_text()
    for name, value in options.items():
        configure(name.replace("_", "-"), value)
    (DATA / "notices").unlink(missing_ok=True)
    try:
        yield
    finally:
        CONFIGURATION.write_text(before)


@contextmanager
def running(journal: Journal) -> Iterator[None]:
    """Run the process; it has begun to read when the block begins, and ends at SIGTERM."""
    process = subprocess.Popen([PROGRAM], stdin=subprocess.DEVNULL, env={}, cwd="/")
    try:
        journal.wait_for(f"pam-totp-notify[{process.pid}]: notices are sent")
        yield
    finally:
        process.terminate()
        status = process.wait(2 * DEADLINE)
    assert status == 0


def command(script: str = _TELL) -> str:
    """Write the command, which leaves what it is told in SAID; return the option that names it."""
    SAID.mkdir(exist_ok=True)
    COMMAND.write_text(script)
    COMMAND.chmod(0o755)
    return f"[{COMMAND}, --from, the lab]"


@contextmanager
def by_command(journal: Journal, script: str = _TELL) -> Iterator[None]:
    """Let notices go to the command for as long as the block runs."""
    with configured(notify=command(script)), running(journal):
        yield


def mails(account: str) -> list[EmailMessage]:
    """Return the mails that have arrived in an account's local mailbox."""
    place = Path("/var/mail") / account
    if not place.exists():
        return []
    parser = BytesParser(policy=policy.default)
    raw = mailbox.mbox(place)
    found = (parser.parsebytes(raw.get_bytes(key)) for key in raw.keys())  # noqa: SIM118
    return [message for message in found if isinstance(message, EmailMessage)]
