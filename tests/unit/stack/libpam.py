"""How libpam walks a stack of `auth` lines (pam.conf(5)), as far as composed stacks need it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pam_totp.stack import MODULE, pamfile
from pam_totp.stack.pamfile import Line


@dataclass(frozen=True)
class Walk:
    """Which modules were asked, in order, and whether the login came through."""

    asked: tuple[str, ...]
    accepted: bool

    @property
    def end(self) -> str:
        """What it came to: `checked` (the code), `authfail`, or `died`."""
        names = [name for name in self.asked if name.startswith(MODULE)]
        if MODULE in names:
            return "checked"
        return "authfail" if f"{MODULE} authfail" in names else "died"


def walk(lines: Sequence[Line], answer: Callable[[Line], str]) -> Walk:
    """Walk the lines; `answer` is what each module says."""
    asked: list[str] = []
    impression, at = 0, 0
    while at < len(lines):
        line = lines[at]
        said = answer(line)
        asked.append(" ".join((line.name, *line.arguments)) if line.name == MODULE else line.name)
        found = pamfile.actions(line)
        action = found.get(said, found["default"])
        at += 1
        if action.isdecimal():
            at += int(action)
            assert at <= len(lines), f"{line.place}: jumps out of the stack"
        elif action in ("ok", "done"):
            impression = impression or (1 if said == "success" else -1)
            if action == "done" and impression > 0:
                break
        elif action in ("bad", "die"):
            impression = -1
            if action == "die":
                break
    return Walk(tuple(asked), impression > 0)
