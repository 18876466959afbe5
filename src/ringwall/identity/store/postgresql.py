"""PostgreSQL: a small pool of connections; each statement is prepared once on each, and is a transaction by itself."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Any, Final, TypeVar

import asyncpg

from ringwall.identity.store.connections import Connections
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


_ANY: Final = (asyncpg.PostgresError, *_AWAY)


class _DeadlockError(StoreUnavailableError):
    """Two statements waited for each other; this one was given up, and had no effect."""


class _Session:
    """Statements on one connection."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def rows(self, statement: Statement, **values: Any) -> Sequence[Row]:
        return await _fetch(self._connection, statement, values)

    async def row(self, statement: Statement, **values: Any) -> Row | None:
        rows = await _fetch(self._connection, statement, values)
        return rows[0] if rows else None

    async def run(self, statement: Statement, **values: Any) -> int:
        return await _execute(self._connection, statement, values)


class PostgresDriver:
    """A PostgreSQL database that any number of processes use, on any number of machines."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    @classmethod
    async def connect(cls, dsn: str) -> "PostgresDriver":
        """Connect; StoreError where the server cannot be reached, or does not let us in."""

        async def connect() -> Any:
            return await asyncpg.connect(
                dsn,
                timeout=CONNECT_SECONDS,
                command_timeout=STATEMENT_SECONDS,
                statement_cache_size=_STATEMENTS,
                max_cached_statement_lifetime=0,
            )

        connections = Connections(connect, limit=MAX_CONNECTIONS)
        try:
            async with connections.one():
                pass  # a wrong URL or password is told now
        except (ValueError, OverflowError, asyncpg.ClientConfigurationError):
            # The cause may quote the URL, and with it the password.
            raise InvalidUrlError("the URL of the PostgreSQL database is malformed", hint=_URL_HINT) from None
        except _ANY as error:
            raise _meaning(error) from error
        return cls(connections)

    async def rows(self, statement: Statement, **values: Any) -> Sequence[Row]:
        """Run a statement and return its rows."""
        return await self._by_itself(_fetch, statement, values)

    async def row(self, statement: Statement, **values: Any) -> Row | None:
        """Run a statement and return its first row, or None."""
        rows = await self._by_itself(_fetch, statement, values)
        return rows[0] if rows else None

    async def run(self, statement: Statement, **values: Any) -> int:
        """Run a statement that returns no rows, and return how many it changed."""
        return await self._by_itself(_execute, statement, values)

    async def _by_itself(
        self, do: Callable[[Any, Statement, dict[str, Any]], Awaitable[Answer]], statement: Statement, values: Any
    ) -> Answer:
        """Run a statement, and run it again where it had no effect because two of them waited for each other."""
        for _ in range(_ATTEMPTS):
            try:
                return await self._once(do, statement, values)
            except _DeadlockError:
                pass
        return await self._once(do, statement, values)

    async def _once(
        self, do: Callable[[Any, Statement, dict[str, Any]], Awaitable[Answer]], statement: Statement, values: Any
    ) -> Answer:
        try:
            connection = await self._connections.take()
        except _ANY as error:
            raise _meaning(error) from error
        sound = False
        try:
            answer = await do(connection, statement, values)
            sound = True
        except StoreError as error:
            # Refused by the server, or before it was sent. Whatever else it is has cut the statement off.
            sound = error.__cause__ is None or isinstance(error.__cause__, asyncpg.PostgresError)
            raise
        finally:
            self._connections.give_back(connection, sound=sound)
        return answer

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[_Session]:
        """Run statements on one connection, and commit at the end (READ COMMITTED)."""
        with told():
            async with self._connections.one() as connection, connection.transaction():
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
        """End all connections."""
        await self._connections.close()


async def _fetch(connection: Any, statement: Statement, values: dict[str, Any]) -> Sequence[Row]:
    check_values(values)
    try:
        rows: Sequence[Row] = await connection.fetch(statement.numbered, *[values[name] for name in statement.names])
    except _ANY as error:
        raise _meaning(error) from error
    return rows


async def _execute(connection: Any, statement: Statement, values: dict[str, Any]) -> int:
    check_values(values)
    try:
        tag = await connection.execute(statement.numbered, *[values[name] for name in statement.names])
    except _ANY as error:
        raise _meaning(error) from error
    return _count(tag)


def _count(tag: str) -> int:
    """Return the number of rows of a command tag, such as `DELETE 5`."""
    last = tag.rpartition(" ")[2]
    return int(last) if last.isdecimal() else 0


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Turn what asyncpg raises into a StoreError that says what to do."""
    try:
        yield
    except _ANY as error:
        raise _meaning(error) from error


def _meaning(error: BaseException) -> StoreError:  # noqa: PLR0911  # one for each kind
    words = _words(error)
    if isinstance(error, asyncpg.IntegrityConstraintViolationError):
        return ConflictError(f"the database refused a row: {words}")
    if isinstance(error, _UNWRITABLE):
        return StoreUnwritableError(
            f"the PostgreSQL database cannot be written: {words}",
            hint="may its user create and change tables, is it a primary server, and is there space?",
        )
    if isinstance(error, _DAMAGED):
        return StoreDamagedError(
            f"the PostgreSQL database is damaged, or is not the issuer's: {words}",
            hint="give the issuer a database of its own, or restore it from a backup",
        )
    if isinstance(error, asyncpg.TransactionRollbackError):
        return _DeadlockError(f"the PostgreSQL database gave a statement up: {words}", hint="try it again")
    if isinstance(error, asyncpg.DataError):
        return UnstorableError(f"the PostgreSQL database cannot store a value: {words}")
    if isinstance(error, _AWAY):
        return StoreUnavailableError(
            f"the PostgreSQL database cannot be used: {words}",
            hint="does the server run, and are host, user, password and database in the URL right?",
        )
    return StoreError(f"the PostgreSQL database refused a statement: {words}")


def _words(error: BaseException) -> str:
    """Return the first line of an error, without what the server adds for programmers."""
    return (str(error).splitlines() or [type(error).__name__.removesuffix("Error")])[0][:200]
