"""Writing the event store: batches of decisions, each together with how far the proxies' logs were read.

One transaction holds a batch's events, its bad lines and the position after it. A process that is killed at any
point therefore finds, when it comes back, either all of a batch or nothing of it, and reads on from there.
"""

import contextlib
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from ringwall.model.events import DecisionEvent
from ringwall.observe import request_index
from ringwall.observe.reader import BUSY_SECONDS, Aside, EventReader, StoreError, told
from ringwall.observe.rows import INSERT, row_of
from ringwall.observe.schema import migrate

_CACHE_KIB: Final = 2048
_CHECKPOINT_PAGES: Final = 2000
_LONGEST_WAL: Final = 32 * 1024 * 1024
_KEPT_BAD_LINES: Final = 1000
_POSITION: Final = "SELECT device, inode, spool, offset, head_length, head FROM positions WHERE"
_ADD: Final = "INSERT INTO counters VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value"
_OLD: Final = "DELETE FROM events WHERE id IN (SELECT id FROM events WHERE time < ? ORDER BY time LIMIT ?)"
_OLDEST: Final = "DELETE FROM events WHERE id IN (SELECT id FROM events ORDER BY id LIMIT ?)"


class PositionConflictError(StoreError):
    """Somebody else stored lines of the same file meanwhile; look at the positions again."""

    code = "event-store-conflict"


@dataclass(frozen=True, slots=True)
class Position:
    """How far one file of a proxy's log was read.

    Attributes:
        device, inode: which file.
        spool: name of the proxy.
        offset: bytes read and stored.
        head_length, head: length and SHA-256 of the file's beginning, which tell a file from a later one
            that was given the same inode.
    """

    device: int
    inode: int
    spool: str
    offset: int
    head_length: int
    head: bytes


@dataclass(frozen=True, slots=True)
class Retention:
    """How long decisions are kept: no longer than `seconds`, and no more than `max_bytes` of them."""

    seconds: float = 30 * 86400.0
    max_bytes: int = 1024**3


class EventStore(EventReader):
    """The store, for the one process that writes it. Not to be shared between threads."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        super().__init__(connection, path)
        self._plans: dict[str, int] = {"": 0}
        self._page_bytes = connection.execute("PRAGMA page_size").fetchone()[0]

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the store, made or migrated where necessary; raise StoreError where that fails."""
        with told(path):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600)
            connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
                connection.execute(f"PRAGMA journal_size_limit = {_LONGEST_WAL}")
                connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
                migrate(connection)
                return cls(connection, path)
            except BaseException:
                connection.close()
                raise

    @staticmethod
    def set_aside(path: Path, stamp: int) -> Path:
        """Move a damaged store out of the way, so that a new one can begin; return where it lies now."""
        aside = path.with_name(f"{path.name}.damaged-{stamp}")
        with told(path):
            for suffix in ("-wal", "-shm"):
                with contextlib.suppress(FileNotFoundError):
                    path.with_name(path.name + suffix).replace(aside.with_name(aside.name + suffix))
            path.replace(aside)
        return aside

    def write(
        self,
        events: Iterable[DecisionEvent] = (),
        *,
        position: Position | None = None,
        expected: Position | None = None,
        bad: Sequence[Aside] = (),
        counts: Mapping[str, int] | None = None,
        durable: bool = False,
    ) -> int:
        """Store a batch in one transaction and return how many events it had.

        Args:
            events: consumed before `bad` and `counts` are looked at, so both may be filled meanwhile.
            position: how far the log was read with this batch.
            expected: what the store must say about that file until now; None for nothing.
            bad: lines to keep aside; only the newest 1,000 are kept.
            counts: what to add to the named counters.
            durable: on return the batch survives even a loss of power; for use before its source is deleted.

        Raises:
            PositionConflictError: the store says something else than `expected`; nothing was stored.
            StoreError: nothing was stored.
        """
        connection = self._connection
        with told(self._path):
            connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            connection.execute("BEGIN IMMEDIATE")
            try:
                cursor = connection.executemany(INSERT, map(self._row, events))
                written = max(cursor.rowcount, 0)
                request_index.pack(connection)
                if position is not None:
                    self._move(position, expected)
                self._keep(bad)
                connection.executemany(_ADD, (counts or {}).items())
                connection.execute("COMMIT")
            except BaseException:
                self._plans = {"": 0}  # rows of plans that were new in this batch are gone
                if connection.in_transaction:
                    connection.rollback()
                raise
            return written

    def positions(self, spool: str) -> tuple[Position, ...]:
        """Return how far each file of a proxy's log was read."""
        rows = self._rows(f"{_POSITION} spool = ?", (spool,))
        return tuple(Position(*row) for row in rows)

    def forget(self, position: Position) -> None:
        """Drop the position of a file that is gone."""
        with told(self._path):
            self._connection.execute(
                "DELETE FROM positions WHERE device = ? AND inode = ?", (position.device, position.inode)
            )

    def prune(self, retention: Retention, *, now: float, at_most: int) -> int:
        """Delete the oldest events that need not be kept, in one short transaction; return how many."""
        with told(self._path):
            deleted = self._connection.execute(_OLD, (now - retention.seconds, at_most)).rowcount
            if deleted < at_most and self.used_bytes() > retention.max_bytes:
                deleted += self._connection.execute(_OLDEST, (at_most - deleted,)).rowcount
            if deleted:
                request_index.drop_empty(self._connection)
            return deleted

    def used_bytes(self) -> int:
        """Return how many bytes of the file hold data; deleted rows leave room that is used again."""
        pages = self._rows("PRAGMA page_count", ())[0][0] - self._rows("PRAGMA freelist_count", ())[0][0]
        return int(pages) * int(self._page_bytes)

    def _row(self, event: DecisionEvent) -> tuple[Any, ...]:
        plan = self._plans.get(event.plan)
        return row_of(event, self._plan(event.plan) if plan is None else plan)

    def _plan(self, digest: str) -> int:
        self._connection.execute("INSERT OR IGNORE INTO plans (digest) VALUES (?)", (digest,))
        row: int = self._connection.execute("SELECT id FROM plans WHERE digest = ?", (digest,)).fetchone()[0]
        self._plans[digest] = row
        return row

    def _move(self, p: Position, expected: Position | None) -> None:
        row = self._connection.execute(f"{_POSITION} device = ? AND inode = ?", (p.device, p.inode)).fetchone()
        if (Position(*row) if row else None) != expected:
            raise PositionConflictError(f"another process collects the log of {p.spool!r}")
        self._connection.execute(
            "INSERT OR REPLACE INTO positions (device, inode, spool, offset, head_length, head) VALUES (?,?,?,?,?,?)",
            (p.device, p.inode, p.spool, p.offset, p.head_length, p.head),
        )

    def _keep(self, bad: Sequence[Aside]) -> None:
        if not bad:
            return
        self._connection.executemany(
            "INSERT INTO bad_lines (time, spool, reason, excerpt) VALUES (?,?,?,?)",
            [(line.time, line.spool, line.reason, line.excerpt) for line in bad[-_KEPT_BAD_LINES:]],
        )
        self._connection.execute(
            "DELETE FROM bad_lines WHERE id <= (SELECT max(id) FROM bad_lines) - ?", (_KEPT_BAD_LINES,)
        )
