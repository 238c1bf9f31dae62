"""The stacks, over every outcome of the password's module (pam_debug plays it)."""

from __future__ import annotations

import itertools
import re
import subprocess
from collections.abc import Iterator
from typing import Final

import pytest

from tests.system.lab import host, phone, records, stacks
from tests.system.lab.host import AUTH_ERR, SUCCESS
from tests.system.lab.journal import Journal
from tests.system.lab.person import Person

pytestmark = pytest.mark.usefixtures("service")

# Could not check: refused at once, no code is asked for, nothing is counted.
BROKEN: Final = (
    "authinfo_unavail",
    "service_err",
    "system_err",
    "buf_err",
    "conv_err",
    "conv_again",
    "incomplete",
    "abort",
    "authtok_err",
    "authtok_recover_err",
    "open_err",
    "symbol_err",
    "module_unknown",
)
# Every other answer that is no success: a code is asked for all the same, the password counts.
WRONG: Final = (
    "auth_err",
    "user_unknown",
    "maxtries",
    "acct_expired",
    "new_authtok_reqd",
    "authtok_expired",
    "cred_insufficient",
    "cred_unavail",
    "cred_expired",
    "cred_err",
    "perm_denied",
    "authtok_lock_busy",
    "authtok_disable_aging",
    "session_err",
    "try_again",
    "no_module_data",
    "bad_item",
    "ignore",
)
SETCRED: Final = ("success", "ignore", "cred_err", "cred_unavail", "user_unknown")
# How each stack comes by password and code: does it ask before the password's module runs?
PLAIN, COLLECT = "pam-totp", "pam-totp-openvpn"
ASKS_FIRST: Final = {PLAIN: False, COLLECT: True}

LOCAL_LINE: Final = "auth [success=2 auth_err=1 ignore=ignore user_unknown=ignore default=die] {}\n"
LOCAL_ACCOUNT: Final = "account [success=done user_unknown=ignore default=die] {}\n"

_addresses = (f"192.0.2.{number}" for number in itertools.count(1))


@pytest.fixture(scope="module")
def enrolled(world: None) -> Iterator[Person]:
    """Somebody enrolled whom no test here lets in or counts a code against."""
    person = Person()
    person.enroll()
    yield person
    person.remove()


@pytest.fixture(scope="module")
def unenrolled(world: None) -> Iterator[Person]:
    """Somebody who has not enrolled."""
    person = Person()
    yield person
    person.remove()


@pytest.fixture
def address() -> str:
    """An address that no other test comes from."""
    return next(_addresses)


def code_of(outcome: str) -> str:
    """Return the name of the PAM code that pam_debug calls so."""
    return f"PAM_{outcome.upper()}".replace("RECOVER_ERR", "RECOVERY_ERR")


def attempt(stack: str, outcome: str, account: str, address: str, code: str | None) -> host.Ended:
    """Log in while the password's module answers `outcome`."""
    text = stacks.with_password_module(stack, f"pam_debug.so auth={outcome}")
    password = "what the person typed" if ASKS_FIRST[stack] else None
    with stacks.installed("lab-outcome", text) as service:
        return host.login(service, account, f"--rhost={address}", password=password, code=code)


@pytest.mark.parametrize("stack", ASKS_FIRST)
def test_right_password(stack: str, person: Person, address: str, journal: Journal) -> None:
    """After a right password a wrong code is refused and counted, a right one is accepted and
    clears the count, and no password counts."""
    wrong = attempt(stack, "success", person.name, address, person.wrong_code())
    assert (wrong.result, person.failures) == (AUTH_ERR, 1)
    right = attempt(stack, "success", person.name, address, person.fresh_code())
    assert (right.result, person.failures) == (SUCCESS, 0)
    assert journal.verdicts(person.name) == ["wrong-code", "accepted"]
    assert records.wrong_passwords(person.name) == {}


@pytest.mark.parametrize("outcome", BROKEN)
@pytest.mark.parametrize("stack", ASKS_FIRST)
def test_password_that_could_not_be_checked(
    stack: str,
    outcome: str,
    enrolled: Person,
    address: str,
    journal: Journal,
) -> None:
    """An outage of the directory refuses, with right and wrong codes, counts nothing and
    spends nothing."""
    before = records.state(enrolled.name)
    for code in (enrolled.phone.code(phone.now()[0]), enrolled.wrong_code()):
        given = code if ASKS_FIRST[stack] else None
        ended = attempt(stack, outcome, enrolled.name, address, given)
        assert ended.result == code_of(outcome)
    assert records.state(enrolled.name) == before
    assert address not in records.wrong_passwords(enrolled.name)
    assert journal.verdicts(enrolled.name) == []


@pytest.mark.parametrize("outcome", WRONG)
@pytest.mark.parametrize("stack", ASKS_FIRST)
def test_wrong_password(
    stack: str,
    outcome: str,
    enrolled: Person,
    address: str,
    journal: Journal,
) -> None:
    """Whatever else the password's module says, the code is asked for, neither looked at nor
    spent, and the password counts by address alone."""
    before = records.state(enrolled.name)
    for code in (enrolled.phone.code(phone.now()[0]), enrolled.wrong_code()):
        ended = attempt(stack, outcome, enrolled.name, address, code)
        assert ended.result == AUTH_ERR
        assert ended.asked_for_code
    assert records.state(enrolled.name) == before
    assert records.wrong_passwords(enrolled.name)[address] == 2
    assert journal.verdicts(enrolled.name) == ["wrong-password"] * 2


@pytest.mark.parametrize("stack", ASKS_FIRST)
def test_without_authenticator(stack: str, unenrolled: Person, address: str) -> None:
    """Who has not enrolled is asked for no code: in with a right password, else refused."""
    wanted = {"success": SUCCESS} | dict.fromkeys(("auth_err", "user_unknown", "ignore"), AUTH_ERR)
    wanted |= {outcome: code_of(outcome) for outcome in BROKEN}
    found = {}
    for outcome in wanted:
        ended = attempt(stack, outcome, unenrolled.name, address, None)
        assert not ended.asked_for_code
        found[outcome] = ended.result
    assert found == wanted
    assert records.wrong_passwords(unenrolled.name) == {}


@pytest.mark.parametrize("stack", ASKS_FIRST)
def test_unknown_name(stack: str, address: str) -> None:
    """A wrong password for a name that nobody has counts in a table of fixed size, and neither
    under that name nor under the address."""
    before, name = records.addresses(), f"nobody-{stack}"
    assert attempt(stack, "user_unknown", name, address, None).result == AUTH_ERR
    ((slot, source),) = records.addresses() - before
    assert re.fullmatch(r"%3F\d{1,4}", slot)
    assert source == ""


def test_fifth_wrong_password_locks_the_address(person: Person, address: str) -> None:
    """After five wrong passwords from one address a right login from there is refused, from
    anywhere else accepted, and the code of the refused one is not spent."""
    for _ in range(5):
        attempt(PLAIN, "auth_err", person.name, address, person.wrong_code())
    code = person.fresh_code()
    assert attempt(PLAIN, "success", person.name, address, code).result == AUTH_ERR
    assert attempt(PLAIN, "success", person.name, next(_addresses), code).result == SUCCESS


def test_fifth_wrong_code_locks_the_account(person: Person, address: str, journal: Journal) -> None:
    """After five wrong codes a right one is refused until `pam-totp unlock`, and is not spent
    by the refusal."""
    for _ in range(5):
        attempt(PLAIN, "success", person.name, address, person.wrong_code())
    code = person.fresh_code()
    assert person.status()["locked"] == "until"
    assert attempt(PLAIN, "success", person.name, address, code).result == AUTH_ERR
    person.unlock()
    assert attempt(PLAIN, "success", person.name, address, code).result == SUCCESS
    assert journal.verdicts(person.name) == ["wrong-code"] * 5 + ["locked", "accepted"]


@pytest.mark.parametrize("answer", ["!CONV_ERR", "!NOTHING", "=", "=   ", "={name}"])
def test_no_code(answer: str, person: Person, journal: Journal) -> None:
    """A prompt that cannot be shown, no answer, an empty one and the user's name are refused
    and not counted."""
    option = f"--answer=Verification code: {answer.format(name=person.name)}"
    with stacks.installed("lab-answer", stacks.shipped(stacks.CODE_ALONE)) as service:
        assert host.login(service, person.name, option).result == AUTH_ERR
    assert person.failures == 0
    assert journal.verdicts(person.name) == ["no-code"]


def test_password_that_cannot_be_asked_for(person: Person, journal: Journal) -> None:
    """A failed conversation about the password is no wrong password (with the real pam_unix)."""
    for stack in ASKS_FIRST:
        with stacks.installed("lab-conversation", stacks.shipped(stack)) as service:
            ended = host.login(service, person.name, "--answer=Password: !CONV_ERR")
        assert ended.result != SUCCESS
        assert not ended.asked_for_code
    assert records.wrong_passwords(person.name) == {}
    assert "wrong-password" not in journal.verdicts(person.name)


def test_password_module_that_is_not_there(person: Person, journal: Journal) -> None:
    """A password's module that is not installed refuses, and is no wrong password."""
    for stack in ASKS_FIRST:
        given = ("what", person.fresh_code()) if ASKS_FIRST[stack] else (None, None)
        text = stacks.with_password_module(stack, "pam_of_no_package.so")
        with stacks.installed("lab-missing", text) as service:
            ended = host.login(service, person.name, password=given[0], code=given[1])
        assert ended.result != SUCCESS
    assert journal.verdicts(person.name) == []
    assert records.wrong_passwords(person.name) == {}


# -- the checking line --------------------------------------------------------------------------


def checking_lines(text: str) -> list[str]:
    """Return the control words of the lines that check a code."""
    return re.findall(r"(?m)^auth\s+(\[[^]]*\]|\w+)\s+pam_totp\.so\s*(?:#.*)?$", text)


@pytest.mark.parametrize("name", stacks.SHIPPED)
def test_checking_line_is_required(name: str) -> None:
    """Every shipped stack has one checking line, and its word is `required`."""
    assert checking_lines(stacks.shipped(name)) == ["required"]


def test_why_not_sufficient(person: Person) -> None:
    """With `sufficient` on the checking line a wrong code gets in by the closing pam_permit,
    and with `required` it does not."""
    shipped = stacks.shipped(stacks.CODE_ALONE)
    changed = re.sub(r"(?m)^(auth\s+)required(\s+pam_totp\.so)$", r"\1sufficient\2", shipped)
    assert checking_lines(changed) == ["sufficient"]
    with stacks.installed("lab-sufficient", changed) as service:
        assert host.login(service, person.name, code=person.wrong_code()).result == SUCCESS
    with stacks.installed("lab-required", shipped) as service:
        assert host.login(service, person.name, code=person.wrong_code()).result == AUTH_ERR
    assert person.failures == 2


# -- setcred ------------------------------------------------------------------------------------


@pytest.mark.parametrize("stack", ASKS_FIRST)
def test_setcred_in_another_process(stack: str, enrolled: Person) -> None:
    """Where the application calls setcred in another process, as sshd does, it succeeds
    whatever the password's module answers, but for its own failures."""
    wanted = dict.fromkeys(("success", *WRONG), SUCCESS)
    wanted |= {outcome: code_of(outcome) for outcome in BROKEN}
    found = {}
    for outcome in wanted:
        module = f"pam_debug.so auth=success cred={outcome}"
        text = stacks.with_password_module(stack, module)
        with stacks.installed("lab-setcred", text) as name:
            ended = host.login(name, enrolled.name, steps=["setcred:0x2"])
        (found[outcome],) = ended.results("setcred")
    assert found == wanted


@pytest.mark.parametrize(
    "outcome", ["success", "ignore", "cred_err", "cred_unavail", "user_unknown"]
)
def test_setcred_in_the_same_process(outcome: str, unenrolled: Person) -> None:
    """Where the same handle has authenticated, setcred succeeds as well."""
    module = f"pam_debug.so auth=success cred={outcome}"
    text = stacks.with_password_module(PLAIN, module)
    with stacks.installed("lab-setcred", text) as name:
        ended = host.login(name, unenrolled.name, steps=["authenticate", "setcred:0x2"])
    assert (ended.result, ended.results("setcred")) == (SUCCESS, [SUCCESS])


# -- account ------------------------------------------------------------------------------------


def account_phase(stack: str, account: str, text: str | None = None) -> str:
    """Return what the account phase of a stack says."""
    with stacks.installed("lab-account", text or stacks.shipped(stack)) as service:
        (result,) = host.login(service, account, steps=["acct_mgmt"]).results("acct_mgmt")
    return result


@pytest.mark.parametrize("stack", stacks.SHIPPED)
def test_administrators_lock(stack: str, person: Person) -> None:
    """The account phase refuses who is locked by an administrator, until unlocked."""
    assert account_phase(stack, person.name) == SUCCESS
    person.lock()
    assert account_phase(stack, person.name) == "PAM_PERM_DENIED"
    person.unlock()
    assert account_phase(stack, person.name) == SUCCESS


def test_administrators_lock_of_somebody_unenrolled(newcomer: Person, address: str) -> None:
    """The lock holds for an account without an authenticator in both phases."""
    newcomer.lock()
    assert account_phase(PLAIN, newcomer.name) == "PAM_PERM_DENIED"
    assert attempt(PLAIN, "success", newcomer.name, address, None).result == AUTH_ERR


@pytest.mark.parametrize("stack", stacks.SHIPPED)
def test_expired_account(stack: str, newcomer: Person) -> None:
    """An expired system account, and an expired password, are still pam_unix's to refuse."""
    subprocess.run(["chage", "--lastday", "0", newcomer.name], check=True)
    assert account_phase(stack, newcomer.name) == "PAM_NEW_AUTHTOK_REQD"
    newcomer.expire()
    assert account_phase(stack, newcomer.name) == "PAM_ACCT_EXPIRED"


# -- the lines for local accounts ---------------------------------------------------------------


def with_local(line: str) -> str:
    """Return the plain stack after a right password, with a local line in front."""
    behind = stacks.with_password_module(PLAIN, "pam_debug.so auth=success")
    return LOCAL_LINE.format(line) + behind


@pytest.mark.parametrize("outcome", ["success", "ignore", "user_unknown"])
def test_local_line_leads_to_the_code(outcome: str, person: Person, address: str) -> None:
    """A right local password, and a name that is not local, both come to the checking line."""
    with stacks.installed("lab-local", with_local(f"pam_debug.so auth={outcome}")) as service:
        wrong = host.login(service, person.name, code=person.wrong_code())
        assert (wrong.result, person.failures) == (AUTH_ERR, 1)
        assert host.login(service, person.name, code=person.fresh_code()).result == SUCCESS


def test_wrong_local_password(enrolled: Person, address: str) -> None:
    """A wrong local password is counted as a wrong password is, and the system's is not tried."""
    text = with_local("pam_debug.so auth=auth_err").replace("auth=success", "auth=abort")
    with stacks.installed("lab-local", text) as name:
        code = enrolled.phone.code(phone.now()[0])
        assert host.login(name, enrolled.name, f"--rhost={address}", code=code).result == AUTH_ERR
    assert records.wrong_passwords(enrolled.name)[address] == 1


@pytest.mark.parametrize(
    "outcome", sorted({*BROKEN, *WRONG} - {"auth_err", "ignore", "user_unknown"})
)
def test_local_line_that_could_not_say(outcome: str, enrolled: Person, address: str) -> None:
    """Anything else of the local line refuses at once and counts nothing."""
    before = records.state(enrolled.name)
    with stacks.installed("lab-local", with_local(f"pam_debug.so auth={outcome}")) as name:
        assert host.login(name, enrolled.name, f"--rhost={address}").result != SUCCESS
    assert records.state(enrolled.name) == before
    assert address not in records.wrong_passwords(enrolled.name)


def test_local_lines_of_an_account_of_the_machine(
    person: Person, newcomer: Person, address: str
) -> None:
    """They have no say about an account of the machine, in either phase: the line behind asks as
    before, and an expired account stays out."""
    newcomer.expire()
    with stacks.installed("lab-local", with_local("pam_totp.so local")) as name:
        code = person.fresh_code()
        assert host.login(name, person.name, f"--rhost={address}", code=code).result == SUCCESS
    text = LOCAL_ACCOUNT.format("pam_totp.so local") + stacks.shipped(PLAIN)
    assert account_phase(PLAIN, newcomer.name, text) != SUCCESS
    assert account_phase(PLAIN, person.name, text) == SUCCESS


def test_an_argument_of_a_later_release(enrolled: Person, newcomer: Person, address: str) -> None:
    """What this release does not know on a line lets nobody in, in either phase, and its account
    line does not stand in for pam_unix's."""
    newcomer.expire()
    with stacks.installed("lab-later", with_local("pam_totp.so later")) as name:
        ended = host.login(name, enrolled.name, f"--rhost={address}")
        assert ended.result not in (SUCCESS, "PAM_IGNORE")
    text = LOCAL_ACCOUNT.format("pam_totp.so later") + stacks.shipped(PLAIN)
    assert account_phase(PLAIN, newcomer.name, text) != SUCCESS
    assert records.wrong_passwords(enrolled.name).get(address) is None
