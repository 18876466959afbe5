"""Invitations: links by which people make their account, or get back into it."""

from dataclasses import dataclass
from typing import Any, Final

from ringwall.identity.store.driver import BATCH, Driver, Row, Statement, packed, unpacked
from ringwall.identity.store.errors import HandleRefusedError
from ringwall.identity.store.handles import digest, new_handle, new_id
from ringwall.model.secret import Secret

_COLUMNS: Final = "id, author, payload, created, expires"
_PUT: Final = Statement(
    """
    INSERT INTO invitations (id, digest, author, payload, created, expires)
    VALUES (:id, :digest, :author, :payload, :now, :expires) RETURNING {columns}
    """,
    columns=_COLUMNS,
)
_READ: Final = Statement(
    "SELECT {columns} FROM invitations WHERE digest = :digest AND expires > :now", columns=_COLUMNS
)
_TAKE: Final = Statement(
    "DELETE FROM invitations WHERE digest = :digest AND expires > :now RETURNING {columns}", columns=_COLUMNS
)
_PENDING: Final = Statement(
    "SELECT {columns} FROM invitations WHERE expires > :now ORDER BY expires, id LIMIT :limit", columns=_COLUMNS
)
_CANCEL: Final = Statement("DELETE FROM invitations WHERE id = :id RETURNING id")
_SWEEP: Final = Statement("""
    DELETE FROM invitations
    WHERE id IN (SELECT id FROM invitations WHERE expires <= :now ORDER BY expires LIMIT :batch)
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """An invitation that was not accepted yet.

    Attributes:
        id: names it in lists; not secret.
        author: who invited.
        payload: whom, and as what: e-mail address, roles, groups, or the account it leads back into.
        created: seconds since the epoch.
        expires: seconds since the epoch.
    """

    id: str
    author: str
    payload: dict[str, Any]
    created: float
    expires: float


class Invitations:
    """The invitations that wait."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def put(
        self, *, author: str, payload: dict[str, Any], now: float, seconds: float
    ) -> tuple[Secret, Invitation]:
        """Make an invitation that can be accepted for `seconds`; return the handle for its link, and it."""
        handle = new_handle()
        rows = await self._driver.rows(
            _PUT,
            id=new_id(),
            digest=digest(handle),
            author=author,
            payload=packed(payload),
            now=now,
            expires=now + seconds,
        )
        return handle, _invitation(rows[0])

    async def read(self, handle: Secret, *, now: float) -> Invitation:
        """Return an invitation and leave it there; HandleRefusedError where `take` would raise it."""
        return _found(await self._driver.row(_READ, digest=digest(handle), now=now))

    async def take(self, handle: Secret, *, now: float) -> Invitation:
        """Use an invitation up. Of any number of callers, in any number of processes, exactly one gets it.

        Raises:
            HandleRefusedError: unknown, expired, cancelled or used.
        """
        return _found(await self._driver.row(_TAKE, digest=digest(handle), now=now))

    async def pending(self, *, now: float, limit: int = 100) -> tuple[Invitation, ...]:
        """Return the invitations that wait, those that expire first at the front."""
        return tuple(map(_invitation, await self._driver.rows(_PENDING, now=now, limit=limit)))

    async def cancel(self, invitation: str) -> bool:
        """Take an invitation back by its id; return whether there was one."""
        return await self._driver.row(_CANCEL, id=invitation) is not None

    async def sweep(self, *, now: float) -> int:
        """Delete some of the invitations that have expired, and return how many."""
        return await self._driver.run(_SWEEP, now=now, batch=BATCH)


def _found(row: Row | None) -> Invitation:
    if row is None:
        raise HandleRefusedError("the invitation is unknown, expired or used")
    return _invitation(row)


def _invitation(row: Row) -> Invitation:
    return Invitation(id=row[0], author=row[1], payload=unpacked(row[2]), created=row[3], expires=row[4])
