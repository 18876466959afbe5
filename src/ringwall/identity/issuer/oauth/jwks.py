"""The key set (RFC 7517, section 5)."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from ringwall.identity.issuer.answers import cacheable
from ringwall.identity.issuer.context import IssuerContext

_MAX_SECONDS: Final = 300


class JwksEndpoint:
    """Answers with the public keys."""

    def __init__(self, context: IssuerContext) -> None:
        self._keys = context.keys

    async def get(self, _: Request) -> Response:
        """Answer with the public keys; they may be kept for at most half of a new key's overlap."""
        await self._keys.complete()
        seconds = min(_MAX_SECONDS, int(self._keys.schedule.overlap / 2))
        return Response(self._keys.jwks, 200, cacheable(seconds), "application/jwk-set+json")
