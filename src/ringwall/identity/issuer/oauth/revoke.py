"""The revocation endpoint (RFC 7009)."""

import logging

from starlette.requests import Request
from starlette.responses import Response

from ringwall.identity.issuer.answers import NO_STORE
from ringwall.identity.issuer.clients.authenticate import ClientAuthenticator
from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.request import RequestRefusedError, read_form
from ringwall.identity.issuer.standing import SKEW_SECONDS, Standing
from ringwall.identity.store.errors import HandleRefusedError
from ringwall.identity.store.refresh_tokens import PREFIX
from ringwall.model.secret import Secret

_log = logging.getLogger(__name__)


class RevokeEndpoint:
    """Ends a token of the client that asks. What was revoked is on disk before the answer, and every proxy is told."""

    def __init__(self, context: IssuerContext, *, clients: ClientAuthenticator, standing: Standing) -> None:
        self._context = context
        self._clients = clients
        self._standing = standing

    async def post(self, request: Request) -> Response:
        """Revoke a token.

        1. Read the form and authenticate the client; a public one names itself (RFC 7009, section 2.1).
        2. `token` is there; `token_type_hint` is not needed, as our tokens show what they are (section 2.1).
        3. The token is this client's own (section 2.1). 4. A refresh token ends with all that came of the same
        authorization; an access token ends alone, but with others where too many do (section 2.1).
        5. A token that is unknown or has ended is as good as revoked, and nothing is said about it (section 2.2).
        """
        form = await read_form(request)  # 1
        client = (await self._clients.authenticate(request, form)).client.name
        if "token" not in form:  # 2
            raise RequestRefusedError(400, "invalid_request", "`token` is missing")
        token = form["token"]
        if token.startswith(PREFIX):
            await self._end_family(token, client)
        else:
            await self._end_access_token(token, client)
        return Response(None, 200, {"cache-control": NO_STORE})  # 5

    async def _end_family(self, token: str, client: str) -> None:
        database = await self._context.storage.database()
        now = self._context.clock.now()
        try:
            family = await database.families.read(Secret(token), client=client, now=now, replaced=True)  # 3
        except HandleRefusedError:
            return
        expires = now + self._context.settings.token_seconds + SKEW_SECONDS
        await database.endings.family(family.id, reason="revoked", now=now, expires=expires)  # 4
        _log.info("client %r revoked an authorization", client)

    async def _end_access_token(self, token: str, client: str) -> None:
        found = await self._standing.access_token(token)
        if found is None:
            return
        if found.claims.get("client_id") != client:  # 3
            raise RequestRefusedError(400, "unauthorized_client", "the token was given to another client")
        database = await self._context.storage.database()
        acts = "act" in found.claims  # exchanged: the grant is another client's
        await database.endings.token(  # 4
            str(found.claims["jti"]),
            family="" if acts else str(found.claims.get("grant_id", "")),
            client=client,
            reason="revoked",
            now=self._context.clock.now(),
            expires=found.expires + SKEW_SECONDS,
        )
        _log.info("client %r revoked an access token", client)
