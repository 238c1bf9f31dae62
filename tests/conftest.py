"""What holds for all tests.

A skipped test is a failure in CI: there, nothing may be left out unseen.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from typing import Any

import pytest

IN_CI = os.environ.get("CI") == "true"


def _fail_if_skipped(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip (not an expected failure) into a failure that carries its reason."""
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which is a failure in CI: {report.longrepr}"


@pytest.hookimpl(hookwrapper=True, tryfirst=True)  # type: ignore[untyped-decorator]
def pytest_runtest_makereport() -> Generator[None, Any, None]:
    """Look at each finished test."""
    outcome = yield
    _fail_if_skipped(outcome.get_result())


@pytest.hookimpl(hookwrapper=True, tryfirst=True)  # type: ignore[untyped-decorator]
def pytest_make_collect_report() -> Generator[None, Any, None]:
    """Look at each collected file, for skips of a whole module."""
    outcome = yield
    _fail_if_skipped(outcome.get_result())


@pytest.fixture(autouse=True)
def no_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test runs as if root had begun it, whoever did by sudo."""
    monkeypatch.delenv("SUDO_USER", raising=False)


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    """Every test has the usual umask, whatever ran before it in this process."""
    before = os.umask(0o022)
    yield
    os.umask(before)
