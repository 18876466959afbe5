"""A few connections to PostgreSQL, each given to one user at a time; at half the cost of asyncpg's own pool.

That one makes a task for each return, and readies a connection that our statements leave as they found it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import asyncpg

CLOSE_SECONDS: Final = 5.0


class Connections:
    """Opens connections as they are needed, up to a limit, and keeps them; one that broke is not given out again."""

    def __init__(self, connect: Callable[[], Awaitable[Any]], *, limit: int) -> None:
        """Open nothing yet; `connect` opens one, in a bounded time."""
        self._connect = connect
        self._free = asyncio.Semaphore(limit)
        self._idle: list[Any] = []
        self._used: set[Any] = set()
        self._closed = False

    @contextlib.asynccontextmanager
    async def one(self) -> AsyncIterator[Any]:
        """Give out a connection for a while."""
        connection = await self.take()
        sound = False
        try:
            yield connection
            sound = True
        except Exception:
            sound = not connection.is_closed() and not connection.is_in_transaction()
            raise
        finally:
            self.give_back(connection, sound=sound)

    async def take(self) -> Any:
        """Return a connection that nobody else has until it is given back; waits where all are in use."""
        await self._free.acquire()
        try:
            connection = await self._next()
        except BaseException:
            self._free.release()
            raise
        self._used.add(connection)
        return connection

    def give_back(self, connection: Any, *, sound: bool) -> None:
        """Take a connection back; one that is not `sound`, because a statement was cut off on it, is ended."""
        self._used.discard(connection)
        if sound and not self._closed and not connection.is_closed():
            self._idle.append(connection)
        else:
            connection.terminate()
        self._free.release()

    async def close(self) -> None:
        """End all connections, those in use at once, and give out no more."""
        self._closed = True
        for connection in self._used:
            connection.terminate()
        idle, self._idle = self._idle, []
        for connection in idle:
            try:
                await connection.close(timeout=CLOSE_SECONDS)
            except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                connection.terminate()

    async def _next(self) -> Any:
        if self._closed:
            raise asyncpg.InterfaceError("the database has been closed")
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        return await self._connect()
