"""Who did what: the record of sign-ins, of changes that people make to their account, and of administration."""

from dataclasses import dataclass
from typing import Any, Final

from ringwall.identity.store.driver import BATCH, Driver, Row, Statement, packed, unpacked
from ringwall.identity.store.handles import new_id

KEPT_SECONDS: Final = 180 * 86_400.0
"""How long events are kept unless somebody says otherwise."""
_END_OF_TIME: Final = 1e18
_LAST_ID: Final = "~"

_COLUMNS: Final = "id, time, act, actor, subject, payload"
_ADD: Final = Statement(
    """
    INSERT INTO events (id, time, act, actor, subject, payload)
    VALUES (:id, :now, :act, :actor, :subject, :payload) RETURNING {columns}
    """,
    columns=_COLUMNS,
)
_BEFORE: Final = "(time, id) < (:time, :id) ORDER BY time DESC, id DESC LIMIT :limit"
_PAGE: Final = Statement("SELECT {columns} FROM events WHERE {before}", columns=_COLUMNS, before=_BEFORE)
_BY_ACTOR: Final = Statement(
    "SELECT {columns} FROM events WHERE actor = :actor AND {before}", columns=_COLUMNS, before=_BEFORE
)
_BY_SUBJECT: Final = Statement(
    "SELECT {columns} FROM events WHERE subject = :subject AND {before}", columns=_COLUMNS, before=_BEFORE
)
_AFTER: Final = "(time, id) > (:time, :id) AND time <= :until ORDER BY time, id LIMIT :limit"
_SINCE: Final = Statement("SELECT {columns} FROM events WHERE {after}", columns=_COLUMNS, after=_AFTER)
_SWEEP: Final = Statement("""
    DELETE FROM events WHERE id IN (SELECT id FROM events WHERE time <= :before ORDER BY time LIMIT :batch)
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityEvent:
    """One thing that happened.

    Attributes:
        id: names it; not secret.
        time: seconds since the epoch.
        act: what was done, such as `signed-in` or `passkey-added`.
        actor: who did it: an account's or client's id, or an administrator's name; empty if unknown.
        subject: to whom or what.
        payload: the rest. Never secrets.
    """

    id: str
    time: float
    act: str
    actor: str
    subject: str
    payload: dict[str, Any]


class IdentityEvents:
    """All events that have not been swept."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def add(self, act: str, *, actor: str, subject: str, payload: dict[str, Any], now: float) -> IdentityEvent:
        """Record an event; it is stored when this returns."""
        rows = await self._driver.rows(
            _ADD, id=new_id(), act=act, actor=actor, subject=subject, payload=packed(payload), now=now
        )
        return _event(rows[0])

    async def page(self, *, before: IdentityEvent | None = None, limit: int = 100) -> tuple[IdentityEvent, ...]:
        """Return events, the newest first, beginning after the last one of the page before."""
        return _events(await self._driver.rows(_PAGE, **_place(before), limit=limit))

    async def since(self, time: float, event: str, *, until: float, limit: int = 100) -> tuple[IdentityEvent, ...]:
        """Return what came after one event, known by its time and id (0 and "" for the first), the oldest first.

        Whoever follows should ask only `until` a moment ago: processes do not write in the order of their clocks.
        """
        return _events(await self._driver.rows(_SINCE, time=time, id=event, until=until, limit=limit))

    async def by_actor(
        self, actor: str, *, before: IdentityEvent | None = None, limit: int = 100
    ) -> tuple[IdentityEvent, ...]:
        """Return what somebody did, as `page` does."""
        return _events(await self._driver.rows(_BY_ACTOR, actor=actor, **_place(before), limit=limit))

    async def by_subject(
        self, subject: str, *, before: IdentityEvent | None = None, limit: int = 100
    ) -> tuple[IdentityEvent, ...]:
        """Return what was done to somebody or something, as `page` does."""
        return _events(await self._driver.rows(_BY_SUBJECT, subject=subject, **_place(before), limit=limit))

    async def sweep(self, *, now: float, kept_seconds: float = KEPT_SECONDS) -> int:
        """Delete some of the events that are older than `kept_seconds`, and return how many."""
        return await self._driver.run(_SWEEP, before=now - kept_seconds, batch=BATCH)


def _place(before: IdentityEvent | None) -> dict[str, Any]:
    return {"time": _END_OF_TIME, "id": _LAST_ID} if before is None else {"time": before.time, "id": before.id}


def _events(rows: Any) -> tuple[IdentityEvent, ...]:
    return tuple(map(_event, rows))


def _event(row: Row) -> IdentityEvent:
    return IdentityEvent(id=row[0], time=row[1], act=row[2], actor=row[3], subject=row[4], payload=unpacked(row[5]))
