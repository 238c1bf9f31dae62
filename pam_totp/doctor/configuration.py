"""What `pam-totp.yaml` says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pam_totp import config
from pam_totp.doctor.finding import Check, Finding, error, warning
from pam_totp.doctor.machine import Machine
from pam_totp.errors import ConfigError
from pam_totp.speech import languages

_BRIDGE_LOOKS_IN: Final = Path("/run/pam-totp")  # native/pam_totp.c


def _readable(machine: Machine) -> Iterator[Finding]:
    try:
        config.load(machine.configuration)
    except ConfigError as wrong:
        change = f"{machine.configuration}: change what is named"
        if not machine.configuration.exists():
            change = ""
        yield error(str(wrong), "; ".join(filter(None, (change, wrong.hint))))


def _runtime_place(machine: Machine) -> Iterator[Finding]:
    """Another configuration than the machine's own may have a service beside it, for tests."""
    place = machine.config.runtime_directory
    if machine.configuration == config.DEFAULT_PATH and place != _BRIDGE_LOOKS_IN:
        yield error(
            f"the service makes its socket in {place}, and pam_totp.so looks in {_BRIDGE_LOOKS_IN}",
            f"{machine.configuration}: remove the line `runtime-directory: {place}`",
        )


def _key_apart(machine: Machine) -> Iterator[Finding]:
    key, data = machine.config.key_file, machine.config.data_directory
    if isinstance(key, Path) and data in key.parents:
        yield warning(
            f"the key {key} lies with the data that it seals: whoever copies one has both",
            f"mv {key} /etc/pam-totp/seal.key, and in {machine.configuration} write: "
            "key-file: /etc/pam-totp/seal.key",
        )


def _language(machine: Machine) -> Iterator[Finding]:
    wanted, there = machine.config.language, languages()
    if wanted.partition("_")[0].partition(".")[0] not in {one.partition("_")[0] for one in there}:
        yield warning(
            f"there is no translation for the language {wanted}: people are spoken to in English",
            f"{machine.configuration}: language: one of {', '.join(there)}",
        )


CHECKS: Final = (
    Check("config", "the configuration can be read", _readable),
    Check("runtime-place", "the service's socket is where pam_totp.so looks", _runtime_place),
    Check("language", "people can be spoken to in the host's language", _language),
    Check("key-apart", "the key lies apart from the data", _key_apart),
)
