"""What verifiers must refuse although its signature is right, until it would have expired anyway.

The sequence number grows in the order in which revocations become visible: who has read up to number n, and asks for
what came after n, misses nothing, whatever process wrote it.
"""

import asyncio
from dataclasses import dataclass
from typing import Final

from ringwall.identity.store.driver import BATCH, Driver, Row, Session, Statement

_COLUMNS: Final = "kind, subject, sequence, reason, revoked, expires"
_NEXT: Final = Statement("""
    INSERT INTO counters (name, value) VALUES ('revocations', 1)
    ON CONFLICT (name) DO UPDATE SET value = counters.value + 1 RETURNING value
""")
_ADD: Final = Statement(
    """
    INSERT INTO revocations (kind, subject, sequence, reason, revoked, expires)
    VALUES (:kind, :subject, :sequence, :reason, :now, :expires)
    ON CONFLICT (kind, subject) DO UPDATE SET sequence = excluded.sequence, reason = excluded.reason,
        revoked = CASE WHEN revocations.revoked > excluded.revoked THEN revocations.revoked ELSE excluded.revoked END,
        expires = CASE WHEN revocations.expires > excluded.expires THEN revocations.expires ELSE excluded.expires END
    RETURNING {columns}
""",
    columns=_COLUMNS,
)
_SINCE: Final = Statement(
    """
    SELECT {columns} FROM revocations WHERE sequence > :sequence AND expires > :now ORDER BY sequence LIMIT :limit
""",
    columns=_COLUMNS,
)
_FIND: Final = Statement(
    """
    SELECT {columns} FROM revocations WHERE kind = :kind AND subject = :subject AND expires > :now
""",
    columns=_COLUMNS,
)
_REMOVE: Final = Statement("DELETE FROM revocations WHERE kind = :kind AND subject = :subject")
_LATEST: Final = Statement("SELECT value FROM counters WHERE name = 'revocations'")
_SWEEP: Final = Statement("""
    DELETE FROM revocations WHERE sequence IN
        (SELECT sequence FROM revocations WHERE expires <= :now ORDER BY expires LIMIT :batch)
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """One thing that is refused.

    Attributes:
        kind: what `subject` names: `token` (a `jti`), `family`, `session`, `account`, `client`, `workload`, …
        subject: its name.
        sequence: its place in the feed.
        reason: why, for people.
        revoked: when; of an account, client or workload, what was issued up to then is refused, and not what follows.
        expires: when nothing it concerns can be valid any more, so that it need not be known.
    """

    kind: str
    subject: str
    sequence: int
    reason: str
    revoked: float
    expires: float


class Revocations:
    """The revocations that still matter.

    Attributes:
        added: set whenever this process has added one; whoever waits for it clears it before looking.
    """

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self.added: Final = asyncio.Event()

    async def add(self, kind: str, subject: str, *, reason: str, now: float, expires: float) -> Revocation:
        """Revoke, and return the entry of the feed. A second time gives it a new number, and never an earlier end."""
        async with self._driver.transaction() as within:
            added = await add_within(within, kind, subject, reason=reason, now=now, expires=expires)
        self.added.set()
        return added

    async def since(self, sequence: int, *, now: float, limit: int = 1000) -> tuple[Revocation, ...]:
        """Return what came after a sequence number (0 for everything) and still matters, the oldest first.

        A reader whose number is above `latest` has seen a database that was since replaced by a backup, and begins
        again at 0.
        """
        rows = await self._driver.rows(_SINCE, sequence=sequence, now=now, limit=limit)
        return tuple(map(_revocation, rows))

    async def latest(self) -> int:
        """Return the highest sequence number so far, or 0. One small look-up, for those who poll."""
        row = await self._driver.row(_LATEST)
        return row[0] if row else 0

    async def find(self, kind: str, subject: str, *, now: float) -> Revocation | None:
        """Return the revocation of one thing, or None."""
        row = await self._driver.row(_FIND, kind=kind, subject=subject, now=now)
        return None if row is None else _revocation(row)

    async def remove(self, kind: str, subject: str) -> bool:
        """Forget a revocation, whose subject is to be believed again; return whether there was one."""
        return bool(await self._driver.run(_REMOVE, kind=kind, subject=subject))

    async def sweep(self, *, now: float) -> int:
        """Delete some of the revocations that no longer matter, and return how many."""
        return await self._driver.run(_SWEEP, now=now, batch=BATCH)


async def add_within(
    within: Session, kind: str, subject: str, *, reason: str, now: float, expires: float
) -> Revocation:
    """Add a revocation within a transaction: its number's row stays locked until then, which keeps the order."""
    sequence = (await within.rows(_NEXT))[0][0]
    rows = await within.rows(
        _ADD, kind=kind, subject=subject, sequence=sequence, reason=reason, now=now, expires=expires
    )
    return _revocation(rows[0])


def _revocation(row: Row) -> Revocation:
    return Revocation(kind=row[0], subject=row[1], sequence=row[2], reason=row[3], revoked=row[4], expires=row[5])
