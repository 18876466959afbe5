"""Reading the event store: one request's decisions, filtered lists, what came after a row, counters."""

import contextlib
import itertools
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from ringwall.model.errors import RingwallError
from ringwall.model.events import DecisionEvent
from ringwall.observe import request_index
from ringwall.observe.query import Query
from ringwall.observe.rows import COLUMNS, event_of

BUSY_SECONDS: Final = 5.0
_DAMAGE: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_PRIMARY_CODE: Final = 0xFF
_MOST_IDS: Final = 20
_MOST_HOPS: Final = 1000


class StoreError(RingwallError):
    """The event store cannot be used now; what was to be written waits in the proxies' logs."""

    code = "event-store"


class CorruptStoreError(StoreError):
    """The event store's file is damaged."""

    code = "event-store-corrupt"


class NoStoreError(StoreError):
    """There is no event store yet."""

    code = "no-events"


@dataclass(frozen=True, slots=True)
class Stored:
    """An event with the row that it has in the store; rows grow in the order in which events came in."""

    row: int
    event: DecisionEvent


@dataclass(frozen=True, slots=True)
class Aside:
    """A line of a log that was no record, without queries and tokens."""

    time: float
    spool: str
    reason: str
    excerpt: str


class EventReader:
    """The store, for reading. Any number of processes read while one writes. Not to be shared between threads."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        stat = path.stat()
        self._identity = stat.st_dev, stat.st_ino
        self._digests: dict[int, str] = {}

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open an existing store; raise NoStoreError where there is none."""
        if not path.is_file():
            raise NoStoreError("no decision has been recorded here", hint="start the system with `ringwall up`")
        with told(path):
            uri = f"{path.resolve().as_uri()}?mode=rw"  # a reader takes part in the locking, so `ro` would not do
            connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
            connection.execute("PRAGMA query_only = ON")
            return cls(connection, path)

    def is_current(self) -> bool:
        """Return whether the file that was opened is still the one at its path."""
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            return False
        return (stat.st_dev, stat.st_ino) == self._identity

    def close(self) -> None:
        """Close the store."""
        self._connection.close()

    def by_request(self, request_id: str) -> tuple[DecisionEvent, ...]:
        """Return the decisions of every hop of a request, in the order in which the hops began."""
        same = (event for event in self._beginning_with(request_id) if event.request_id == request_id)
        return tuple(sorted(itertools.islice(same, _MOST_HOPS), key=lambda event: event.time))

    def request_ids(self, prefix: str) -> tuple[str, ...]:
        """Return request ids that begin with a text, newest first, at most 20 of them."""
        ids: dict[str, None] = {}
        for event in self._beginning_with(prefix):
            ids[event.request_id] = None
            if len(ids) == _MOST_IDS:
                break
        return tuple(ids)

    def latest(self, count: int) -> tuple[DecisionEvent, ...]:
        """Return the first recorded decision of each of the latest requests, newest request first."""
        seen: dict[str, DecisionEvent] = {}
        for stored in self._events("request_id != '' ORDER BY id DESC LIMIT ?", (count * 20,)):
            seen.setdefault(stored.event.request_id, stored.event)
        return tuple(seen.values())[:count]

    def find(self, query: Query, *, limit: int) -> tuple[Stored, ...]:
        """Return the latest events that a query finds, oldest first."""
        clause, values = query.where()
        found = list(self._events(f"{clause} ORDER BY time DESC, id DESC LIMIT ?", (*values, limit)))
        return tuple(reversed(found))

    def after(self, row: int, query: Query, *, limit: int) -> tuple[Stored, ...]:
        """Return events that came into the store after a row, in the order in which they came."""
        clause, values = query.where()
        return tuple(self._events(f"id > ? AND {clause} ORDER BY id LIMIT ?", (row, *values, limit)))

    def last_row(self) -> int:
        """Return the row of the newest event, 0 where there is none."""
        rows = self._rows("SELECT max(id) FROM events", ())
        return rows[0][0] or 0

    def counters(self) -> dict[str, int]:
        """Return the counters that the collector keeps."""
        return dict(self._rows("SELECT name, value FROM counters", ()))

    def bad_lines(self, *, limit: int) -> tuple[Aside, ...]:
        """Return the newest lines that were no records, newest first."""
        rows = self._rows("SELECT time, spool, reason, excerpt FROM bad_lines ORDER BY id DESC LIMIT ?", (limit,))
        return tuple(Aside(*row) for row in rows)

    def _events(self, condition: str, values: tuple[object, ...]) -> Iterator[Stored]:
        for row in self._rows(f"SELECT {COLUMNS} FROM events WHERE {condition}", values):  # noqa: S608  # no input in it
            yield Stored(row[0], event_of(row, self._digest(row[9])))

    def _beginning_with(self, prefix: str) -> Iterator[DecisionEvent]:
        """Yield events whose request id begins with a text, newest first."""
        if not prefix:
            return
        with told(self._path), self._snapshot():
            for row in request_index.rows(self._connection, prefix):
                for stored in self._events("id = ?", (row,)):
                    yield stored.event

    @contextlib.contextmanager
    def _snapshot(self) -> Iterator[None]:
        """See the store as it is now, whatever is written meanwhile."""
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.execute("ROLLBACK")

    def _digest(self, plan: int) -> str:
        if plan not in self._digests:
            rows = self._rows("SELECT digest FROM plans WHERE id = ?", (plan,))
            self._digests[plan] = rows[0][0] if rows else ""
        return self._digests[plan]

    def _rows(self, statement: str, values: tuple[object, ...]) -> list[Any]:
        with told(self._path):
            return self._connection.execute(statement, values).fetchall()


@contextlib.contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn what SQLite and the file system raise into StoreError."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE
        if code in _DAMAGE:
            raise CorruptStoreError(
                f"the event store {path} is damaged: {error}",
                hint="the collector moves it aside and begins a new one; nothing else writes to it",
            ) from error
        raise StoreError(f"the event store {path} cannot be used: {error}", hint=_ADVICE.get(code, "")) from error
    except OSError as error:
        raise StoreError(f"the event store {path} cannot be used: {error.strerror}") from error


_ADVICE: Final = {
    sqlite3.SQLITE_FULL: "the disk is full: make room; decisions wait in the proxies' logs meanwhile",
    sqlite3.SQLITE_IOERR: "look at the disk; decisions wait in the proxies' logs meanwhile",
    sqlite3.SQLITE_READONLY: "make the state folder writable; decisions wait in the proxies' logs meanwhile",
    sqlite3.SQLITE_BUSY: "another process holds it for long; it is tried again",
}
