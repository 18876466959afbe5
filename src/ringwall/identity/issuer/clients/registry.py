"""What becomes of registered clients: made, changed, and ended with all that was given to them."""

import logging
from typing import Any

from ringwall.identity.issuer.clients.metadata import SECRET_METHODS
from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.standing import SKEW_SECONDS
from ringwall.identity.store.clients import Registered, RegisteredClient
from ringwall.model.secret import Secret

_log = logging.getLogger(__name__)


class ClientRegistry:
    """Every registered client. Each act is an event."""

    def __init__(self, context: IssuerContext) -> None:
        self._context = context

    async def create(self, metadata: dict[str, Any]) -> Registered:
        """Register a client with metadata that `read_metadata` has returned."""
        database, now = await self._context.storage.database(), self._context.clock.now()
        with_secret = metadata["token_endpoint_auth_method"] in SECRET_METHODS
        made = await database.clients.create(payload=metadata, with_secret=with_secret, now=now)
        await self._note("client-registered", made.client)
        return made

    async def managed(self, client: str, token: Secret) -> RegisteredClient:
        """Return the client that a registration access token manages; HandleRefusedError for any other token."""
        return await (await self._context.storage.database()).clients.managed(client, token)

    async def change(
        self, client: RegisteredClient, metadata: dict[str, Any]
    ) -> tuple[RegisteredClient, Secret | None]:
        """Replace a client's metadata, and give it a secret if it needs one and has none.

        ConflictError where it was changed or removed since it was read.
        """
        clients, now = (await self._context.storage.database()).clients, self._context.clock.now()
        changed = RegisteredClient(
            id=client.id,
            payload=metadata,
            created=client.created,
            changed=client.changed,
            version=client.version,
            has_secret=client.has_secret,
        )
        found = await clients.update(changed, now=now)
        needs_secret = metadata["token_endpoint_auth_method"] in SECRET_METHODS and not client.has_secret
        secret = await clients.renew_secret(client.id, now=now) if needs_secret else None
        await self._note("client-changed", found)
        return found, secret

    async def remove(self, client: RegisteredClient) -> bool:
        """Remove a client that asks for it (RFC 7592, section 2.3); return whether it was still there."""
        removed = await self.end(client)
        if removed:
            await self._note("client-removed", client)
        return removed

    async def end(self, client: RegisteredClient) -> bool:
        """Remove a client and end its tokens, at every proxy too; return whether it was still there.

        It is revoked before it is removed: whatever ends this process between the two, no token stays good.
        """
        database, now = await self._context.storage.database(), self._context.clock.now()
        expires = now + self._context.settings.token_seconds + SKEW_SECONDS
        await database.revocations.add("client", client.id, reason="removed", now=now + 1, expires=expires)
        await database.families.end_client(client.id, reason="client", now=now)
        return await database.clients.delete(client.id)

    async def _note(self, act: str, client: RegisteredClient) -> None:
        events = (await self._context.storage.database()).events
        name = client.payload.get("client_name", "")
        await events.add(act, actor=client.id, subject=client.id, payload={"name": name}, now=self._context.clock.now())
        _log.info("%s: %r", act, client.id)
