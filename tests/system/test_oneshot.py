"""The real one-shot, started by hosts whose surroundings are hostile or odd."""

from __future__ import annotations

import os
import resource
import signal
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.system.lab import host, stacks
from tests.system.lab.host import AUTH_ERR, SUCCESS, Conditions
from tests.system.lab.journal import Journal
from tests.system.lab.person import Person
from tests.system.lab.product import DATA, Service

STACK: Final = "lab-one-shot"


@pytest.fixture(scope="module", autouse=True)
def stack(world: None) -> Iterator[None]:
    """The shipped stack that asks for the code alone."""
    with stacks.installed(STACK, stacks.shipped(stacks.CODE_ALONE)):
        yield


@pytest.fixture(autouse=True)
def alone(service: Service) -> None:
    """No service answers."""
    service.stop()


def works(person: Person, journal: Journal, conditions: Conditions) -> None:
    """A wrong code is counted, a right one accepted once, and the store is as tight as ever."""
    code = person.fresh_code()
    wrong = host.login(STACK, person.name, code=person.wrong_code(), conditions=conditions)
    assert (wrong.result, person.failures) == (AUTH_ERR, 1)
    for result in (SUCCESS, AUTH_ERR):
        ended = host.login(STACK, person.name, code=code, conditions=conditions)
        assert ended.result == result, ended
    assert journal.verdicts(person.name) == ["wrong-code", "accepted", "replayed-code"]
    for path in (DATA, *DATA.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_pythons_environment(person: Person, journal: Journal, tmp_path: Path) -> None:
    """PYTHON* of the caller, with modules in the place of the product's and the library's own,
    change nothing."""
    tmp_path.chmod(0o755)
    report = tmp_path / "report"
    evil = f"open({str(report)!r}, 'a').write(__name__)\nraise SystemExit(0)\n"
    for name in ("sitecustomize", "usercustomize", "pam_totp", "socket", "sqlite3", "yaml"):
        (tmp_path / f"{name}.py").write_text(evil)
    environment = {
        "PYTHONPATH": str(tmp_path),
        "PYTHONHOME": str(tmp_path),
        "PYTHONSTARTUP": str(tmp_path / "sitecustomize.py"),
        "PYTHONUSERBASE": str(tmp_path),
        "PYTHONINSPECT": "1",
        "PYTHONWARNINGS": "error",
        "PYTHONOPTIMIZE": "2",
        "PYTHONUTF8": "0",
        "PYTHONMALLOC": "debug",
        "PYTHONPLATLIBDIR": "nowhere",
        "PYTHONDUMPREFSFILE": str(report),
        "HOME": str(tmp_path),
    }
    works(person, journal, Conditions(environment=tuple(environment.items()), cwd=str(tmp_path)))
    assert not report.exists()


def test_loaders_environment(person: Person, journal: Journal, tmp_path: Path) -> None:
    """LD_PRELOAD and LD_LIBRARY_PATH of the caller reach the host and not the one-shot."""
    report = tmp_path / "report"
    source = tmp_path / "preloaded.c"
    text = (host.SOURCES / "preloaded.c").read_text()
    source.write_text(f'#define PRELOADED_REPORT "{report}"\n{text}')
    preloaded = host.library("preloaded.so", source)
    environment = {
        "LD_PRELOAD": str(preloaded),
        "LD_LIBRARY_PATH": str(tmp_path),
        "LD_BIND_NOW": "1",
        "LD_AUDIT": str(preloaded),
    }
    works(person, journal, Conditions(environment=tuple(environment.items())))
    assert set(report.read_text().split()) == {"pamhost"}


@pytest.mark.parametrize("locale", ["tr_TR.UTF-8", "tr_TR", "POSIX", "ja_JP.SJIS", "nonsense"])
def test_locale(locale: str, person: Person, journal: Journal) -> None:
    """The caller's locale changes nothing."""
    names = ("LANG", "LC_ALL", "LC_CTYPE", "LANGUAGE")
    works(person, journal, Conditions(environment=tuple((name, locale) for name in names)))


def test_other_environment(person: Person, journal: Journal, tmp_path: Path) -> None:
    """PATH, TZ, TMPDIR, SQLite's and the name services' variables change nothing."""
    (tmp_path / "python3").write_text("#!/bin/sh\nexit 0\n")
    (tmp_path / "python3").chmod(0o755)
    environment = {
        "PATH": str(tmp_path),
        "TZ": "Pacific/Kiritimati",
        "TMPDIR": "/nonexistent",
        "SQLITE_TMPDIR": "/nonexistent",
        "HOSTALIASES": "/nonexistent",
        "NOTIFY_SOCKET": "/nonexistent",
        "CREDENTIALS_DIRECTORY": str(tmp_path),
        "OPENSSL_CONF": "/nonexistent",
        "OPENSSL_MODULES": "/nonexistent",
        "MALLOC_PERTURB_": "165",
        "GLIBC_TUNABLES": "glibc.malloc.check=3",
    }
    works(person, journal, Conditions(environment=tuple(environment.items())))


def ignore_signals() -> None:
    """Ignore and block every signal that can be."""
    numbers = set(range(1, signal.NSIG)) - {signal.SIGKILL, signal.SIGSTOP, 32, 33}
    for number in numbers:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, numbers)


def limit_resources() -> None:
    """Allow next to nothing.  The hard limits stay: in a container root may not raise them."""
    for kind, value in (
        (resource.RLIMIT_NOFILE, 12),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CPU, 3600),
        (resource.RLIMIT_DATA, 32 << 20),
        (resource.RLIMIT_STACK, 256 << 10),
        (resource.RLIMIT_MEMLOCK, 0),
    ):
        resource.setrlimit(kind, (value, resource.getrlimit(kind)[1]))


def no_working_directory() -> None:
    """Stay in a directory that is gone."""
    os.mkdir("/tmp/gone")
    os.chdir("/tmp/gone")
    os.rmdir("/tmp/gone")


def close_standard_descriptors() -> None:
    """Have an error output that is a file which can only be read."""
    os.dup2(os.open("/etc/passwd", os.O_RDONLY), 2)


@pytest.mark.parametrize(
    "prepare",
    [
        lambda: os.umask(0),
        lambda: os.umask(0o777),
        ignore_signals,
        limit_resources,
        no_working_directory,
        close_standard_descriptors,
        lambda: os.setgroups([1, 2, 3]),
        lambda: os.nice(19),
    ],
    ids=[
        "umask-0",
        "umask-777",
        "signals-ignored",
        "low-limits",
        "no-directory",
        "odd-descriptors",
        "groups",
        "nice",
    ],
)
def test_process_attributes(
    prepare: Callable[[], object], person: Person, journal: Journal
) -> None:
    """What a process inherits from its caller besides the environment changes nothing."""
    works(person, journal, Conditions(prepare=prepare))


def test_without_standard_descriptors(person: Person, journal: Journal) -> None:
    """A host that runs with descriptors 0, 1 and 2 closed logs in as any other."""
    works(person, journal, Conditions(options=("--no-stdio",)))


def test_signals_at_short_intervals(person: Person, journal: Journal) -> None:
    """A host that gets a signal every few milliseconds logs in as any other."""
    works(person, journal, Conditions(options=("--interval=3",)))
