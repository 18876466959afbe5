"""SQLite: one connection, used on the event loop itself.

A statement takes some 15 µs, less than handing it to a thread. The loop never waits for a lock (a busy database is
tried again after a pause), and sweeping goes in small batches. It waits for the disk once in a thousand changed pages,
when SQLite copies its log into the file: some 4 ms on an SSD.
"""

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from ringwall.identity.store.driver import Row, Session, Statement, check_values
from ringwall.identity.store.errors import (
    ConflictError,
    StoreDamagedError,
    StoreError,
    StoreUnavailableError,
    StoreUnwritableError,
)
from ringwall.identity.store.revisions import REVISION, VERSION_TABLE

Answer = TypeVar("Answer")

BUSY_SECONDS: Final = 5.0
"""How long a statement is tried again while another process writes."""
_FIRST_PAUSE: Final = 0.001
_LONGEST_PAUSE: Final = 0.02
_CACHE_KIB: Final = 4096
_STATEMENTS: Final = 256
_PRIMARY: Final = 0xFF
_WRITE_ERRORS: Final = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN})
_DAMAGE: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR})
_VERSION_TABLE: Final = Statement(
    "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '{version_table}'", version_table=VERSION_TABLE
)
_ANY_TABLE: Final = Statement("SELECT 1 FROM sqlite_master LIMIT 1")


class _BusyError(StoreUnavailableError):
    """Another process writes just now."""


class _Session:
    """Statements on a connection that nobody else uses meanwhile."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    async def rows(self, statement: Statement, **values: Any) -> Sequence[Row]:
        return self.rows_now(statement, values)

    async def row(self, statement: Statement, **values: Any) -> Row | None:
        rows = self.rows_now(statement, values)
        return rows[0] if rows else None

    async def run(self, statement: Statement, **values: Any) -> int:
        return self.run_now(statement, values)

    def rows_now(self, statement: Statement, values: dict[str, Any]) -> Sequence[Row]:
        check_values(values)
        try:
            return self._connection.execute(statement.text, values).fetchall()
        except sqlite3.Error as error:
            raise _meaning(self._path, error) from error

    def run_now(self, statement: Statement, values: dict[str, Any]) -> int:
        check_values(values)
        try:
            return self._connection.execute(statement.text, values).rowcount
        except sqlite3.Error as error:
            raise _meaning(self._path, error) from error


class SqliteDriver:
    """A SQLite file that one process (or several) of this machine use."""

    def __init__(self, path: Path) -> None:
        """Open the file, and make an empty one where there is none; StoreError where that fails."""
        self._path = path
        self._lock = asyncio.Lock()
        with told(path):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600)
            self._connection = sqlite3.connect(path, timeout=0, isolation_level=None, cached_statements=_STATEMENTS)
            self._session = _Session(self._connection, path)
        try:
            self._prepare()
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self) -> None:
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                with told(self._path):
                    self._connection.execute("PRAGMA journal_mode = WAL")
                    break
            except _BusyError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_LONGEST_PAUSE)
        with told(self._path):
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")

    async def rows(self, statement: Statement, **values: Any) -> Sequence[Row]:
        """Run a statement and return its rows."""
        return await self._by_itself(self._session.rows_now, statement, values)

    async def row(self, statement: Statement, **values: Any) -> Row | None:
        """Run a statement and return its first row, or None."""
        rows = await self._by_itself(self._session.rows_now, statement, values)
        return rows[0] if rows else None

    async def run(self, statement: Statement, **values: Any) -> int:
        """Run a statement that returns no rows, and return how many it changed."""
        return await self._by_itself(self._session.run_now, statement, values)

    async def _by_itself(
        self, do: Callable[[Statement, dict[str, Any]], Answer], statement: Statement, values: dict[str, Any]
    ) -> Answer:
        """Run a statement outside of any transaction, and again after a pause while another process writes."""
        if not self._lock.locked():  # nothing is awaited here, so nobody begins a transaction meanwhile
            try:
                return do(statement, values)
            except _BusyError:
                pass  # from now on in turn
        pauses = _pauses()
        while True:
            async with self._lock:
                try:
                    return do(statement, values)
                except _BusyError:
                    pause = next(pauses, None)
                    if pause is None:
                        raise
            await asyncio.sleep(pause)

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[_Session]:
        """Hold the lock for writing, and commit at the end."""
        pauses = _pauses()
        async with self._lock:
            while True:
                try:
                    with told(self._path):
                        self._connection.execute("BEGIN IMMEDIATE")
                        break
                except _BusyError:
                    pause = next(pauses, None)
                    if pause is None:
                        raise
                await asyncio.sleep(pause)
            try:
                yield self._session
                with told(self._path):
                    self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.rollback()
                raise

    exclusive = transaction
    """Writers wait for each other anyway."""

    async def revision(self) -> str | None:
        """Return the revision of the tables; None where there are no tables at all."""
        return await self.revision_within(self)

    async def revision_within(self, within: Session) -> str | None:
        """Return the same as seen by a transaction."""
        if await within.row(_VERSION_TABLE) is not None:
            row = await within.row(REVISION)
            return "" if row is None else str(row[0])
        if await within.row(_ANY_TABLE) is not None:
            raise StoreDamagedError(
                f"{self._path} is a database, but not the issuer's", hint="give the issuer a file of its own"
            )
        return None

    async def close(self) -> None:
        """Close the file."""
        async with self._lock:
            self._connection.close()


def _pauses() -> Iterator[float]:
    """Yield how long to wait before each next attempt, until BUSY_SECONDS are over."""
    deadline = time.monotonic() + BUSY_SECONDS
    pause = _FIRST_PAUSE
    while time.monotonic() < deadline:
        yield pause
        pause = min(pause * 2, _LONGEST_PAUSE)


@contextlib.contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn what SQLite raises into a StoreError that says what to do."""
    try:
        yield
    except sqlite3.Error as error:
        raise _meaning(path, error) from error
    except OSError as error:
        raise StoreUnwritableError(
            f"cannot use the database {path}: {error.strerror}",
            hint="is the folder yours to write, and is there space?",
        ) from error


def _meaning(path: Path, error: sqlite3.Error) -> StoreError:
    if isinstance(error, sqlite3.IntegrityError):
        return ConflictError(f"the database refused a row: {error}")
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_MISUSE) & _PRIMARY
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return _BusyError(
            f"the database {path} was locked for more than {BUSY_SECONDS:g} s",
            hint="does another program hold it open for writing?",
        )
    if code == sqlite3.SQLITE_FULL:
        return StoreUnwritableError(f"the database {path} cannot grow: the disk is full", hint="make space")
    if code in _WRITE_ERRORS:
        return StoreUnwritableError(
            f"the database {path} cannot be written: {error}", hint="check who owns the file and its folder"
        )
    if code in _DAMAGE:
        return StoreDamagedError(
            f"{path} is damaged, or is not a database of the issuer: {error}",
            hint="restore it from a backup, or move it away together with its -wal and -shm files to begin anew",
        )
    return StoreUnavailableError(f"the database {path} cannot be used: {error}", hint="is the disk all right?")
