"""The shipped stacks, Debian's with them in it, and each broken in every way that is known."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from pam_totp.stack import Tree
from pam_totp.stack.compose import Variant, compose

from .conftest import REPOSITORY

if TYPE_CHECKING:
    from .conftest import Patient

SHIPPED = (REPOSITORY / "etc/pam.d/pam-totp").read_text()
COLLECT = (REPOSITORY / "etc/pam.d/pam-totp-openvpn").read_text()
CHECK = "auth\trequired\tpam_totp.so\n"
PERMIT = "auth\trequired\tpam_permit.so\n"
AUTHFAIL = "auth\t[cred_err=ignore default=die]\tpam_totp.so authfail\n"
ACCOUNT = "account\trequired\tpam_totp.so\n"
DEBIANS = """\
auth\t[success=1 default=ignore]\tpam_unix.so nullok
auth\trequisite\tpam_deny.so
auth\trequired\tpam_permit.so
auth\toptional\tpam_cap.so
"""
DEBIANS_ACCOUNT = """\
account\t[success=1 new_authtok_reqd=done default=ignore]\tpam_unix.so
account\trequisite\tpam_deny.so
account\trequired\tpam_permit.so
"""
DEBIANS_SSHD = """\
@include pam-totp
account    required     pam_nologin.so
@include common-account
session [success=ok ignore=ignore module_unknown=ignore default=bad] pam_selinux.so close
session    optional     pam_motd.so  motd=/run/motd.dynamic
"""
# As pam-auth-update writes our three profiles.
PROFILES = """\
auth\t[success=3 default=ignore]\tpam_unix.so nullok
auth\t[success=2 default=ignore]\tpam_sss.so use_first_pass
auth\t[cred_err=ignore default=die]\tpam_totp.so authfail
auth\trequisite\tpam_deny.so
auth\trequired\tpam_permit.so
auth\trequired\tpam_totp.so
"""


@pytest.fixture(autouse=True)
def debian(patient: Patient) -> None:
    """Debian's own files."""
    patient.file("/etc/pam.d/common-auth", DEBIANS)
    patient.file("/etc/pam.d/common-account", DEBIANS_ACCOUNT)
    patient.file("/etc/pam.d/sshd", DEBIANS_SSHD)


def write(patient: Patient, text: str, name: str = "pam-totp") -> None:
    """Give the machine another stack."""
    (patient.root / "etc/pam.d" / name).write_text(text)


def changed(*changes: tuple[str, str], text: str = SHIPPED) -> str:
    """Return a stack with some things changed, each of which it had once."""
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def test_shipped(patient: Patient) -> None:
    """The shipped stacks in Debian's files have nothing wrong."""
    patient.file("/etc/pam.d/openvpn", "@include pam-totp-openvpn\n")
    patient.file("/etc/pam.d/login", f"auth optional pam_faildelay.so\n{DEBIANS_SSHD}")
    assert patient.found("stacks") == []


@pytest.mark.parametrize("module", ["pam_sss.so", "pam_ldap.so use_first_pass", "pam_krb5.so"])
def test_other_password_modules(patient: Patient, module: str) -> None:
    """Neither have they with another password's module in the place of pam_unix, nor with two."""
    text = changed(("]\tpam_unix.so", f"]\t{module}"))
    write(patient, text)
    assert patient.found("stacks") == []
    line = text[text.index("auth\t[success=1") : text.index("# The password was wrong")]
    write(patient, text.replace(line, line.replace("=1", "=2") + line))
    assert patient.found("stacks") == []


@pytest.mark.parametrize("variant", [Variant.BOTH, Variant.COLLECT])
@pytest.mark.parametrize("modules", [(), ("pam_sss.so",), ("pam_sss.so", "pam_ldap.so")])
def test_composed(patient: Patient, variant: Variant, modules: tuple[str, ...]) -> None:
    """What `stack enable` composes, of one or several password modules, has nothing wrong."""
    more = "".join(
        f"auth [success={number} default=ignore] {module} use_first_pass\n"
        for number, module in zip(range(len(modules), 0, -1), modules, strict=True)
    )
    first, rest = DEBIANS.split("\n", 1)
    first = first.replace("success=1", f"success={len(modules) + 1}")
    write(patient, f"{first}\n{more}{rest}", "common-auth")
    patient.file("/etc/pam.d/login", "@include common-auth\n@include common-account\n")
    tree = Tree(patient.root)
    write(patient, compose(tree, "login", variant).wanted, "login")
    assert patient.found("stacks") == []


def test_composed_before(patient: Patient) -> None:
    """What was composed before the machine's passwords changed is to be composed again."""
    patient.file("/etc/pam.d/login", "@include common-auth\n@include common-account\n")
    write(patient, compose(Tree(patient.root), "login", Variant.BOTH).wanted, "login")
    write(patient, DEBIANS.replace("pam_unix.so", "pam_sss.so"), "common-auth")
    finding = patient.only("stacks")
    assert (finding.check, finding.level) == ("stack-current", "warning")
    assert finding.do.endswith("pam-totp stack enable login")


def test_common_auth(patient: Patient) -> None:
    """The line behind Debian's own common-auth, where the password's jump passes pam_deny."""
    patient.file("/etc/pam.d/sshd", DEBIANS_SSHD.replace("pam-totp", "common-auth"))
    write(patient, PROFILES, "common-auth")
    write(patient, f"{ACCOUNT}{DEBIANS_ACCOUNT}", "common-account")
    assert [one.check for one in patient.found("stacks")] == ["stack-outage"]


@pytest.mark.parametrize(
    ("changes", "checks", "do"),
    [
        # the checking line's control
        ([(CHECK, CHECK.replace("required", "sufficient"))], ["stack-wrong-code"], "auth required"),
        ([(CHECK, CHECK.replace("required", "optional"))], ["stack-wrong-code"], "auth required"),
        (
            [(CHECK, CHECK.replace("required", "[success=done default=ignore]"))],
            ["stack-wrong-code"],
            "auth required",
        ),
        (
            [
                (
                    CHECK,
                    CHECK.replace("required", "[success=ok ignore=ignore auth_err=1 default=bad]"),
                )
            ],
            ["stack-wrong-code"],
            "auth required",
        ),
        # order
        ([("[success=1", "[success=2")], ["stack-order"], "success=1"),
        ([("[success=1", "[success=ok")], ["stack-order", "stack-right"], "success=1"),
        ([("[success=1", "[success=done")], ["stack-order"], "success=1"),
        (
            [(AUTHFAIL, "")],
            ["stack-order", "stack-order", "stack-wrong-password", "stack-authfail"],
            "success=ok",
        ),
        ([(CHECK, ""), (PERMIT, PERMIT + CHECK)], [], ""),  # nothing wrong with that
        ([(CHECK, "")], ["stack-order"], "pam-totp stack enable sshd"),
        (
            [(CHECK, ""), ("# The password.  Right", CHECK + "# The password.  Right")],
            ["stack-order"],
            "pam-totp stack enable sshd",
        ),
        # the rest
        ([(PERMIT, "")], ["stack-right"], "a auth required pam_permit.so"),
        (
            [(AUTHFAIL, "auth\trequisite\tpam_deny.so\n")],
            ["stack-authfail"],
            "pam-totp stack enable sshd",
        ),
        ([("authinfo_unavail=die ", "")], ["stack-outage"], "docs/stacks.md"),
        (
            [(AUTHFAIL, AUTHFAIL.replace("[cred_err=ignore default=die]", "requisite"))],
            ["stack-setcred"],
            "[cred_err=ignore default=die]",
        ),
        ([(ACCOUNT, "")], ["stack-account"], "echo 'account required pam_totp.so' >>"),
        (
            [(ACCOUNT, ACCOUNT.replace("required", "optional"))],
            ["stack-account"],
            "account required pam_totp.so",
        ),
        (
            [(PERMIT, "auth\trequired\tpam_google_authenticator.so nullok\n" + PERMIT)],
            ["stack-others"],
            "s/^/#/",
        ),
        (
            [(CHECK, "auth\trequired\tpam_totp.so debug\n")],
            ["stack-arguments", "stack-order"],
            "with nothing behind it, collect, authfail or local",
        ),
        (
            [(CHECK, "auth\trequired\t/opt/pam_totp.so\n")],
            ["stack-module"],
            "s|/opt/pam_totp.so|pam_totp.so|",
        ),
        ([(ACCOUNT, ACCOUNT + "session optional pam_totp.so\n")], ["stack-types"], "s/^/#/"),
        ([(PERMIT, PERMIT + "auth requird pam_unix.so\n")], ["stack-readable"], "pam.conf(5)"),
    ],
)
def test_broken(
    patient: Patient, changes: list[tuple[str, str]], checks: list[str], do: str
) -> None:
    """Each thing that is wrong is found by its name, with the line to run or to write."""
    write(patient, changed(*changes))
    found = patient.found("stacks")
    assert [one.check for one in found] == checks, found
    assert do in found[0].do if found else True


@pytest.mark.parametrize(
    ("changes", "checks", "do"),
    [
        (
            [("pam_unix.so use_first_pass", "pam_unix.so")],
            ["stack-collect"],
            "s/pam_unix.so/& use_first_pass/",
        ),
        ([("requisite\tpam_totp.so collect", "requisite\tpam_permit.so")], [], ""),
    ],
)
def test_collect(
    patient: Patient, changes: list[tuple[str, str]], checks: list[str], do: str
) -> None:
    """The password's line behind `collect` takes what that has taken."""
    patient.file("/etc/pam.d/openvpn", "@include pam-totp-openvpn\n")
    write(patient, changed(*changes, text=COLLECT), "pam-totp-openvpn")
    found = patient.found("stacks")
    assert [one.check for one in found] == checks, found
    assert do in found[0].do if found else True


def test_collect_comes_first(patient: Patient) -> None:
    """Behind the password's line there is nothing left to be taken apart."""
    line = "auth\trequisite\tpam_totp.so collect\n"
    patient.file("/etc/pam.d/openvpn", "@include pam-totp-openvpn\n")
    moved = changed((line, ""), (CHECK, line + CHECK), text=COLLECT)
    write(patient, moved, "pam-totp-openvpn")
    finding = patient.only("stacks")
    assert (finding.check, finding.level) == ("stack-collect", "error")


def test_no_password(patient: Patient) -> None:
    """The stack of the code alone is an error where nothing else comes before it."""
    patient.file("/etc/pam.d/login", "@include pam-totp-code\n")
    finding = patient.only("stacks")
    assert (finding.check, finding.level) == ("stack-password", "error")
    assert finding.found.startswith("login: ")


def test_no_account_lines(patient: Patient) -> None:
    """A stack without `account` lines refuses after a right code."""
    auth = (line for line in SHIPPED.splitlines() if not line.startswith("account"))
    patient.file("/etc/pam.d/login", "\n".join((*auth, "")))
    finding = patient.only("stacks")
    assert (finding.check, finding.level) == ("stack-account", "error")
    subprocess.run(["/bin/sh", "-c", finding.do], check=True)
    assert [one.level for one in patient.found("stacks")] == ["warning"]


def test_module_is_not_installed(patient: Patient) -> None:
    """A module that libpam does not find is an error for each line that names it."""
    (patient.root / "usr/lib/x86_64-linux-gnu/security/pam_totp.so").unlink()
    found = patient.found("stacks")
    assert {one.check for one in found} == {"stack-module"}
    assert {one.do for one in found} == {"apt-get install --reinstall libpam-totp"}


def test_nothing_turned_on(patient: Patient) -> None:
    """Where no service's stack names the module, there is nothing to find."""
    patient.file("/etc/pam.d/sshd", "@include common-auth\n@include common-account\n")
    write(patient, changed((CHECK, "")))
    assert patient.found("stacks", "ssh") == []
