"""PostgreSQL: a small pool of connections; each statement is prepared once on each, and is a transaction by itself."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Any, Final, TypeVar

import asyncpg

from ringwall.identity.store.driver import Row, Session, Statement, check_values
from ringwall.identity.store.errors import (
    ConflictError,
    InvalidUrlError,
    StoreDamagedError,
    StoreError,
    StoreUnavailableError,
    StoreUnwritableError,
    UnstorableError,
)
from ringwall.identity.store.revisions import REVISION, VERSION_TABLE

Answer = TypeVar("Answer")

CONNECT_SECONDS: Final = 5.0
STATEMENT_SECONDS: Final = 10.0
MAX_CONNECTIONS: Final = 8
"""For each process."""
_STATEMENTS: Final = 256
_ATTEMPTS: Final = 3
LOCK: Final = 0x72696E6777616C6C  # "ringwall"
"""The advisory lock of whoever makes or changes the tables."""
_TAKE_LOCK: Final = Statement("SELECT pg_advisory_xact_lock(:lock)")
_VERSION_TABLE: Final = Statement("""
    SELECT count(*) FROM pg_catalog.pg_tables WHERE tablename = :name AND schemaname = ANY (current_schemas(false))
""")
"""Not `to_regclass`: it answers from a cache that may be older than the lock."""
_URL_HINT: Final = "write postgresql://user:password@host/database"
_UNWRITABLE: Final = (
    asyncpg.InsufficientPrivilegeError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InsufficientResourcesError,  # also: the disk is full
)
_DAMAGED: Final = (
    asyncpg.DataCorruptedError,
    asyncpg.IndexCorruptedError,
    asyncpg.UndefinedTableError,
    asyncpg.UndefinedColumnError,
    asyncpg.DuplicateTableError,
)
_AWAY: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection that broke in the middle
    OSError,
    TimeoutError,
)


class _DeadlockError(StoreUnavailableError):
    """Two statements waited for each other; this one was given up, and had no effect."""


class _Session:
    """Statements on one connection."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def rows(self, statement: Statement, **values: Any) -> Sequence[Row]:
        with told():
            check_values(values)
            rows: Sequence[Row] = await self._connection.fetch(
                statement.numbered, *[values[name] for name in statement.names]
            )
            return rows

    async def row(self, statement: Statement, **values: Any) -> Row | None:
        rows = await self.rows(statement, **values)
        return rows[0] if rows else None

    async def run(self, statement: Statement, **values: Any) -> int:
        with told():
            check_values(values)
            tag = await self._connection.execute(statement.numbered, *[values[name] for name in statement.names])
            return _count(tag)


class PostgresDriver:
    """A PostgreSQL database that any number of processes use, on any number of machines."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._session = _Session(pool)

    @classmethod
    async def connect(cls, dsn: str) -> "PostgresDriver":
        """Connect; StoreError where the server cannot be reached, or does not let us in."""
        with told():
            try:
                pool = await asyncpg.create_pool(
                    dsn,
                    min_size=0,
                    max_size=MAX_CONNECTIONS,
                    timeout=CONNECT_SECONDS,
                    command_timeout=STATEMENT_SECONDS,
                    statement_cache_size=_STATEMENTS,
                    max_cached_statement_lifetime=0,
                    reset=_nothing_to_reset,
                )
                async with pool.acquire():
                    pass  # a wrong URL or password is told now
            except (ValueError, OverflowError, asyncpg.ClientConfigurationError):
                # The cause may quote the URL, and with it the password.
                raise InvalidUrlError("the URL of the PostgreSQL database is malformed", hint=_URL_HINT) from None
        return cls(pool)

    async def rows(self, statement: Statement, **values: Any) -> Sequence[Row]:
        """Run a statement and return its rows."""
        return await _again(self._session.rows, statement, values)

    async def row(self, statement: Statement, **values: Any) -> Row | None:
        """Run a statement and return its first row, or None."""
        return await self._session.row(statement, **values)

    async def run(self, statement: Statement, **values: Any) -> int:
        """Run a statement that returns no rows, and return how many it changed."""
        return await _again(self._session.run, statement, values)

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[_Session]:
        """Run statements on one connection, and commit at the end (READ COMMITTED)."""
        with told():
            async with self._pool.acquire() as connection, connection.transaction():
                yield _Session(connection)

    @contextlib.asynccontextmanager
    async def exclusive(self) -> AsyncIterator[_Session]:
        """Run a transaction under the advisory lock for changes of the tables."""
        async with self.transaction() as within:
            await within.rows(_TAKE_LOCK, lock=LOCK)
            yield within

    async def revision(self) -> str | None:
        """Return the revision of the tables; None where there are no tables."""
        return await self.revision_within(self)

    async def revision_within(self, within: Session) -> str | None:
        """Return the same as seen by a transaction."""
        found = await within.rows(_VERSION_TABLE, name=VERSION_TABLE)
        if not found[0][0]:
            return None
        row = await within.row(REVISION)
        return "" if row is None else str(row[0])

    async def close(self) -> None:
        """End all connections, at once where they do not end in time."""
        try:
            await asyncio.wait_for(self._pool.close(), CONNECT_SECONDS)
        except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            self._pool.terminate()


async def _again(run: Callable[..., Awaitable[Answer]], statement: Statement, values: dict[str, Any]) -> Answer:
    """Run a statement, and run it again where it had no effect because two of them waited for each other."""
    for _ in range(_ATTEMPTS):
        with contextlib.suppress(_DeadlockError):
            return await run(statement, **values)
    return await run(statement, **values)


async def _nothing_to_reset(_: Any) -> None:
    """Statements leave nothing behind, so that a round trip to the server is saved after each."""


def _count(tag: str) -> int:
    """Return the number of rows of a command tag, such as `DELETE 5`."""
    last = tag.rpartition(" ")[2]
    return int(last) if last.isdecimal() else 0


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Turn what asyncpg raises into a StoreError that says what to do."""
    try:
        yield
    except asyncpg.IntegrityConstraintViolationError as error:
        raise ConflictError(f"the database refused a row: {_words(error)}") from error
    except _UNWRITABLE as error:
        raise StoreUnwritableError(
            f"the PostgreSQL database cannot be written: {_words(error)}",
            hint="may its user create and change tables, is it a primary server, and is there space?",
        ) from error
    except _DAMAGED as error:
        raise StoreDamagedError(
            f"the PostgreSQL database is damaged, or is not the issuer's: {_words(error)}",
            hint="give the issuer a database of its own, or restore it from a backup",
        ) from error
    except asyncpg.TransactionRollbackError as error:
        raise _DeadlockError(
            f"the PostgreSQL database gave a statement up: {_words(error)}", hint="try it again"
        ) from error
    except asyncpg.DataError as error:
        raise UnstorableError(f"the PostgreSQL database cannot store a value: {_words(error)}") from error
    except _AWAY as error:
        raise StoreUnavailableError(
            f"the PostgreSQL database cannot be used: {_words(error)}",
            hint="does the server run, and are host, user, password and database in the URL right?",
        ) from error
    except asyncpg.PostgresError as error:
        raise StoreError(f"the PostgreSQL database refused a statement: {_words(error)}") from error


def _words(error: BaseException) -> str:
    """Return the first line of an error, without what the server adds for programmers."""
    return (str(error).splitlines() or [type(error).__name__.removesuffix("Error")])[0][:200]
