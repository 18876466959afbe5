"""The key set (RFC 7517, section 5)."""

from typing import Final

import orjson
from starlette.requests import Request
from starlette.responses import Response

from ringwall.identity.issuer.answers import cacheable
from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.tokens.encoding import encode_json

_MAX_SECONDS: Final = 300


class JwksEndpoint:
    """Answers with the public keys."""

    def __init__(self, context: IssuerContext) -> None:
        self._keys = context.keys

    async def get(self, _: Request) -> Response:
        """Answer with the public keys, for signatures and for encryption, each of which says for what (section 4.2).

        They may be kept for at most half of a new key's overlap.
        """
        await self._keys.complete()
        seconds = min(_MAX_SECONDS, int(self._keys.schedule.overlap / 2))
        signing, encryption = orjson.loads(self._keys.jwks)["keys"], self._keys.encryption.public_jwks()
        body = encode_json({"keys": [*signing, *encryption]})
        return Response(body, 200, cacheable(seconds), "application/jwk-set+json")
