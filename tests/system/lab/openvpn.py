"""A real OpenVPN server and real clients, joined in network namespaces of their own.

    server  10.99.0.1 ---- veth ---- 10.99.0.2  client
            10.8.0.1  --- tunnel --- 10.8.0.x

The configurations are the shipped ones as they stand: the certificates are made under
the names that they use, and /etc/hosts of the lab knows their vpn.example.org.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self

from tests.system.lab.terminal import Terminal
from tests.system.lab.wait import DEADLINE, wait_for

PROGRAM: Final = "/usr/sbin/openvpn"
SHIPPED: Final = Path(__file__).parents[3] / "etc" / "openvpn"
MANAGEMENT: Final = Path("/run/openvpn-server/management.sock")

SERVER_SPACE: Final = "vpn-server"
CLIENT_SPACE: Final = "vpn-client"
SERVER_ADDRESS: Final = "10.99.0.1"
CLIENT_ADDRESS: Final = "10.99.0.2"
TUNNEL_ADDRESS: Final = "10.8.0.1"  # the server's, as shipped

CONNECTED: Final = "Initialization Sequence Completed"
REFUSED: Final = "AUTH_FAILED"
BOUND: Final = "client-bound.conf"

_ports = itertools.count(10_000)  # below those that the kernel gives out


def run(*command: str | Path) -> None:
    """Run a command, which must succeed."""
    done = subprocess.run(command, check=False, text=True, capture_output=True)
    assert done.returncode == 0, f"{command}: {done.stderr}"


def within(space: str, *command: str | Path) -> list[str]:
    """Return the command that runs another one in a network namespace, as the same process."""
    return ["nsenter", f"--net=/run/netns/{space}", "--", *map(str, command)]


@contextlib.contextmanager
def network() -> Iterator[None]:
    """Two network namespaces, joined by a pair of virtual cards; nothing leaves them."""
    ends = {SERVER_SPACE: SERVER_ADDRESS, CLIENT_SPACE: CLIENT_ADDRESS}
    for space in ends:
        run("ip", "netns", "add", space)
    try:
        peer = ("peer", "name", "card", "netns", CLIENT_SPACE)
        run("ip", "link", "add", "card", "netns", SERVER_SPACE, "type", "veth", *peer)
        for space, address in ends.items():
            run("ip", "-n", space, "addr", "add", f"{address}/24", "dev", "card")
            run("ip", "-n", space, "link", "set", "lo", "up")
            run("ip", "-n", space, "link", "set", "card", "up")
        yield
    finally:
        for space in ends:
            run("ip", "netns", "delete", space)


def certify(directory: Path, name: str, subject: str, usage: str) -> None:
    """Write name.key and name.crt, signed by the authority in `directory`."""
    run(
        *("openssl", "req", "-x509", "-days", "2", "-nodes", "-newkey", "ec"),
        *("-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", f"/CN={subject}"),
        *("-CA", directory / "ca.crt", "-CAkey", directory / "ca.key"),
        *("-addext", "basicConstraints=critical,CA:FALSE"),
        *("-addext", "keyUsage=digitalSignature", "-addext", f"extendedKeyUsage={usage}"),
        *("-keyout", directory / f"{name}.key", "-out", directory / f"{name}.crt"),
    )


def make_keys(directory: Path) -> None:
    """Fill a directory with all that the shipped configurations name."""
    run(
        *("openssl", "req", "-x509", "-days", "2", "-nodes", "-newkey", "ec"),
        *("-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", "/CN=authority"),
        *("-keyout", directory / "ca.key", "-out", directory / "ca.crt"),
    )
    certify(directory, "server", "vpn.example.org", "serverAuth")
    certify(directory, "client", "laptop", "clientAuth")
    for kind in ("tls-crypt", "auth-token"):
        run(PROGRAM, "--genkey", kind, directory / f"{kind}.key")
    (directory / "ccd").mkdir()


def install(directory: Path) -> None:
    """Put configurations, keys, PAM service and the server's name where the lab needs them."""
    make_keys(directory)
    for file in SHIPPED.glob("*.conf"):
        shutil.copy(file, directory)
    # For clients that choose the port they come from.
    one_field = (directory / "client-one-field.conf").read_text()
    bound, count = re.subn(r"(?m)^nobind.*\n", "", one_field)
    assert count == 1
    (directory / BOUND).write_text(bound)
    plain = re.sub(r"(?m)^setenv deferred_auth_pam.*\n", "", (SHIPPED / "server.conf").read_text())
    (directory / "server-plain.conf").write_text(plain)
    shutil.copy(SHIPPED / "pam.d" / "openvpn", "/etc/pam.d/openvpn")
    with Path("/etc/hosts").open("a") as hosts:
        hosts.write(f"{SERVER_ADDRESS} vpn.example.org\n")
    # As Debian's tmpfiles.d makes it: the server drops to nobody after it has opened its socket.
    MANAGEMENT.parent.mkdir(mode=0o710, exist_ok=True)
    directory.chmod(0o755)


class Server:
    """An OpenVPN server under one of the configurations in `directory`."""

    def __init__(self, directory: Path, configuration: str) -> None:
        self.directory = directory
        self.log = directory / f"{configuration}.log"
        command = within(SERVER_SPACE, PROGRAM, "--cd", directory, "--config", configuration)
        with self.log.open("w") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    def __enter__(self) -> Self:
        self.wait_for(CONNECTED)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(DEADLINE)

    def wait_for(self, text: str) -> None:
        """Wait until the server has logged the text."""
        try:
            wait_for(lambda: text in self.log.read_text(), f"log line with {text!r}")
        except AssertionError as error:
            raise AssertionError(f"{error}; there are:\n{self.log.read_text()}") from None

    @property
    def helper(self) -> int:
        """The process in which the plugin calls PAM: the server's one lasting child."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        (helper,) = children.read_text().split()
        return int(helper)

    def resident(self) -> int:
        """Return the helper's resident memory in KB."""
        rollup = Path(f"/proc/{self.helper}/smaps_rollup").read_text()
        (size,) = re.findall(r"(?m)^Rss: +(\d+) kB", rollup)
        return int(size)

    def manage(self, command: str, ends_with: str) -> str:
        """Return the management interface's answer to a command."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(DEADLINE)
            connection.connect(str(MANAGEMENT))
            connection.sendall(f"{command}\n".encode())
            answer = ""
            while not re.search(ends_with, answer, re.MULTILINE):
                received = connection.recv(4096)
                assert received, f"the management interface closed after: {answer}"
                answer += received.decode()
        return answer

    def end_session(self, account: str) -> None:
        """Cut an account's connection, as docs/openvpn.md tells the administrator."""
        self.manage(f"kill {account}", "^SUCCESS: .*killed")


class Client:
    """A person at a terminal in which an OpenVPN client runs."""

    def __init__(self, directory: Path, configuration: str = "client.conf") -> None:
        options = ("--cd", directory, "--config", configuration)
        self.terminal = Terminal(*within(CLIENT_SPACE, PROGRAM, *options))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        # Not SIGTERM: the farewell to the server takes the client a second.
        self.terminal.signals(signal.SIGKILL)
        self.terminal.ends()

    def gives_password(self, account: str, password: str) -> None:
        """Answer the questions for name and password."""
        self.terminal.answers("Enter Auth Username:", account, hidden=False)
        self.terminal.gives_password(password)

    def gives_code(self, code: str) -> None:
        """Answer the question for the code, which client.conf alone asks."""
        self.terminal.gives_code(code)

    def is_connected(self) -> None:
        """Wait for the tunnel; a refusal, or a question, fails at once."""
        outcome = self.terminal.sees(CONNECTED, REFUSED, "Enter Auth")
        assert outcome == 0, f"no tunnel; shown:\n{self.terminal.transcript}"

    def is_refused(self) -> None:
        """Wait for the refusal; a tunnel fails at once."""
        outcome = self.terminal.sees(REFUSED, CONNECTED)
        assert outcome == 0, "a tunnel came up where a refusal was due"

    def reconnects(self) -> None:
        """Let the client connect anew, as after a change of network."""
        self.terminal.signals(signal.SIGUSR1)


def ping(seconds: float = 5.0) -> bool:
    """Return whether a ping comes back through the tunnel in that time."""
    options = ("-c", "1", "-W", str(seconds), "-I", "tun0")
    command = within(CLIENT_SPACE, "ping", *options, TUNNEL_ADDRESS)
    return subprocess.run(command, check=False, stdout=subprocess.DEVNULL).returncode == 0


def static_challenge(password: str, code: str) -> str:
    """Return the password field that a client with a static challenge sends."""
    fields = (base64.b64encode(field.encode()).decode() for field in (password, code))
    return ":".join(("SCRV1", *fields))


def log_in(directory: Path, account: str, field: str) -> bool:
    """Log in without a terminal, leave at once, and return whether there was a tunnel.

    To the server it is the same as a person with a terminal; several may run at once, each
    with an account of its own.  Each comes from a port of its own: who comes from that of a
    client that is gone without a word, and was somebody else's, OpenVPN refuses by itself after
    PAM has accepted ("username attempted to change").
    """
    credentials = directory / f"credentials-{account}"
    credentials.touch(mode=0o600)
    credentials.write_text(f"{account}\n{field}\n")
    configuration = ("--config", BOUND, "--auth-retry", "none", "--lport", str(next(_ports)))
    options = ("--cd", directory, *configuration, "--auth-user-pass", credentials)
    command = within(CLIENT_SPACE, PROGRAM, *options)
    with subprocess.Popen(command, text=True, stdout=subprocess.PIPE) as client:
        assert client.stdout is not None
        transcript = ""
        try:
            for line in client.stdout:
                transcript += line
                if CONNECTED in line or REFUSED in line:
                    return CONNECTED in line
        finally:
            client.kill()
    raise AssertionError(f"the client ended without a verdict:\n{transcript}")
