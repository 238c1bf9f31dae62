"""`pam-totp policy`: set, unset, show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Host


def test_a_key_is_set_and_in_force(host: Host, log_lines: list[str]) -> None:
    """What is set is what logins go by; it is kept and logged with who it was."""
    done = host.does("policy", "set", "mfa=required", "mfa-from=2099-02-01", "--yes")
    assert "mfa=required mfa-from=2099-02-01 for everybody" in done.out
    (rule,) = host.world().policy().rules
    assert str(rule) == "mfa=required mfa-from=2099-02-01 for everybody"
    (event,) = host.world().store.events()
    assert event.detail == "mfa=required mfa-from=2099-02-01 for everybody"
    assert [line for line in log_lines if line.startswith("act=policy by=")]


def test_names_are_those_of_nss(host: Host) -> None:
    """A user or a group that NSS does not know is refused, unless it is forced."""
    for option, database in (("--user", "passwd"), ("--group", "group")):
        done = host.run("policy", "set", "mfa=off", option, "no-such-name", "--yes")
        assert done.code == 1
        assert f"hint: getent {database} no-such-name; to name it all the same: --force" in done.err
        host.does("policy", "set", "mfa=off", option, "no-such-name", "--yes", "--force")
        host.does("policy", "unset", option, "no-such-name", "--yes")
    assert host.world().policy().rules == ()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("set", "mfa"), 2, "expected KEY=VALUE, found 'mfa'"),
        (("set", "mfa=off", "mfa=off"), 2, "mfa is set twice"),
        (("set", "mfa=always"), 1, "expected one of off, optional, required, found 'always'"),
        (("set", "colour=red"), 1, "unknown key 'colour'\nhint: known: mfa, mfa-from, "),
        (("set", "mfa=off", "--from", "192.0.2.7/24"), 1, "from: expected a network like"),
        (("set", "services=all", "--group", "root"), 1, "can be set for everybody only"),
        (("set", "mfa=off", "--user", "root", "--group", "root"), 1, "not for both"),
        (("unset", "mfa"), 1, "mfa is not set for everybody\nhint: pam-totp"),
        (("unset", "--group", "root"), 1, "there is no rule for group root"),
    ],
)
def test_what_cannot_be_is_refused(
    host: Host, words: tuple[str, ...], code: int, said: str
) -> None:
    """Each refusal names the key and the expected form, and nothing is kept."""
    done = host.run("policy", *words, "--yes")
    assert done.code == code
    assert said in done.err
    assert len(host.world().store.policies(9)) == 1


def test_what_is_shown(host: Host) -> None:
    """`show` prints the rules, the least specific first, and the defaults in force."""
    host.does("policy", "set", "mfa=off", "--from", "192.0.2.0/24", "--yes")
    host.does("policy", "set", "mfa=required", "grace=15m", "--group", "root", "--yes")
    out = host.does("policy", "show").out
    assert out.startswith(
        "group root:\n  mfa    required\n  grace  15m\n\n"
        "everybody, from 192.0.2.0/24:\n  mfa  off\n\n"
        "not set, and so for everybody:\n  mfa                optional\n"
    )
