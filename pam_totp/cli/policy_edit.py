"""`pam-totp policy edit`: the policy in an editor, as often as it takes."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from pam_totp.cli.terminal import hint, plain, say, terminal
from pam_totp.errors import PamTotpError
from pam_totp.policy.document import Policy
from pam_totp.policy.keys import KEYS
from pam_totp.policy.paper import from_yaml, to_yaml

T = TypeVar("T")

_EDITORS: Final = ("sensible-editor", "nano", "vi")
_NAME: Final = "policy.yaml"
_HEAD: Final = """\
# The policy: a list of rules. A rule without user or group is for everybody,
# one without service or from (a network) for everywhere; the most specific
# rule wins. For instance:
#
#   - group: staff
#     mfa: required
#     mfa-from: 2027-02-01
#
{keys}
# Comments are not kept. `pam-totp policy history` shows what was before, and
# `pam-totp policy revert` puts it back.

"""


class EditorFailed(PamTotpError):
    """There is no editor, or it ended in an error."""


def edited(policy: Policy, taken: Callable[[Policy], T], instead: str) -> T | None:
    """Let a person edit the policy until it can be read and `taken` does not raise; return what
    that makes of it, None if the policy was left as it is.

    Raises EditorFailed, NoTerminal (`instead` is the way without) and NoAnswer.
    """
    first = text = _head() + to_yaml(policy)
    while (found := _in_editor(text)) != first:
        text = found
        try:
            return taken(from_yaml(text, _NAME))
        except PamTotpError as error:
            say(plain(str(error)))
            if error.hint:
                hint(plain(error.hint))
            with terminal(instead) as person:
                person.confirm("Edit again?")
    return None


def _head() -> str:
    keys = textwrap.wrap(
        f"Keys: {', '.join(key.name for key in KEYS)}.", 76, break_on_hyphens=False
    )
    return _HEAD.format(keys="\n".join(f"# {line}" for line in keys))


def _in_editor(text: str) -> str:
    """Return what a person makes of a text, in a file that nobody else can read."""
    with tempfile.TemporaryDirectory(prefix="pam-totp-") as directory:
        path = Path(directory) / _NAME
        path.write_text(text, encoding="utf-8")
        command = _editor()
        try:
            done = subprocess.run([*command, path], check=False)
        except OSError as error:
            raise _failed(f"{command[0]}: {error.strerror}") from None
        if done.returncode != 0:
            raise _failed(f"{command[0]} ended with status {done.returncode}")
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise _failed(f"the edited file cannot be read: {error}") from None


def _editor() -> list[str]:
    wanted = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if wanted:
        return shlex.split(wanted)
    found = next(filter(None, map(shutil.which, _EDITORS)), None)
    if found is None:
        raise _failed("there is no editor")
    return [found]


def _failed(what: str) -> EditorFailed:
    return EditorFailed(
        f"{what}; nothing was changed",
        hint="EDITOR=nano pam-totp policy edit; or: pam-totp policy set",
    )
