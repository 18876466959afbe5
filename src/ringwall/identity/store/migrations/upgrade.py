"""Runs Alembic on a database that is older than this Ringwall: one transaction, one process at a time.

Every process that finds the database too old comes here; the first one upgrades it, and the others find it current
once they have the lock. A process that is killed meanwhile leaves the database as it was.
"""

import asyncio
import sqlite3
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from ringwall.identity.store import sqlite
from ringwall.identity.store.revisions import HEAD, REVISION, check_known
from ringwall.identity.store.url import DatabaseUrl

_FOLDER: Final = Path(__file__).parent
WAIT_SECONDS: Final = 60.0
"""How long to wait for another process that is at it."""


async def upgrade(place: DatabaseUrl, *, to: str = HEAD) -> None:
    """Bring the tables to a revision; StoreError where that fails, and then nothing was changed."""
    if place.dialect == "sqlite":
        await asyncio.to_thread(_upgrade_sqlite, place.path, to)
    else:
        await _upgrade_postgresql(place.dsn, to)


def config() -> Config:
    """Return Alembic's settings, without a file."""
    settings = Config()
    settings.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    return settings


def _upgrade_sqlite(path: Path, to: str) -> None:
    engine = create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(path, timeout=WAIT_SECONDS, isolation_level=None),
        poolclass=NullPool,
    )
    with sqlite.told(path):
        try:
            with engine.begin() as connection:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                _run(connection, to)
        except DBAPIError as error:
            raise _cause(error) from error


async def _upgrade_postgresql(dsn: str, to: str) -> None:
    import asyncpg  # noqa: PLC0415  # only who uses it imports it

    from ringwall.identity.store import postgresql  # noqa: PLC0415  # as above

    async def connect(**_: Any) -> Any:
        return await asyncpg.connect(dsn, timeout=postgresql.CONNECT_SECONDS)

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    with postgresql.told():
        try:
            async with engine.begin() as connection:
                await connection.execute(
                    text("SELECT set_config('lock_timeout', :wait, true)"), {"wait": f"{WAIT_SECONDS:.0f}s"}
                )
                await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": postgresql.LOCK})
                await connection.run_sync(_run, to)
        except DBAPIError as error:
            raise _cause(error) from error


def _run(connection: Connection, to: str) -> None:
    """Upgrade, unless that has been done while this process waited for the lock."""
    current = str(connection.exec_driver_sql(REVISION.text).scalar_one())
    check_known(current)
    if current >= to:
        return
    settings = config()
    settings.attributes["connection"] = connection
    command.upgrade(settings, to)


def _cause(error: DBAPIError) -> BaseException:
    """Return what the driver itself raised."""
    original = error.orig or error
    return original.__cause__ or original
