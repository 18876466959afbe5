"""Login sessions of people: what a browser's cookie at the issuer stands for."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from ringwall.identity.store.driver import BATCH, Driver, Row, Session, Statement, packed, unpacked
from ringwall.identity.store.handles import digest, new_handle, new_id
from ringwall.identity.store.logouts import ENDED_IS_DUE, EXPIRED_ARE_DUE
from ringwall.identity.store.origins import Origin
from ringwall.model.secret import Secret

TOUCH_SECONDS: Final = 60.0
"""How old `seen` may become before a use is written down, so that most uses write nothing."""

_LONGEST: Final = 1e9  # seconds: more than any session has left
_COLUMNS: Final = "id, account, payload, authenticated, created, seen, expires, final, ended, reason"
_LIVE: Final = "ended IS NULL AND expires > :now"
_SOONER: Final = """
    final = CASE WHEN final < :final THEN final ELSE :final END,
    expires = CASE WHEN final < :idle AND final < :final THEN final WHEN :final < :idle THEN :final ELSE :idle END
"""
_IDLE: Final = "expires = CASE WHEN final < :idle THEN final ELSE :idle END"
_START: Final = Statement(
    """
    INSERT INTO sessions (id, digest, account, payload, authenticated, created, seen, expires, final, ended, reason,
        origin_person, origin_session)
    VALUES (:id, :digest, :account, :payload, :authenticated, :now, :now, :expires, :final, NULL, '',
        :origin_person, :origin_session)
    RETURNING {columns}
""",
    columns=_COLUMNS,
)
_READ: Final = Statement(
    "SELECT {columns} FROM sessions WHERE digest = :digest AND {live}", columns=_COLUMNS, live=_LIVE
)
_TOUCH: Final = Statement(
    """
    UPDATE sessions SET seen = :now, {idle} WHERE digest = :digest AND {live} RETURNING {columns}
""",
    idle=_IDLE,
    live=_LIVE,
    columns=_COLUMNS,
)
_RENEW: Final = Statement(
    """
    UPDATE sessions SET digest = :fresh, payload = :payload, authenticated = :authenticated, seen = :now, {sooner}
    WHERE digest = :digest AND {live} RETURNING {columns}
""",
    sooner=_SOONER,
    live=_LIVE,
    columns=_COLUMNS,
)
_RENEW_THERE: Final = Statement(
    """
    UPDATE sessions SET digest = :fresh, payload = :payload, authenticated = :authenticated, seen = :now, {sooner},
        origin_person = :origin_person, origin_session = :origin_session
    WHERE digest = :digest AND {live} RETURNING {columns}
""",
    sooner=_SOONER,
    live=_LIVE,
    columns=_COLUMNS,
)
_GET: Final = Statement("SELECT {columns} FROM sessions WHERE id = :id", columns=_COLUMNS)
_OF_ACCOUNT: Final = Statement(
    """
    SELECT {columns} FROM sessions WHERE account = :account AND {live} ORDER BY created DESC LIMIT :limit
""",
    columns=_COLUMNS,
    live=_LIVE,
)
_OF_PERSON: Final = Statement(
    "SELECT {columns} FROM sessions WHERE origin_person = :person AND {live}", columns=_COLUMNS, live=_LIVE
)
_OF_SESSION: Final = Statement(
    "SELECT {columns} FROM sessions WHERE origin_session = :session AND {live}", columns=_COLUMNS, live=_LIVE
)
_OF_BOTH: Final = Statement(
    "SELECT {columns} FROM sessions WHERE origin_session = :session AND origin_person = :person AND {live}",
    columns=_COLUMNS,
    live=_LIVE,
)
_PAGE: Final = Statement(
    "SELECT {columns} FROM sessions WHERE id > :after AND {live} ORDER BY id LIMIT :limit", columns=_COLUMNS, live=_LIVE
)
_END: Final = Statement(
    "UPDATE sessions SET ended = :now, reason = :reason WHERE id = :id AND {live} RETURNING id", live=_LIVE
)
_END_ACCOUNT: Final = Statement(
    """
    UPDATE sessions SET ended = :now, reason = :reason WHERE account = :account AND id <> :spared AND {live}
    RETURNING id
""",
    live=_LIVE,
)
_SWEEP: Final = Statement("""
    DELETE FROM sessions WHERE id IN
        (SELECT id FROM sessions WHERE expires <= :now AND NOT EXISTS
            (SELECT 1 FROM logouts WHERE logouts.session = sessions.id AND logouts.since IS NULL)
        ORDER BY expires LIMIT :batch)
""")
"""Another process may have seen other sessions expire, so none goes whose clients are not to be told yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginSession:
    """A person who is signed in, in one browser.

    Attributes:
        id: names it in lists and as `sid` in ID tokens; not secret, and the same for the session's whole life.
        account: id of the person.
        payload: how they signed in (`amr`, `acr`) and from where.
        authenticated: when they last proved who they are (`auth_time`).
        created: when the session began.
        seen: when it was last used, to within TOUCH_SECONDS.
        expires: when it ends if it is not used.
        final: when it ends, however often it is used.
        ended: when it was ended, or None.
        reason: why it was ended.
    """

    id: str
    account: str
    payload: dict[str, Any]
    authenticated: float
    created: float
    seen: float
    expires: float
    final: float
    ended: float | None
    reason: str


class LoginSessions:
    """The sessions that people have, and those that were ended and not yet forgotten.

    Whatever ends a session lets its clients be told, within the same transaction (`Logouts`).

    Attributes:
        ended: set whenever this process has ended one; whoever waits for it clears it before looking.
    """

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self.ended: Final = asyncio.Event()

    async def start(
        self,
        *,
        account: str,
        payload: dict[str, Any],
        now: float,
        idle_seconds: float,
        final_seconds: float,
        authenticated: float | None = None,
        origin: Origin | None = None,
    ) -> tuple[Secret, LoginSession]:
        """Begin a session of a person who proved who they are at `authenticated`, by default just now.

        Where they did so at a provider of others, that can end the session by its `origin`.

        Return its handle (the cookie) and it.

        Always a fresh handle: one that a browser brought along is never taken over (session fixation).
        """
        handle = new_handle()
        rows = await self._driver.rows(
            _START,
            id=new_id(),
            digest=digest(handle),
            account=account,
            payload=packed(payload),
            authenticated=now if authenticated is None else authenticated,
            now=now,
            expires=now + min(idle_seconds, final_seconds),
            final=now + final_seconds,
            origin_person=None if origin is None else origin.person_key,
            origin_session=None if origin is None else origin.session_key,
        )
        return handle, _session(rows[0])

    async def read(self, handle: Secret, *, now: float) -> LoginSession | None:
        """Return the session of a handle, or None: unknown, expired or ended. Writes nothing."""
        row = await self._driver.row(_READ, digest=digest(handle), now=now)
        return None if row is None else _session(row)

    async def touch(self, handle: Secret, *, now: float, idle_seconds: float) -> LoginSession | None:
        """Return the session as `read` does, and put off its end to `idle_seconds` from now, but never past `final`.

        Writes only where its last written use is TOUCH_SECONDS old.
        """
        session = await self.read(handle, now=now)
        if session is None or now - session.seen < TOUCH_SECONDS:
            return session
        row = await self._driver.row(_TOUCH, digest=digest(handle), now=now, idle=now + idle_seconds)
        return None if row is None else _session(row)

    async def renew(
        self,
        handle: Secret,
        *,
        payload: dict[str, Any],
        now: float,
        idle_seconds: float,
        authenticated: float | None = None,
        origin: Origin | None = None,
        final_seconds: float = _LONGEST,
    ) -> tuple[Secret, LoginSession] | None:
        """Note that the same person has proven again who they are: new handle, payload and time, same id.

        Where they have not done so at a provider of others, the one where the session began can still end it.
        It ends in `final_seconds` at the latest, or when it was to end in any case.

        The old handle opens nothing any more. None where it opened nothing before, or another request has just
        renewed the session.
        """
        fresh = new_handle()
        values: dict[str, Any] = {
            "digest": digest(handle),
            "fresh": digest(fresh),
            "payload": packed(payload),
            "authenticated": now if authenticated is None else authenticated,
            "now": now,
            "idle": now + idle_seconds,
            "final": now + final_seconds,
        }
        if origin is not None:
            values |= {"origin_person": origin.person_key, "origin_session": origin.session_key}
        row = await self._driver.row(_RENEW if origin is None else _RENEW_THERE, **values)
        return (fresh, _session(row)) if row else None

    async def get(self, session: str) -> LoginSession | None:
        """Return a session by its id, also one that has ended; None where there is none."""
        row = await self._driver.row(_GET, id=session)
        return None if row is None else _session(row)

    async def of_account(self, account: str, *, now: float, limit: int = 100) -> tuple[LoginSession, ...]:
        """Return a person's living sessions, the newest first."""
        return tuple(map(_session, await self._driver.rows(_OF_ACCOUNT, account=account, now=now, limit=limit)))

    async def of_origin(self, origin: Origin, *, now: float) -> tuple[LoginSession, ...]:
        """Return the living sessions that began where a provider says: of a session there, a person, or both."""
        person, session = origin.person_key, origin.session_key
        chosen = _OF_PERSON if session is None else _OF_SESSION if person is None else _OF_BOTH
        rows = await self._driver.rows(chosen, person=person, session=session, now=now)
        return tuple(map(_session, rows))

    async def page(self, *, now: float, after: str = "", limit: int = 100) -> tuple[LoginSession, ...]:
        """Return everybody's living sessions in the order of their ids, beginning after that of the page before."""
        return tuple(map(_session, await self._driver.rows(_PAGE, after=after, now=now, limit=limit)))

    async def end(self, session: str, *, reason: str, now: float) -> bool:
        """End a session by its id; return whether it was alive until now. Its families are ended by the caller."""
        async with self._driver.transaction() as within:
            alive = await end_within(within, session, reason=reason, now=now)
        self.ended.set()
        return alive

    async def end_account(self, account: str, *, reason: str, now: float, spared: str = "") -> tuple[str, ...]:
        """End all of a person's sessions but the `spared` one; return the ids of those that were alive."""
        async with self._driver.transaction() as within:
            rows = await within.rows(_END_ACCOUNT, account=account, reason=reason, now=now, spared=spared)
            await _tell(within, rows, now)
        self.ended.set()
        return tuple(row[0] for row in rows)

    async def sweep(self, *, now: float) -> int:
        """Delete some of the sessions that have expired, and return how many."""
        await self._driver.run(EXPIRED_ARE_DUE, now=now, batch=BATCH)
        return await self._driver.run(_SWEEP, now=now, batch=BATCH)


async def end_within(within: Session, session: str, *, reason: str, now: float) -> bool:
    """End a session within a transaction, as `LoginSessions.end` does; whoever calls this sets `ended` afterwards."""
    rows = await within.rows(_END, id=session, reason=reason, now=now)
    await _tell(within, rows, now)
    return bool(rows)


async def _tell(within: Session, rows: Sequence[Row], now: float) -> None:
    for row in rows:
        await within.run(ENDED_IS_DUE, session=row[0], now=now)


def _session(row: Row) -> LoginSession:
    return LoginSession(
        id=row[0],
        account=row[1],
        payload=unpacked(row[2]),
        authenticated=row[3],
        created=row[4],
        seen=row[5],
        expires=row[6],
        final=row[7],
        ended=row[8],
        reason=row[9],
    )
