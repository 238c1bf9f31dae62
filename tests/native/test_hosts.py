"""What the bridge leaves behind in its host: nothing, in any kind of host."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fake_service import Item, Peer, Reply, Style, Type, number, prompts, text
from host_program import SUCCESS, VALGRIND, Bridge, Running

CODE = "482913"


def log_in(peer: Peer) -> None:
    """Do in one call all that a login can need."""
    peer.call()
    answers = peer.ask_raw(prompts((Style.INFO, "Hello"), (Style.ECHO_ON, "Code: ")))
    assert answers == Reply(SUCCESS, (None, CODE))
    peer.ask(Type.GET_USER, text(None))
    peer.ask(Type.SET_ITEM, number(Item.AUTHTOK), text("hunter2"))
    peer.ask(Type.PUTENV, text("A=1"))
    peer.ask(Type.GETENVLIST)
    peer.ask(Type.KEEP, text(CODE))
    peer.ask(Type.TAKE)
    peer.ask(Type.KEEP, text(CODE))  # left for pam_end to clean up
    peer.ask(Type.FAIL_DELAY, number(2_000_000))
    peer.finish()


ANSWER = ("--answer", f"Code={CODE}")


def test_many_logins_in_one_process(bridge: Bridge) -> None:
    """After 300 logins the process has the descriptors, children and settings of before."""
    options = (*ANSWER, "--repeat", "300", "--report-children", "--report-rss", "--quiet")
    with bridge.service(*[log_in] * 300):
        ended = bridge.login(argument="local", options=options)
    assert (ended.status, ended.errors) == (0, "")
    assert "host unchanged" in ended.events
    memory = {
        int(found[1]): int(found[2])
        for event in ended.events
        if (found := re.fullmatch(r"rss (\d+) (\d+)", event))
    }
    assert memory[300] - memory[10] <= 256  # kilobytes


@pytest.mark.parametrize("kind", ["bridge", "sanitized"])
def test_threads(kind: str, request: pytest.FixtureRequest) -> None:
    """Eight threads log in at the same time, each in its own conversation."""
    built: Bridge = request.getfixturevalue(kind)
    options = (*ANSWER, "--threads", "8", "--repeat", "25", "--report-children")
    with built.service(*[log_in] * 200, workers=8):
        ended = built.login(argument="local", options=options)
    assert ended.codes() == [SUCCESS] * 200
    assert (ended.status, ended.errors, ended.log()) == (0, "", [])


def test_process_for_each_login(bridge: Bridge) -> None:
    """A host that forks for each login works as well."""
    with bridge.service(*[log_in] * 10):
        ended = bridge.login(argument="local", options=(*ANSWER, "--repeat", "10", "--fork-each"))
    assert ended.codes() == [SUCCESS] * 10


def test_host_without_standard_descriptors(bridge: Bridge) -> None:
    """The connection never takes the place of a closed standard descriptor."""

    def script(peer: Peer) -> None:
        peer.call()
        answers = peer.ask_raw(prompts((Style.ECHO_ON, "Code: ")))
        assert answers == Reply(SUCCESS, (CODE,))
        peer.finish()

    options = ("--no-stdio", "--hold", *ANSWER)  # it waits for a newline that cannot come
    with bridge.service(script):
        assert bridge.login(options=options).codes() == [SUCCESS]


def test_other_users(bridge: Bridge) -> None:
    """A host without privileges talks to the service as root does."""
    with bridge.service(log_in):
        ended = bridge.login(argument="local", options=(*ANSWER, "--uid", "65534"))
    assert ended.codes() == [SUCCESS]


@pytest.mark.parametrize("kind", ["bridge", "sanitized"])
def test_no_leak_in_a_whole_login(kind: str, request: pytest.FixtureRequest) -> None:
    """Neither memcheck nor the sanitizers find anything in logins that succeed."""
    built: Bridge = request.getfixturevalue(kind)
    wrapper = VALGRIND if kind == "bridge" else ()
    with built.service(*[log_in] * 3):
        ended = built.login(argument="local", options=(*ANSWER, "--repeat", "3"), wrapper=wrapper)
    assert (ended.status, ended.errors, ended.codes()) == (0, "", [SUCCESS] * 3)


def memory_of(host: Running) -> bytes:
    """Give all that a process can have written to, once it waits for the test."""
    host.wait_for("waiting")
    process = Path(f"/proc/{host.process.pid}")
    parts = []
    with (process / "mem").open("rb", buffering=0) as memory:
        for line in (process / "maps").read_text().splitlines():
            if found := re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line):
                start, end = int(found[1], 16), int(found[2], 16)
                memory.seek(start)
                parts.append(memory.read(end - start))
    return b"".join(parts)


def memory_after(host: Running) -> bytes:
    """Let the host go on, and give its memory when it waits again."""
    host.go_on()
    return memory_of(host)


def test_secrets_are_wiped(bridge: Bridge) -> None:
    """While a person is asked, and after the login, the host's memory holds no earlier secret."""

    def secret(name: str) -> bytes:
        """Give a secret so long that freeing its memory alone would not destroy it."""
        return f"{name}-secret ".encode() * 20

    def remains(name: str, memory: bytes) -> bool:
        """Tell whether a good part of the secret is there."""
        return secret(name)[: 20 * len(name)] in memory

    def script(peer: Peer) -> None:
        peer.call()
        peer.ask(Type.PUTENV, text(b"A=" + secret("listed")))
        peer.ask(Type.GETENVLIST)
        peer.ask(Type.PUTENV, text("A="))
        peer.ask_raw(prompts((Style.INFO, secret("shown").decode())))
        peer.ask(Type.KEEP, text(secret("taken")))
        assert peer.ask(Type.TAKE).values == (secret("taken").decode(),)
        peer.ask_raw(prompts((Style.ECHO_ON, "Code: ")))
        peer.ask(Type.KEEP, text(secret("kept")))
        peer.finish()

    options = ("--quiet", "--hold", *ANSWER)
    with bridge.service(script), bridge.started("authenticate", "pause", options=options) as host:
        found = [
            [name for name in ("listed", "shown", "taken", "kept") if remains(name, memory)]
            for memory in (memory_of(host), memory_after(host))
        ]
        host.go_on()
        assert host.end().status == 0
    assert found == [[], ["kept"]]  # the second one also shows that the search can find
