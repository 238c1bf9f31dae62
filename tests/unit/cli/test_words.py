"""What happened, in the words of administrators."""

from __future__ import annotations

import pytest

from pam_totp.cli.words import words
from pam_totp.event import Event
from pam_totp.verdict import Verdict


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
