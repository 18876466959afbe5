"""Bringing a database's tables to the current revision when it is opened.

One small query tells a current database. A new one is made from `schema/<dialect>.sql`, which a test holds to what the
migrations lead to; Alembic, which takes most of a second to import, is needed only for an older one.
"""

from pathlib import Path
from typing import Final

from ringwall.identity.store.driver import Driver, Statement
from ringwall.identity.store.revisions import HEAD, REVISION, STAMP, check_known
from ringwall.identity.store.url import DatabaseUrl

_FOLDER: Final = Path(__file__).parent / "schema"


async def bring_up_to_date(driver: Driver, place: DatabaseUrl) -> None:
    """Make or upgrade the tables where that is due; NewerDatabaseError where a later Ringwall has upgraded them."""
    revision = await driver.revision()
    if revision is None:
        revision = await _make(driver, place.dialect)
    check_known(revision)
    if revision != HEAD:
        from ringwall.identity.store.migrations.upgrade import upgrade  # noqa: PLC0415  # imports Alembic

        await upgrade(place)


async def _make(driver: Driver, dialect: str) -> str:
    """Make the tables of an empty database, unless another process has just done so; return their revision."""
    async with driver.exclusive() as within:
        if await driver.revision_within(within) is None:
            for statement in (_FOLDER / f"{dialect}.sql").read_text().split(";\n"):
                if statement:
                    await within.run(Statement(statement))
            await within.run(STAMP, revision=HEAD)
        return str((await within.rows(REVISION))[0][0])
