"""What `pam-totp stack enable` says of stacks beside the ones that it turns on."""

from __future__ import annotations

from pathlib import Path

import pytest

from pam_totp.cli.stack_view import change, login_shells_of
from pam_totp.stack import Tree, sshd
from pam_totp.stack.change import Change

PASSWORD = "auth required pam_unix.so\n"


@pytest.mark.parametrize(
    ("services", "sudo_i", "said"),
    [
        (["sudo"], PASSWORD, True),
        (["sudo", "sudo-i"], PASSWORD, False),
        (["sshd"], PASSWORD, False),
        (["sudo"], "auth include sudo\n", False),
        (["sudo"], f"{PASSWORD}auth required pam_totp.so\n", False),
        (["sudo"], "auth\n", False),
        (["sudo"], None, False),
    ],
)
def test_login_shells(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    services: list[str],
    sudo_i: str | None,
    *,
    said: bool,
) -> None:
    """Whoever turns on sudo is told of a stack of `sudo -i` that goes on asking for the password
    alone, with the command that changes that."""
    stacks = tmp_path / "etc/pam.d"
    stacks.mkdir(parents=True)
    (stacks / "sudo").write_text(PASSWORD)
    if sudo_i is not None:
        (stacks / "sudo-i").write_text(sudo_i)
    login_shells_of(Tree(tmp_path), services)
    assert ("hint: pam-totp stack enable sudo-i" in capsys.readouterr().err) == said


def test_a_new_drop_in_is_shown_by_what_counts() -> None:
    """New settings of sshd are shown without their comments, which would fill the screen; a
    change of one that is there is shown as it is."""
    text = "# Why.\n\nUsePAM yes\n#UsePAM no\n"
    shown = change(Change("sshd", sshd.DROP_IN, None, text))
    assert shown == f"+++ {sshd.DROP_IN} (comments left out)\n+UsePAM yes\n"
    assert "+# Why." in change(Change("sshd", sshd.DROP_IN, "UsePAM yes\n", text))
