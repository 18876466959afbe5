"""The database, opened when it is first needed: client credentials never do, nor does the issuer's start."""

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ringwall.identity.store.database import Database


class Storage:
    """Holds the one open database of a process.

    Attributes:
        opened: set once somebody has needed the database.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._database: Database | None = None
        self._opening = asyncio.Lock()
        self.opened = asyncio.Event()

    async def database(self) -> "Database":
        """Return the database, opened by whoever needs it first; StoreError where that fails, until it does not."""
        if self._database is None:
            async with self._opening:
                if self._database is None:
                    from ringwall.identity.store.database import Database  # noqa: PLC0415  # not on the way to a start

                    self._database = await Database.open(self._url)
                    self.opened.set()
        return self._database

    async def sweep(self, now: float) -> None:
        """Delete what has expired; nothing where nobody has needed the database yet."""
        if self._database is not None:
            await self._database.sweep(now=now)

    async def close(self) -> None:
        """Close the database where it is open."""
        database, self._database = self._database, None
        if database is not None:
            await database.close()
