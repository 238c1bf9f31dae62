"""A trial: changes that put themselves back unless a second login confirms them.

The record is a file that libexec/stack-off reads; whoever removes it has decided the trial.
The end comes from outside of the session that started it: a timer of systemd's, or a process
with a session of its own; and if the machine is started anew in between, at its start
(pam-totp-trial.service) or with the next `pam-totp stack`.
"""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pam_totp.stack import change, session
from pam_totp.stack.pamfile import StackError

_RECORD: Final = "trial"
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_SYSTEMD: Final = Path("/run/systemd/system")


@dataclass(frozen=True, slots=True)
class Trial:
    """A trial that is under way.  `until` is in UTC seconds, `begun` in clock ticks."""

    id: str
    services: tuple[str, ...]
    until: float
    begun: int
    login: str
    audit: int | None


def current(root: Path) -> Trial | None:
    """Return the trial that is under way."""
    try:
        text = (root / change.COPIES / _RECORD).read_text()
    except FileNotFoundError:
        return None
    found = dict(line.partition("=")[::2] for line in text.splitlines())
    try:
        return Trial(
            found["id"],
            tuple(found["services"].split()),
            float(found["until"]),
            int(found["begun"]),
            found["login"],
            int(found["audit"]) if found["audit"] else None,
        )
    except (KeyError, ValueError):
        raise StackError(
            f"{root / change.COPIES / _RECORD}: no record of a trial",
            hint=f"{change.OFF} --all",
        ) from None


def begin(
    root: Path, services: Sequence[str], places: Sequence[Path], now: float, seconds: int
) -> Trial:
    """Record a trial of changes whose copies are at `places`, and see to its end.

    Raises StackError where nothing would end it; then there is no record of it.
    """
    name = secrets.token_hex(4)
    login = session.current()
    audit = login.audit if login else None
    trial = Trial(
        name, tuple(services), now + seconds, session.ticks(), login.key if login else "", audit
    )
    change.replace(change.copies(root) / _RECORD, _text(trial, places), 0o600)
    try:
        _see_to_the_end(root, name, seconds)
    except (OSError, subprocess.SubprocessError) as error:
        forget(root)
        raise StackError(
            f"nothing could be set up that would end the trial: {error}",
            hint="without a trial: leave --try out",
        ) from error
    return trial


def forget(root: Path) -> None:
    """Let the changes stand.  The timer finds no record, and does nothing."""
    place = change.copies(root)
    (place / _RECORD).unlink(missing_ok=True)
    change.sync(place)


def _text(trial: Trial, places: Sequence[Path]) -> str:
    lines = {
        "id": trial.id,
        "services": " ".join(trial.services),
        "until": f"{trial.until:.0f}",
        "boot": _BOOT.read_text().strip(),
        "begun": trial.begun,
        "login": trial.login,
        "audit": "" if trial.audit is None else trial.audit,
    }
    found = [f"{key}={value}" for key, value in lines.items()]
    return "\n".join([*found, *(f"copy={place}" for place in places), ""])


def _see_to_the_end(root: Path, name: str, seconds: int) -> None:
    place = [] if root == Path("/") else ["--root", str(root)]
    script = str(change.script())
    if _SYSTEMD.is_dir():
        # Of the system's manager, so that it has nothing to do with this session.
        timer = ["systemd-run", "--quiet", "--collect", f"--unit=pam-totp-trial-{name}"]
        timer += [f"--on-active={seconds}", "--timer-property=AccuracySec=1s"]
        subprocess.run([*timer, script, *place, "--expired", name], check=True, timeout=30)
        return
    subprocess.Popen(
        [script, *place, "--wait", str(seconds), name],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd="/",
    )
