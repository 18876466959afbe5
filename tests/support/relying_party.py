"""A relying party that we did not write: Authlib's, with discovery, PKCE, nonce, state and checked ID tokens."""

import ssl
import warnings
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx
from starlette.requests import Request

with warnings.catch_warnings(record=True):  # it would rather have httpx2, which nobody else here uses
    from authlib.integrations.starlette_client import OAuth


class RelyingParty:
    """One client and what it keeps for one person's browser.

    Args:
        issuer: URL of the issuer.
        client: its name.
        secret: its secret; None for a public client.
        scope: what it asks for.
        over: httpx's `transport`, or `verify` with whom it trusts.
    """

    def __init__(
        self,
        issuer: str,
        client: str,
        secret: str | None,
        scope: str,
        over: Mapping[str, httpx.AsyncBaseTransport | ssl.SSLContext],
    ) -> None:
        self._session: dict[str, Any] = {}
        self.app = OAuth().register(
            client,
            client_id=client,
            client_secret=secret,
            server_metadata_url=f"{issuer}/.well-known/openid-configuration",
            client_kwargs={
                "scope": scope,
                "code_challenge_method": "S256",
                "token_endpoint_auth_method": "client_secret_basic" if secret else "none",
                **over,
            },
        )

    async def send_to_issuer(self, redirect_uri: str, **more: str) -> str:
        """Return where the browser is sent to sign in."""
        response = await self.app.authorize_redirect(self._request("/"), redirect_uri, **more)
        return str(response.headers["location"])

    async def take_back(self, location: str) -> dict[str, Any]:
        """Return the tokens for what the browser brings back; `userinfo` holds the checked claims of the ID token."""
        token: dict[str, Any] = await self.app.authorize_access_token(self._request(location))
        return token

    async def refresh(self, refresh_token: str) -> dict[str, Any]:
        """Return fresh tokens."""
        metadata = await self.app.load_server_metadata()
        async with self.app._get_oauth_client(**metadata) as session:
            token: dict[str, Any] = await session.refresh_token(metadata["token_endpoint"], refresh_token)
            return token

    async def sign_out(self, id_token: str, then: str) -> str:
        """Return where the browser is sent to sign out."""
        response = await self.app.logout_redirect(self._request("/"), then, id_token)
        return str(response.headers["location"])

    def _request(self, location: str) -> Request:
        query = urlsplit(location).query.encode("ascii")
        return Request(
            {
                "type": "http",
                "method": "GET",
                "path": "/",
                "query_string": query,
                "headers": [],
                "session": self._session,
            }
        )
