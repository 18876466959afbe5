"""What the control plane asks of the issuer when the operator lifts a revocation: on the administration socket.

The issuer keeps what clients and people have revoked themselves, and tells it anew whenever it starts.
"""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ringwall.identity.issuer.admin_request import read_object
from ringwall.identity.issuer.answers import answer
from ringwall.identity.issuer.request import RequestRefusedError
from ringwall.identity.issuer.revocation_feed import KINDS
from ringwall.identity.issuer.storage import Storage

_OWN: Final = {theirs.value: own for own, theirs in KINDS.items()}


class RevocationAdministration:
    """What answers; one method per endpoint."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def routes(self) -> list[Route]:
        """Return the endpoints."""
        return [Route("/revocations/lift", self.lift, methods=["POST"])]

    async def lift(self, request: Request) -> Response:
        """Forget that something is revoked: `{"kind", "value"}`. Answers `lifted`, false where nothing was known."""
        asked = await read_object(request, {"kind": str, "value": str})
        if asked.get("kind") not in _OWN or "value" not in asked:
            raise RequestRefusedError(400, "invalid_request", f"`kind` is one of {', '.join(_OWN)}, `value` is there")
        revocations = (await self._storage.database()).revocations
        return answer({"lifted": await revocations.remove(_OWN[asked["kind"]], asked["value"])})
