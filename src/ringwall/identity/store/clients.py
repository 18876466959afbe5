"""Clients that have registered themselves (RFC 7591, RFC 7592). Those of the plan are not here."""

import hmac
from dataclasses import dataclass
from typing import Any, Final

from ringwall.identity.store.driver import Driver, Row, Statement, packed, unpacked
from ringwall.identity.store.errors import ConflictError, HandleRefusedError
from ringwall.identity.store.handles import digest, new_handle, new_id
from ringwall.model.clients import REGISTERED_PREFIX
from ringwall.model.secret import Secret

SECRET_PREFIX: Final = "rwcs_"  # noqa: S105  # how secrets begin, for scanners of source code
TOKEN_PREFIX: Final = "rwrg_"  # noqa: S105  # as above, for registration access tokens

_COLUMNS: Final = "id, payload, created, changed, version, secret"
_CREATE: Final = Statement(
    """
    INSERT INTO clients (id, token, secret, payload, created, changed, version)
    VALUES (:id, :token, :secret, :payload, :now, :now, 1) RETURNING {columns}
    """,
    columns=_COLUMNS,
)
_GET: Final = Statement("SELECT {columns} FROM clients WHERE id = :id", columns=_COLUMNS)
_MANAGED: Final = Statement("SELECT {columns} FROM clients WHERE id = :id AND token = :token", columns=_COLUMNS)
_UPDATE: Final = Statement(
    """
    UPDATE clients SET payload = :payload, changed = :now, version = version + 1
    WHERE id = :id AND version = :version RETURNING {columns}
    """,
    columns=_COLUMNS,
)
_SECRET: Final = Statement("UPDATE clients SET secret = :secret, changed = :now WHERE id = :id RETURNING id")
_DELETE: Final = Statement("DELETE FROM clients WHERE id = :id RETURNING id")
_PAGE: Final = Statement("SELECT {columns} FROM clients WHERE id > :after ORDER BY id LIMIT :limit", columns=_COLUMNS)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredClient:
    """A client that has registered itself.

    Attributes:
        id: its `client_id`.
        payload: its metadata (RFC 7591, section 2), as the endpoint accepted them.
        created: seconds since the epoch (`client_id_issued_at`).
        changed: seconds since the epoch.
        version: grows with each change of the metadata.
        has_secret: whether it has a secret.
    """

    id: str
    payload: dict[str, Any]
    created: float
    changed: float
    version: int
    has_secret: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A fresh registration; the only time that its secrets can be seen.

    Attributes:
        client: the client.
        token: its registration access token (RFC 7592, section 3).
        secret: its `client_secret`, or None.
    """

    client: RegisteredClient
    token: Secret
    secret: Secret | None


class RegisteredClients:
    """All registered clients."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def create(self, *, payload: dict[str, Any], with_secret: bool, now: float) -> Registered:
        """Register a client under a fresh id, with a registration access token and, if asked for, a secret."""
        token = new_handle(TOKEN_PREFIX)
        secret = new_handle(SECRET_PREFIX) if with_secret else None
        rows = await self._driver.rows(
            _CREATE,
            id=REGISTERED_PREFIX + new_id(),
            token=digest(token),
            secret=digest(secret) if secret else None,
            payload=packed(payload),
            now=now,
        )
        return Registered(client=_client(rows[0]), token=token, secret=secret)

    async def get(self, client: str) -> RegisteredClient | None:
        """Return a client, or None."""
        row = await self._driver.row(_GET, id=client)
        return None if row is None else _client(row)

    async def authenticate(self, client: str, secret: Secret) -> RegisteredClient:
        """Return the client whose secret this is; HandleRefusedError where it is not, or there is no such client."""
        row = await self._driver.row(_GET, id=client)
        kept = row[5] if row is not None else None
        if not hmac.compare_digest(kept or b"", digest(secret)) or row is None:
            raise HandleRefusedError("the client is unknown, or this is not its secret")
        return _client(row)

    async def managed(self, client: str, token: Secret) -> RegisteredClient:
        """Return the client that a registration access token manages (RFC 7592, section 2); else HandleRefusedError."""
        row = await self._driver.row(_MANAGED, id=client, token=digest(token))
        if row is None:
            raise HandleRefusedError("the client is unknown, or this is not its registration access token")
        return _client(row)

    async def update(self, client: RegisteredClient, *, now: float) -> RegisteredClient:
        """Store changed metadata of a client that was read; ConflictError where it was changed or removed meanwhile."""
        row = await self._driver.row(
            _UPDATE, id=client.id, version=client.version, payload=packed(client.payload), now=now
        )
        if row is None:
            raise ConflictError("the client was changed or removed meanwhile", hint="read it again")
        return _client(row)

    async def renew_secret(self, client: str, *, now: float) -> Secret | None:
        """Give a client a fresh secret, and return it: the old one stops at once. None where there is no client."""
        secret = new_handle(SECRET_PREFIX)
        row = await self._driver.row(_SECRET, id=client, secret=digest(secret), now=now)
        return None if row is None else secret

    async def delete(self, client: str) -> bool:
        """Remove a client; return whether there was one. Its families are ended by the caller."""
        return await self._driver.row(_DELETE, id=client) is not None

    async def page(self, *, after: str = "", limit: int = 100) -> tuple[RegisteredClient, ...]:
        """Return clients in the order of their ids, beginning after that of the last one of the page before."""
        return tuple(map(_client, await self._driver.rows(_PAGE, after=after, limit=limit)))


def _client(row: Row) -> RegisteredClient:
    return RegisteredClient(
        id=row[0],
        payload=unpacked(row[1]),
        created=row[2],
        changed=row[3],
        version=row[4],
        has_secret=row[5] is not None,
    )
