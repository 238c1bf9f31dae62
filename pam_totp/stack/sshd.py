"""sshd's settings: the drop-in, and whether sshd takes it.

sshd keeps the first value that it reads for a keyword, so that the drop-in counts only where
sshd_config includes its directory before it, or a file there, says otherwise.  sshd itself is
asked (`sshd -T`); the files are searched for the line to show alone.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pam_totp.stack import session
from pam_totp.stack.pamfile import StackError

SSHD: Final = "/usr/sbin/sshd"
CONFIG: Final = Path("/etc/ssh/sshd_config")
DROP_IN: Final = Path("/etc/ssh/sshd_config.d/50-pam-totp.conf")
TEMPLATE: Final = Path("/usr/share/libpam-totp/50-pam-totp.conf")
_PID_FILE: Final = Path("/run/sshd.pid")
_SYSTEMD: Final = Path("/run/systemd/system")
_SECONDS: Final = 20

# The last checks who somebody is, from OpenSSH 9.9 on.
_PROGRAMS: Final = (*session.SSHD, "sshd-auth")
_GRACE: Final = 130  # seconds
# What sshd calls its processes until somebody is in: "sshd: alice [net]", "[accepted]", ...
_LOGGING_IN: Final = re.compile(rb"\[(net|accepted|preauth|pam)\]")

KEY_AND_CODE: Final = "publickey,keyboard-interactive:pam"
_WANTED: Final = {
    "usepam": "yes",
    "kbdinteractiveauthentication": "yes",
    "passwordauthentication": "no",
}
_TYPED: Final = {
    "usepam": "UsePAM",
    "kbdinteractiveauthentication": "KbdInteractiveAuthentication",
    "passwordauthentication": "PasswordAuthentication",
    "authenticationmethods": "AuthenticationMethods",
}
_OLD_NAMES: Final = {"challengeresponseauthentication": "kbdinteractiveauthentication"}


@dataclass(frozen=True, slots=True)
class Setting:
    """The first line that gives a keyword its value."""

    place: str
    text: str


def is_there() -> bool:
    """Whether this machine has an sshd."""
    return os.path.exists(SSHD)


def drop_in(*, code_only: bool) -> str:
    """Return the text of the drop-in."""
    text = TEMPLATE.read_text()
    if code_only:
        line = f"AuthenticationMethods {KEY_AND_CODE}"
        text = text.replace(f"#{line}\n", f"{line}\n", 1)
    return text


def check(*, code_only: bool) -> None:
    """Raise StackError unless sshd's settings, as they are now on the disk, ask through PAM."""
    _run("-t")
    settings = effective()
    wanted = _WANTED | ({"authenticationmethods": KEY_AND_CODE} if code_only else {})
    for keyword, value in wanted.items():
        if settings.get(keyword) != value:
            raise _differs(keyword, value, settings.get(keyword, "nothing"))
    if code_only:
        _no_way_around_the_key()


def _no_way_around_the_key() -> None:
    """Raise where a `Match` block lets somebody come to PAM without a key."""
    for path, number, words in _lines(CONFIG, matched=True):
        if words[0].lower() != "authenticationmethods":
            continue
        for way in words[1:]:
            if way != "publickey" and not way.lower().startswith("publickey,"):
                raise StackError(
                    f"{path}:{number}: `{' '.join(words)}` lets in without a key, and the stack "
                    "would ask for no password",
                    hint=f"change that line to: AuthenticationMethods {KEY_AND_CODE}",
                )


def effective() -> dict[str, str]:
    """Return sshd's settings as it says them, in lower case.  Raises StackError."""
    pairs = (line.partition(" ") for line in _run("-T").splitlines())
    return {keyword.lower(): value.strip().lower() for keyword, _, value in pairs}


def keys_go_on(settings: dict[str, str]) -> str:
    """Return what a login with a key comes to under these settings, for the administrator."""
    if settings.get("pubkeyauthentication") == "no":
        return "keys are not accepted"
    methods = settings.get("authenticationmethods", "any")
    if methods == "any":
        return (
            "a login with a key is let in by the key alone, as before, and asked for no code; "
            f"to change that, see the lines at the end of {DROP_IN}"
        )
    return f"sshd wants: {methods}"


def reload() -> str | None:
    """Let a running sshd read its settings; return what to run where that cannot be done."""
    if _SYSTEMD.is_dir():
        command = ["systemctl", "try-reload-or-restart", "ssh.service"]
        done = subprocess.run(command, check=False, timeout=_SECONDS)
        return None if done.returncode == 0 else "systemctl reload ssh"
    try:
        pid = int(_PID_FILE.read_text())
        program = os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)")
        if os.path.basename(program) == "sshd":
            os.kill(pid, signal.SIGHUP)
            return None
    except (OSError, ValueError):
        pass
    return "kill -HUP the process of sshd, if one runs"


def wait_for_old_logins() -> None:
    """Wait until no connection is left that began to log in before a reload now.

    Such a one still has the old settings.  sshd ends it after LoginGraceTime, two minutes as
    shipped.  Raises StackError where that takes longer.
    """
    second = os.sysconf("SC_CLK_TCK")
    # A second for sshd to have read its settings anew.
    newest = session.ticks() + second
    while session.ticks() <= newest or any(_is_logging_in(newest)):
        if session.ticks() > newest + _GRACE * second:
            raise StackError(
                f"a login under sshd's old settings has been under way for {_GRACE} s",
                hint="try again; see LoginGraceTime in sshd_config(5)",
            )
        time.sleep(0.1)


def _is_logging_in(newest: int) -> Iterator[bool]:
    """Yield for each process of sshd that is as old as that whether somebody logs in there."""
    for name in filter(str.isdecimal, os.listdir("/proc")):
        found = session.process(int(name))
        if found is None or found.program not in _PROGRAMS or found.started > newest:
            continue
        with suppress(OSError):
            title = Path("/proc", name, "cmdline").read_bytes()
            yield _LOGGING_IN.search(title) is not None


def first_setting(keyword: str) -> Setting | None:
    """Return the first line outside of `Match` that sets a keyword (lower case)."""
    for path, number, words in _lines(CONFIG):
        name = words[0].lower()
        if _OLD_NAMES.get(name, name) == keyword:
            return Setting(f"{path}:{number}", " ".join(words))
    return None


def _differs(keyword: str, wanted: str, found: str) -> StackError:
    typed = _TYPED[keyword]
    first = first_setting(keyword)
    if first is None or first.place.startswith(f"{DROP_IN}:"):
        return StackError(
            f"sshd says `{typed} {found}`, expected {wanted}", hint=f"look at {DROP_IN}"
        )
    if not any(path == DROP_IN for path, _, _ in _lines(CONFIG)):
        return StackError(
            f"{CONFIG} does not include {DROP_IN.parent}, so that `{first.text}` "
            f"({first.place}) stays in force",
            hint=f"put this line first in {CONFIG}: Include {DROP_IN.parent}/*.conf",
        )
    return StackError(
        f"{first.place}: `{first.text}` comes before {DROP_IN}, and sshd keeps the first value",
        hint=f"change that line to: {typed} {wanted}",
    )


def _lines(
    path: Path, depth: int = 0, *, matched: bool = False
) -> Iterator[tuple[Path, int, list[str]]]:
    """Yield file, number and words of the lines of sshd's settings, in sshd's order, up to the
    first `Match` of each file, or `matched` ones too."""
    try:
        text = path.read_text(errors="replace")
    except OSError:
        return
    for number, line in enumerate(text.splitlines(), 1):
        # sshd takes words in quotes as well, keywords included.
        words = [word.strip('"') for word in line.replace("=", " ", 1).split("#", 1)[0].split()]
        if not words or not words[0]:
            continue
        if words[0].lower() == "match" and not matched:
            return
        yield path, number, words
        if words[0].lower() == "include" and depth < 16:  # noqa: PLR2004 -- sshd's own limit
            for pattern in words[1:]:
                for found in sorted(Path("/").glob(str(CONFIG.parent / pattern).lstrip("/"))):
                    yield from _lines(found, depth + 1, matched=matched)


def _run(option: str) -> str:
    try:
        done = subprocess.run(
            [SSHD, option], check=False, capture_output=True, text=True, timeout=_SECONDS
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise StackError(f"{SSHD} {option}: {error}") from error
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["no word of why"]
        raise StackError(f"{SSHD} {option}: {said[-1]}", hint=f"{SSHD} {option}")
    return done.stdout
