"""private_key_jwt (OpenID Connect Core 1.0, section 9; RFC 7523, section 3): the client signs with its own key."""

import logging
from typing import Final

from starlette.requests import Request

from ringwall.identity.issuer.clients.assertion import BEARER, shown_assertion
from ringwall.identity.issuer.clients.keys import has_keys
from ringwall.identity.issuer.clients.model import AuthenticatedClient, unauthenticated
from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.request import Parameters
from ringwall.identity.tokens.claims import Expected, VerifiedClaims, verify_token
from ringwall.identity.tokens.errors import KeyRefusedError, TokenRefusedError
from ringwall.plan.client import Client, Profile

LONGEST_SECONDS: Final = 3600.0
"""An assertion may be good for so long, as that is what libraries write."""
OLDEST_SECONDS: Final = 600.0
"""An assertion is for one request, so none needs to be older."""
LEEWAY_SECONDS: Final = 30.0
_LONGEST_JTI: Final = 256
_TYPES: Final = frozenset({"", "jwt", "client-authentication+jwt"})

_log = logging.getLogger(__name__)


class PrivateKeyMethod:
    """A key of which the issuer knows only the public part."""

    names: tuple[str, ...] = ("private_key_jwt",)

    def __init__(self, context: IssuerContext) -> None:
        self._context = context

    async def presented(self, request: Request, form: Parameters) -> bool:  # noqa: ARG002  # the protocol's
        """Return whether there is an assertion that is no workload's, whatever else it is."""
        shown = shown_assertion(form)
        return shown is not None and not shown.of_workload

    async def authenticate(self, request: Request, form: Parameters) -> AuthenticatedClient:  # noqa: ARG002  # the protocol's
        """Return the client whose key has signed the assertion.

        1. The assertion is of the one known type (RFC 7523, section 2.2).
        2. Its subject is a client that has keys (RFC 7523, section 3, point 2.B).
        3. One of these keys has signed it, with that key's algorithm (point 9); its type is not that of another kind
           of token (RFC 8725, section 3.11); `iss` and `sub` are the client (points 1 and 2), `aud` is the issuer or
           its token endpoint, by either of its addresses (point 3; RFC 8705, section 5), or, under FAPI 2.0, the issuer
           alone, as text (FAPI 2.0 Security Profile, section 5.3.2.1, item 8); `exp` is there and ahead, `nbf` is not
           (points 4 and 5).
        4. It is good for an hour at most, and was made minutes ago at most (points 4 and 6).
        5. `jti` is there and was never seen (point 7; OpenID Connect Core 1.0, section 9).
        """
        shown = shown_assertion(form)
        if shown is None or shown.kind != BEARER:  # 1
            raise unauthenticated()
        client = await self._context.client(shown.subject)
        if client is None or not has_keys(client) or client.public:  # 2
            raise unauthenticated()
        try:
            claims = await self._verified(shown.text, client)  # 3
        except (TokenRefusedError, KeyRefusedError) as error:
            _log.warning("client %r failed to authenticate by its key: %s", client.name, error.message)
            raise unauthenticated() from None
        now = self._context.clock.now()
        issued = claims.claims.get("iat")
        if claims.expires > now + LONGEST_SECONDS + LEEWAY_SECONDS:  # 4
            raise unauthenticated()
        if issued is not None and not now - OLDEST_SECONDS <= issued <= now + LEEWAY_SECONDS:
            raise unauthenticated()
        await self._once(claims, client)  # 5
        return AuthenticatedClient(client=client, method="private_key_jwt", confirmation={})

    async def _verified(self, text: str, client: Client) -> VerifiedClaims:
        directory = self._context.directory.current()
        issuer = directory.issuer
        bases = {issuer, directory.certificate_url or issuer}  # the second has a token endpoint as well
        expected = Expected(
            issuer=client.name,
            audiences=frozenset({issuer, *(f"{base}/token" for base in bases)}),
            types=_TYPES,
            leeway=LEEWAY_SECONDS,
        )
        keys = await self._context.client_keys.of(client, signed=text)
        claims = verify_token(text, keys=keys, expected=expected, clock=self._context.clock)
        if client.profile is Profile.FAPI2 and claims.claims["aud"] != issuer:
            raise TokenRefusedError("audience", "the assertion's `aud` is not the issuer alone, as text")
        if claims.subject != client.name:
            raise TokenRefusedError("subject", "the assertion is about somebody else than who made it")
        return claims

    async def _once(self, claims: VerifiedClaims, client: Client) -> None:
        identifier = claims.claims.get("jti")
        if not isinstance(identifier, str) or not 0 < len(identifier) <= _LONGEST_JTI:
            raise unauthenticated()
        replay = (await self._context.storage.database()).replay
        until = claims.expires + LEEWAY_SECONDS
        key = f"{client.name}\n{identifier}"
        if not await replay.once("client-assertion", key, until=until, now=self._context.clock.now()):
            _log.warning("an assertion of client %r was used twice", client.name)
            raise unauthenticated()
