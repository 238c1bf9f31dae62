"""SSH with other stacks and methods: keys, the `password` method, other password modules."""

from __future__ import annotations

import pwd
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.lab.journal import Journal
from tests.system.lab.person import Person
from tests.system.lab.ssh import STACKS, Sshd, is_in, is_refused, make_key, stack_with
from tests.system.lab.terminal import CODE, PASSWORD

UNIX_LINE_END = "]\tpam_unix.so\n"
SETCRED_OUTCOMES = ("success", "ignore", "cred_err", "cred_unavail", "user_unknown")
PASSWORD_METHOD = "PasswordAuthentication=yes"


@pytest.fixture(scope="module")
def key_and_code(world: None) -> Iterator[Sshd]:
    """An sshd that wants a key, then the code."""
    stack = stack_with("@include pam-totp-code")
    with Sshd(
        "sshd-code", stack, "AuthenticationMethods=publickey,keyboard-interactive:pam"
    ) as sshd:
        yield sshd


@pytest.fixture
def key(person: Person, tmp_path: Path) -> Path:
    """A key with which the enrolled person may log in."""
    return give_key(person, tmp_path)


def give_key(person: Person, directory: Path) -> Path:
    """Make a key that sshd knows as the person's, and return its path."""
    key = make_key(directory / "key")
    directory = Path(pwd.getpwnam(person.name).pw_dir) / ".ssh"
    directory.mkdir()
    (directory / "authorized_keys").write_text(key.with_suffix(".pub").read_text())
    return key


def test_key_and_code(key_and_code: Sshd, person: Person, key: Path, journal: Journal) -> None:
    """A key and a right code let in, and no password is asked for."""
    both = "publickey,keyboard-interactive"
    with key_and_code.client(person.name, f"IdentityFile={key}", methods=both) as client:
        client.gives_code(person.fresh_code())
        is_in(client)
        assert PASSWORD not in client.transcript
    assert journal.verdicts(person.name) == ["accepted"]


def test_key_and_wrong_code(key_and_code: Sshd, person: Person, key: Path) -> None:
    """A key and a wrong code are refused, and the code is counted."""
    both = "publickey,keyboard-interactive"
    with key_and_code.client(person.name, f"IdentityFile={key}", methods=both) as client:
        client.gives_code(person.wrong_code())
        is_refused(client)
    assert person.failures == 1


def test_code_without_key(key_and_code: Sshd, person: Person, journal: Journal) -> None:
    """Without the key no code is asked for and nobody gets in, enrolled or not."""
    with key_and_code.client(person.name) as client:
        is_refused(client)
        assert CODE not in client.transcript
    assert journal.verdicts(person.name) == []


def test_key_without_authenticator(key_and_code: Sshd, newcomer: Person, tmp_path: Path) -> None:
    """Who has no authenticator logs in with the key alone."""
    key = give_key(newcomer, tmp_path)
    both = "publickey,keyboard-interactive"
    with key_and_code.client(newcomer.name, f"IdentityFile={key}", methods=both) as client:
        is_in(client)


def test_administrators_lock_holds_for_keys(key_and_code: Sshd, person: Person, key: Path) -> None:
    """Who is locked by an administrator is refused with a key and a right code."""
    person.lock()
    both = "publickey,keyboard-interactive"
    with key_and_code.client(person.name, f"IdentityFile={key}", methods=both) as client:
        while client.sees(CODE, "Permission denied", "Connection closed") == 0:
            client.types(person.fresh_code())
        assert client.ends() == 255


@pytest.fixture(scope="module")
def one_field(world: None) -> Iterator[Sshd]:
    """An sshd whose `password` method goes through `collect`."""
    with Sshd("sshd-collect", stack_with("@include pam-totp-openvpn"), PASSWORD_METHOD) as sshd:
        yield sshd


def test_code_behind_the_password(one_field: Sshd, person: Person, journal: Journal) -> None:
    """The `password` method takes password and code out of its one field."""
    with one_field.client(person.name, methods="password") as client:
        client.gives_password(person.password + person.fresh_code())
        is_in(client)
        assert CODE not in client.transcript
    assert journal.verdicts(person.name)[-1] == "accepted"


def test_wrong_code_behind_the_password(one_field: Sshd, person: Person) -> None:
    """A wrong code in the one field is refused and counted; a code behind a wrong password is
    neither spent nor counted against the account."""
    with one_field.client(person.name, methods="password") as client:
        client.gives_password(person.password + person.wrong_code())
        is_refused(client)
    assert person.failures == 1
    code = person.fresh_code()
    with one_field.client(person.name, methods="password") as client:
        client.gives_password("wrong" + code)
        is_refused(client)
    assert person.failures == 1
    with one_field.client(person.name, methods="password") as client:
        client.gives_password(person.password + code)
        is_in(client)


def test_password_alone_in_the_one_field(one_field: Sshd, person: Person, newcomer: Person) -> None:
    """The password without a code is refused for who has enrolled, and enough for who has
    not."""
    with one_field.client(person.name, methods="password") as client:
        client.gives_password(person.password)
        is_refused(client)
    assert person.failures == 0
    with one_field.client(newcomer.name, methods="password") as client:
        client.gives_password(newcomer.password)
        is_in(client)


def test_two_fields_through_collect(one_field: Sshd, person: Person) -> None:
    """Keyboard-interactive through `collect` asks both questions before either is checked."""
    with one_field.client(person.name) as client:
        client.gives_password(person.password)
        client.gives_code(person.fresh_code())
        is_in(client)


@pytest.fixture(scope="module")
def plain_password_method(world: None) -> Iterator[Sshd]:
    """An sshd that offers its `password` method on the plain stack."""
    with Sshd("sshd-plain", stack_with("@include pam-totp"), PASSWORD_METHOD) as sshd:
        yield sshd


def test_password_method_on_the_plain_stack(
    plain_password_method: Sshd, person: Person, journal: Journal
) -> None:
    """The `password` method on the plain stack, which has no place for the code, is refused
    without counting anything, with and without a code behind the password."""
    for field in (person.password, person.password + person.fresh_code()):
        with plain_password_method.client(person.name, methods="password") as client:
            client.gives_password(field)
            is_refused(client)
    assert person.failures == 0
    assert journal.verdicts(person.name) == ["no-code", "wrong-password"]


def test_password_method_without_authenticator(
    plain_password_method: Sshd, newcomer: Person
) -> None:
    """Who has no authenticator uses the `password` method as before."""
    with plain_password_method.client(newcomer.name, methods="password") as client:
        client.gives_password(newcomer.password)
        is_in(client)


def shipped_stack_with(password_module: str) -> str:
    """Return sshd's stack with the shipped lines written out and another password module."""
    shipped = (STACKS / "pam-totp").read_text()
    assert shipped.count(UNIX_LINE_END) == 1
    other = f"]\t{password_module}\n"
    return stack_with(shipped.replace(UNIX_LINE_END, other).replace("\\", "\\\\"))


@pytest.mark.parametrize("outcome", SETCRED_OUTCOMES)
def test_setcred_of_the_password_module(outcome: str, person: Person, service: object) -> None:
    """A right login stays right whatever the password module answers to setcred, which sshd
    calls in another process than it authenticated in."""
    stack = shipped_stack_with(f"pam_debug.so auth=success cred={outcome}")
    with Sshd("sshd-setcred", stack) as sshd:
        with sshd.client(person.name) as client:
            client.gives_code(person.fresh_code())
            is_in(client)
        with sshd.client(person.name) as client:
            client.gives_code(person.wrong_code())
            is_refused(client)
