"""OpenVPN configurations: the shipped one, and each thing wrong with it in turn."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pam_totp.doctor import vpn

from .conftest import REPOSITORY

if TYPE_CHECKING:
    from .conftest import Patient

SHIPPED = (REPOSITORY / "etc/openvpn/server.conf").read_text()
PLUGIN = (
    'plugin openvpn-plugin-auth-pam.so "openvpn login USERNAME password PASSWORD verification OTP"'
)
SERVER = "/etc/openvpn/server/server.conf"


def install(
    patient: Patient, text: str = SHIPPED, stack: str = "@include pam-totp-openvpn"
) -> None:
    """Install a server and its stack."""
    patient.file(SERVER, text)
    patient.file("/etc/pam.d/openvpn", f"{stack}\n")


def changed(old: str, new: str) -> str:
    """Return the shipped configuration with one thing changed."""
    assert SHIPPED.count(old) == 1
    return SHIPPED.replace(old, new)


def test_shipped(patient: Patient) -> None:
    """The shipped configuration has nothing wrong."""
    install(patient)
    assert patient.found("openvpn") == []


def test_what_is_no_file(patient: Patient) -> None:
    """A directory, a link to nowhere and a pipe are no configurations, and not waited for."""
    install(patient)
    place = patient.root / "etc/openvpn"
    (place / "directory.conf").mkdir()
    (place / "link.conf").symlink_to("nowhere")
    os.mkfifo(place / "pipe.conf")
    assert patient.found("openvpn") == []


def test_clients(patient: Patient) -> None:
    """A client's configuration is nobody's business."""
    patient.file("/etc/openvpn/client.conf", (REPOSITORY / "etc/openvpn/client.conf").read_text())
    assert patient.found("openvpn") == []


@pytest.mark.parametrize(
    ("old", "new", "check", "level", "do"),
    [
        ('"openvpn login', '"vpn login', "openvpn-service", "error", ">/etc/pam.d/vpn"),
        (" verification OTP", "", "openvpn-pairs", "error", PLUGIN),
        ("login USERNAME ", "", "openvpn-pairs", "error", PLUGIN),
        ("verification OTP", "code OTP", "openvpn-pairs", "error", PLUGIN),
        ("verification OTP", "verification PASSWORD", "openvpn-pairs", "error", PLUGIN),
        (
            "password PASSWORD verification OTP",
            "verification OTP pass USERNAME password PASSWORD",
            "openvpn-pairs",
            "error",
            PLUGIN,
        ),
        (PLUGIN, "plugin openvpn-plugin-auth-pam.so openvpn", "openvpn-pairs", "error", PLUGIN),
        (
            "setenv deferred_auth_pam 1",
            "#setenv deferred_auth_pam 1",
            "openvpn-deferred",
            "warning",
            "setenv deferred_auth_pam 1",
        ),
        ("\nauth-gen-token 43200 21600", "", "openvpn-token", "warning", "auth-gen-token 43200"),
        (
            "auth-gen-token-secret auth-token.key",
            "",
            "openvpn-token-secret",
            "warning",
            "auth-gen-token-secret auth-token.key",
        ),
        ("reneg-sec 3600", "reneg-sec 0", "openvpn-reneg", "error", "reneg-sec 3600"),
        ("dh none", "dh none\nauth-user-pass-optional", "openvpn-optional", "error", "sed -i '22s"),
    ],
)
def test_broken(  # noqa: PLR0913, PLR0917
    patient: Patient, old: str, new: str, check: str, level: str, do: str
) -> None:
    """Each thing that is wrong is found alone, with the file and the line to write."""
    install(patient, changed(old, new))
    finding = patient.only("openvpn")
    assert (finding.check, finding.level) == (check, level)
    assert str(patient.root / SERVER.lstrip("/")) in finding.found
    assert do in finding.do


def test_other_stacks(patient: Patient) -> None:
    """A stack that does not ask, and one that has no place for a code in the password's field."""
    install(patient, stack="auth required pam_unix.so")
    assert patient.only("openvpn").check == "openvpn-service"
    install(patient, stack="@include pam-totp")
    assert patient.only("openvpn").check == "openvpn-collect"


def test_own_prompts(patient: Patient) -> None:
    """The pairs are held against the prompts that are configured."""
    install(patient)
    with patient.yaml.open("a") as yaml:
        yaml.write('prompt-code: "One-time code: "\n')
    finding = patient.only("openvpn")
    assert "'One-time code:' is answered by no pair" in finding.found
    assert 'password PASSWORD one-time OTP"' in finding.do


def test_verify_client_cert_none(patient: Patient) -> None:
    """A server without client certificates is no finding."""
    install(patient, changed("verify-client-cert require", "verify-client-cert none"))
    assert patient.found("openvpn") == []


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [
        ("Password: ", "PASSWORD"),
        ("  (current) PASSWORD: ", "no pair"),
        ("...password", "PASSWORD"),
        ("Verification code: ", "OTP"),
        ("Verify", "no pair"),
        ("", "no pair"),
    ],
)
def test_answers(patient: Patient, prompt: str, answer: str) -> None:
    """A prompt is answered by the first pair that it begins with, whatever the case and what
    stands in front of its first letter."""
    install(patient)
    (server,) = vpn.servers(patient.machine)
    assert (server.answer(prompt) or "no pair") == answer


def test_reading(patient: Patient) -> None:
    """Quotes, comments, leading dashes and files within the file are read as OpenVPN does."""
    text = (
        "<ca>\nplugin /x/openvpn-plugin-auth-pam.so nothing\n</ca>\n; plugin a\n"
        "--plugin '/usr/lib/openvpn/openvpn-plugin-auth-pam.so' vpn login USERNAME # end\n"
        "reneg-sec 0\nreneg-sec 60\n"
    )
    patient.file("/etc/openvpn/x.conf", text)
    (server,) = vpn.servers(patient.machine)
    assert (server.plugin.number, server.service) == (5, "vpn")
    assert server.pairs == (("login", "USERNAME"),)
    last = server.option("reneg-sec")
    assert last is not None
    assert last.words == ("60",)
