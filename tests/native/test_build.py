"""The module as a file: what it exports, holds and promises."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from fake_service import ABSENT, LARGEST, Type
from host_program import PLAIN_ENVIRONMENT, ROOT, Bridge, make

NATIVE = ROOT / "native"


def output(*command: str | Path) -> str:
    """Run a program that succeeds and give what it prints."""
    ended = subprocess.run(
        command, check=True, capture_output=True, text=True, env=PLAIN_ENVIRONMENT
    )
    return ended.stdout


def test_exports_three_functions(bridge: Bridge) -> None:
    """Libpam finds authenticate, setcred and acct_mgmt; nobody finds anything else."""
    symbols = output("nm", "-D", "--defined-only", bridge.module)
    names = re.findall(r" (\w) (\S+)$", symbols, re.MULTILINE)
    exported = ["pam_sm_acct_mgmt", "pam_sm_authenticate", "pam_sm_setcred"]
    assert sorted(names) == [("T", name) for name in exported]


def test_has_no_state(tmp_path: Path) -> None:
    """No variable of the module outlives a call: all its data is constant."""
    make(NATIVE, f"BUILD={tmp_path}")
    symbols = output("objdump", "-t", tmp_path / "pam_totp.so").splitlines()
    variables = [line for line in symbols if re.search(r" O \.(data|bss)\s", line)]
    assert any("requests" in line for line in symbols)  # the table, for one, is seen
    of_the_compiler = re.compile(r"(__dso_handle|__TMC_END__|completed\.\d)$")
    assert [line for line in variables if not of_the_compiler.search(line)] == []


def test_links_libpam_and_libc_alone(bridge: Bridge) -> None:
    """The module brings no library into its host but the two that are there."""
    needed = re.findall(r"NEEDED.*\[(.+?)\.so", output("readelf", "-d", bridge.module))
    assert sorted(needed) == ["libc", "libpam"]


def test_is_hardened(bridge: Bridge) -> None:
    """Relocations are read-only, the stack is guarded and not executable, copies are checked."""
    dynamic = output("readelf", "-d", bridge.module)
    assert "BIND_NOW" in dynamic
    assert "TEXTREL" not in dynamic
    segments = output("readelf", "-lW", bridge.module)
    assert "GNU_RELRO" in segments
    assert re.search(r"GNU_STACK.* RW ", segments)
    undefined = output("nm", "-D", "--undefined-only", bridge.module)
    assert "__stack_chk_fail" in undefined


def test_calls_nothing_that_changes_its_host(bridge: Bridge) -> None:
    """No function that sets environment, locale or handlers, or runs a shell, is even linked.

    What changes a process (sigaction, umask, chdir, ...) is for the one-shot's alone.
    """
    undefined = output("nm", "-D", "--undefined-only", bridge.module)
    forbidden = {
        *("setenv", "putenv", "unsetenv", "clearenv", "getenv", "setlocale", "signal"),
        *("system", "popen", "fork", "vfork", "exit", "printf", "openlog", "closelog"),
        *("execvp", "execlp", "strcpy", "strcat", "sprintf", "setuid", "setgid", "setgroups"),
    }
    names = {line.split()[-1].split("@")[0] for line in undefined.splitlines()}
    assert names & forbidden == set()


def test_builds_the_same_twice(tmp_path: Path) -> None:
    """Two builds from two directories are the same file, byte for byte."""
    copies = []
    for name in ("one", "another"):
        source = tmp_path / name / "native"
        source.mkdir(parents=True)
        for file in ("pam_totp.c", "pam_totp.map", "wire.h", "Makefile"):
            (source / file).write_bytes((NATIVE / file).read_bytes())
        make(source)
        copies.append((source / "build/pam_totp.so").read_bytes())
    assert copies[0] == copies[1]


def test_takes_the_flags_of_dpkg(tmp_path: Path) -> None:
    """What dpkg-buildflags sets is used, and clashes with nothing."""
    flags = output("dpkg-buildflags", "--export=cmdline").strip()
    command = f"{flags} make -C {NATIVE} BUILD={tmp_path} 2>&1"
    assert "-D_FORTIFY_SOURCE=2" in output("sh", "-c", command)


def test_installs_the_module_alone(tmp_path: Path) -> None:
    """`make install` puts one file, readable for all, where SECURITYDIR says."""
    make(NATIVE, f"BUILD={tmp_path}/b", f"DESTDIR={tmp_path}/d", "SECURITYDIR=/lib/s", "install")
    installed = [path for path in (tmp_path / "d").rglob("*") if path.is_file()]
    assert installed == [tmp_path / "d/lib/s/pam_totp.so"]
    assert installed[0].stat().st_mode & 0o777 == 0o644


def test_refuses_a_long_directory(tmp_path: Path) -> None:
    """A socket whose path fits no address is an error of the build, not of a login."""
    with pytest.raises(subprocess.CalledProcessError):
        make(NATIVE, f"BUILD={tmp_path}", f"RUNDIR=/{'x' * 100}")


def test_these_tests_read_the_same_wire() -> None:
    """The types and bounds that the fake services use are those of wire.h."""
    header = (NATIVE / "wire.h").read_text()
    types = {name: int(value) for name, value in re.findall(r"\tWIRE_(\w+) = (\d+),", header)}
    assert types == {kind.name: int(kind) for kind in Type}
    bounds = dict(re.findall(r"#define WIRE_(\w+) (\w+?)u?$", header, re.MULTILINE))
    assert int(bounds["ABSENT"], 16) == ABSENT
    assert int(bounds["MAX_MESSAGE"]) == LARGEST
