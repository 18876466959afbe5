"""Tickets: something put aside under a random handle, for a short time, to be taken once.

Pushed authorization requests (RFC 9126), authorization requests that wait for a login, passkey challenges.
"""

from dataclasses import dataclass
from typing import Any, Final

from ringwall.identity.store.driver import BATCH, Driver, Row, Statement, packed, unpacked
from ringwall.identity.store.errors import HandleRefusedError
from ringwall.identity.store.handles import digest, new_handle
from ringwall.model.secret import Secret

_COLUMNS: Final = "owner, payload, created, expires"
_PUT: Final = Statement("""
    INSERT INTO tickets (digest, kind, owner, payload, created, expires)
    VALUES (:digest, :kind, :owner, :payload, :now, :expires)
""")
_MATCH: Final = "digest = :digest AND kind = :kind AND owner = :owner AND expires > :now"
_READ: Final = Statement("SELECT {columns} FROM tickets WHERE {match}", columns=_COLUMNS, match=_MATCH)
_TAKE: Final = Statement("DELETE FROM tickets WHERE {match} RETURNING {columns}", match=_MATCH, columns=_COLUMNS)
_REPLACE: Final = Statement(
    "UPDATE tickets SET payload = :payload WHERE {match} RETURNING {columns}", match=_MATCH, columns=_COLUMNS
)
_SWEEP: Final = Statement("""
    DELETE FROM tickets WHERE digest IN (SELECT digest FROM tickets WHERE expires <= :now ORDER BY expires LIMIT :batch)
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """What was put aside.

    Attributes:
        owner: who alone can take it: a client, a session, or an empty string for whoever has the handle.
        payload: what was put in.
        created: seconds since the epoch.
        expires: seconds since the epoch.
    """

    owner: str
    payload: dict[str, Any]
    created: float
    expires: float


class Tickets:
    """Tickets of one kind; those of other kinds are not found."""

    def __init__(self, driver: Driver, kind: str) -> None:
        self._driver = driver
        self._kind = kind

    async def put(self, *, owner: str, payload: dict[str, Any], now: float, seconds: float) -> Secret:
        """Put something aside for `seconds`, and return its handle."""
        handle = new_handle()
        await self._driver.run(
            _PUT,
            digest=digest(handle),
            kind=self._kind,
            owner=owner,
            payload=packed(payload),
            now=now,
            expires=now + seconds,
        )
        return handle

    async def read(self, handle: Secret, *, owner: str, now: float) -> Ticket:
        """Return a ticket and leave it there; HandleRefusedError where `take` would raise it."""
        return _ticket(
            await self._driver.row(_READ, digest=digest(handle), kind=self._kind, owner=owner, now=now), self._kind
        )

    async def replace(self, handle: Secret, *, owner: str, payload: dict[str, Any], now: float) -> Ticket:
        """Put something else under the same handle, until the same time; HandleRefusedError as for `take`."""
        return _ticket(
            await self._driver.row(
                _REPLACE, digest=digest(handle), kind=self._kind, owner=owner, payload=packed(payload), now=now
            ),
            self._kind,
        )

    async def take(self, handle: Secret, *, owner: str, now: float) -> Ticket:
        """Take a ticket away and return it.

        Of any number of callers, in any number of processes, exactly one gets it.

        Raises:
            HandleRefusedError: unknown, expired, taken before, or another owner's; nothing was changed.
        """
        return _ticket(
            await self._driver.row(_TAKE, digest=digest(handle), kind=self._kind, owner=owner, now=now), self._kind
        )


async def sweep_tickets(driver: Driver, *, now: float) -> int:
    """Delete some of the tickets, of any kind, that have expired, and return how many."""
    return await driver.run(_SWEEP, now=now, batch=BATCH)


def _ticket(row: Row | None, kind: str) -> Ticket:
    if row is None:
        raise HandleRefusedError(f"this {kind} is unknown, expired or used, or somebody else's")
    return Ticket(owner=row[0], payload=unpacked(row[1]), created=row[2], expires=row[3])
