"""How a password is asked of PAM for admin.socket: each of libpam's answers, and the sandbox of the
shipped unit.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.system.lab import records, systemd
from tests.system.lab.own import Own
from tests.system.lab.person import Person
from tests.system.lab.product import Service

STACK: Final = Path("/etc/pam.d/pam-totp-password")


@contextmanager
def stack(*lines: str) -> Iterator[None]:
    """Ask these modules for passwords."""
    shipped = STACK.read_text()
    STACK.write_text("".join(f"{line}\n" for line in lines))
    try:
        yield
    finally:
        STACK.write_text(shipped)


@pytest.mark.parametrize(
    ("auth", "acct", "kind"),
    [
        ("perm_denied", "success", "wrong-password"),
        ("user_unknown", "success", "wrong-password"),
        ("maxtries", "success", "wrong-password"),
        ("acct_expired", "success", "closed"),
        ("success", "perm_denied", "closed"),
        ("success", "new_authtok_reqd", "closed"),
        ("success", "authinfo_unavail", "unavailable"),
        ("authinfo_unavail", "success", "unavailable"),
        ("cred_insufficient", "success", "unavailable"),
        ("system_err", "success", "unavailable"),
    ],
)
def test_what_pam_may_say(auth: str, acct: str, kind: str, newcomer: Person) -> None:
    """Nothing but a right password of an open account proves anything; the wrong alone count."""
    debug = "required pam_debug.so"
    with stack(f"auth {debug} auth={auth}", f"account {debug} acct={acct}"), Own(newcomer) as own:
        assert own.refused("prove", password=newcomer.password) == kind
        assert own.refused("draft", name="phone") == "prove"
    assert records.events(newcomer.name) == [kind] * (kind == "wrong-password")
    with Own(newcomer) as own:
        assert own.asks("prove", password=newcomer.password)["proved"] == ["password"]


@pytest.mark.parametrize(
    "line",
    ["auth required pam_not_there.so", "@include not-there", "auth required", "nonsense"],
)
def test_a_stack_that_cannot_be_asked(line: str, newcomer: Person) -> None:
    """It proves nothing, whatever libpam makes of it."""
    with stack(line, "account required pam_permit.so"), Own(newcomer) as own:
        assert own.refused("prove", password=newcomer.password) in ("unavailable", "wrong-password")
        assert own.refused("draft", name="phone") == "prove"


def test_a_password_as_long_as_a_message(newcomer: Person) -> None:
    """It is a wrong one, and counts as that, however it is spelled on its way."""
    with Own(newcomer) as own:
        assert own.refused("prove", password="é" * 10_000) == "wrong-password"
        long = json.dumps(
            {"v": 1, "request": "prove", "password": "é" * 32_000}, ensure_ascii=False
        )
        own.sends(long.encode())
        assert json.loads(own.hears())["error"]["kind"] == "wrong-password"
    assert records.events(newcomer.name) == ["wrong-password"] * 2


def test_within_the_unit(newcomer: Person, service: Service) -> None:
    """From within the sandbox of the shipped unit, under systemd, a wrong password is told from
    the right one, and who has given that enrolls."""
    service.stop()
    with systemd.booted() as machine:
        started = machine.run("systemctl", "start", "pam-totpd")
        assert started.returncode == 0, started.stderr
        run = ("setpriv", f"--reuid={newcomer.uid}", f"--regid={newcomer.uid}", "--init-groups")
        person = (*run, "--", "/usr/bin/python3", "-I", "-c", _IN_THE_UNIT, newcomer.password)
        done = machine.run(*person)
        assert done.returncode == 0, done.stderr
        wrong, right, draft, kept = map(json.loads, done.stdout.splitlines())
        assert wrong["error"]["kind"] == "wrong-password"
        assert right["done"]["proved"] == ["password"]
        assert draft["done"]["account"] == newcomer.name
        assert len(kept["done"]["recovery_codes"]) == 10
        assert machine.run("systemctl", "stop", "pam-totpd").returncode == 0
    assert newcomer.status()["authenticators"] == ["phone"]


_IN_THE_UNIT: Final = """
import json, socket, subprocess, sys
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as service:
    service.settimeout(60)
    service.connect("/run/pam-totp/admin.socket")
    def asks(request, **values):
        service.send(json.dumps({"v": 1, "request": request, **values}).encode())
        print(answer := service.recv(70_000).decode())
        return json.loads(answer)
    asks("prove", password="wrong")
    asks("prove", password=sys.argv[1])
    key = asks("draft", name="phone")["done"]["key"]
    code = subprocess.run(
        ["oathtool", "--totp", "--base32", key], check=True, text=True, stdout=subprocess.PIPE
    )
    asks("confirm", code=code.stdout.strip())
"""
