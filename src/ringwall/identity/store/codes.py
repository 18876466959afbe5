"""Authorization codes (RFC 6749, section 4.1.2): put once, taken once."""

from dataclasses import dataclass
from typing import Any, Final

from ringwall.identity.store import families
from ringwall.identity.store.driver import BATCH, Driver, Statement, packed, unpacked
from ringwall.identity.store.errors import HandleRefusedError, HandleReusedError
from ringwall.identity.store.handles import digest, new_handle, new_id
from ringwall.model.secret import Secret

REMEMBERED_SECONDS: Final = 3600
"""How long after its end a code is kept, so that a second use is noticed."""

_PUT: Final = Statement("""
    INSERT INTO codes (digest, client, account, session, family, payload, created, expires, taken)
    VALUES (:digest, :client, :account, :session, :family, :payload, :now, :expires, NULL)
""")
_TAKE: Final = Statement("""
    UPDATE codes SET taken = :now
    WHERE digest = :digest AND client = :client AND taken IS NULL AND expires > :now
    RETURNING client, account, session, family, payload, created, expires
""")
_TAKEN: Final = Statement("""
    SELECT client, account, session, family FROM codes WHERE digest = :digest AND client = :client AND taken IS NOT NULL
""")
_SWEEP: Final = Statement("""
    DELETE FROM codes WHERE digest IN (SELECT digest FROM codes WHERE expires <= :before ORDER BY expires LIMIT :batch)
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """What a code stands for.

    Attributes:
        client: the client that it was given to; nobody else can take it.
        account: id of the person who signed in.
        session: id of the person's login session.
        family: id that the refresh tokens made from this code must have (`families.start`), and that access tokens
            made from it should carry, so that a second use of the code can end them all.
        payload: what the endpoint put in: redirect URI, scopes, nonce, PKCE challenge, …
        created: seconds since the epoch.
        expires: seconds since the epoch.
    """

    client: str
    account: str
    session: str
    family: str
    payload: dict[str, Any]
    created: float
    expires: float


class Codes:
    """The codes that are waiting, and those that were taken not long ago."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def put(
        self, *, client: str, account: str, session: str, payload: dict[str, Any], now: float, seconds: float
    ) -> Secret:
        """Make a code that lives for `seconds`, and return it. A fresh family id is chosen with it (`Code.family`)."""
        handle = new_handle()
        await self._driver.run(
            _PUT,
            digest=digest(handle),
            client=client,
            account=account,
            session=session,
            family=new_id(),
            payload=packed(payload),
            now=now,
            expires=now + seconds,
        )
        return handle

    async def take(self, handle: Secret, *, client: str, now: float) -> Code:
        """Use a code up, and return what it stands for.

        Of any number of callers, in any number of processes, exactly one gets it. It is used up also if the caller
        then refuses it (wrong redirect URI, wrong PKCE verifier), so that nothing can be tried out on it.

        Raises:
            HandleReusedError: the same client has taken it before (RFC 6749, section 4.1.2). The family of the first
                use has been ended, or, if it has not begun yet, `families.start` will refuse to begin it. The caller
                revokes the access tokens of that family.
            HandleRefusedError: unknown, expired, or another client's; nothing was changed.
        """
        key = digest(handle)
        if (row := await self._driver.row(_TAKE, digest=key, client=client, now=now)) is not None:
            return Code(
                client=row[0],
                account=row[1],
                session=row[2],
                family=row[3],
                payload=unpacked(row[4]),
                created=row[5],
                expires=row[6],
            )
        if (used := await self._driver.row(_TAKEN, digest=key, client=client)) is None:
            raise HandleRefusedError("the code is unknown or expired, or was given to another client")
        await families.forbid(
            self._driver,
            family=used[3],
            client=used[0],
            account=used[1],
            session=used[2],
            reason="code-reused",
            now=now,
        )
        raise HandleReusedError(
            "the code was used a second time", family=used[3], client=used[0], account=used[1], session=used[2]
        )

    async def sweep(self, *, now: float) -> int:
        """Delete some of the codes that nobody needs to know any more, and return how many."""
        return await self._driver.run(_SWEEP, before=now - REMEMBERED_SECONDS, batch=BATCH)
