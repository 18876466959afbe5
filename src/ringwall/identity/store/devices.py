"""Device authorization (RFC 8628): a code that a device polls with, and one that a person types in elsewhere."""

import hashlib
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from ringwall.identity.store.driver import BATCH, Driver, Row, Statement, packed, unpacked
from ringwall.identity.store.errors import HandleRefusedError, StoreError
from ringwall.identity.store.handles import digest, new_handle, new_id
from ringwall.model.secret import Secret

ALPHABET: Final = "BCDFGHJKLMNPQRSTVWXZ"
"""The letters of user codes: no vowels, so no words, and nothing that is easily mistaken (section 6.1)."""
USER_CODE_LETTERS: Final = 8
SLOWER_SECONDS: Final = 5
"""What each poll that comes too early adds to the interval (section 3.5)."""
_ATTEMPTS: Final = 5

_COLUMNS: Final = "client, payload, state, account, session, decision, family, pause, created, expires"
_START: Final = Statement("""
    INSERT INTO devices (digest, user_digest, client, payload, state, account, session, decision, family, pause,
                         polled, created, expires)
    VALUES (:digest, :user_digest, :client, :payload, 'waiting', '', '', '{}', :family, :interval, NULL, :now, :expires)
    ON CONFLICT (user_digest) DO NOTHING RETURNING family
""")
_FIND: Final = Statement(
    """
    SELECT {columns} FROM devices WHERE user_digest = :user_digest AND state = 'waiting' AND expires > :now
""",
    columns=_COLUMNS,
)
_DECIDE: Final = Statement(
    """
    UPDATE devices SET state = :state, account = :account, session = :session, decision = :decision
    WHERE user_digest = :user_digest AND state = 'waiting' AND expires > :now RETURNING {columns}
""",
    columns=_COLUMNS,
)
_TAKE: Final = Statement(
    """
    UPDATE devices SET state = 'taken'
    WHERE digest = :digest AND client = :client AND state = 'approved' AND expires > :now RETURNING {columns}
""",
    columns=_COLUMNS,
)
_POLL: Final = Statement("""
    UPDATE devices SET polled = :now
    WHERE digest = :digest AND client = :client AND state = 'waiting' AND expires > :now
        AND (polled IS NULL OR polled + pause <= :now)
    RETURNING pause
""")
_SLOWER: Final = Statement("""
    UPDATE devices SET polled = :now, pause = pause + :more
    WHERE digest = :digest AND client = :client AND state = 'waiting' AND expires > :now RETURNING pause
""")
_READ: Final = Statement("SELECT state, expires FROM devices WHERE digest = :digest AND client = :client")
_SWEEP: Final = Statement("""
    DELETE FROM devices
    WHERE digest IN (SELECT digest FROM devices WHERE expires <= :before ORDER BY expires LIMIT :batch)
""")
_REMEMBERED_SECONDS: Final = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device that asks for access.

    Attributes:
        client: the client that runs on it.
        payload: what it asks for.
        state: `waiting`, `approved`, `denied` or `taken`.
        account: id of the person who approved it, or an empty string.
        session: id of the login session in which they did, or an empty string.
        decision: what the page put in on approval: scopes granted, `auth_time`, …
        family: id that its refresh tokens must have (`families.start`), and that its access tokens should carry.
        interval: how many seconds it must wait between two polls.
        created: seconds since the epoch.
        expires: seconds since the epoch.
    """

    client: str
    payload: dict[str, Any]
    state: str
    account: str
    session: str
    decision: dict[str, Any]
    family: str
    interval: int
    created: float
    expires: float


class Poll(StrEnum):
    """What a device that polls is told while it gets nothing: the `error` of RFC 8628, section 3.5."""

    PENDING = "authorization_pending"
    SLOW_DOWN = "slow_down"
    DENIED = "access_denied"
    EXPIRED = "expired_token"


class Devices:
    """The devices that wait."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def start(
        self, *, client: str, payload: dict[str, Any], now: float, seconds: float, interval: int = 5
    ) -> tuple[Secret, str]:
        """Return a device code and a user code (eight letters, without a hyphen) that live for `seconds`."""
        for _ in range(_ATTEMPTS):
            handle = new_handle()
            user_code = "".join(secrets.choice(ALPHABET) for _ in range(USER_CODE_LETTERS))
            row = await self._driver.row(
                _START,
                digest=digest(handle),
                user_digest=_user_digest(user_code),
                client=client,
                payload=packed(payload),
                family=new_id(),
                interval=interval,
                now=now,
                expires=now + seconds,
            )
            if row is not None:
                return handle, user_code
        raise StoreError("no free user code was found", hint="are there billions of devices waiting?")

    async def find(self, user_code: str, *, now: float) -> Device | None:
        """Return the waiting device of a user code, in any case, with or without hyphens and spaces; else None."""
        row = await self._driver.row(_FIND, user_digest=_user_digest(user_code), now=now)
        return None if row is None else _device(row)

    async def approve(
        self, user_code: str, *, account: str, session: str, decision: dict[str, Any], now: float
    ) -> Device:
        """Let a device in; HandleRefusedError where it is not (or no longer) waiting. One decision is ever made."""
        return await self._decide(user_code, now, state="approved", account=account, session=session, decision=decision)

    async def deny(self, user_code: str, *, now: float) -> Device:
        """Refuse a device; HandleRefusedError where it is not (or no longer) waiting."""
        return await self._decide(user_code, now, state="denied", account="", session="", decision={})

    async def _decide(
        self, user_code: str, now: float, *, state: str, account: str, session: str, decision: dict[str, Any]
    ) -> Device:
        row = await self._driver.row(
            _DECIDE,
            user_digest=_user_digest(user_code),
            state=state,
            account=account,
            session=session,
            decision=packed(decision),
            now=now,
        )
        if row is None:
            raise HandleRefusedError("the user code is unknown or expired, or was decided on before")
        return _device(row)

    async def poll(self, handle: Secret, *, client: str, now: float) -> Device | Poll:
        """Return the device once it has been approved, or what to tell it until then.

        Of any number of polls of an approved device exactly one gets it; later ones raise HandleRefusedError, as do
        unknown codes and those of another client. A poll that comes before the interval is over lengthens it for good.
        """
        key = digest(handle)
        if (row := await self._driver.row(_TAKE, digest=key, client=client, now=now)) is not None:
            return _device(row)
        if await self._driver.row(_POLL, digest=key, client=client, now=now) is not None:
            return Poll.PENDING
        slower = await self._driver.row(_SLOWER, digest=key, client=client, now=now, more=SLOWER_SECONDS)
        if slower is not None:
            return Poll.SLOW_DOWN
        row = await self._driver.row(_READ, digest=key, client=client)
        if row is None or row[0] == "taken":
            raise HandleRefusedError("the device code is unknown or used, or was given to another client")
        if row[0] == "approved" and row[1] > now:
            return Poll.PENDING  # approved since the first look; the next poll gets it
        return Poll.DENIED if row[0] == "denied" else Poll.EXPIRED

    async def sweep(self, *, now: float) -> int:
        """Delete some of the devices that expired an hour ago, and return how many."""
        return await self._driver.run(_SWEEP, before=now - _REMEMBERED_SECONDS, batch=BATCH)


def _user_digest(user_code: str) -> bytes:
    letters = "".join(letter for letter in user_code[:64].upper() if letter in ALPHABET)
    return hashlib.sha256(letters.encode()).digest()


def _device(row: Row) -> Device:
    return Device(
        client=row[0],
        payload=unpacked(row[1]),
        state=row[2],
        account=row[3],
        session=row[4],
        decision=unpacked(row[5]),
        family=row[6],
        interval=row[7],
        created=row[8],
        expires=row[9],
    )
