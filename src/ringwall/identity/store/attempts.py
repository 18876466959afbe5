"""Counting attempts, so that guessing can be slowed down, by all processes together."""

import hashlib
from dataclasses import dataclass
from typing import Final

from ringwall.identity.store.driver import BATCH, Driver, Row, Statement

_COLUMNS: Final = "count, first, last, expires"
_ADD: Final = Statement(
    """
    INSERT INTO attempts (digest, count, first, last, expires) VALUES (:digest, 1, :now, :now, :expires)
    ON CONFLICT (digest) DO UPDATE SET
        count = CASE WHEN attempts.expires <= :now THEN 1 ELSE attempts.count + 1 END,
        first = CASE WHEN attempts.expires <= :now THEN excluded.first ELSE attempts.first END,
        last = excluded.last, expires = excluded.expires
    RETURNING {columns}
    """,
    columns=_COLUMNS,
)
_READ: Final = Statement("SELECT {columns} FROM attempts WHERE digest = :digest AND expires > :now", columns=_COLUMNS)
_FORGET: Final = Statement("DELETE FROM attempts WHERE digest = :digest")
_SWEEP: Final = Statement("""
    DELETE FROM attempts
    WHERE digest IN (SELECT digest FROM attempts WHERE expires <= :now ORDER BY expires LIMIT :batch)
""")
_FULL_AT: Final = """
    CASE WHEN attempts.expires <= attempts.last AND attempts.last > :now THEN :now
        WHEN attempts.last > :now THEN :now + attempts.expires - attempts.last
        WHEN attempts.expires > :now THEN attempts.expires ELSE :now END
"""
"""A clock that was turned back since leaves a budget as it was then: as empty, and no emptier."""
_TAKE: Final = Statement(
    """
    INSERT INTO attempts (digest, count, first, last, expires) VALUES (:digest, 1, :now, :now, :expires)
    ON CONFLICT (digest) DO UPDATE SET count = attempts.count + 1, last = excluded.last, expires = {full_at} + :seconds
        WHERE {full_at} + :seconds <= :limit
    RETURNING expires
    """,
    full_at=_FULL_AT,
)
_WAIT: Final = Statement("SELECT expires, last FROM attempts WHERE digest = :digest")
_TURN_BACK: Final = Statement(
    "UPDATE attempts SET expires = {full_at}, last = :now WHERE digest = :digest AND last > :now RETURNING expires",
    full_at=_FULL_AT,
)
_GIVE_BACK: Final = Statement("UPDATE attempts SET expires = expires - :seconds WHERE digest = :digest")
_ROUNDING: Final = 0.001
_BUDGET: Final = "budget:"
"""Keeps budgets apart from counts of the same kind and key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """What was counted under one key.

    Attributes:
        count: how many attempts there were since the count began; 0 for none.
        first: when the first of them was, in seconds since the epoch.
        last: when the latest was.
        expires: when the count begins anew, unless there is another before.
    """

    count: int
    first: float
    last: float
    expires: float


class AttemptCounters:
    """The counts that have not run out."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def add(self, kind: str, key: str, *, now: float, seconds: float) -> Attempts:
        """Count one more, and return the count with it; it is forgotten when there is none for `seconds`.

        Each of any number of callers, in any number of processes, gets another count. So who counts before trying,
        and forgets after success, cannot be outrun by guessing in parallel. Keys are stored as hashes.
        """
        rows = await self._driver.rows(_ADD, digest=_digest(kind, key), now=now, expires=now + seconds)
        return _attempts(rows[0])

    async def read(self, kind: str, key: str, *, now: float) -> Attempts:
        """Return the count without adding to it."""
        row = await self._driver.row(_READ, digest=_digest(kind, key), now=now)
        return Attempts(count=0, first=now, last=now, expires=now) if row is None else _attempts(row)

    async def forget(self, kind: str, key: str) -> None:
        """Begin anew, after a success."""
        await self._driver.run(_FORGET, digest=_digest(kind, key))

    async def sweep(self, *, now: float) -> int:
        """Delete some of the counts that have run out, and return how many."""
        return await self._driver.run(_SWEEP, now=now, batch=BATCH)


class AttemptBudgets:
    """Budgets that refill: so many attempts at once, then one in so many seconds (ITU-T I.371, virtual scheduling).

    Kept in the same table: `expires` is when a budget will be full again, and need not be known any more.
    """

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def take(self, kind: str, key: str, *, burst: int, seconds: float, now: float) -> float:
        """Take one attempt from a budget; return 0, or how many seconds to wait where none is left.

        Of any number of callers at once, in any number of processes, no more than are in the budget get 0. What is
        refused costs nothing.

        Args:
            kind: of budget; kinds do not meet.
            key: whose it is; only its hash is stored.
            burst: attempts in a full budget.
            seconds: until there is one more.
            now: seconds since the epoch.
        """
        name = _digest(_BUDGET + kind, key)
        limit = now + burst * seconds + _ROUNDING
        taken = await self._driver.row(_TAKE, digest=name, now=now, expires=now + seconds, seconds=seconds, limit=limit)
        if taken is not None:
            return 0.0
        row = await self._driver.row(_WAIT, digest=name)
        if row is not None and row[1] > now:  # or it would not refill before the clock is there again
            row = await self._driver.row(_TURN_BACK, digest=name, now=now) or row
        return max(_ROUNDING, row[0] + seconds - limit) if row else _ROUNDING

    async def give_back(self, kind: str, key: str, *, seconds: float) -> None:
        """Return one attempt to a budget, because it was right."""
        await self._driver.run(_GIVE_BACK, digest=_digest(_BUDGET + kind, key), seconds=seconds)


def _digest(kind: str, key: str) -> bytes:
    return hashlib.sha256(f"{len(kind)}:{kind}{key}".encode(errors="surrogatepass")).digest()


def _attempts(row: Row) -> Attempts:
    return Attempts(count=row[0], first=row[1], last=row[2], expires=row[3])
