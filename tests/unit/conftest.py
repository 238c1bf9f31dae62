"""What the tests of the core ask for."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from pam_totp import speech
from tests.unit.world import World

CHECKOUT: Final = Path(__file__).parents[2]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A host on which nobody has enrolled."""
    made = World(tmp_path / "data")
    yield made
    made.store.close()


@pytest.fixture(scope="session")
def _catalogs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("locale")
    subprocess.run([CHECKOUT / "scripts/catalogs", directory], check=True)
    return directory


@pytest.fixture
def catalogs(_catalogs: Path) -> Iterator[Path]:
    """The translations of this checkout, and not those of an installed package."""
    speech.read_from(_catalogs)
    yield _catalogs
    speech.read_from(speech.DIRECTORY)
