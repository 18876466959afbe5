"""Runs Alembic on a database that is older than this Ringwall."""

from ringwall.identity.store.url import DatabaseUrl


async def upgrade(place: DatabaseUrl) -> None:
    """Bring the tables to the current revision."""
    raise NotImplementedError(place)
