"""Composing: the stacks of Debian 12 and 13, walked through with every answer."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pam_totp.stack import MODULE, StackError, Tree, block, pamfile, switch
from pam_totp.stack.chain import PASSWORD_MODULES
from pam_totp.stack.compose import ByHand, Composition, Variant, compose
from pam_totp.stack.pamfile import Line
from pam_totp.stack.reading import NoPassword

from .conftest import PROFILES, RELEASES
from .libpam import Walk, walk

Machine = Callable[[str, str], Tree]
Custom = Callable[..., Tree]

SHIPPED = Path(__file__).parents[3] / "etc/pam.d"
SERVICES = ("sshd", "login", "su", "sudo")
ANSWERS = ("success", "auth_err", "user_unknown", "authinfo_unavail", "conv_err")
UNIX = "auth [success=1 default=ignore] pam_unix.so\nauth requisite pam_deny.so\n"


def stack(tree: Tree, composition: Composition) -> list[Line]:
    """Return the `auth` lines that a composed file stands for."""
    lines = pamfile.parse(composition.wanted, composition.path)
    return [rule.line for rule in tree.follow(lines, "auth")]


def walked(lines: list[Line], said: dict[str, str], code: str = "success") -> Walk:
    """Walk a composed stack; `said` is what each password module answers."""

    def answer(line: Line) -> str:
        if line.name == MODULE:
            return {"authfail": "auth_err", "collect": "ignore"}.get("".join(line.arguments), code)
        if line.name == "pam_rootok.so":
            return "auth_err"
        return said.get(line.name, "success")

    return walk(lines, answer)


def every_answer(modules: list[str]) -> Iterator[dict[str, str]]:
    """Yield every way in which the modules can answer."""
    for answers in itertools.product(ANSWERS, repeat=len(modules)):
        yield dict(zip(modules, answers, strict=True))


def expected(modules: list[str], said: dict[str, str]) -> str:
    """Return what a login must come to, by the words of docs/stacks.md."""
    outage = False
    for module in modules:
        answer = said[module]
        if answer == "success":
            return "checked"
        if answer == "conv_err":
            return "died"
        not_its_own = module == "pam_unix.so" and len(modules) > 1
        outage |= answer == "authinfo_unavail" and not not_its_own
    return "died" if outage else "authfail"


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("profiles", PROFILES)
@pytest.mark.parametrize("release", RELEASES)
def test_every_answer(machine: Machine, release: str, profiles: str, service: str) -> None:
    """A password that one module calls right leads to the code, one that all call wrong to
    `authfail`, and where one could not check and none accepts, nothing is counted."""
    tree = machine(release, profiles)
    lines = stack(tree, compose(tree, service, Variant.BOTH))
    modules = list(dict.fromkeys(line.name for line in lines if line.name in PASSWORD_MODULES))
    assert len(modules) == len(profiles.split("-"))
    for said in every_answer(modules):
        found = walked(lines, said)
        assert (found.end, found.accepted) == (
            expected(modules, said),
            expected(modules, said) == "checked",
        ), said


@pytest.mark.parametrize("profiles", PROFILES)
@pytest.mark.parametrize("code", ["auth_err", "ignore"])
def test_the_code_decides(machine: Machine, profiles: str, code: str) -> None:
    """After a right password a wrong code refuses, and an account that needs none comes in."""
    tree = machine("debian-12", profiles)
    lines = stack(tree, compose(tree, "sshd", Variant.BOTH))
    found = walked(lines, {}, code)
    assert (found.end, found.accepted) == ("checked", code == "ignore")


@pytest.mark.parametrize("profiles", PROFILES)
@pytest.mark.parametrize("release", RELEASES)
def test_setcred_of_a_right_login(machine: Machine, release: str, profiles: str) -> None:
    """In sshd setcred walks the stack afresh, `authfail` answers cred_err there, and whatever
    the password modules say of it, a right login goes on, unless none of them succeeds."""
    tree = machine(release, profiles)
    lines = stack(tree, compose(tree, "sshd", Variant.BOTH))

    def answer(line: Line) -> str:
        if line.name in PASSWORD_MODULES:
            return "cred_unavail"
        return "cred_err" if line.arguments == ("authfail",) else "success"

    assert walk(lines, answer).accepted


@pytest.mark.parametrize("release", RELEASES)
def test_equivalent_to_the_shipped_stack(machine: Machine, release: str) -> None:
    """With pam_unix alone the lines are those of etc/pam.d/pam-totp, and pam_unix keeps its
    arguments."""
    tree = machine(release, "unix")
    for variant, name in ((Variant.BOTH, "pam-totp"), (Variant.COLLECT, "pam-totp-openvpn")):
        found = stack(tree, compose(tree, "sshd", variant))
        shipped = [one for one in pamfile.read(SHIPPED / name) if one.type == "auth"]
        ours = [(one.control, one.name) for one in found if one.name != "pam_cap.so"]
        assert ours == [(one.control, one.name) for one in shipped]
        (unix,) = (one for one in found if one.name == "pam_unix.so")
        assert unix.arguments[0] == "nullok"


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("profiles", PROFILES)
@pytest.mark.parametrize("release", RELEASES)
def test_nothing_else_changes(machine: Machine, release: str, profiles: str, service: str) -> None:
    """Each line outside of our block is as it was, what the block replaced is in it, and the
    account phase begins with ours and goes on as before."""
    tree = machine(release, profiles)
    found = compose(tree, service, Variant.BOTH)
    assert block.restored(found.wanted, found.path) == found.now
    before = tree.stack(service, "account")
    found.path.write_text(found.wanted)
    after = tree.stack(service, "account")
    assert [rule.line.name for rule in after] == [
        MODULE,
        *(rule.line.name for rule in before),
    ]
    assert compose(tree, service, Variant.BOTH).wanted == found.wanted


def test_openvpn_has_no_file(machine: Machine) -> None:
    """A service without a file gets one that takes the password from `collect` and has an
    account phase, and that is gone when it is turned off."""
    tree = machine("debian-12", "unix-sss")
    found = compose(tree, "openvpn", Variant.COLLECT)
    assert found.now is None
    assert block.restored(found.wanted, found.path) is None
    lines = stack(tree, found)
    assert lines[0].arguments == ("collect",)
    passwords = [line for line in lines if line.name in PASSWORD_MODULES]
    assert all("use_first_pass" in line.arguments for line in passwords)
    found.path.write_text(found.wanted)
    assert [rule.line.name for rule in tree.stack("openvpn", "account")][:2] == [
        MODULE,
        "pam_unix.so",
    ]


@pytest.mark.parametrize("profiles", PROFILES)
@pytest.mark.parametrize("variant", [Variant.BOTH, Variant.COLLECT])
def test_local_accounts(machine: Machine, profiles: str, variant: Variant) -> None:
    """In front of the password's modules a local account's right password leads to the code, a
    wrong one to `authfail`, what could not be checked to the end; others go on as without it."""
    tree = machine("debian-12", profiles)
    without = stack(tree, compose(tree, "sshd", variant))
    lines = stack(tree, compose(tree, "sshd", variant, local=True))
    (local,) = (line for line in lines if line.arguments == ("local",))
    assert [line.name for line in lines if line is not local] == [line.name for line in without]

    def found(answer: str, code: str) -> Walk:
        def said(line: Line) -> str:
            assert line.name not in PASSWORD_MODULES or answer == "ignore", line
            ours = {"local": answer, "authfail": "auth_err", "collect": "ignore"}
            argument = "".join(line.arguments)
            return ours.get(argument, code) if line.name == MODULE else "success"

        return walk(lines, said)

    assert found("success", "success").accepted
    assert not found("success", "auth_err").accepted
    wrong = found("auth_err", "success")
    assert not wrong.accepted
    assert wrong.end == "authfail"
    for answer in ("authinfo_unavail", "perm_denied", "conv_err"):
        ended = found(answer, "success")
        assert not ended.accepted
        assert ended.asked[-1] == f"{MODULE} local"
    assert found("ignore", "success").accepted


def test_the_account_phase_of_local_accounts(machine: Machine) -> None:
    """A local account passes it without the machine's modules, a locked one does not, and others
    go through it as before."""
    tree = machine("debian-12", "unix")
    composed = compose(tree, "sshd", Variant.BOTH, local=True)
    composed.path.write_text(composed.wanted)
    rules = tree.stack("sshd", "account")
    assert [rule.line.arguments for rule in rules[:2]] == [(), ("local",)]

    def accepted(ours: str, local: str, unix: str) -> bool:
        def said(line: Line) -> str:
            if line.name == MODULE:
                return local if line.arguments else ours
            return {"pam_unix.so": unix, "pam_deny.so": "perm_denied"}.get(line.name, "success")

        return walk([rule.line for rule in rules], said).accepted

    assert accepted("success", "success", "user_unknown")
    assert not accepted("perm_denied", "success", "user_unknown")
    assert not accepted("success", "perm_denied", "success")
    assert accepted("success", "user_unknown", "success")
    assert not accepted("success", "user_unknown", "acct_expired")


def test_local_stays(machine: Machine) -> None:
    """What is turned on for local accounts stays so until it is said otherwise."""
    tree = machine("debian-12", "unix")
    composed = compose(tree, "sshd", Variant.BOTH, local=True)
    composed.path.write_text(composed.wanted)
    assert switch.look(tree, "sshd").state is switch.State.ON
    assert switch.look(tree, "sshd", local=False).wants_change


def test_code_only(machine: Machine) -> None:
    """After a key no password module is left, and what common-auth has besides stays."""
    tree = machine("debian-12", "unix-sss")
    names = [line.name for line in stack(tree, compose(tree, "sshd", Variant.CODE))]
    assert names == [MODULE, "pam_permit.so", "pam_cap.so"]


def test_what_common_auth_has_besides(custom: Custom) -> None:
    """Lines before and after keep their order, and pam_faillock hears of wrong passwords before
    ours ends the login and of right ones afterwards."""
    tree = custom(
        common_auth="auth requisite pam_faillock.so preauth\n"
        "auth optional pam_faildelay.so delay=1\n"
        "auth [success=2 default=ignore] pam_unix.so\n"
        "auth [default=die] pam_faillock.so authfail\n"
        "auth requisite pam_deny.so\n"
        "auth required pam_permit.so\n"
        "auth sufficient pam_faillock.so authsucc\n"
        "auth optional pam_mount.so\n",
        x="@include common-auth\naccount required pam_permit.so\n",
    )
    lines = stack(tree, compose(tree, "x", Variant.BOTH))
    assert [" ".join((line.name, *line.arguments)) for line in lines] == [
        "pam_faillock.so preauth",
        "pam_faildelay.so delay=1",
        "pam_unix.so",
        "pam_faillock.so authfail",
        "pam_totp.so authfail",
        "pam_totp.so",
        "pam_permit.so",
        "pam_faillock.so authsucc",
        "pam_mount.so",
    ]
    assert walked(lines, {"pam_unix.so": "auth_err"}).asked[-2:] == (
        "pam_faillock.so",
        "pam_totp.so authfail",
    )
    assert walked(lines, {}).accepted


def test_lines_of_the_service_itself(custom: Custom) -> None:
    """Where the password's line stands in the service's own file it is replaced there; the
    account phase of `other` stays in force where the service has none."""
    tree = custom(
        other="account required pam_deny.so\n", x="auth required pam_unix.so try_first_pass\n"
    )
    found = compose(tree, "x", Variant.BOTH)
    assert walked(stack(tree, found), {"pam_unix.so": "auth_err"}).end == "authfail"
    found.path.write_text(found.wanted)
    names = [rule.line.name for rule in tree.stack("x", "account")]
    assert names == [MODULE, "pam_deny.so"]


def test_account_before_auth(custom: Custom) -> None:
    """Where the account phase stands first in the file, ours comes in front of it."""
    tree = custom(x=f"account sufficient pam_permit.so\n{UNIX}auth required pam_permit.so\n")
    found = compose(tree, "x", Variant.BOTH)
    assert len(block.blocks(found.wanted, found.path)) == 2
    assert block.restored(found.wanted, found.path) == found.now
    found.path.write_text(found.wanted)
    assert tree.stack("x", "account")[0].line.name == MODULE


def test_sufficient(custom: Custom) -> None:
    """`sufficient` in a row, with nothing but a refusal behind, is composed."""
    text = (
        "auth sufficient pam_unix.so\nauth sufficient pam_sss.so use_first_pass\n"
        "auth required pam_deny.so\naccount required pam_permit.so\n"
    )
    tree = custom(x=text)
    lines = stack(tree, compose(tree, "x", Variant.BOTH))
    assert walked(lines, {"pam_unix.so": "user_unknown"}).accepted
    wrong = {"pam_unix.so": "auth_err", "pam_sss.so": "auth_err"}
    assert walked(lines, wrong).end == "authfail"


def test_die_stays_die(custom: Custom) -> None:
    """A module that decides alone today still does: a wrong password there asks no other."""
    text = (
        "auth [success=2 user_unknown=ignore default=die] pam_unix.so\n"
        "auth [success=1 default=ignore] pam_sss.so use_first_pass\n"
        "auth requisite pam_deny.so\nauth required pam_permit.so\n"
        "account required pam_permit.so\n"
    )
    tree = custom(x=text)
    lines = stack(tree, compose(tree, "x", Variant.BOTH))
    wrong = walked(lines, {"pam_unix.so": "auth_err"})
    assert wrong.asked == ("pam_unix.so", "pam_totp.so authfail")
    assert walked(lines, {"pam_unix.so": "user_unknown"}).accepted


BETWEEN = (
    "auth [success=2 default=ignore] pam_unix.so\nauth optional pam_foo.so\n"
    "auth [success=1 default=ignore] pam_sss.so\nauth requisite pam_deny.so\n"
)
OTHER_TYPE = (
    "auth [success=1 default=ignore] pam_unix.so\naccount required pam_unix.so\n"
    "auth requisite pam_deny.so\nauth required pam_permit.so\n"
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("auth [success=3 default=ignore] pam_fprintd.so\n" + UNIX, "1: .* jumps over lines"),
        (UNIX + "auth [default=reset] pam_foo.so\n", "3: .*`reset` would forget"),
        ("auth sufficient pam_unix.so\nauth optional pam_group.so\n", "2: .* follows a wrong"),
        (BETWEEN, "2: .* stands between modules"),
        (
            "auth required pam_unix.so\nauth required pam_sss.so\n",
            "1: .*`success=ok` is not understood",
        ),
        ("auth [success=9 default=ignore] pam_unix.so\n", "1: .* jumps out of the stack"),
        (
            "auth [success=1 auth_err=1 default=die] pam_unix.so\nauth requisite pam_deny.so\n",
            "1: .*`auth_err=1` is not understood",
        ),
        (OTHER_TYPE, "2: .* stands among the `auth` lines"),
        ("auth substack below\n", "1: .* is in a substack"),
    ],
)
def test_what_is_not_understood(custom: Custom, text: str, said: str) -> None:
    """A stack that cannot be composed safely is refused, with file, line and what to write by
    hand."""
    tree = custom(x=text, below=UNIX)
    with pytest.raises(StackError, match=rf"pam\.d/(x|below):{said}") as caught:
        compose(tree, "x", Variant.BOTH)
    assert "/etc/pam.d/pam-totp" in str(caught.value.hint)


@pytest.mark.parametrize(("dash", "end"), [("-", "authfail"), ("", "died")])
def test_a_module_that_may_be_missing(custom: Custom, dash: str, end: str) -> None:
    """Of a module with a dash in front, missing is no outage: a wrong password is counted."""
    text = (
        "auth [success=2 default=ignore] pam_unix.so\n"
        f"{dash}auth [success=1 default=ignore] pam_sss.so\nauth requisite pam_deny.so\n"
        "auth required pam_permit.so\naccount required pam_permit.so\n"
    )
    lines = stack(tree := custom(x=text), compose(tree, "x", Variant.BOTH))
    said = {"pam_unix.so": "auth_err", "pam_sss.so": "module_unknown"}
    assert walked(lines, said).end == end
    assert all(line.optional == bool(dash) for line in lines if line.name == "pam_sss.so")


@pytest.mark.parametrize("ours", ["success", "ignore", "perm_denied"])
def test_account_phase(custom: Custom, ours: str) -> None:
    """Our `account` line refuses whom it refuses, and lets in nobody whom the others do not."""
    rest = "account sufficient pam_succeed_if.so user ingroup staff\n"
    tree = custom(x=f"{UNIX}{rest}")
    composed = compose(tree, "x", Variant.BOTH)
    lines = pamfile.parse(composed.wanted, composed.path)
    account = [rule.line for rule in tree.follow(lines, "account")]
    for others in ("success", "auth_err"):
        found = walk(account, lambda line: ours if line.name == MODULE else others)  # noqa: B023
        assert found.accepted == (others == "success" and ours != "perm_denied")


def test_no_password(custom: Custom) -> None:
    """A service that checks no password has no place for a code."""
    with pytest.raises(NoPassword):
        compose(custom(x="auth sufficient pam_rootok.so\n"), "x", Variant.BOTH)


@pytest.mark.parametrize("line", ["@include pam-totp", "auth required pam_totp.so"])
def test_by_hand(custom: Custom, line: str) -> None:
    """Lines that somebody else has written are named and left alone."""
    tree = custom(x=f"{line}\n", pam_totp=(SHIPPED / "pam-totp").read_text())
    with pytest.raises(ByHand, match=r"pam\.d/x:1: asks for a code already"):
        compose(tree, "x", Variant.BOTH)


@pytest.mark.parametrize("name", ["../x", "", ".x", "a/b", "x\n", "common-auth", "pam-totp"])
def test_no_service(custom: Custom, name: str) -> None:
    """What is no service's name, or a file that many include, is refused."""
    with pytest.raises(StackError):
        compose(custom(x=UNIX), name, Variant.BOTH)


def test_notes(custom: Custom) -> None:
    """What lets in without a password, and another module that asks for codes, is said."""
    text = (
        f"auth sufficient pam_rootok.so\n{UNIX}auth required pam_permit.so\n"
        "auth required pam_google_authenticator.so\naccount required pam_permit.so\n"
    )
    notes = compose(custom(x=text), "x", Variant.BOTH).notes
    assert "x:1: `sufficient pam_rootok.so` lets in" in notes[0]
    assert "x:5: pam_google_authenticator.so stays" in notes[1]
