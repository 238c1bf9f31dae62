"""What happened, in the words of administrators."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from pam_totp.cli.words import words
from pam_totp.event import Event
from pam_totp.verdict import Verdict

PACKAGE = Path(__file__).parents[3] / "pam_totp"


@pytest.mark.parametrize("verdict", Verdict)
def test_every_verdict_has_words(verdict: Verdict) -> None:
    """No verdict is shown by its name alone, and no place is left open in the words."""
    for authenticator in ("phone", "recovery-code", ""):
        said = words(Event(0, "alice", verdict.value, authenticator=authenticator))
        assert said != verdict.value
        assert "{" not in said
        assert "recovery-code" not in said


def test_what_is_not_known_is_called_by_its_name() -> None:
    """An event of a later release is shown as it is called."""
    assert words(Event(0, "alice", "teleported", authenticator="phone")) == "teleported"


def named_acts() -> set[str]:
    """Return what the package gives out as the `what` of an act, wherever it makes one."""
    calls = (
        node
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
    )
    whats = []
    for call in calls:
        if getattr(call.func, "id", "") == "Event" and len(call.args) > 2:
            whats.append(call.args[2])
        elif getattr(call.func, "attr", "") == "event" and len(call.args) > 1:
            whats.append(call.args[1])
    return {what.value for what in whats if isinstance(what, ast.Constant) and what.value}


def test_every_act_has_words() -> None:
    """Whatever is done to an account is said in words, with the authenticator that it was."""
    acts = named_acts() | {"enrolled", "authenticator-added", "authenticator-replaced"}
    assert {"shown", "invited", "reset", "renew", "authenticator-renamed"} <= acts
    assert not acts & {verdict.value for verdict in Verdict}  # or it looks like a login
    for act in acts:
        said = words(Event(0, "alice", act, authenticator="my phone"))
        assert said != act, act
        assert "{" not in said
        about_one = act.startswith("authenticator") or act in ("enrolled", "shown", "resync")
        assert ("my phone" in said) == about_one, said
