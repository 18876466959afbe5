"""Families of refresh tokens: a chain in which each token can be used once (RFC 9700, section 4.14.2).

A token has a locator and a secret (see `refresh_tokens`). The locator finds the family and is the same in all its
tokens; only who has seen one of them knows it, so a known locator with a secret that is not the current one means that
an old token was used again. The database has the SHA-256 of the locator, of the current token and of the one before.

Parallel requests with one token must not look like theft, so for a short grace the former token gives, once more, the
very token that replaced it. To that end the new secret lies in the row, masked by a key that is derived from the
former secret: 32 random bytes under a mask that is used for nothing else. Who has only the database cannot lift it.
"""

import asyncio
import hmac
from collections.abc import Sequence
from typing import Any, Final

from ringwall.identity.store.driver import BATCH, Driver, Row, Session, packed
from ringwall.identity.store.errors import HandleRefusedError, HandleReusedError
from ringwall.identity.store.family import Family, Refreshed, family_of
from ringwall.identity.store.family_statements import (
    BY_ID,
    END_ACCOUNT,
    END_ACCOUNT_CLIENT,
    END_CLIENT,
    END_ONE,
    END_SESSION,
    FIND,
    FORBID,
    KEEP,
    OF_ACCOUNT,
    OF_CLIENT,
    POSTPONE,
    ROTATE,
    START,
    SWEEP,
)
from ringwall.identity.store.handles import new_id
from ringwall.identity.store.holders import holder_of
from ringwall.identity.store.refresh_tokens import RefreshToken
from ringwall.model.secret import Secret

GRACE_SECONDS: Final = 10.0
FORBIDDEN_SECONDS: Final = 86_400
"""How long a family that must never begin is remembered."""


class Families:
    """The refresh tokens that can be used, and the families that have been ended and not yet forgotten."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def start(
        self,
        *,
        client: str,
        account: str,
        session: str,
        payload: dict[str, Any],
        now: float,
        idle_seconds: float,
        final_seconds: float,
        binding: str = "",
        family: str = "",
    ) -> Refreshed:
        """Begin a family and return its first token.

        Args:
            family: the id to give it: that of the code (`Code.family`) or of the device grant; a fresh one if empty.
            client: who may use its tokens.
            account: id of the person, or an empty string.
            session: id of the login session, or an empty string.
            payload: what was granted.
            now: seconds since the epoch.
            idle_seconds: a token that is not used for so long expires.
            final_seconds: the family ends then, however often it is used.
            binding: what every use must prove to hold (`jkt:…`, `x5t#S256:…`).

        Raises:
            HandleRefusedError: there is already a family of that id, or there must not be one, because the code was
                used a second time meanwhile.
        """
        token = RefreshToken.first()
        row = await self._driver.row(
            START,
            id=family or new_id(),
            locator=token.place,
            client=client,
            account=account,
            session=session,
            binding=binding,
            payload=packed(payload),
            current=token.digest,
            now=now,
            expires=now + min(idle_seconds, final_seconds),
            final=now + final_seconds,
        )
        if row is None:
            raise HandleRefusedError("the grant has been ended before its first refresh token was made")
        return Refreshed(token=token.text, family=family_of(row), holder=None, repeated=False)

    async def read(self, token: Secret, *, client: str, now: float, replaced: bool = False) -> Family:
        """Return the family of a token that could be used, without using it; HandleRefusedError for any other.

        For introspection, and to check what is asked for before the token is used up. Never ends anything. With
        `replaced` also for the token before: who never got the answer with the new one may still end the family.
        """
        shown = RefreshToken.parse(token)
        row = await self._driver.row(FIND, locator=shown.place) if shown else None
        if shown is None or row is None:
            raise _refused()
        known = row[13:15] if replaced else row[13:14]
        if not any(each is not None and hmac.compare_digest(each, shown.digest) for each in known):
            raise _refused()
        family = family_of(row)
        if family.client != client or family.ended is not None or family.expires <= now:
            raise _refused()
        return family

    async def keep(
        self, token: Secret, *, client: str, now: float, idle_seconds: float, binding: str = ""
    ) -> Refreshed:
        """Use a token and leave it as it is, for clients whose tokens do not change; it lasts longer by that.

        Raises:
            HandleRefusedError: as for `rotate`, and for a token that was replaced; nothing was changed.
        """
        if (shown := RefreshToken.parse(token)) is None:
            raise _refused()
        row = await self._driver.row(
            KEEP,
            idle=now + idle_seconds,
            now=now,
            locator=shown.place,
            presented=shown.digest,
            client=client,
            binding=binding,
        )
        if row is None:
            raise _refused()
        return _refreshed(shown, row)

    async def rotate(
        self,
        token: Secret,
        *,
        client: str,
        now: float,
        idle_seconds: float,
        binding: str = "",
        grace_seconds: float = GRACE_SECONDS,
    ) -> Refreshed:
        """Use a token up and return its successor, and the person whose grant it is of, by one statement.

        Of any number of parallel requests with the same token, in any number of processes, one replaces it; the
        others get the same successor with `repeated` set, for `grace_seconds` from then and as long as the successor
        has not been used itself. The successor is stored before this returns.

        Raises:
            HandleReusedError: an old token of the family was used outside the grace (RFC 9700, section 4.14.2). The
                family has been ended. Raised once for each family; what is used later is refused without more.
            HandleRefusedError: malformed, unknown, expired or ended, another client's, or bound to something else
                than `binding`; nothing was changed.
        """
        if (shown := RefreshToken.parse(token)) is None:
            raise _refused()
        successor = shown.successor()
        row = await self._driver.row(
            ROTATE,
            next=successor.digest,
            sealed=shown.seal(successor),
            now=now,
            idle=now + idle_seconds,
            locator=shown.place,
            presented=shown.digest,
            client=client,
            binding=binding,
        )
        if row is not None:
            return _refreshed(successor, row)
        row = await self._driver.row(FIND, locator=shown.place)
        if row is None or (family := family_of(row)).client != client or family.binding != binding:
            raise _refused()
        if family.ended is not None or family.expires <= now:
            raise _refused()
        return await self._not_current(shown, row, now=now, grace=grace_seconds)

    async def _not_current(self, shown: RefreshToken, row: Row, *, now: float, grace: float) -> Refreshed:
        """Tell a parallel request from a token that was used again."""
        family, (current, previous, sealed) = family_of(row), row[13:16]
        if previous is not None and hmac.compare_digest(previous, shown.digest):
            successor = shown.unseal(sealed)
            if now - family.rotated <= grace and hmac.compare_digest(current, successor.digest):
                return _refreshed(successor, row, repeated=True)
        if not await self._driver.rows(END_ONE, id=family.id, now=now, reason="token-reused"):
            raise _refused()
        raise HandleReusedError(
            "an old refresh token was used again",
            family=family.id,
            client=family.client,
            account=family.account,
            session=family.session,
        )

    async def get(self, family: str) -> Family | None:
        """Return a family by its id, also one that has been ended; None where there is none."""
        row = await self._driver.row(BY_ID, id=family)
        return None if row is None else family_of(row)

    async def of_account(self, account: str, *, now: float, limit: int = 100) -> tuple[Family, ...]:
        """Return a person's living families, the newest first."""
        rows = await self._driver.rows(OF_ACCOUNT, account=account, now=now, limit=limit)
        return tuple(map(family_of, rows))

    async def of_client(self, client: str, *, now: float, after: str = "", limit: int = 100) -> tuple[Family, ...]:
        """Return a client's living families in the order of their ids, beginning after that of the page before."""
        rows = await self._driver.rows(OF_CLIENT, client=client, after=after, now=now, limit=limit)
        return tuple(map(family_of, rows))

    async def end(self, family: str, *, reason: str, now: float) -> bool:
        """End a family; return whether it was alive until now. Its tokens are refused from now on."""
        return bool(await self._driver.rows(END_ONE, id=family, reason=reason, now=now))

    async def end_account(self, account: str, *, reason: str, now: float, client: str = "") -> tuple[str, ...]:
        """End all of a person's families, or those with one client, and return the ids of those that were alive."""
        if client:
            rows = await self._driver.rows(END_ACCOUNT_CLIENT, account=account, client=client, reason=reason, now=now)
        else:
            rows = await self._driver.rows(END_ACCOUNT, account=account, reason=reason, now=now)
        return _ids(rows)

    async def end_client(self, client: str, *, reason: str, now: float) -> tuple[str, ...]:
        """End all families of a client, and return the ids of those that were alive."""
        return _ids(await self._driver.rows(END_CLIENT, client=client, reason=reason, now=now))

    async def end_session(self, session: str, *, reason: str, now: float) -> tuple[str, ...]:
        """End all families that came from a login session, and return the ids of those that were alive."""
        return _ids(await self._driver.rows(END_SESSION, session=session, reason=reason, now=now))

    async def sweep(self, *, now: float) -> int:
        """Delete some of the families whose tokens have expired anyway, and return how many.

        A family is looked at when its first token would have expired, and where it has been used since, again when
        its present token would: so no use of a token changes an index, which would cost more than the use itself.
        """
        postponed = BATCH
        while postponed >= BATCH:
            postponed = await self._driver.run(POSTPONE, now=now, batch=BATCH)
            await asyncio.sleep(0)  # others come first
        return await self._driver.run(SWEEP, now=now, batch=BATCH)


async def forbid(
    database: Session, *, family: str, client: str, account: str, session: str, reason: str, now: float
) -> None:
    """End a family, or, where it has not begun, see to it that it never does."""
    await database.run(
        FORBID,
        id=family,
        client=client,
        account=account,
        session=session,
        reason=reason,
        now=now,
        expires=now + FORBIDDEN_SECONDS,
    )


def _refused() -> HandleRefusedError:
    return HandleRefusedError("the refresh token is unknown, expired or revoked, or was given to another client")


def _ids(rows: Sequence[Row]) -> tuple[str, ...]:
    return tuple(row[0] for row in rows)


def _refreshed(token: RefreshToken, row: Row, *, repeated: bool = False) -> Refreshed:
    """Return what a row says that begins with COLUMNS and ends with those that `holder_of` reads."""
    return Refreshed(token=token.text, family=family_of(row), holder=holder_of(*row[-2:]), repeated=repeated)
