"""Sessions that a provider of others ends: who signs out there, signs out here."""

import logging
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from ringwall.identity.issuer.answers import NO_STORE, refusal
from ringwall.identity.issuer.browser_sessions import BrowserSessions
from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.request import RequestRefusedError, read_form
from ringwall.identity.issuer.upstream_sources import UpstreamSources
from ringwall.identity.people.journal import NOBODY
from ringwall.identity.store.origins import Origin
from ringwall.identity.upstream.identity import UpstreamError
from ringwall.plan.upstream import Upstream

ENDED: Final = "upstream-signed-out"

_log = logging.getLogger(__name__)


class UpstreamEndings:
    """Ends the sessions that a provider names, and tells proxies and clients, as every sign-out does."""

    def __init__(self, context: IssuerContext, *, sessions: BrowserSessions, sources: UpstreamSources) -> None:
        self._context = context
        self._sessions = sessions
        self._sources = sources

    async def back_channel(self, request: Request) -> Response:
        """Take a logout token (OpenID Connect Back-Channel Logout 1.0, sections 2.5 to 2.8).

        1. The plan has that provider, and it speaks OpenID Connect. 2. The token holds (section 2.6). 3. It comes for
        the first time (section 2.6, step 8). 4. The sessions that it names end, and what came from them (section 2.7).
        """
        upstream = self._sources.named(request)
        if upstream is None or upstream.oidc is None:  # 1
            raise RequestRefusedError(404, "not_found", "there is no such provider")
        token = (await read_form(request)).get("logout_token", "")
        try:
            ended = await self._sources.openid(upstream).ended(token)  # 2
        except UpstreamError as error:
            _log.warning("%s ends no session: %s (%s)", upstream.name, error.message, error.hint or error.reason)
            return refusal(400, "invalid_request", error.message)
        if not await self.first(ended.once, until=ended.until):  # 3
            return refusal(400, "invalid_request", "this logout token has come before")
        await self.end(upstream, ended.origin)  # 4
        return Response(status_code=200, headers={"cache-control": NO_STORE})

    async def first(self, name: str, *, until: float) -> bool:
        """Return whether a message comes for the first time."""
        replay = (await self._context.storage.database()).replay
        return await replay.once("upstream-logout", name, until=until, now=self._context.clock.now())

    async def end(self, upstream: Upstream, origin: Origin) -> int:
        """End the sessions of an origin; return how many that were."""
        found = await (await self._context.storage.database()).sessions.of_origin(origin, now=self._context.clock.now())
        for session in found:
            await self._sessions.end(session.id, reason=ENDED)
        if found:
            journal = (await self._context.people.services()).journal
            for account in sorted({session.account for session in found}):
                count = sum(session.account == account for session in found)
                await journal.note(ENDED, by=NOBODY, account=account, upstream=upstream.name, sessions=count)
        return len(found)
