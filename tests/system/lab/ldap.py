"""A directory for real: slapd on loopback, asked by nslcd (pam_ldap) or by SSSD (pam_sss)."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.system.lab import packages
from tests.system.lab.phone import Phone
from tests.system.lab.product import ask_pam_totp
from tests.system.lab.wait import DEADLINE, wait_for

PACKAGES: Final = packages.DIST / "directory"
_PLACE: Final = Path("/run/lab/ldap")
_PORT: Final = 3389
_BASE: Final = "dc=lab"
_ADMINISTRATOR: Final = ("-x", "-D", f"cn=admin,{_BASE}", "-w", "secret")
_URL: Final = f"ldap://127.0.0.1:{_PORT}"
_SWITCH: Final = Path("/etc/nsswitch.conf")
_ENVIRONMENT: Final = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}

_SLAPD: Final = f"""\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/nis.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {_PLACE}/slapd.pid
database mdb
suffix {_BASE}
rootdn cn=admin,{_BASE}
rootpw secret
directory {_PLACE}/data
access to attrs=userPassword by anonymous auth by * none
access to * by * read
"""
# Short times: a directory that is down is found to be down while a person waits.
_NSLCD: Final = f"""\
uid nslcd
gid nslcd
uri {_URL}
base {_BASE}
bind_timelimit 2
timelimit 2
reconnect_sleeptime 1
reconnect_retrytime 1
nss_min_uid 1000
"""
_SSSD: Final = f"""\
[sssd]
services = nss, pam
domains = lab
[nss]
[pam]
offline_failed_login_attempts = 0
[domain/lab]
id_provider = ldap
auth_provider = ldap
access_provider = permit
ldap_uri = {_URL}
ldap_search_base = {_BASE}
ldap_id_use_start_tls = false
ldap_auth_disable_tls_never_use_in_production = true
ldap_opt_timeout = 2
ldap_network_timeout = 2
ldap_search_timeout = 3
cache_credentials = false
offline_timeout = 1
"""

_uids = itertools.count(80001)


class DirectoryPerson:
    """Somebody with an account and a password in the directory alone."""

    def __init__(self, name: str, *, shadow: bool = False) -> None:
        self.name = name
        self.password: Final = f"correct horse of {name}"
        kind = "\nobjectClass: shadowAccount" if shadow else ""
        uid = next(_uids)
        _add(f"""\
dn: uid={name},{_BASE}
objectClass: inetOrgPerson
objectClass: posixAccount{kind}
cn: {name}
sn: {name}
uid: {name}
uidNumber: {uid}
gidNumber: 100
homeDirectory: /tmp
loginShell: /bin/sh
userPassword: {self.password}
""")
        self._phone: Phone | None = None

    @property
    def phone(self) -> Phone:
        """The phone, once enrolled."""
        assert self._phone is not None
        return self._phone

    def enroll(self) -> None:
        """Enroll without a proof, as a script does."""
        answer = ask_pam_totp("enroll", self.name, "--no-confirm")
        self._phone = Phone(answer["secret"], answer["recovery_codes"])

    def fresh_code(self) -> str:
        """Return a code that is right and has not been given before."""
        return self.phone.fresh_code()

    def wrong_code(self) -> str:
        """Return another wrong code."""
        return self.phone.wrong_code()


def unpack() -> None:
    """Put the packages' files into the lab; none of their scripts runs."""
    packages.unpack(PACKAGES)
    subprocess.run(["ldconfig"], check=True)
    if subprocess.run(["id", "nslcd"], check=False, capture_output=True).returncode:
        subprocess.run(["useradd", "--system", "nslcd"], check=True)


class Slapd:
    """The directory's server, which can be stopped and started."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        shutil.rmtree(_PLACE, ignore_errors=True)
        (_PLACE / "data").mkdir(parents=True)
        (_PLACE / "slapd.conf").write_text(_SLAPD)
        self.start()
        _add(f"dn: {_BASE}\nobjectClass: dcObject\nobjectClass: organization\no: lab\ndc: lab\n")

    def start(self) -> None:
        """Start it unless it runs, and wait until it answers."""
        if self._process is not None and self._process.poll() is None:
            return
        command = ["slapd", "-f", str(_PLACE / "slapd.conf"), "-h", _URL, "-d", "0"]
        self._process = _start(*command)
        wait_for(_answers, "answer of slapd")

    def stop(self) -> None:
        """Stop it."""
        assert self._process is not None
        _stop(self._process)


@contextmanager
def asked_by_nslcd() -> Iterator[None]:
    """Let nslcd ask it, for pam_ldap and NSS."""
    Path("/etc/nslcd.conf").write_text(_NSLCD)
    Path("/etc/nslcd.conf").chmod(0o640)
    shutil.chown("/etc/nslcd.conf", "root", "nslcd")
    Path("/run/nslcd").mkdir(exist_ok=True)
    shutil.chown("/run/nslcd", "nslcd", "nslcd")
    with _asked_by("nslcd", "-n", switch="ldap", ready=Path("/run/nslcd/socket")):
        yield


@contextmanager
def asked_by_sssd() -> Iterator[None]:
    """Let SSSD ask it, for pam_sss and NSS."""
    for place in ("db", "mc", "pipes"):
        for path in Path("/var/lib/sss", place).rglob("*"):
            if not path.is_dir():
                path.unlink()
    settings = Path("/etc/sssd/sssd.conf")
    settings.parent.mkdir(exist_ok=True)
    settings.write_text(_SSSD)
    settings.chmod(0o600)
    with _asked_by("sssd", "-i", switch="sss", ready=Path("/var/lib/sss/pipes/pam")):
        yield


@contextmanager
def _asked_by(*command: str, switch: str, ready: Path) -> Iterator[None]:
    before = _SWITCH.read_text()
    changed = re.sub(r"(?m)^(passwd|group|shadow):.*$", rf"\1: files {switch}", before)
    process = _start(*command)
    try:
        wait_for(ready.exists, f"socket of {command[0]}")
        _SWITCH.write_text(changed)
        yield
    finally:
        _SWITCH.write_text(before)
        _stop(process)


def _start(*command: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env=_ENVIRONMENT,
    )


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(DEADLINE)


def _answers() -> bool:
    try:
        socket.create_connection(("127.0.0.1", _PORT), timeout=DEADLINE).close()
    except OSError:
        return False
    return True


def _add(entry: str) -> None:
    done = subprocess.run(
        ["ldapadd", "-H", _URL, *_ADMINISTRATOR],
        check=False,
        input=entry,
        text=True,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
