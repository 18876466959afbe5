"""The client registration endpoint (RFC 7591; OpenID Connect Registration 1.0), and that of each client (RFC 7592)."""

from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from ringwall.identity.issuer.answers import NO_STORE, answer
from ringwall.identity.issuer.clients.addresses import check_sector
from ringwall.identity.issuer.clients.initial_access import InitialAccess
from ringwall.identity.issuer.clients.metadata import read_metadata
from ringwall.identity.issuer.clients.metadata_errors import MetadataRefusedError
from ringwall.identity.issuer.clients.registered import is_registered_id
from ringwall.identity.issuer.clients.registry import ClientRegistry
from ringwall.identity.issuer.clients.titles import skeleton_of
from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.directory import Directory
from ringwall.identity.issuer.oauth.visitor import visitor_of
from ringwall.identity.issuer.request import RequestRefusedError, read_body
from ringwall.identity.people.errors import UserNameError
from ringwall.identity.store.clients import RegisteredClient
from ringwall.identity.store.errors import ConflictError, HandleRefusedError
from ringwall.identity.tokens.encoding import EncodingError, decode_json_object
from ringwall.model.secret import Secret
from ringwall.plan.identity import Registration

PATH: Final = "/register"
"""Below the issuer's URL."""
BURST: Final = 10
"""Clients that somebody may register at once where anybody may."""
PAUSE_SECONDS: Final = 60.0
"""Until they may register one more."""
_NEVER: Final = ("registration_access_token", "registration_client_uri", "client_secret_expires_at")
_ISSUED: Final = "client_id_issued_at"


class RegisterEndpoint:
    """Lets clients register, and look after what they have registered."""

    def __init__(self, context: IssuerContext) -> None:
        self._context = context
        self._initial = InitialAccess(context.storage, context.clock)
        self._registry = ClientRegistry(context)

    async def post(self, request: Request) -> Response:
        """Register a client.

        1. The policy lets clients register: with an initial access token (RFC 7591, section 3), or, where it is open,
        so many in a time of each address. 2. The metadata are such as the policy allows (section 2). 3. A token that
        works once is used up now, so that one that was mistyped for is not lost. 4. Answer 201 with what was taken, and
        with the token by which the client is managed (section 3.2.1; RFC 7592, section 3).
        """
        policy = self._policy()
        token = _token(request)  # 1
        if token is not None or not policy.open:
            await self._check(token)
        else:
            await self._slow_down(request)
        metadata = await self._metadata(await _read(request), policy)  # 2
        if token is not None:  # 3
            await self._use(token)
        made = await self._registry.create(metadata)  # 4
        return answer(self._told(made.client, made.token, made.secret), status=201)

    async def get(self, request: Request) -> Response:
        """Answer with the client as it is registered (RFC 7592, section 2.1), without its secret, which is not kept."""
        self._policy()
        client, token = await self._managed(request)
        return answer(self._told(client, token, None))

    async def put(self, request: Request) -> Response:
        """Replace a client's metadata (RFC 7592, section 2.2).

        1. The registration access token is this client's. 2. The request names this client, and holds nothing that only
        the issuer says. 3. The metadata are such as would be registered; what is left out is gone.
        """
        policy = self._policy()
        client, token = await self._managed(request)  # 1
        given = await _read(request)
        if given.get("client_id") != client.id or not set(_NEVER).isdisjoint(given) or _ISSUED in given:  # 2
            raise RequestRefusedError(400, "invalid_request", "the request does not name this client, or says too much")
        if "client_secret" in given:
            await self._check_secret(client, given["client_secret"])
        metadata = await self._metadata(given, policy)  # 3
        try:
            changed, secret = await self._registry.change(client, metadata)
        except ConflictError:
            raise RequestRefusedError(409, "invalid_request", "the client was changed meanwhile") from None
        return answer(self._told(changed, token, secret))

    async def delete(self, request: Request) -> Response:
        """Remove a client, and end every token of it (RFC 7592, section 2.3)."""
        self._policy()
        client, _ = await self._managed(request)
        await self._registry.remove(client)
        return Response(None, 204, {"cache-control": NO_STORE})

    def _policy(self) -> Registration:
        policy = self._context.directory.current().registration
        if policy is None:
            raise RequestRefusedError(404, "not_found", "clients cannot register here")
        return policy

    async def _check(self, token: Secret | None) -> None:
        try:
            if token is None:
                raise _unauthorized("an initial access token is needed")
            await self._initial.check(token)
        except HandleRefusedError:
            raise _unauthorized("the initial access token is not good") from None

    async def _use(self, token: Secret) -> None:
        try:
            await self._initial.use(token)
        except HandleRefusedError:
            raise _unauthorized("the initial access token is not good") from None

    async def _slow_down(self, request: Request) -> None:
        budgets = (await self._context.storage.database()).budgets
        from ringwall.identity.people.throttle import network_of  # noqa: PLC0415  # not on the way to a start

        source = network_of(visitor_of(request).source)
        wait = await budgets.take(
            "registration", source, burst=BURST, seconds=PAUSE_SECONDS, now=self._context.clock.now()
        )
        if wait:
            raise RequestRefusedError(429, "temporarily_unavailable", "too many registrations", wait=int(wait) + 1)

    async def _managed(self, request: Request) -> tuple[RegisteredClient, Secret]:
        """Return the client of the path; a wrong token and an unknown client get the same answer (RFC 7592, 2.1)."""
        token, client = _token(request), request.path_params["client"]
        if token is None or not is_registered_id(client):
            raise _unauthorized("the registration access token is not good")
        try:
            return await self._registry.managed(client, token), token
        except HandleRefusedError:
            raise _unauthorized("the registration access token is not good") from None

    async def _check_secret(self, client: RegisteredClient, secret: object) -> None:
        clients = (await self._context.storage.database()).clients
        try:
            await clients.authenticate(client.id, Secret(str(secret)))
        except HandleRefusedError:
            raise RequestRefusedError(400, "invalid_request", "`client_secret` is not this client's") from None

    async def _metadata(self, given: Mapping[str, Any], policy: Registration) -> dict[str, Any]:
        directory = self._context.directory.current()
        known = _names_of(directory)
        try:
            found = read_metadata(
                given,
                policy,
                directory.profile,
                taken=lambda name: skeleton_of(name) in known,
                vouched=bool(directory.certificate_url and directory.client_authorities),
            )
            await check_sector(found, self._context.documents, directory)
        except MetadataRefusedError as error:
            raise RequestRefusedError(400, error.oauth, error.message) from None
        return found

    def _told(self, client: RegisteredClient, token: Secret, secret: Secret | None) -> dict[str, Any]:
        """Return the client information (RFC 7591, section 3.2.1; RFC 7592, section 3)."""
        base = self._context.directory.current().issuer.rstrip("/")
        told: dict[str, Any] = {"client_id": client.id, _ISSUED: int(client.created), **client.payload}
        if secret is not None:
            told |= {"client_secret": secret.reveal().decode("ascii")}
        if secret is not None or client.has_secret:
            told |= {"client_secret_expires_at": 0}
        return {
            **told,
            "registration_access_token": token.reveal().decode("ascii"),
            "registration_client_uri": f"{base}{PATH}/{client.id}",
        }


def _token(request: Request) -> Secret | None:
    """Return the token of the `Authorization` header (RFC 6750, section 2.1); None where there is none."""
    headers = request.headers.getlist("authorization")
    if not headers:
        return None
    scheme, _, text = headers[0].partition(" ")
    if len(headers) > 1 or scheme.lower() != "bearer" or not text.strip().isascii():
        raise _unauthorized("there must be one bearer token")
    return Secret(text.strip())


def _unauthorized(message: str) -> RequestRefusedError:
    challenge = {"www-authenticate": f'Bearer error="invalid_token", error_description="{message}"'}
    return RequestRefusedError(401, "invalid_token", message, headers=challenge)


async def _read(request: Request) -> dict[str, Any]:
    media_type, _, _ = request.headers.get("content-type", "").partition(";")
    if media_type.strip().lower() != "application/json":
        raise RequestRefusedError(400, "invalid_client_metadata", "the content type must be application/json")
    try:
        return decode_json_object(await read_body(request))
    except EncodingError as error:
        raise RequestRefusedError(400, "invalid_client_metadata", f"the body is {error}") from None


def _names_of(directory: Directory) -> frozenset[str]:
    """Return what people know by name here, which no stranger may be called."""
    found = {"ringwall"}
    for name in (directory.audience, *(c.title or c.name for c in directory.clients.values()), *directory.clients):
        try:
            found.add(skeleton_of(name))
        except UserNameError:
            continue  # nobody can register a name like this one anyway
    return frozenset(found)
