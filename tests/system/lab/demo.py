"""The main job, shown with the real programs; scripts/quickstart runs it in the lab.

It uses the system tests' own tools: what is shown here is tested there.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

from tests.system.lab import openvpn, ssh
from tests.system.lab.journal import Collector
from tests.system.lab.person import Person
from tests.system.lab.phone import Phone, now
from tests.system.lab.product import COMMAND, Service, pam_totp
from tests.system.lab.ssh import Sshd
from tests.system.lab.terminal import Terminal

_GUESSES = 5


def main() -> None:
    """Show it all, in order; an assertion fails where something is not as it must be."""
    collector, service = Collector(), Service()
    try:
        tell("Setting up, as an administrator does")
        show(pam_totp("setup", "--yes", "--ignore-clock", "--issuer", "Demo"))
        service.start()
        ssh.turn_on_for_ssh()
        demo = Person("demo")
        phone = enroll(demo)
        with Sshd() as sshd:
            code = log_in_by_ssh(sshd, demo, phone)
            reuse_is_refused(sshd, demo, code)
            lock_and_unlock(sshd, demo, phone)
        log_in_by_vpn(demo, phone)
        tell("What the log says of all this (syslog, authpriv)")
        kinds = ("verdict=", "act=", "lock=")
        show("\n".join(line for line in collector.lines if any(kind in line for kind in kinds)))
    finally:
        service.stop()
        collector.close()


def enroll(person: Person) -> Phone:
    """Enroll as a person does: scan, type the code, keep the recovery codes."""
    tell("The account `demo` enrolls: sudo pam-totp enroll demo")
    with Terminal(COMMAND, "enroll", person.name, environment={"TERM": "xterm"}) as terminal:
        terminal.sees("Code that the app shows: ")
        (key,) = re.findall(r"Key: +((?:[A-Z2-7]{4} ){8})", terminal.transcript)
        phone = Phone(key.replace(" ", ""), [])
        terminal.types(phone.fresh_code())
        assert terminal.ends() == 0, terminal.transcript
        show(terminal.transcript)
    return phone


def log_in_by_ssh(sshd: Sshd, person: Person, phone: Phone) -> str:
    """Log in by SSH with password and code, and return the code."""
    tell(f"A login by SSH, password and code: ssh -p {sshd.port} demo@127.0.0.1")
    code = next_code(phone)
    with sshd.client(person.name) as client:
        client.gives_password(person.password)
        client.gives_code(code)
        ssh.is_in(client)
        show(client.transcript)
    came("the person is in")
    return code


def reuse_is_refused(sshd: Sshd, person: Person, code: str) -> None:
    """Try the same code again."""
    tell("The same code again")
    refused(sshd, person, code)
    came("refused: a code works once")


def lock_and_unlock(sshd: Sshd, person: Person, phone: Phone) -> None:
    """Guess until the account locks, see a right code refused, unlock."""
    tell(f"Guessing: {_GUESSES - 1} more wrong codes after the right password, then the right one")
    for _ in range(_GUESSES - 1):
        refused(sshd, person, phone.wrong_code(), quiet=True)
    show(pam_totp("status", person.name))
    code = next_code(phone)
    refused(sshd, person, code, quiet=True)
    came("locked: even the right code is refused, and it is not spent")
    tell("An administrator lifts the lock: sudo pam-totp unlock demo")
    show(pam_totp("unlock", person.name))
    with sshd.client(person.name) as client:
        client.gives_password(person.password)
        client.gives_code(code)
        ssh.is_in(client)
    came("the person is in again")


def log_in_by_vpn(person: Person, phone: Phone) -> None:
    """Log in through a real OpenVPN server, as shipped, and use the tunnel."""
    tell("A login by OpenVPN, with the shipped configurations, and a ping through the tunnel")
    with openvpn.network(), tempfile.TemporaryDirectory() as place:
        directory = Path(place)
        openvpn.install(directory)
        with openvpn.Server(directory, "server.conf"), openvpn.Client(directory) as client:
            client.gives_password(person.name, person.password)
            client.gives_code(next_code(phone))
            client.is_connected()
            assert openvpn.ping(), "the tunnel carries nothing"
    came("connected, and the ping came back")


def refused(sshd: Sshd, person: Person, code: str, *, quiet: bool = False) -> None:
    """Log in with a code that must be refused."""
    with sshd.client(person.name) as client:
        client.gives_password(person.password)
        client.gives_code(code)
        ssh.is_refused(client)
        if not quiet:
            show(client.transcript)


def next_code(phone: Phone) -> str:
    """Return a code that was not used yet, waiting for the app to show one if need be."""
    _, left = now()
    say(f"   (the app shows a new code every 30 seconds; the present one for {left:.0f} s more)")
    return phone.fresh_code()


def tell(step: str) -> None:
    """Say what comes next."""
    say(f"\n== {step}")


def came(outcome: str) -> None:
    """Say what came of it."""
    say(f"   -> {outcome}")


def show(text: str) -> None:
    """Show what a terminal showed."""
    for line in text.replace("\r", "").strip("\n").splitlines():
        say(f"   | {line}")


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
