"""Words at a login, in the language that the application passes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.system.lab import host, stacks
from tests.system.lab.host import AUTH_ERR
from tests.system.lab.person import Person
from tests.system.lab.product import CONFIGURATION, Service, configure, pam_totp
from tests.system.lab.terminal import CODE, Terminal

HANDLER: Final = "/usr/lib/python3/dist-packages/pam_totp/handler.py"
GERMAN: Final = "Der Code ist falsch."
GERMAN_AGAIN: Final = "Dieser Code wurde schon abgelehnt. Bitte warten Sie auf den nächsten."
ENGLISH: Final = "Wrong code."


@pytest.fixture
def stack() -> Iterator[str]:
    """The shipped stack under a service of its own."""
    text = stacks.without_delay(stacks.shipped("pam-totp"))
    with stacks.installed("lab-words", text) as name:
        yield name


@pytest.fixture(scope="module", autouse=True)
def helpful(world: None) -> Iterator[None]:
    """Who is refused is told why."""
    pam_totp("policy", "set", "messages=helpful", "--yes")
    yield
    pam_totp("policy", "unset", "messages", "--yes")


@pytest.fixture
def german_host(service: Service) -> Iterator[None]:
    """A host whose own language is German."""
    before = CONFIGURATION.read_text()
    configure("language", "de")
    service.restart()
    yield
    CONFIGURATION.write_text(before)
    service.restart()


def refused(stack: str, person: Person, code: str, *environment: str) -> str:
    """Give a wrong code at a terminal, to an application with these variables in its PAM
    environment, and return all that it has shown."""
    options = [f"-E{variable}" for variable in environment]
    with Terminal("pamtester", *options, stack, person.name, "authenticate") as terminal:
        terminal.gives_password(person.password)
        terminal.gives_code(code)
        assert terminal.ends() != 0
        return terminal.transcript


def test_the_language_of_the_application(stack: str, person: Person) -> None:
    """Who is refused is told why in German where the application passes a German locale,
    umlauts included, and in English where it passes none or one that there is not."""
    code = person.wrong_code()
    assert GERMAN in refused(stack, person, code, "LANG=de_DE.UTF-8")
    assert GERMAN_AGAIN in refused(stack, person, code, "LANG=C", "LC_MESSAGES=de_AT.UTF-8")
    assert ENGLISH in refused(stack, person, person.wrong_code())
    assert ENGLISH in refused(stack, person, person.wrong_code(), "LANG=../../../tmp/de")


def test_the_language_of_the_host(stack: str, german_host: None, person: Person) -> None:
    """Where the application passes no locale, the host's option `language` chooses; where it
    does, that goes first."""
    assert GERMAN in refused(stack, person, person.wrong_code())
    assert ENGLISH in refused(stack, person, person.wrong_code(), "LC_ALL=en_US.UTF-8")


def test_pam_env_comes_too_late(person: Person, tmp_path: Path) -> None:
    """pam_env in front of the line sets its variables in setcred: they choose nothing in the
    authentication before it, and what is said after it on the same handle."""
    file = tmp_path / "locale"
    file.write_text("LANG=de_DE.UTF-8\n")
    text = f"auth required pam_env.so readenv=1 envfile={file}\nauth required pam_totp.so\n"
    codes = [f"--answer={CODE}={person.wrong_code()}" for _ in range(2)]
    with stacks.installed("lab-words", text) as name:
        steps = ("authenticate", "setcred:0x2", "authenticate")
        ended = host.login(name, person.name, *codes, steps=steps)
    assert [said for said in ended.events if said.startswith("error")] == [
        f'error "{ENGLISH}"',
        f'error "{GERMAN}"',
    ]


@pytest.mark.parametrize("module", ["pam_totp.so", f"/lib/security/pam_python.so {HANDLER}"])
def test_by_both_modules(module: str, service: Service, person: Person) -> None:
    """The PAM environment says it behind pam_python.so as well."""
    text = f"auth required {module}\n"
    with stacks.installed("lab-words", text) as name:
        for variable, said in (("LANG=de_DE.UTF-8", GERMAN), ("LANGUAGE=de", ENGLISH)):
            steps = (f"putenv={variable}", "authenticate")
            ended = host.login(name, person.name, code=person.wrong_code(), steps=steps)
            assert ended.result == AUTH_ERR
            assert [event for event in ended.events if said in event], ended.events
