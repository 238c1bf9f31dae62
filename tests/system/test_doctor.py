"""`pam-totp doctor` on a machine that is broken in each way that it knows: the finding appears,
alone, and the line that it gives puts the machine right."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from tests.system.lab import openvpn, ssh
from tests.system.lab.person import Person
from tests.system.lab.product import COMMAND, CONFIGURATION, DATA, Service, pam_totp
from tests.system.lab.wait import DEADLINE

KEY: Final = "/etc/pam-totp/seal.key"
CONFIG: Final = str(CONFIGURATION)
SECRETS: Final = f"{DATA}/secrets"
DROP_IN: Final = str(ssh.SETTINGS)
VPN: Final = "/etc/openvpn/server/server.conf"
STACK: Final = "/etc/pam.d/pam-totp"
KEPT: Final = ("/etc/pam-totp", "/etc/pam.d", "/etc/ssh", "/etc/openvpn")
EXPECTED: Final = [("error", "clock"), ("warning", "ssh-keys")]
"""What is found on a machine that was set up as the documentation says: keys alone are enough
until the administrator decides otherwise; and nobody sets the clock of the lab's kernel."""


def doctor(*words: str) -> tuple[int, list[dict[str, Any]]]:
    """Run the doctor; return its exit status and what it found."""
    done = subprocess.run(
        [COMMAND, "doctor", "--json", *words],
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=DEADLINE,
    )
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout)


def shell(line: str) -> None:
    """Run a line of shell, which must succeed."""
    done = subprocess.run(
        ["/bin/sh", "-e", "-c", line], check=False, capture_output=True, text=True, timeout=DEADLINE
    )
    assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"


@dataclass(frozen=True)
class Picture:
    """Files as they were: bytes, mode, owner and time of each."""

    files: dict[Path, tuple[bytes, os.stat_result]]

    @classmethod
    def of(cls, *places: str) -> Picture:
        """Return the picture of everything below some directories, themselves included."""
        paths = [path for place in places for path in (Path(place), *Path(place).rglob("*"))]
        return cls({p: (p.read_bytes() if p.is_file() else b"", p.stat()) for p in paths})

    def put_back(self, *places: str) -> None:
        """Make everything as it was."""
        for path in [p for place in places for p in Path(place).rglob("*")]:
            if path not in self.files and path.is_dir():
                shutil.rmtree(path)
            elif path not in self.files:
                path.unlink(missing_ok=True)
        for path, (content, seen) in self.files.items():
            if path.is_dir():
                path.chmod(seen.st_mode & 0o7777)
            elif not path.exists() or _differs(path, content, seen):
                path.unlink(missing_ok=True)
                path.write_bytes(content)
                path.chmod(seen.st_mode & 0o7777)
                os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))


def _differs(path: Path, content: bytes, before: os.stat_result) -> bool:
    now = path.stat()
    same = ("st_mode", "st_uid", "st_nlink", "st_mtime_ns")
    return path.read_bytes() != content or any(
        getattr(now, name) != getattr(before, name) for name in same
    )


@pytest.fixture(scope="module")
def member(_service: Service) -> Iterator[Person]:
    """Somebody who has enrolled, on a machine set up afresh: what other tests have left in the
    store is put aside."""
    _service.stop()
    aside = Path("/root/of-other-tests")
    shutil.move(DATA, aside)
    before = Picture.of(*KEPT)
    Path(KEY).unlink()
    pam_totp("setup", "--yes", "--ignore-clock")
    person = Person()
    person.enroll()
    openvpn_server()
    _service.start()
    yield person
    person.remove()
    _service.stop()
    before.put_back(*KEPT)
    shutil.rmtree(DATA)
    shutil.move(aside, DATA)


def openvpn_server() -> None:
    """Install the shipped server as its documentation says."""
    Path(VPN).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(openvpn.SHIPPED / "server.conf", VPN)
    shutil.copy(openvpn.SHIPPED / "pam.d" / "openvpn", "/etc/pam.d/openvpn")


@pytest.fixture
def machine(member: Person, service: Service) -> Iterator[Person]:
    """The machine, which is afterwards as it was; its one member."""
    if Path(CONFIG).stat().st_mtime > Path("/run/pam-totp/login.socket").stat().st_mtime:
        service.restart()
    before = Picture.of(*KEPT)
    yield member
    before.put_back(*KEPT)


@dataclass(frozen=True)
class Case:
    """One way to be broken.

    `harm` is a line of shell, and `undo` what takes back what is not a file below /etc; MEMBER
    in them is the member's name.  `finds` is level and check, `do` words of the line that is
    given; `cured` says that this line can be run as it stands.
    """

    finds: str
    harm: str
    do: str
    cured: bool = False
    undo: str = ""
    beside: tuple[str, ...] = ()


def edit(file: str, old: str, new: str) -> str:
    """Return a line of shell that changes a file, and fails if it does not."""
    return f"grep -q '{old}' {file}; sed -i 's|{old}|{new}|' {file}"


def after(file: str, line: str) -> str:
    """Return a line of shell that adds a line to a file."""
    return f"printf '%s\\n' '{line}' >>{file}"


def first(line: str) -> str:
    """Return a line of shell by which sshd reads something before all else."""
    return f"printf '%s\\n' '{line}' >/etc/ssh/sshd_config.d/10-lab.conf"


CASES: Final = [
    # configuration
    Case("error config", after(CONFIG, "isuer: x"), f"{CONFIG}: change"),
    Case("error config", f"rm {CONFIG}", "pam-totp setup"),
    Case(
        "error runtime-place",
        after(CONFIG, "runtime-directory: /run/elsewhere"),
        "remove the line `runtime-directory: /run/elsewhere`",
        beside=("warning service",),
    ),
    Case(
        "warning language",
        after(CONFIG, "language: tlh"),
        "language: one of de, en",
        beside=("warning service-current",),
    ),
    Case(
        "warning key-apart",
        f"cp -a {KEY} {DATA}/seal.key; {after(CONFIG, f'key-file: {DATA}/seal.key')}",
        f"mv {DATA}/seal.key {KEY}",
        undo=f"rm {DATA}/seal.key",
        beside=("warning service-current",),
    ),
    # files
    Case("error config-mode", f"chmod 0666 {CONFIG}", "chmod 0644", cured=True),
    Case("error config-mode", f"chown nobody {CONFIG}", "chown 0", cured=True),
    Case("error key-mode", f"chmod 0440 {KEY}", "chmod 0400", cured=True),
    Case("error key-mode", f"chown nobody {KEY}", "chown 0", cured=True),
    Case("error key-mode", f"ln {KEY} {KEY}.2", f"-samefile {KEY}"),
    Case("warning key-mode", f"chmod 0600 {KEY}", "chmod 0400", cured=True),
    Case("error data-mode", f"chmod 0711 {DATA}", "chmod 0700", cured=True),
    Case("error data-mode", f"chown nobody {SECRETS}", f"chown 0 {SECRETS}", cured=True),
    Case("error secret-files", f"chmod 0644 {SECRETS}/MEMBER", "chmod 0600", cured=True),
    Case("error secret-files", f"chown nobody {SECRETS}/MEMBER", "chown 0", cured=True),
    Case(
        "error secret-files",
        f"ln {SECRETS}/MEMBER {DATA}/second",
        "find / -xdev -samefile",
        undo=f"rm {DATA}/second",
    ),
    Case(
        "error secret-files",
        f"mv {SECRETS}/MEMBER {DATA}/kept; ln -s ../kept {SECRETS}/MEMBER",
        f"put {SECRETS}/MEMBER back",
        undo=f"mv {DATA}/kept {SECRETS}/MEMBER",
    ),
    Case("error state-mode", f"chmod 0644 {DATA}/state.db", "chmod 0600", cured=True),
    Case("error state-mode", f"chown nobody {DATA}/state.db", "chown 0", cured=True),
    Case("error parents", "chmod 0777 /etc/pam-totp", "chmod go-w /etc/pam-totp", cured=True),
    Case("error parents", "chmod 0775 /var/lib", "chmod go-w /var/lib", cured=True),
    Case("error parents", "chown nobody /var/lib", "chown 0 /var/lib", cured=True),
    Case("error runtime-mode", "chmod 0777 /run/pam-totp", "chmod 0755", cured=True),
    Case("error runtime-mode", "chown nobody /run/pam-totp", "chown 0", cured=True),
    Case("warning runtime-mode", "chmod 0700 /run/pam-totp", "chmod 0755", cured=True),
    Case("warning socket-mode", "chmod 0600 /run/pam-totp/login.socket", "chmod 0666", cured=True),
    # store
    Case("error key", f"rm {KEY}", f"put {KEY} back"),
    Case("error key", f"echo nothing >{KEY}", f"put {KEY} back"),
    Case(
        "error secrets",
        f"sed -i '2s/ .*/ {'0' * 64}/' {KEY}; chmod 0400 {KEY}",
        "pam-totp reset MEMBER",
    ),
    Case(
        "warning one-key",
        f"chmod 0600 {KEY}; echo 00000000 {'0' * 64} >>{KEY}; chmod 0400 {KEY}",
        "pam-totp key rotate",
        cured=True,
    ),
    Case(
        "error store",
        f"mv {SECRETS}/.store {DATA}/kept",
        "pam-totp store renew",
        undo=f"mv {DATA}/kept {SECRETS}/.store",
    ),
    Case(
        "error secrets",
        f"mv {SECRETS}/MEMBER {DATA}/kept",
        "pam-totp reset MEMBER",
        undo=f"mv {DATA}/kept {SECRETS}/MEMBER",
    ),
    Case(
        "error read-only",
        f"mount --bind {DATA} {DATA}; mount -o remount,bind,ro {DATA}",
        f"mount -o remount,rw {DATA}",
        cured=True,
        undo=f"umount {DATA}",
    ),
    Case(
        "warning disk-space",
        f"mount -t tmpfs -o size=20m,mode=0700 tmpfs /mnt; cp -a {DATA}/. /mnt; "
        f"mount --move /mnt {DATA}",
        f"df -h {DATA}; ",
        cured=False,
        undo=f"umount {DATA}",
    ),
    # service
    Case(
        "warning service-current",
        "touch /etc/pam-totp/pam-totp.yaml",
        "start it again: pam-totpd &",
    ),
    Case("error one-shot", "chmod 0644 /usr/libexec/pam-totp/oneshot", "chmod 0755", cured=True),
    Case(
        "error one-shot",
        "mv /usr/libexec/pam-totp/oneshot /root/oneshot",
        "apt-get install --reinstall libpam-totp",
        undo="mv /root/oneshot /usr/libexec/pam-totp/oneshot",
    ),
    Case(
        "warning service-enabled",
        "mkdir -p /run/systemd/system; systemctl --root=/ disable pam-totpd",
        "systemctl enable --now pam-totpd",
        undo="systemctl --root=/ enable pam-totpd; rm -r /run/systemd",
    ),
    # notices
    Case(
        "warning notify",
        after(CONFIG, "notify: [/bin/true]"),
        "/usr/libexec/pam-totp/pam-totp-notify &",
        beside=("warning service-current",),
    ),
    Case(
        "warning notify-program",
        after(CONFIG, "notify: [/nonexistent]"),
        "install /nonexistent",
        beside=("warning notify", "warning service-current"),
    ),
    # stacks
    Case("error stack-readable", after(STACK, "auth requird pam_unix.so"), "see pam.conf(5)"),
    Case(
        "error stack-module",
        edit(STACK, "^auth.required.pam_totp.so", "auth required /x/pam_totp.so"),
        "s|/x/",
    ),
    Case("error stack-types", after(STACK, "session optional pam_totp.so"), "s/^/#/", cured=True),
    Case("error stack-order", edit(STACK, "^auth.\\[success=1", "auth [success=2"), "success=1"),
    Case(
        "error stack-wrong-code",
        edit(STACK, "^auth.required.pam_totp.so", "auth sufficient pam_totp.so"),
        f"auth required pam_totp.so/' {STACK}",
        cured=True,
    ),
    Case(
        "error stack-right",
        edit(STACK, "^auth.required.pam_permit.so", "#"),
        "a auth required pam_permit.so",
        cured=True,
    ),
    Case("warning stack-outage", edit(STACK, "authinfo_unavail=die ", ""), "docs/stacks.md"),
    Case(
        "error stack-setcred",
        edit(STACK, "cred_err=ignore ", ""),
        "cred_err=ignore",
        cured=True,
    ),
    Case(
        "warning stack-authfail",
        edit(STACK, "^auth.*authfail", "auth requisite pam_deny.so"),
        "pam-totp stack enable sshd",
    ),
    Case(
        "warning stack-account",
        edit(STACK, "^account.*pam_totp.so", "#"),
        "echo 'account required pam_totp.so' >>/etc/pam.d/sshd",
        cured=True,
    ),
    Case(
        "error stack-arguments",
        edit(STACK, "authfail$", "authfial"),
        "collect, authfail or local",
        beside=("warning stack-authfail",),
    ),
    Case(
        "error stack-password",
        "echo '@include pam-totp-code' >/etc/pam.d/lab-doctor",
        "pam-totp stack enable lab-doctor",
        beside=("warning policy-stacks",),
    ),
    Case(
        "warning stack-current",
        f"pam-totp stack enable login --yes; {edit('/etc/pam.d/common-auth', 'nullok', '')}",
        "pam-totp stack enable login",
    ),
    Case(
        "warning stack-others",
        after("/etc/pam.d/sshd", "auth required pam_google_authenticator.so"),
        "s/^/#/",
        cured=True,
    ),
    Case(
        "error stack-collect",
        edit("/etc/pam.d/pam-totp-openvpn", "pam_unix.so use_first_pass", "pam_unix.so"),
        "use_first_pass",
        cured=True,
    ),
    # ssh
    Case("error ssh-config", first("Usepma yes"), "sshd -t"),
    Case("error ssh-pam", first("UsePAM no"), "10-lab.conf:1: UsePAM yes"),
    Case(
        "error ssh-keyboard",
        first("KbdInteractiveAuthentication no"),
        "10-lab.conf:1: KbdInteractiveAuthentication yes",
    ),
    Case(
        "error ssh-keyboard",
        f"rm {DROP_IN}",
        "install -m 644 ",
        cured=True,
        beside=("warning ssh-password",),
    ),
    Case(
        "error ssh-keyboard",
        after("/etc/ssh/sshd_config", "Match User MEMBER\nKbdInteractiveAuthentication no"),
        "KbdInteractiveAuthentication yes",
    ),
    Case("warning ssh-password", first("PasswordAuthentication yes"), "PasswordAuthentication no"),
    Case(
        "error ssh-methods",
        first("AuthenticationMethods password\nPasswordAuthentication yes"),
        "keyboard-interactive:pam",
        beside=("warning ssh-password",),
    ),
    Case(
        "error ssh-first",
        edit("/etc/pam.d/sshd", "@include pam-totp", "@include pam-totp-code"),
        "AuthenticationMethods publickey,keyboard-interactive:pam",
    ),
    Case(
        "warning ssh-root",
        first("AuthenticationMethods keyboard-interactive"),
        "PermitRootLogin yes",
    ),
    Case(
        "warning ssh-keys",
        first("AuthenticationMethods keyboard-interactive\nPermitRootLogin no")
        + "; "
        + after("/etc/ssh/sshd_config", "Match Group MEMBER\nAuthenticationMethods publickey"),
        "publickey,keyboard-interactive:pam",
    ),
    # openvpn
    Case("error openvpn-service", "rm /etc/pam.d/openvpn", "@include pam-totp-openvpn", cured=True),
    Case(
        "warning openvpn-service",
        "echo '@include common-auth' >/etc/pam.d/openvpn",
        "pam-totp stack enable openvpn",
    ),
    Case("error openvpn-pairs", edit(VPN, " verification OTP", ""), "verification OTP"),
    Case(
        "warning openvpn-collect",
        "echo '@include pam-totp' >/etc/pam.d/openvpn",
        "@include pam-totp-openvpn",
    ),
    Case("error openvpn-optional", after(VPN, "auth-user-pass-optional"), "sed -i ", cured=True),
    Case("error openvpn-reneg", edit(VPN, "^reneg-sec 3600", "reneg-sec 0"), "reneg-sec 3600"),
    Case(
        "warning openvpn-token", edit(VPN, "^auth-gen-token .*", ""), "auth-gen-token 43200 21600"
    ),
    Case(
        "warning openvpn-token-secret",
        edit(VPN, "^auth-gen-token-secret", "#"),
        "auth-gen-token-secret auth-token.key",
    ),
    Case("warning openvpn-deferred", edit(VPN, "^setenv", "#"), "setenv deferred_auth_pam 1"),
]


def named(found: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Return level and check of each finding."""
    return [(one["level"], one["check"]) for one in found]


def more(now: list[dict[str, Any]], before: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the findings that were not there before, whatever is now to be done about them."""
    known = [(one["check"], one["found"]) for one in before]
    return [one for one in now if (one["check"], one["found"]) not in known]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.finds.replace(" ", "-"))
def test_broken(machine: Person, case: Case) -> None:
    """What is broken is found beside what was there before, and nothing else is; where the line
    that is given can be run as it stands, running it puts the machine right."""
    _, before = doctor()
    shell(case.harm.replace("MEMBER", machine.name))
    try:
        status, now = doctor()
        new = more(now, before)
        expected = [tuple(finds.split(" ")) for finds in (case.finds, *case.beside)]
        assert sorted(named(new)) == sorted(expected), new
        assert status == max({"warning": 1, "error": 2}[one["level"]] for one in now)
        finding = new[[one["check"] for one in new].index(expected[0][1])]
        assert case.do.replace("MEMBER", machine.name) in finding["do"]
        if case.cured:
            shell(finding["do"])
            _, cured = doctor()
            assert more(cured, before) == []
    finally:
        shell(case.undo.replace("MEMBER", machine.name))


def test_in_order(machine: Person) -> None:
    """A machine set up as the documentation says has no error but the clock, and is warned of
    its keys; each other check says what it has seen to be true."""
    status, found = doctor()
    assert named(found) == EXPECTED
    assert status == 2
    _, everything = doctor("-v")
    assert {one["check"] for one in everything if one["level"] == "unchecked"} == {
        "service-enabled"  # no systemd has started the lab
    }


def test_no_service(machine: Person, service: Service) -> None:
    """A service that does not run is a warning, one that does not answer an error."""
    service.hang()
    _, found = doctor()
    assert ("error", "service") in named(found)
    assert f"kill {service.pid}" in next(f["do"] for f in found if f["check"] == "service")
    service.resume()
    assert doctor("service")[0] == 0
    service.stop()
    _, found = doctor()
    assert ("warning", "service") in named(found)
    service.start()
    _, found = doctor()
    assert named(found) == EXPECTED


def test_an_older_service(machine: Person, service: Service) -> None:
    """A service that was started before the program was installed is to be started again."""
    shell("chmod 0644 $(find /usr/lib/python3/dist-packages/pam_totp/__init__.py)")
    _, found = doctor("service-current")
    assert named(found) == [("warning", "service-current")]
    service.restart()
    assert doctor("service-current") == (0, [])


def test_names(machine: Person, people: Any) -> None:
    """A name that is gone, one that is somebody else's, and a second name of one uid are found,
    and the lines that are given put them right."""
    _, before = doctor()
    gone, other = people(), people()
    for one in (gone, other):
        one.enroll()
    shell(f"userdel {gone.name}; usermod --uid {other.uid + 5000} {other.name}")
    shell(f"useradd --non-unique --uid {machine.uid} second")
    try:
        found = more(doctor()[1], before)
        levels = sorted(named(found))
        assert levels == [("error", "names"), ("warning", "names"), ("warning", "shared-uid")]
        for one in found:
            shell(one["do"].rpartition("or: ")[2].replace("prune", "prune --yes"))
        assert more(doctor()[1], before) == []
    finally:
        shell(f"userdel second; useradd {gone.name}")


def test_state_is_damaged(machine: Person, service: Service) -> None:
    """A page of state.db that SQLite cannot read is found, also where no login needs it; so is a
    state.db that is gone."""
    service.stop()
    shell(f"cp -a {DATA} /root/kept")
    damage = (
        "import sqlite3, sys\n"
        "c = sqlite3.connect(sys.argv[1]); c.execute('PRAGMA wal_checkpoint(TRUNCATE)')\n"
        "q = \"SELECT rootpage FROM sqlite_master WHERE name = 'event_account'\"\n"
        "page, size = c.execute(q).fetchone()[0], c.execute('PRAGMA page_size').fetchone()[0]\n"
        "c.close(); f = open(sys.argv[1], 'r+b'); f.seek((page - 1) * size)\n"
        "f.write(b'\\xff' * 100)\n"
    )
    try:
        subprocess.run(["/usr/bin/python3", "-c", damage, DATA / "state.db"], check=True)
        assert named(doctor("store")[1]) == [("error", "state")]
        (DATA / "state.db").unlink()
        (found,) = doctor("store")[1]
        assert (found["check"], found["do"]) == ("store", "pam-totp store renew")
        shell(f"{found['do']} --yes")
        assert doctor("store") == (0, [])
    finally:
        shell(f"rm -r {DATA}; mv /root/kept {DATA}")


def test_a_full_disk(machine: Person, service: Service) -> None:
    """A file system without room is an error."""
    service.stop()
    shell(f"mount -t tmpfs -o size=3m,mode=0700 tmpfs /mnt; cp -a {DATA}/. /mnt")
    shell(f"mount --move /mnt {DATA}; head -c 2000000 /dev/zero >{DATA}/filler")
    try:
        found = doctor("disk-space")[1]
        assert named(found) == [("error", "disk-space")]
    finally:
        shell(f"umount {DATA}")


def test_nothing_was_set_up(machine: Person, service: Service) -> None:
    """On a machine with nothing of ours but the package, the doctor says how to begin."""
    service.stop()
    shell(f"mv /etc/pam-totp /root/kept; mv {DATA} /root/data")
    try:
        status, found = doctor()
        assert status == 2
        first_of_all = found[0]
        assert (first_of_all["check"], first_of_all["do"]) == ("config", "pam-totp setup")
    finally:
        shell(f"rm -rf /etc/pam-totp; mv /root/kept /etc/pam-totp; mv /root/data {DATA}")


@pytest.fixture
def policy(machine: Person) -> Iterator[Callable[[str], None]]:
    """Makes a version of the policy, as it lies in the store; afterwards it is as shipped."""

    def say(document: str) -> None:
        with closing(sqlite3.connect(DATA / "state.db")) as connection:
            connection.execute(
                "INSERT INTO policy (at, actor, origin, note, document) VALUES (1, '', '', '', ?)",
                (document,),
            )
            connection.commit()

    yield say
    say("[]")


@pytest.mark.parametrize(
    ("document", "finds", "do"),
    [
        ("[{", "error policy", "pam-totp policy revert "),
        ('[{"group":"nobodys","mfa":"off"}]', "warning policy-groups", "--group nobodys"),
        ('[{"user":"nobodyatall","mfa":"off"}]', "warning policy-users", "--user nobodyatall"),
        (
            '[{"service":"login","mfa":"required"}]',
            "warning policy-services",
            "pam-totp stack enable login",
        ),
        (
            '[{"services":["openvpn"]}]',
            "warning policy-stacks",
            "pam-totp policy set services=openvpn,sshd",
        ),
        (
            '[{"mfa":"required"}]',
            "error policy-administrators",
            "pam-totp enroll root",
        ),
    ],
)
def test_policy(
    machine: Person, policy: Callable[[str], None], document: str, finds: str, do: str
) -> None:
    """A policy that is broken, or does not fit the machine, is found; what changes it again puts
    it right."""
    _, before = doctor()
    policy(document)
    (new,) = more(doctor()[1], before)
    assert f"{new['level']} {new['check']}" == finds
    assert do in new["do"]
    if "pam-totp policy" in new["do"]:
        shell(f"{new['do'].rpartition(': ')[2]} --yes --force")
        assert more(doctor()[1], before) == []


def test_composed_stacks(machine: Person) -> None:
    """What `stack enable` writes for the console, su (and with it su -l) and sudo is in order
    but for the policy, which names the console alone."""
    _, before = doctor()
    shell("pam-totp stack enable login su sudo --yes")
    found = more(doctor()[1], before)
    assert named(found) == [("warning", "policy-stacks")] * 3, found
