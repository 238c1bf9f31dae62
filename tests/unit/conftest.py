"""What the tests of the core ask for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A host on which nobody has enrolled."""
    made = World(tmp_path / "data")
    yield made
    made.store.close()
