"""The Debian package: what it brings, what it leaves alone, and how it goes away."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.system.lab import ssh
from tests.system.lab.product import CONFIGURATION, DATA, LOGIN_SOCKET, Service, pam_totp
from tests.system.lab.ssh import STACKS

PACKAGE: Final = Path("/run/lab/package.deb")
NAME: Final = "libpam-totp"
OWN_STACKS: Final = {"pam-totp", "pam-totp-code", "pam-totp-openvpn", "pam-totp-password"}
WANTS: Final = "/etc/systemd/system/multi-user.target.wants"
UNITS: Final = ("pam-totpd", "pam-totp-trial", "pam-totp-notify")
UNIT_LINKS: Final = {f"{WANTS}/{unit}.service" for unit in UNITS}


def installed_files() -> list[Path]:
    """Return what the package owns, without directories that others own too."""
    listing = subprocess.run(
        ["dpkg", "--listfiles", NAME], check=True, text=True, stdout=subprocess.PIPE
    )
    return [path for path in map(Path, listing.stdout.splitlines()) if path.is_file()]


def dpkg(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run dpkg without questions and return how it ended and what it said."""
    return subprocess.run(
        ["dpkg", "--force-confdef", *arguments],
        check=False,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def picture(top: Path) -> dict[str, str]:
    """Return mode, owner and content of everything below a directory."""
    return {str(path): describe(path) for path in sorted(top.rglob("*"))}


def describe(path: Path) -> str:
    """Return all that a file is, in one line."""
    status = path.lstat()
    content = ""
    if path.is_symlink():
        content = str(path.readlink())
    elif path.is_file():
        content = hashlib.sha256(path.read_bytes()).hexdigest()
    return f"{status.st_mode:o} {status.st_uid}:{status.st_gid} {content}"


def test_files_belong_to_root() -> None:
    """Everything that the package brings is root's, open to all and writable by root alone."""
    for path in installed_files():
        status = path.stat()
        assert (status.st_uid, status.st_gid) == (0, 0), path
        assert status.st_mode & 0o666 == 0o644, path


def test_module_is_where_libpam_looks() -> None:
    """The module lies in the directory of libpam's own modules and exports its entry points
    alone."""
    (module,) = (path for path in installed_files() if path.name == "pam_totp.so")
    assert module.with_name("pam_unix.so").exists()
    symbols = subprocess.run(
        ["nm", "--dynamic", "--defined-only", "--format=just-symbols", str(module)],
        check=True,
        text=True,
        stdout=subprocess.PIPE,
    ).stdout
    entries = {name.partition("@@")[0] for name in symbols.split() if name.startswith("pam_sm_")}
    assert entries == {"pam_sm_authenticate", "pam_sm_setcred", "pam_sm_acct_mgmt"}
    assert len(symbols.split()) <= len(entries) + 1  # and the version's own name


@pytest.mark.parametrize(
    "program",
    [
        "/usr/bin/pam-totp",
        "/usr/sbin/pam-totpd",
        "/usr/libexec/pam-totp/check-password",
        "/usr/libexec/pam-totp/oneshot",
        "/usr/libexec/pam-totp/pam-totp-notify",
    ],
)
def test_programs_ignore_their_callers_python(program: str) -> None:
    """Every program can be started by anyone, runs Debian's Python and looks at nothing of its
    caller's."""
    assert Path(program).stat().st_mode & 0o777 == 0o755
    first = Path(program).read_text().splitlines()[0]
    assert first.removeprefix("#!").strip() == "/usr/bin/python3 -I"


def test_examples_are_readable_as_they_are() -> None:
    """Configurations to copy are there, not compressed."""
    examples = Path("/usr/share/doc/libpam-totp/examples")
    for name in ("ssh/50-pam-totp.conf", "openvpn/server.conf", "openvpn/client.conf"):
        assert (examples / name).read_text()


@pytest.fixture
def alone(_service: Service) -> Iterator[None]:
    """The package as on a machine where it was never set up; the lab's own data come back
    afterwards."""
    _service.stop()
    ssh.turn_off_for_ssh()
    Path("/root/put-aside").mkdir(exist_ok=True)
    kept = [CONFIGURATION.parent, DATA, *stacks_of_other_tests()]
    for place in kept:
        place.rename(aside(place))
    yield
    assert dpkg("--install", PACKAGE).returncode == 0
    for place in kept:
        shutil.rmtree(place, ignore_errors=True)
        aside(place).rename(place)
    ssh.turn_on_for_ssh()


def stacks_of_other_tests() -> list[Path]:
    """Return the stacks that name the module or include ours."""
    files = (path for path in STACKS.iterdir() if path.name not in OWN_STACKS)
    return [path for path in files if re.search("pam[-_]totp", path.read_text())]


def aside(path: Path) -> Path:
    """Return where something is kept meanwhile."""
    return Path("/root/put-aside") / str(path).replace("/", "-")


@pytest.mark.usefixtures("alone")
def test_installing_turns_nothing_on() -> None:
    """Installing adds our stacks and enables the units; it changes no file that was there
    and sets nothing up.  A purge leaves /etc as it was before."""
    assert dpkg("--purge", NAME).returncode == 0
    before = picture(Path("/etc"))
    done = dpkg("--install", PACKAGE)
    assert done.returncode == 0, done.stdout
    after = picture(Path("/etc"))
    changed = {path for path in before if after.get(path) != before[path]}
    assert not {path for path in changed if Path(path).is_file()}
    added = after.keys() - before.keys()
    assert added == {*UNIT_LINKS, *(f"/etc/pam.d/{name}" for name in OWN_STACKS)}
    assert not CONFIGURATION.parent.exists()
    assert not DATA.exists()
    assert not LOGIN_SOCKET.exists()
    assert dpkg("--purge", NAME).returncode == 0
    assert picture(Path("/etc")) == before


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize(
    "line",
    [
        "@include pam-totp",
        "auth include pam-totp-code",
        "auth required pam_totp.so",
        "-auth substack /etc/pam.d/pam-totp-openvpn",
        "@include pam-totp-password",
    ],
)
def test_removal_stops_while_a_stack_uses_the_module(line: str) -> None:
    """A removal that would lock people out stops, names the file and says what to do; with
    the line gone, or commented out, the package goes."""
    stack = STACKS / "lab-service"
    try:
        stack.write_text(f"{line}\n")
        done = dpkg("--remove", NAME)
        assert done.returncode != 0
        assert str(stack) in done.stdout
        assert "hint: " in done.stdout
        assert Path("/usr/bin/pam-totp").exists()
        stack.write_text(f"# {line}\n")
        assert dpkg("--remove", NAME).returncode == 0
        assert not Path("/usr/bin/pam-totp").exists()
    finally:
        stack.unlink()


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("/etc/pam.d", "@Include pam-totp-code\n"),
        ("/etc/pam.d", "AUTH Required pam_totp.so\n"),
        ("/etc/pam.d", "auth required \\\n\tpam_totp.so\n"),
        ("/etc/pam.d", "auth \\\n  include \\ \n  pam-totp-code\n"),
        ("/etc/pam.d", "# no comment goes on \\\nauth required pam_totp.so\n"),
        ("/usr/lib/pam.d", "auth required pam_totp.so\n"),
    ],
    ids=["Include", "Required", "continued", "continued twice", "behind a comment", "vendor's"],
)
def test_removal_sees_what_libpam_sees(place: str, text: str) -> None:
    """A removal finds the module wherever libpam would: in capitals, in lines that go on in the
    next one, in the directory of the vendors' stacks."""
    with written(Path(place) / "lab-service", text) as stack:
        assert used_through(stack)
        done = dpkg("--remove", NAME)
        assert done.returncode != 0
        assert str(stack) in done.stdout
    assert dpkg("--remove", NAME).returncode == 0


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize(
    "text",
    [
        "# auth required \\\n# pam_totp.so\n",
        "auth required pam_permit.so \\\n # pam_totp.so\n",
        "auth required pam_permit.so # pam_totp.so\n",
        "auth required pam_permit.so \\",
        "@include pam-totp-of-ours\n",
    ],
)
def test_removal_sees_no_more(text: str) -> None:
    """Comments, and stacks whose names only begin like ours, stop no removal."""
    with written(STACKS / "lab-service", text):
        assert dpkg("--remove", NAME).returncode == 0


@pytest.mark.usefixtures("alone")
def test_removal_passes_over_a_vendors_stack_that_is_replaced() -> None:
    """A vendor's stack that /etc/pam.d has in another form does not count: libpam never reads
    it."""
    vendors = written(Path("/usr/lib/pam.d/lab-service"), "auth required pam_totp.so\n")
    with vendors as stack, written(STACKS / "lab-service", "auth required pam_permit.so\n"):
        assert not used_through(stack)
        assert dpkg("--remove", NAME).returncode == 0


@contextmanager
def written(path: Path, text: str) -> Iterator[Path]:
    """Have a file, and its directory, for as long as the block runs."""
    there = path.parent.exists()
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    try:
        yield path
    finally:
        path.unlink()
        if not there:
            path.parent.rmdir()


def used_through(stack: Path) -> bool:
    """Tell whether a login through a stack asks the module, which was not set up and says so."""
    done = subprocess.run(
        ["pamtester", stack.name, "root", "authenticate"],
        check=False,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    return "cannot retrieve authentication info" in done.stdout


@pytest.mark.usefixtures("alone")
def test_removal_keeps_data_and_purge_takes_them() -> None:
    """Settings, key and secrets survive a removal; a purge leaves nothing of ours."""
    pam_totp("setup", "--yes", "--ignore-clock")
    kept = picture(CONFIGURATION.parent) | picture(DATA)
    assert dpkg("--remove", NAME).returncode == 0
    assert picture(CONFIGURATION.parent) | picture(DATA) == kept
    assert dpkg("--purge", NAME).returncode == 0
    left = [
        path
        for top in ("/etc", "/run", "/usr", "/var/lib")
        for path in Path(top).rglob("*pam?totp*")
    ]
    assert left == []


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("name", sorted(OWN_STACKS))
def test_upgrade_keeps_the_administrators_stack(name: str) -> None:
    """Installing over an installed package keeps a stack that the administrator has changed,
    the configuration and the data."""
    pam_totp("setup", "--yes", "--ignore-clock")
    own = STACKS / name
    shipped = own.read_text()
    try:
        own.write_text(f"{shipped}# ours\nauth required pam_sss.so\n")
        before = picture(CONFIGURATION.parent) | picture(DATA) | picture(STACKS)
        assert dpkg("--install", PACKAGE).returncode == 0
        assert picture(CONFIGURATION.parent) | picture(DATA) | picture(STACKS) == before
    finally:
        own.write_text(shipped)
