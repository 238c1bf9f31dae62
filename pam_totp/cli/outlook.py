"""What is not yet turned on, and the line that turns each on."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Final

from pam_totp import config
from pam_totp.bridge.listener import SOCKET_NAME
from pam_totp.cli.administrator import Administrator
from pam_totp.cli.terminal import plain, with_sudo
from pam_totp.context import Context
from pam_totp.doctor.service import start_line
from pam_totp.policy.values import ALL_SERVICES
from pam_totp.stack import Tree, services_using_module

_TRIAL: Final = "--try 10m"
_USUAL: Final = "sshd"


def not_yet_on(administrator: Administrator) -> str:
    """Return lines for a person: what is still to be done, in order, or that all is on."""
    world = administrator.context()
    to_do = [*_service(administrator, world), *_enrollment(administrator, world)]
    to_do += _stacks(administrator, world)
    if not to_do:
        return f"All is on: the service runs, and these ask for codes: {', '.join(_using())}"
    lines = ["Not yet turned on:"]
    for at, (what, do) in enumerate(to_do, 1):
        lines += [f"  {at}. {what}", f"     {with_sudo(do)}"]
    lines += ["", "Keep this session open until a new login has worked. The way back at any time:"]
    return "\n".join(
        [*lines, f"     {with_sudo(administrator.command('stack', 'disable', '--all'))}"]
    )


def _service(administrator: Administrator, world: Context) -> list[tuple[str, str]]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asking:
        try:
            asking.connect(os.fspath(world.config.runtime_directory / SOCKET_NAME))
        except OSError:
            usual = administrator.path == config.DEFAULT_PATH
            systemd = usual and Path("/run/systemd/system").is_dir()
            return [("the service does not run", start_line(administrator.path, systemd=systemd))]
    return []


def _enrollment(administrator: Administrator, world: Context) -> list[tuple[str, str]]:
    if any(state.enrolled is not None for _, state in world.store.accounts()):
        return []
    name = administrator.name
    return [("nobody has enrolled: begin with yourself", administrator.command("enroll", name))]


def _stacks(administrator: Administrator, world: Context) -> list[tuple[str, str]]:
    named, using = world.policy().everywhere("services"), _using()
    if ALL_SERVICES in named:
        named = () if using else (_USUAL,)
    there = Tree().services()
    return [
        (
            f"{plain(service)}: its logins are not asked for codes",
            administrator.command("stack", "enable", service, *_TRIAL.split()),
        )
        for service in named
        if service not in using and service in there
    ]


def _using() -> list[str]:
    return services_using_module()
