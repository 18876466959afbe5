"""URLs of databases."""

from pathlib import Path

import pytest

from ringwall.identity.issuer.settings import IssuerSettings
from ringwall.identity.store.database import sqlite_url
from ringwall.identity.store.url import DatabaseUrl


@pytest.mark.parametrize(
    "path", ["/var/lib/issuer.db", "state/issuer.db", "/with space/ü/100%/issuer.db", "/what?/is#this/%41.db"]
)
def test_every_path_survives_its_url(path: str) -> None:
    place = DatabaseUrl.parse(sqlite_url(Path(path)))
    assert (place.dialect, place.path, place.dsn) == ("sqlite", Path(path), "")


@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
def test_a_password_is_not_shown(scheme: str) -> None:
    place = DatabaseUrl.parse(f"{scheme}://u:hunter2@host/db?sslmode=verify-full")
    assert place.dialect == "postgresql"
    assert place.dsn.endswith("sslmode=verify-full")
    assert "hunter2" not in f"{place!r} {place}"


def test_the_issuers_own_database_lies_in_its_folder_whatever_that_is_called() -> None:
    state = Path("/srv/100% sure? #1/.ringwall")
    assert DatabaseUrl.parse(IssuerSettings(state=state).database_url).path == state / "issuer" / "issuer.db"
