"""Browsers that have left for a provider: what their answer will be held to.

It is kept here under the `state`. Only the browser that left can bring the answer, once, and to the URL of that
provider alone (RFC 6749, section 10.12).
"""

import hashlib
import secrets
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.host_cookies import UPSTREAM, read_cookie, write_cookie
from ringwall.identity.issuer.request import Parameters
from ringwall.identity.store.errors import HandleRefusedError
from ringwall.identity.upstream.source import Begun
from ringwall.model.secret import Secret
from ringwall.plan.upstream import Upstream

BEGUN_SECONDS: Final = 900.0
"""How long somebody may take at the provider."""
_COOKIE_SECONDS: Final = 3600


class Departures:
    """Keeps what browsers have begun, and gives it back once."""

    def __init__(self, context: IssuerContext) -> None:
        self._context = context

    async def keep(self, request: Request, upstream: Upstream, begun: Begun, what: dict[str, Any]) -> tuple[str, str]:
        """Return where the browser is to go, and the cookie that `mark` gives it.

        Args:
            request: the browser's.
            upstream: the provider.
            begun: what the source has begun.
            what: for what it is; JSON values, given back by `take`.
        """
        cookie = read_cookie(request, UPSTREAM) or secrets.token_urlsafe(32)
        interactions = (await self._context.storage.database()).interactions
        state = await interactions.put(
            owner=_owner(upstream, cookie),
            payload={**what, "kept": begun.kept},
            now=self._context.clock.now(),
            seconds=BEGUN_SECONDS,
        )
        return begun.location(state.reveal().decode("ascii")), cookie

    def mark(self, response: Response, cookie: str) -> Response:
        """Give the browser the cookie by which it will be known."""
        write_cookie(response, UPSTREAM, cookie, seconds=_COOKIE_SECONDS)
        return response

    async def take(self, request: Request, upstream: Upstream, answer: Parameters) -> dict[str, Any] | None:
        """Return what this browser began at this provider, and forget it; None where it began nothing."""
        cookie = read_cookie(request, UPSTREAM)
        if cookie is None:
            return None
        interactions = (await self._context.storage.database()).interactions
        state = Secret(answer.get("state", answer.get("RelayState", "")))
        try:
            taken = await interactions.take(state, owner=_owner(upstream, cookie), now=self._context.clock.now())
        except HandleRefusedError:
            return None
        return taken.payload


def _owner(upstream: Upstream, cookie: str) -> str:
    return f"upstream {upstream.name} {hashlib.sha256(cookie.encode()).hexdigest()}"
