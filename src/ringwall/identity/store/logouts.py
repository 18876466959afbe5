"""Which clients a login session has signed somebody in to, and which of them must be told that it has ended.

A row is there from a client's first tokens until the client was told. `LoginSessions` makes it due in the same
transaction in which the session ends, whatever ended it, so nothing is forgotten when a process dies. Several
processes send without sending twice: whoever claims a row puts it off for everybody else.
"""

from dataclasses import dataclass
from typing import Final

from ringwall.identity.store.driver import Driver, Row, Statement

_COLUMNS: Final = "session, client, account, since, attempts"
_JOIN: Final = Statement("""
    INSERT INTO logouts (session, client, account, since, due, attempts)
    SELECT id, :client, account, NULL, NULL, 0 FROM sessions WHERE id = :session AND ended IS NULL
    ON CONFLICT (session, client) DO NOTHING
""")
ENDED_IS_DUE: Final = Statement("""
    UPDATE logouts SET since = :now, due = :now WHERE session = :session AND since IS NULL
""")
"""Lets clients be told that one session has ended; for the transaction that ends it."""
EXPIRED_ARE_DUE: Final = Statement("""
    UPDATE logouts SET since = :now, due = :now WHERE since IS NULL AND session IN
        (SELECT id FROM sessions WHERE expires <= :now ORDER BY expires LIMIT :batch)
""")
"""Lets clients be told of sessions that have expired, before those are deleted."""
_WAITING: Final = Statement("""
    SELECT DISTINCT client FROM logouts WHERE due <= :now LIMIT :limit
""")
_CLAIM: Final = Statement(
    """
    UPDATE logouts SET due = :until, attempts = attempts + 1
    WHERE client = :client AND due <= :now AND session =
        (SELECT session FROM logouts WHERE client = :client AND due <= :now ORDER BY due LIMIT 1)
    RETURNING {columns}
""",
    columns=_COLUMNS,
)
_DONE: Final = Statement("DELETE FROM logouts WHERE session = :session AND client = :client")
_PUT_OFF: Final = Statement("""
    UPDATE logouts SET due = :until, attempts = CASE WHEN attempts < :attempts THEN :attempts ELSE attempts END
    WHERE client = :client AND (due <= :now OR session = :session) AND since IS NOT NULL
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Logout:
    """One client that must be told that one session has ended.

    Attributes:
        session: id of the session (`sid`).
        client: who is to be told.
        account: whose session it was (`sub`).
        since: when it ended.
        attempts: how often this was tried, the attempt included for which it was claimed.
    """

    session: str
    client: str
    account: str
    since: float
    attempts: int


class Logouts:
    """What clients must be told of sessions."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def join(self, *, session: str, client: str) -> None:
        """Note that a client is to be told when a session ends. To be called before looking whether it has ended."""
        await self._driver.run(_JOIN, session=session, client=client)

    async def waiting(self, *, now: float, limit: int = 100) -> tuple[str, ...]:
        """Return clients that are to be told something now."""
        return tuple(row[0] for row in await self._driver.rows(_WAITING, now=now, limit=limit))

    async def claim(self, client: str, *, now: float, seconds: float) -> Logout | None:
        """Return what a client is to be told now, for the caller alone and for so many seconds; None for nothing."""
        rows = await self._driver.rows(_CLAIM, client=client, now=now, until=now + seconds)
        return _logout(rows[0]) if rows else None

    async def done(self, logout: Logout) -> None:
        """Forget it: the client was told, or never will be."""
        await self._driver.run(_DONE, session=logout.session, client=logout.client)

    async def put_off(self, logout: Logout, *, now: float, seconds: float) -> None:
        """Try again later, with everything else that this client is to be told: it was not to be reached."""
        await self._driver.run(
            _PUT_OFF,
            client=logout.client,
            session=logout.session,
            attempts=logout.attempts,
            now=now,
            until=now + seconds,
        )


def _logout(row: Row) -> Logout:
    return Logout(session=row[0], client=row[1], account=row[2], since=row[3], attempts=row[4])
