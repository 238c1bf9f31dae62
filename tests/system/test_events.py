"""`pam-totp events`, of real logins."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import pytest

from tests.system.lab import host, stacks
from tests.system.lab.person import Person
from tests.system.lab.product import COMMAND, Service, pam_totp
from tests.system.lab.terminal import Terminal

STACK: Final = "lab-events"


@pytest.fixture(autouse=True)
def stack(service: Service) -> Iterator[None]:
    """The shipped stack, without the delays of refusals."""
    with stacks.installed(STACK, stacks.without_delay(stacks.shipped("pam-totp"))):
        yield


def log_in(person: Person, password: str, code: str, rhost: str = "192.0.2.1") -> None:
    """Log in, whatever comes of it."""
    host.login(STACK, person.name, f"--rhost={rhost}", "--tty=t", password=password, code=code)


def events(*words: str) -> list[dict[str, Any]]:
    """Return what `pam-totp events --json` prints."""
    return [json.loads(line) for line in pam_totp("events", "--json", *words).splitlines()]


def test_what_happened(person: Person) -> None:
    """Logins and what an administrator did stand there in their order, with service, address,
    authenticator, and an ISO 8601 time in UTC."""
    log_in(person, person.password, person.fresh_code())
    log_in(person, "wrong", person.fresh_code(), "2001:db8::1")
    log_in(person, person.password, person.wrong_code(), "a host's name")
    person.lock()
    found = events(person.name)
    whats = ["enrolled", "accepted", "wrong-password", "wrong-code", "lock"]
    assert [event["what"] for event in found] == whats
    accepted = found[1]
    assert (accepted["service"], accepted["rhost"], accepted["tty"]) == (STACK, "192.0.2.1", "t")
    assert accepted["authenticator"] == "phone"
    assert datetime.fromisoformat(accepted["at"]).utcoffset() is not None
    assert [event["rhost"] for event in found[2:4]] == ["2001:db8::1", "a host's name"]
    assert "2001:db8::1      wrong password" in pam_totp("events", person.name)
    assert [e["what"] for e in events(person.name, "--acts", "--since", "1h")] == [
        "enrolled",
        "lock",
    ]


def test_followed_through_a_restart(person: Person, service: Service) -> None:
    """What happens is shown as it happens, while the service stops and starts again, until
    Ctrl-C."""
    with Terminal(COMMAND, "events", person.name, "--follow") as terminal:
        terminal.sees("phone enrolled by root")
        log_in(person, person.password, person.wrong_code())
        terminal.sees("192.0.2.1        wrong code")
        service.stop()
        log_in(person, person.password, person.wrong_code(), "192.0.2.2")  # by a one-shot
        terminal.sees("192.0.2.2        wrong code")
        service.start()
        log_in(person, person.password, person.fresh_code(), "192.0.2.3")
        terminal.sees("192.0.2.3        accepted by")
        terminal.signals(signal.SIGINT)
        assert terminal.ends() == 130
    assert terminal.times_shown("wrong code") == 2
