"""Every test of this folder that asks for a `url` runs on each database."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.postgres import Postgres, running_postgres

from ringwall.identity.store.database import sqlite_url


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server."""
    with running_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database."""
    if request.param == "sqlite":
        yield sqlite_url(tmp_path / "issuer.db")
        return
    with request.getfixturevalue("postgres").schema() as made:
        yield made
