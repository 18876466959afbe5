"""Every test of this folder runs on each database."""

from pathlib import Path

import pytest

from ringwall.identity.store.database import sqlite_url


@pytest.fixture(params=["sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    return sqlite_url(tmp_path / "issuer.db")
