"""What the tests of the bridge share: builds of it, in directories of their own."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for the modules here that are no tests

from host_program import SHORT_LIMIT_MS, Bridge, build


@contextmanager
def _built(*, sanitize: bool = False, limit_ms: int | None = None) -> Iterator[Bridge]:
    directory = Path(tempfile.mkdtemp(prefix="pam-totp-native-"))
    directory.chmod(0o755)  # hosts of other users load the module from here
    try:
        yield build(directory, sanitize=sanitize, limit_ms=limit_ms)
    finally:
        shutil.rmtree(directory)


@pytest.fixture(scope="session")
def bridge() -> Iterator[Bridge]:
    """The module as it is shipped, but for its places."""
    with _built() as built:
        yield built


@pytest.fixture(scope="session")
def hurried() -> Iterator[Bridge]:
    """The module with short time limits."""
    with _built(limit_ms=SHORT_LIMIT_MS) as built:
        yield built


@pytest.fixture(scope="session")
def sanitized() -> Iterator[Bridge]:
    """Module and application under AddressSanitizer and UndefinedBehaviorSanitizer."""
    with _built(sanitize=True) as built:
        yield built


@pytest.fixture
def set_user_id(bridge: Bridge) -> Iterator[Bridge]:
    """The application as a set-user-id program."""
    program = bridge.directory / "pamhost-set-user-id"
    shutil.copy(bridge.host, program)
    program.chmod(0o4755)
    if os.statvfs(program).f_flag & os.ST_NOSUID:
        pytest.skip("set-user-id programs do not work where temporary files are")
    yield replace(bridge, host=program)
    program.unlink()
