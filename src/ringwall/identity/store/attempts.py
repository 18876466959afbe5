"""Counting attempts, so that guessing can be slowed down, by all processes together."""

import hashlib
from typing import Final

from ringwall.identity.store.driver import BATCH, Driver, Statement

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


class AttemptBudgets:
    """Budgets that refill: so many attempts at once, then one in so many seconds (ITU-T I.371, virtual scheduling).

    `expires` of the table is when a budget will be full again, and need not be known any more. Keys are stored as
    hashes.
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
        name = _digest(kind, key)
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
        await self._driver.run(_GIVE_BACK, digest=_digest(kind, key), seconds=seconds)

    async def sweep(self, *, now: float) -> int:
        """Delete some of the budgets that are full again, and return how many."""
        return await self._driver.run(_SWEEP, now=now, batch=BATCH)


def _digest(kind: str, key: str) -> bytes:
    return hashlib.sha256(f"{len(kind)}:{kind}{key}".encode(errors="surrogatepass")).digest()
