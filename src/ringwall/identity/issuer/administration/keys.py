"""The keys that sign tokens; of each only its name and its dates are told."""

from starlette.responses import Response

from ringwall.identity.issuer.administration import schemas
from ringwall.identity.issuer.administration.noting import note
from ringwall.identity.issuer.administration.reading import tell
from ringwall.identity.issuer.administration.routes import Asked, Handler
from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.keeper import FOR_REPLACEMENT, FOR_ROTATION


class KeyAdministration:
    """What answers; one method per operation."""

    def __init__(self, context: IssuerContext) -> None:
        self._context = context

    def handlers(self) -> dict[str, Handler]:
        """Return the operations."""
        return {"keys.list": self.page, "keys.rotate": self.rotate, "keys.replace": self.replace}

    async def page(self, _: Asked) -> Response:
        """Answer with the state of every published key."""
        await self._context.keys.complete()
        await self._context.keys.prepare()
        self._context.keys.tick()
        return self._answer()

    async def rotate(self, asked: Asked) -> Response:
        """Let the next key sign as soon as every verifier has it; no token is refused for it."""
        await self._context.keys.prepare(FOR_ROTATION)
        self._context.keys.rotate()
        await note(self._context, asked, "keys-rotated")
        return self._answer()

    async def replace(self, asked: Asked) -> Response:
        """Drop all keys at once, as compromised; tokens issued before are refused."""
        await self._context.keys.prepare(FOR_REPLACEMENT)
        self._context.keys.replace_compromised()
        await note(self._context, asked, "keys-replaced")
        return self._answer()

    def _answer(self) -> Response:
        keys = self._context.keys
        told = [
            schemas.Key(
                kid=key.kid,
                algorithm=key.algorithm,
                state=key.state.value,
                published=key.published,
                activated=key.activated,
                signed_until=key.signed_until or None,  # it has signed nothing yet
            )
            for key in keys.published_keys()
        ]
        return tell(schemas.Keys(keys=told, next_change=keys.next_change()))
