"""Authorization requests that the issuer keeps, so that a browser carries nothing but a reference to them.

A client pushes its request (RFC 9126) and gets a `request_uri`. When a browser brings it, the request is put under a
ticket, which lasts while a person signs in and allows. A page may be loaded again, but there is one answer for each
`request_uri` and for each ticket (FAPI 2.0 Security Profile, section 5.3.2.2, note 3).
"""

import hashlib
import logging
from typing import Final
from urllib.parse import urlencode

from ringwall.identity.issuer.clients.documents import DocumentRefusedError
from ringwall.identity.issuer.clients.keys import has_keys
from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.oauth.authorization_request import AuthorizationRefusedError, UntrustedRequestError
from ringwall.identity.issuer.oauth.request_objects import RequestObjectRefusedError, RequestObjects
from ringwall.identity.issuer.request import MAX_BODY, Parameters, parse_parameters
from ringwall.identity.store.errors import HandleRefusedError
from ringwall.model.clients import REGISTERED_PREFIX
from ringwall.model.secret import Secret
from ringwall.plan.client import Client

PREFIX: Final = "urn:ietf:params:oauth:request_uri:"
"""Begins what is given for a pushed request (RFC 9126, section 2.2)."""
PUSHED_SECONDS: Final = 60.0
"""How long a pushed request waits for a browser."""
TICKET_SECONDS: Final = 900.0
"""How long a person may take to sign in and allow."""
_TICKET: Final = "ticket"
_KIND: Final = "pushed-request"
_NOT_ANNOUNCED: Final = "The application that sent you here did not announce its request."
_GONE: Final = "This request has expired, or was answered already."

_log = logging.getLogger(__name__)


class KeptRequests:
    """Puts requests aside and finds them again. Only who they belong to, by `client_id`, finds them."""

    def __init__(self, context: IssuerContext) -> None:
        self._context = context
        self._objects = RequestObjects(context)

    async def push(self, parameters: Parameters, *, client: str) -> str:
        """Keep a client's request, and return its `request_uri` (RFC 9126, section 2.2)."""
        pushed = (await self._context.storage.database()).pushed
        handle = await pushed.put(
            owner=client,
            payload={"query": parameters.encoded()},
            now=self._context.clock.now(),
            seconds=PUSHED_SECONDS,
        )
        return PREFIX + handle.reveal().decode("ascii")

    async def begin(self, query: bytes) -> str | None:
        """Return where a browser goes on that brings a reference, or a signed object; None for a plain request.

        1. The reference is one of ours, or an address that the client has registered, and that policy allows to be
        asked: nothing else is ever fetched (RFC 9101, section 10.4; see `clients.documents`). 2. It is this client's,
        has not expired, and was not answered (RFC 9126, sections 4 and 7.3). Parameters beside it are ignored
        (RFC 9126, section 4; RFC 9101, section 5).
        """
        given = parse_parameters(query)
        uri, client = given.get("request_uri", ""), given.get("client_id", "")
        known = await self._context.client(client)
        if "request" in given and not uri and known is not None and has_keys(known):
            if known.pushed_requests:
                raise UntrustedRequestError(_NOT_ANNOUNCED)
            return await self._keep(client, (await self.opened(given["request"], known)).encoded())
        if known is not None and uri.partition("#")[0] in known.request_uris:  # 1
            if known.pushed_requests:
                raise UntrustedRequestError(_NOT_ANNOUNCED)
            return await self._keep(client, (await self.opened(await self._fetched(uri, known), known)).encoded())
        if not uri.startswith(PREFIX):  # what else there is in it is refused where the request is read
            return None
        if known is None:
            raise UntrustedRequestError(_GONE)
        pushed = (await self._context.storage.database()).pushed
        handle = Secret(uri.removeprefix(PREFIX))
        try:  # 2
            found = await pushed.read(handle, owner=client, now=self._context.clock.now())
        except HandleRefusedError:
            raise UntrustedRequestError(_GONE) from None
        return await self._keep(client, found.payload["query"], reference=hashlib.sha256(uri.encode()).hexdigest())

    async def _fetched(self, uri: str, client: Client) -> str:
        """Return the request object at an address of the client's (RFC 9101, section 5.2.3)."""
        try:
            body = await self._context.documents.get(
                uri.partition("#")[0],
                directory=self._context.directory.current(),
                stranger=client.name.startswith(REGISTERED_PREFIX),
                max_bytes=MAX_BODY,
                media_type="application/oauth-authz-req+jwt",
            )
            return body.decode("ascii").strip()
        except (DocumentRefusedError, UnicodeDecodeError):
            raise UntrustedRequestError("The request of the application that sent you here cannot be had.") from None

    async def opened(self, text: str, client: Client) -> Parameters:
        """Return what a signed request object asks for (RFC 9101, section 6), or raise UntrustedRequestError."""
        try:
            return await self._objects.read(text, client)
        except RequestObjectRefusedError as error:
            _log.warning("a request object of client %r is refused: %s", client.name, error.message)
            raise UntrustedRequestError(
                "The application that sent you here did not sign its request as it must."
            ) from None

    async def parameters(self, query: bytes) -> Parameters:
        """Return what the client asks for: what the query says, or what is kept under its ticket.

        A client of which the plan says so is only ever heard by requests that it pushed (RFC 9126, section 5).
        """
        given = parse_parameters(query)
        name = given.get("client_id", "")
        client = await self._context.client(name)
        if client is None or _TICKET not in given:
            if client is not None and client.pushed_requests:
                raise UntrustedRequestError(_NOT_ANNOUNCED)
            return given
        pushed = (await self._context.storage.database()).pushed
        try:
            found = await pushed.read(Secret(given[_TICKET]), owner=_begun(name), now=self._context.clock.now())
        except HandleRefusedError:
            raise UntrustedRequestError(_GONE) from None
        return parse_parameters(found.payload["query"].encode("ascii"))

    async def finish(self, query: bytes) -> None:
        """Use up the ticket of a request that is being answered, if it has one; the second answer is refused."""
        given = parse_parameters(query)
        if _TICKET not in given:
            return
        database, client, now = await self._context.storage.database(), given["client_id"], self._context.clock.now()
        answered = AuthorizationRefusedError("invalid_request", "the request was answered already")
        try:
            ticket = await database.pushed.take(Secret(given[_TICKET]), owner=_begun(client), now=now)
        except HandleRefusedError:
            raise answered from None
        reference = ticket.payload.get("reference", "")
        if not reference:
            return
        until = now + PUSHED_SECONDS + TICKET_SECONDS  # no ticket of this reference lasts longer
        if not await database.replay.once(_KIND, f"{client}\n{reference}", until=until, now=now):
            raise answered

    async def _keep(self, client: str, query: str, *, reference: str = "") -> str:
        pushed = (await self._context.storage.database()).pushed
        payload = {"query": query, "reference": reference}
        ticket = await pushed.put(
            owner=_begun(client), payload=payload, now=self._context.clock.now(), seconds=TICKET_SECONDS
        )
        reference = urlencode({"client_id": client, _TICKET: ticket.reveal().decode("ascii")})
        return f"{self._context.directory.current().issuer.rstrip('/')}/authorize?{reference}"


def _begun(client: str) -> str:
    """Return the owner of a request that a browser has brought; no client is called so."""
    return f"begun {client}"
