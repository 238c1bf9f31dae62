"""What the tests of self-service ask for."""

from __future__ import annotations

import pytest

from tests.unit.selfservice.counter import Counter
from tests.unit.world import World


@pytest.fixture
def counter(world: World) -> Counter:
    """A service that nobody has asked yet."""
    return Counter(world)
