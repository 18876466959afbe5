"""Sessions that a provider of others ends: who signs out there, signs out here."""

import logging
from collections import Counter
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from ringwall.identity.issuer.answers import NO_STORE, refusal
from ringwall.identity.issuer.browser_sessions import BrowserSessions
from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.pages.render import Pages
from ringwall.identity.issuer.request import RequestRefusedError, parse_parameters, read_form
from ringwall.identity.issuer.upstream_sign_out import UpstreamSignOut
from ringwall.identity.issuer.upstream_sources import MAX_SAML, UpstreamSources, see
from ringwall.identity.people.journal import NOBODY
from ringwall.identity.store.origins import Origin
from ringwall.identity.upstream.identity import UpstreamError
from ringwall.plan.upstream import Upstream

ENDED: Final = "upstream-signed-out"
_NOT_ENDED: Final = "You may still be signed in here: the request to sign you out is not good."
_MAX_STATE: Final = 1000

_log = logging.getLogger(__name__)


class UpstreamEndings:
    """Ends the sessions that a provider names, and tells proxies and clients, as every sign-out does."""

    def __init__(
        self,
        context: IssuerContext,
        *,
        sessions: BrowserSessions,
        sources: UpstreamSources,
        sign_out: UpstreamSignOut,
        pages: Pages,
    ) -> None:
        self._context = context
        self._sign_out = sign_out
        self._pages = pages
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
        if not await self._first(ended.once, until=ended.until):  # 3
            return refusal(400, "invalid_request", "this logout token has come before")
        await self._end(upstream, ended.origin)  # 4
        return Response(status_code=200, headers={"cache-control": NO_STORE})

    async def single_logout(self, request: Request) -> Response:
        """Take what a SAML provider says of logging out, by query or by form (saml-profiles-2.0-os, section 4.4).

        1. The plan has that provider, and it speaks SAML. 2. An answer to a request of ours is the end of that
        sign-out. 3. A request of its own holds, and 4. comes for the first time. 5. The sessions that it names end.
        6. The provider is answered, by the browser.
        """
        upstream = self._sources.named(request)
        if upstream is None or upstream.saml is None:  # 1
            return self._pages.show("error", status=404, message="There is no such way to sign in.")
        raw: bytes | None = request.scope["query_string"] if request.method == "GET" else None
        try:
            asked = parse_parameters(raw) if raw is not None else await read_form(request, MAX_SAML)
        except RequestRefusedError as error:
            return self._pages.show("error", status=error.status, message="The request is malformed.")
        state = asked.get("RelayState", "")
        if "SAMLResponse" in asked:  # 2
            return await self._sign_out.finish_by(upstream, state)
        source, address = self._sources.saml(upstream), self._sources.address(upstream, "logout")
        now = self._context.clock.now()
        try:
            query = raw.decode("latin-1") if raw is not None else None
            ended = source.ended(asked, query, address=address, now=now)  # 3
        except UpstreamError as error:
            _log.warning("%s ends no session: %s (%s)", upstream.name, error.message, error.hint or error.reason)
            return self._pages.show("error", status=400, message=_NOT_ENDED)
        if not await self._first(f"{upstream.issuer} {ended.name}", until=ended.until):  # 4
            return self._pages.show("error", status=400, message=_NOT_ENDED)
        for session in ended.sessions or ("",):  # 5
            await self._end(upstream, Origin(issuer=upstream.issuer, person=ended.person, session=session))
        location = await source.ended_answer(ended, address=address, state=state[:_MAX_STATE], now=now)  # 6
        return see(location) if location else self._pages.show("signed_out")

    async def _first(self, name: str, *, until: float) -> bool:
        """Return whether a message comes for the first time."""
        replay = (await self._context.storage.database()).replay
        return await replay.once("upstream-logout", name, until=until, now=self._context.clock.now())

    async def _end(self, upstream: Upstream, origin: Origin) -> None:
        """End the sessions of an origin."""
        found = await (await self._context.storage.database()).sessions.of_origin(origin, now=self._context.clock.now())
        for session in found:
            await self._sessions.end(session.id, reason=ENDED)
        if found:
            journal = (await self._context.people.services()).journal
            for account, count in sorted(Counter(session.account for session in found).items()):
                await journal.note(ENDED, by=NOBODY, account=account, upstream=upstream.name, sessions=count)
