"""A world for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.scim_world import ScimWorld


@pytest.fixture
def world(tmp_path: Path) -> Iterator[ScimWorld]:
    """An issuer that is provisioned."""
    made = ScimWorld(tmp_path)
    yield made
    made.context.people.close()
