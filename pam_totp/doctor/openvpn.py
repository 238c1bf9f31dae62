"""OpenVPN servers that ask PAM through the auth-pam plugin."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pam_totp import config
from pam_totp.doctor import vpn
from pam_totp.doctor.finding import Check, Finding, Unchecked, error, warning
from pam_totp.doctor.machine import Machine
from pam_totp.doctor.vpn import Server
from pam_totp.stack import MODULE, Tree, services_using_module

_LOGIN_PROMPT: Final = "login:"  # libpam's own, when it is started without a user
_HALF_A_DAY: Final = "auth-gen-token 43200 21600"


def _service(machine: Machine) -> Iterator[Finding]:
    for server in vpn.servers(machine):
        if Tree(machine.root).file(server.service) is None:
            yield error(
                f"{_where(server)}: /etc/pam.d has no service called {server.service!r}",
                f"echo '@include pam-totp-openvpn' >/etc/pam.d/{server.service}",
            )
        elif not _asks(machine, server):
            yield warning(
                f"{_where(server)}: the stack of {server.service!r} does not ask for a code",
                f"pam-totp stack enable {server.service}",
            )


def _pairs(machine: Machine) -> Iterator[Finding]:
    prompts = _prompts(machine)
    for server in _asking(machine):
        wrong = [
            f"{prompt.strip()!r} is answered by {server.answer(prompt) or 'no pair'}"
            for prompt, value in prompts.items()
            if server.answer(prompt) != value
        ]
        if wrong:
            yield error(
                f"{_where(server)}: every login fails, or its code is lost: {'; '.join(wrong)}",
                f"{_where(server)}: {_plugin_line(server, prompts)}",
            )


def _collects(machine: Machine) -> Iterator[Finding]:
    for server in _asking(machine):
        stack = Tree(machine.root).stack(server.service, "auth")
        if not any(r.line.name == MODULE and "collect" in r.line.arguments for r in stack):
            yield warning(
                f"{_where(server)}: the stack of {server.service!r} has no `collect` line: a "
                "client with one field cannot give its code",
                f"/etc/pam.d/{server.service}: @include pam-totp-openvpn",
            )


def _token(machine: Machine) -> Iterator[Finding]:
    for server in _asking(machine):
        if server.option("auth-gen-token") is None and not _never_renews(server):
            yield warning(
                f"{server.file}: no auth-gen-token: everyone is asked for a new code each hour",
                f"{server.file}: {_HALF_A_DAY}",
            )


def _token_secret(machine: Machine) -> Iterator[Finding]:
    for server in _asking(machine):
        token = server.option("auth-gen-token")
        if token and server.option("auth-gen-token-secret") is None:
            yield warning(
                f"{server.file}: no auth-gen-token-secret: when the server restarts, everyone is "
                "asked again",
                f"openvpn --genkey auth-token {server.file.parent}/auth-token.key, and "
                f"in {server.file} write: auth-gen-token-secret auth-token.key",
            )


def _renegotiation(machine: Machine) -> Iterator[Finding]:
    for server in _asking(machine):
        if server.option("auth-gen-token") and _never_renews(server):
            line = server.option("reneg-sec")
            number = line.number if line else 0
            yield error(
                f"{server.file}:{number}: OpenVPN does not start with auth-gen-token and "
                "reneg-sec 0",
                f"{server.file}:{number}: reneg-sec 3600",
            )


def _deferred(machine: Machine) -> Iterator[Finding]:
    for server in _asking(machine):
        if server.option("setenv", "deferred_auth_pam") is None:
            yield warning(
                f"{server.file}: without deferred_auth_pam the whole VPN stands still while one "
                "login is checked",
                f"{server.file}: setenv deferred_auth_pam 1",
            )


def _optional(machine: Machine) -> Iterator[Finding]:
    for server in _asking(machine):
        line = server.option("auth-user-pass-optional")
        if line is not None:
            yield error(
                f"{server.file}:{line.number}: auth-user-pass-optional lets clients in that "
                "give neither password nor code",
                f"sed -i '{line.number}s/^/#/' {server.file}",
            )


def _asking(machine: Machine) -> Iterator[Server]:
    """Yield the servers whose stack asks for a code; `openvpn-service` names the others."""
    servers = list(vpn.servers(machine))
    if not servers:
        raise Unchecked("no OpenVPN configuration here asks PAM")
    yield from (server for server in servers if _asks(machine, server))


def _asks(machine: Machine, server: Server) -> bool:
    return server.service in services_using_module(machine.root)


def _prompts(machine: Machine) -> dict[str, str]:
    """Return the prompts of a login, and what has to answer each."""
    try:
        loaded = machine.config
    except Unchecked:
        loaded = config.parse("", "defaults")
    return {
        _LOGIN_PROMPT: "USERNAME",
        loaded.prompt_password: "PASSWORD",
        loaded.prompt_code: "OTP",
    }


def _plugin_line(server: Server, prompts: dict[str, str]) -> str:
    """Return the plugin line that answers these prompts, each by its first word."""
    pairs = (
        f"{prompt.split()[0].rstrip(':').lower()} {value}" for prompt, value in prompts.items()
    )
    return f'plugin {server.plugin.words[0]} "{" ".join((server.service, *pairs))}"'


def _never_renews(server: Server) -> bool:
    line = server.option("reneg-sec")
    return line is not None and line.words[:1] == ("0",)


def _where(server: Server) -> str:
    return f"{server.file}:{server.plugin.number}"


CHECKS: Final = (
    Check("openvpn-service", "the plugin's service is there and asks for a code", _service),
    Check("openvpn-pairs", "the plugin line answers each prompt", _pairs),
    Check("openvpn-collect", "clients with one field can give a code", _collects),
    Check("openvpn-optional", "nobody is let in without a password", _optional),
    Check("openvpn-reneg", "OpenVPN starts with these tokens", _renegotiation),
    Check("openvpn-token", "a login holds longer than an hour", _token),
    Check("openvpn-token-secret", "a login survives a restart of the server", _token_secret),
    Check("openvpn-deferred", "one login does not hold up the VPN", _deferred),
)
