"""The issuer's public endpoints, as the edge exposes them under the path of the issuer's URL."""

import logging
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ringwall.identity.issuer.access_tokens import for_client, parse_scopes
from ringwall.identity.issuer.answers import HANDLERS, answer
from ringwall.identity.issuer.client_secrets import ClientSecrets
from ringwall.identity.issuer.directory import LiveDirectory
from ringwall.identity.issuer.discovery import metadata
from ringwall.identity.issuer.keeper import KeyKeeper
from ringwall.identity.issuer.request import (
    Credentials,
    RequestRefusedError,
    read_credentials,
    read_form,
    unauthenticated,
)
from ringwall.identity.issuer.settings import IssuerSettings
from ringwall.identity.issuer.throttle import Throttle
from ringwall.model.clock import Clock
from ringwall.plan.model import Client

_METADATA_SECONDS: Final = 300
_MAX_JWKS_SECONDS: Final = 300

_log = logging.getLogger(__name__)


class Endpoints:
    """What answers; one method per endpoint."""

    def __init__(
        self,
        *,
        settings: IssuerSettings,
        directory: LiveDirectory,
        keys: KeyKeeper,
        secrets: ClientSecrets,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._directory = directory
        self._keys = keys
        self._secrets = secrets
        self._clock = clock
        self._throttle = Throttle(clock)

    async def metadata(self, _: Request) -> Response:
        """Answer with the metadata document (RFC 8414, section 3.2)."""
        return answer(metadata(self._directory.current()), headers=_cacheable(_METADATA_SECONDS))

    async def jwks(self, _: Request) -> Response:
        """Answer with the public keys (RFC 7517, section 5); may be kept for at most half of a new key's overlap."""
        seconds = min(_MAX_JWKS_SECONDS, int(self._keys.schedule.overlap / 2))
        return Response(self._keys.published, 200, _cacheable(seconds), "application/jwk-set+json")

    async def token(self, request: Request) -> Response:
        """Issue a token for a client's own use (RFC 6749, sections 3.2 and 4.4).

        1. Read the form (section 3.2). 2. Authenticate the client (section 2.3). 3. Only then look at the grant
        type (section 4.4.2) and the scope (section 3.3). 4. Answer without caching (section 5.1).
        """
        form = await read_form(request)  # 1
        client = self._authenticate(read_credentials(request, form))  # 2
        if "grant_type" not in form:  # 3
            raise RequestRefusedError(400, "invalid_request", "`grant_type` is missing")
        if form["grant_type"] != "client_credentials":
            raise RequestRefusedError(400, "unsupported_grant_type", "only client_credentials is offered")
        wanted = parse_scopes(form["scope"]) if "scope" in form else ()
        issued = for_client(
            client,
            wanted,
            directory=self._directory.current(),
            clock=self._clock,
            seconds=self._settings.token_seconds,
            sign=self._keys.sign,
        )
        body = {"access_token": issued.text, "token_type": "Bearer", "expires_in": issued.seconds}
        return answer({**body, "scope": " ".join(issued.scopes)} if issued.scopes else body)  # 4

    def _authenticate(self, credentials: Credentials) -> Client:
        """Return the client whose secret was shown. A right secret is never throttled, so nobody locks a client out."""
        right = self._secrets.holds(credentials.client, credentials.secret)
        client = self._directory.current().clients.get(credentials.client)
        if client is not None and right:
            return client
        wait = self._throttle.wrong(credentials.client)
        _log.warning("a client failed to authenticate: %s", client.name if client else "unknown name")
        if wait:
            raise RequestRefusedError(429, "invalid_client", "too many failed attempts", wait=wait)
        raise unauthenticated()


def create_app(
    *, settings: IssuerSettings, directory: LiveDirectory, keys: KeyKeeper, secrets: ClientSecrets, clock: Clock
) -> Starlette:
    """Return the public application."""
    endpoints = Endpoints(settings=settings, directory=directory, keys=keys, secrets=secrets, clock=clock)
    return Starlette(
        routes=[
            Route("/.well-known/openid-configuration", endpoints.metadata, methods=["GET"]),
            Route("/.well-known/oauth-authorization-server", endpoints.metadata, methods=["GET"]),
            Route("/jwks", endpoints.jwks, methods=["GET"]),
            Route("/token", endpoints.token, methods=["POST"]),
        ],
        exception_handlers=HANDLERS,
    )


def _cacheable(seconds: int) -> dict[str, str]:
    return {"cache-control": f"public, max-age={seconds}"}
