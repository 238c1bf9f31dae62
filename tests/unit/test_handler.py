"""The handler over a `pamh` that has pam_python's API and nothing of ours."""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, Final

import pytest

from pam_totp import administration, config, context, handler
from pam_totp.errors import PamTotpError
from tests.unit.world import ALICE, BOB, CODE_PROMPT, NOON, PASSWORD_PROMPT, Phone, World

SUCCESS, PERM_DENIED, AUTH_ERR, UNAVAIL, CRED_ERR, IGNORE = 0, 6, 7, 9, 17, 25
ECHO_OFF, ECHO_ON = 1, 2
MODULE: Final = "/lib/security/pam_totp.so"


class PamError(Exception):
    """What libpam answers with a failure raises."""


class Pamh:
    """pam_python's `pamh`: what its documentation lists and this handler may use.  Prompts
    are answered from a script of (style, prompt, answer); an answer that is an exception is
    what the application does instead."""

    PAM_SUCCESS = SUCCESS
    PAM_PERM_DENIED = PERM_DENIED
    PAM_CRED_ERR = CRED_ERR
    PAM_PROMPT_ECHO_OFF = ECHO_OFF
    PAM_PROMPT_ECHO_ON = ECHO_ON
    exception = PamError

    class Message:
        """A message."""

        def __init__(self, msg_style: int, msg: str) -> None:
            self.msg_style, self.msg = msg_style, msg

    def __init__(self, user: str | None, *script: tuple[int, str, Any]) -> None:
        self.user = user
        self.service: str | None = "sshd"
        self.rhost: str | None = "192.0.2.7"
        self.tty: str | None = None
        self.authtok: str | None = None
        self.script = list(script)
        self.delays: list[int] = []

    def get_user(self, prompt: str | None) -> str | None:
        """Return the name, or fail as an application does that has none."""
        assert prompt is None
        if self.user is None:
            raise PamError
        return self.user

    def conversation(self, message: Message) -> SimpleNamespace:
        """Answer by the script."""
        style, prompt, reply = self.script.pop(0)
        assert (message.msg_style, message.msg) == (style, prompt)
        if isinstance(reply, Exception):
            raise reply
        return SimpleNamespace(resp=reply, resp_retcode=0)

    def fail_delay(self, microseconds: int) -> None:
        """Take note of a delay."""
        assert isinstance(microseconds, int)
        self.delays.append(microseconds)


@pytest.fixture(autouse=True)
def current(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The world is this process's, and the program that asks is root's."""
    monkeypatch.setattr(handler, "os", SimpleNamespace(geteuid=lambda: 0))
    monkeypatch.setattr(context, "_current", [])
    monkeypatch.setattr(handler, "_kept", [])
    context.use(world.context)
    yield
    assert handler._kept == []


@pytest.fixture(name="phone")
def phone_fixture(world: World) -> Phone:
    """Alice has enrolled."""
    return world.enroll()


def authenticate(pamh: Pamh, *argv: str) -> int:
    """Call an `auth` line; the script is used up."""
    code = handler.pam_sm_authenticate(pamh, 0, [MODULE, *argv])
    assert not pamh.script
    assert type(code) is int
    return code


def code_prompt(answer: object) -> tuple[int, str, object]:
    """The code's prompt, with echo."""
    return ECHO_ON, CODE_PROMPT, answer


def test_a_login(phone: Phone) -> None:
    """A right code is asked for with echo and is success; the same again is refused, with a
    delay in microseconds."""
    pamh = Pamh("alice", code_prompt(phone.code(NOON)), code_prompt(phone.code(NOON)))
    assert handler.pam_sm_authenticate(pamh, 0, [MODULE]) == SUCCESS
    assert authenticate(pamh) == AUTH_ERR
    assert pamh.delays == [2_000_000]


@pytest.mark.parametrize("answer", [PamError(), None, "", 7, b"123456"])
def test_no_answer(world: World, phone: Phone, answer: object) -> None:
    """A prompt that fails, and an answer that is no text, are a refusal that is not counted."""
    before = world.store.look("alice")
    assert authenticate(Pamh("alice", code_prompt(answer))) == AUTH_ERR
    assert world.store.look("alice") == before


@pytest.mark.parametrize("user", [None, ""])
def test_no_user(phone: Phone, user: str | None) -> None:
    """Without a name nobody gets in."""
    for argv in ((), ("collect",), ("authfail",)):
        assert authenticate(Pamh(user), *argv) == AUTH_ERR


def test_not_enrolled(phone: Phone) -> None:
    """An account that needs no code is left to the other modules: ignore, not success."""
    assert authenticate(Pamh("bob")) == IGNORE


def test_the_wrong_password_line(phone: Phone) -> None:
    """`authfail` asks for the code and refuses the right one."""
    pamh = Pamh("alice", code_prompt(phone.code(NOON)))
    assert authenticate(pamh, "authfail") == AUTH_ERR
    assert authenticate(Pamh("alice", code_prompt(phone.code(NOON)))) == SUCCESS


@pytest.mark.parametrize(
    "argv",
    [
        ["local", "local"],
        ["debug"],
        ["collect", "collect"],
        ["collect", "authfail"],
        ["COLLECT"],
        [" "],
    ],
)
def test_an_argument_of_another_release(phone: Phone, argv: list[str]) -> None:
    """An argument that this release does not know is a refusal, and nothing is asked."""
    assert authenticate(Pamh("alice"), *argv) == UNAVAIL
    assert handler.pam_sm_acct_mgmt(Pamh("alice"), 0, [MODULE, *argv]) == UNAVAIL


def test_collect(phone: Phone) -> None:
    """`collect` asks for the password without echo where there is none yet, hands it on, and
    the plain line uses the collected code."""
    pamh = Pamh("alice", (ECHO_OFF, PASSWORD_PROMPT, "hunter2" + phone.code(NOON)), code_prompt(""))
    assert authenticate(pamh, "collect") == IGNORE
    assert pamh.authtok == "hunter2"
    assert authenticate(pamh) == SUCCESS


def test_collect_from_what_is_there(phone: Phone) -> None:
    """A password that an earlier module asked for is taken apart without asking again."""
    pamh = Pamh("alice", code_prompt(phone.code(NOON)))
    pamh.authtok = "hunter2"
    assert authenticate(pamh, "collect") == IGNORE
    assert pamh.authtok == "hunter2"
    assert authenticate(pamh) == SUCCESS


def test_collect_without_a_password(phone: Phone) -> None:
    """A password that could not be asked for is a refusal."""
    pamh = Pamh("alice", (ECHO_OFF, PASSWORD_PROMPT, PamError()))
    assert authenticate(pamh, "collect") == AUTH_ERR


def test_what_is_kept_is_one_users(world: World, phone: Phone) -> None:
    """What was collected for one user is nothing for another on the same handle."""
    other = world.enroll(BOB)
    pamh = Pamh("alice", code_prompt(other.code(NOON)))
    pamh.authtok = "hunter2"
    assert authenticate(pamh, "collect") == IGNORE
    pamh.user, pamh.script = "bob", [code_prompt("000000")]
    assert authenticate(pamh) == AUTH_ERR
    assert authenticate(Pamh("bob", code_prompt(other.code(NOON)))) == SUCCESS


def test_the_account_phase(world: World, phone: Phone) -> None:
    """`account` is success, but for an account that an administrator has locked, and for what
    could not be checked."""
    assert handler.pam_sm_acct_mgmt(Pamh("alice"), 0, [MODULE]) == SUCCESS
    assert handler.pam_sm_acct_mgmt(Pamh("bob"), 0, [MODULE]) == SUCCESS
    administration.lock(world.store, "alice", NOON, "root")
    assert handler.pam_sm_acct_mgmt(Pamh("alice"), 0, [MODULE]) == PERM_DENIED
    world.name_service_down = True
    assert handler.pam_sm_acct_mgmt(Pamh("bob"), 0, [MODULE]) == UNAVAIL
    assert handler.pam_sm_acct_mgmt(Pamh(None), 0, [MODULE]) == PERM_DENIED


@pytest.mark.parametrize(
    ("argv", "code"),
    [([], SUCCESS), (["collect"], SUCCESS), (["authfail"], CRED_ERR), (["local"], IGNORE)],
)
def test_setcred(argv: list[str], code: int) -> None:
    """`setcred` answers by the line alone, as the bridge does, and never success on
    `authfail`."""
    assert handler.pam_sm_setcred(Pamh("alice"), 2, [MODULE, *argv]) == code


def test_a_program_that_is_not_root(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a peer the asking program is this process, and its own uid counts."""
    monkeypatch.setattr(handler, "os", SimpleNamespace(geteuid=lambda: BOB.uid))
    assert authenticate(Pamh("alice")) == AUTH_ERR
    monkeypatch.setattr(handler, "os", SimpleNamespace(geteuid=lambda: ALICE.uid))
    assert authenticate(Pamh("alice", code_prompt(phone.code(NOON)))) == SUCCESS


def test_a_peer_counts_more_than_this_process(phone: Phone) -> None:
    """Where the service says who the host is, its own uid does not matter."""
    pamh = Pamh("alice")
    pamh.peer = SimpleNamespace(pid=1, uid=BOB.uid, gid=1)  # type: ignore[attr-defined]
    assert authenticate(pamh) == AUTH_ERR


def test_a_handle_that_knows_nothing(phone: Phone) -> None:
    """Service, address and terminal may all be missing."""
    pamh = Pamh("alice", code_prompt(phone.code(NOON)))
    pamh.service = pamh.rhost = pamh.tty = None
    assert authenticate(pamh) == SUCCESS


def test_the_hosts_own_configuration(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a context of the process's own the host's configuration is used, once; where
    there is none, the error says to set up."""
    monkeypatch.setattr(context, "_current", [])
    context._default.cache_clear()
    monkeypatch.setattr(config.load, "__defaults__", (world.directory / "none.yaml",))
    with pytest.raises(PamTotpError) as caught:
        context.current()
    assert caught.value.hint == "pam-totp setup"
    path = world.directory / "f.yaml"
    key = world.directory / "key"
    key.write_text(f"0badcafe {(b'k' * 32).hex()}\n")
    key.chmod(0o400)
    path.write_text(f"data-directory: {world.directory}\nkey-file: {key}\n")
    monkeypatch.setattr(config.load, "__defaults__", (path,))
    assert context.current() is context.current()
    assert context.current().config.data_directory == world.directory
    context._default.cache_clear()


def test_it_runs_as_a_file() -> None:
    """pam_python runs the file by itself and finds the entry points in it; there is none for
    sessions and passwords."""
    found = runpy.run_path(handler.__file__)
    entries = {name for name in found if name.startswith("pam_sm_")}
    assert entries == {"pam_sm_authenticate", "pam_sm_setcred", "pam_sm_acct_mgmt"}


def test_a_person_s_own_program_makes_few_lines(world: World) -> None:
    """What a program that is not root's asks in a loop fills no log, and a root host's verdict
    on the same account is a line all the same."""
    for uid in (ALICE.uid, 0):
        for _ in range(50):
            pamh = Pamh("bob")
            pamh.peer = SimpleNamespace(uid=uid)  # type: ignore[attr-defined]
            authenticate(pamh)
        assert len(world.lines) == 20 + 50 * (uid == 0)
    assert "verdict=not-allowed" in world.lines[0]
    assert "verdict=not-needed" in world.lines[20]
