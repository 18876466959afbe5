"""Signing out at the provider where somebody signed in, after they have signed out here (RP-Initiated Logout 1.0)."""

from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from ringwall.identity.issuer.browser_sessions import BrowserSession
from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.pages.render import Pages
from ringwall.identity.issuer.request import RequestRefusedError, parse_parameters
from ringwall.identity.issuer.upstream_sources import UpstreamSources, see
from ringwall.identity.store.errors import HandleRefusedError
from ringwall.model.secret import Secret
from ringwall.plan.upstream import Upstream

SECONDS: Final = 900.0
"""How long somebody may take there."""


class UpstreamSignOut:
    """Sends people to providers to sign out, and takes them back."""

    def __init__(self, context: IssuerContext, *, sources: UpstreamSources, pages: Pages) -> None:
        self._context = context
        self._sources = sources
        self._pages = pages

    async def origins(self, session: BrowserSession) -> tuple[str, ...]:
        """Return the origins that a form for signing out may lead to."""
        upstream = self._wanted(session)
        location = None if upstream is None else await self._location(session, upstream, "")
        if location is None:
            return ()
        parts = urlsplit(location)
        return (f"{parts.scheme}://{parts.netloc}",)

    async def begin(self, session: BrowserSession, *, then: str) -> Response | None:
        """Return what sends a browser to sign out at the provider too; None where nothing is to be done there.

        Where it goes then is kept here: no address of ours takes one from outside.
        """
        upstream = self._wanted(session)
        if upstream is None:
            return None
        interactions = (await self._context.storage.database()).interactions
        state = await interactions.put(
            owner=_owner(upstream), payload={"then": then}, now=self._context.clock.now(), seconds=SECONDS
        )
        location = await self._location(session, upstream, state.reveal().decode("ascii"))
        return None if location is None else see(location)

    async def finish(self, request: Request) -> Response:
        """Take somebody back, and send them on to where they were to go."""
        try:
            state = parse_parameters(request.scope["query_string"]).get("state", "")
        except RequestRefusedError:
            state = ""
        return await self.finish_by(self._sources.named(request), state)

    async def finish_by(self, upstream: Upstream | None, named: str) -> Response:
        """Send somebody on to where they were to go, by the state that the provider has given back."""
        state = Secret(named)
        try:
            interactions = (await self._context.storage.database()).interactions
            taken = await interactions.take(state, owner=_owner(upstream), now=self._context.clock.now())
        except HandleRefusedError:
            return self._pages.show("signed_out")
        then = str(taken.payload["then"])
        return see(then) if then else self._pages.show("signed_out")

    def _wanted(self, session: BrowserSession) -> Upstream | None:
        upstream = self._sources.find(str(session.upstream.get("name", "")))
        return upstream if upstream is not None and upstream.logout else None

    async def _location(self, session: BrowserSession, upstream: Upstream, state: str) -> str | None:
        kept = session.upstream.get("session", {})
        back = self._sources.address(upstream, "signed-out")
        return await self._sources.of(upstream).sign_out(kept, return_to=back, state=state)


def _owner(upstream: Upstream | None) -> str:
    return f"signed out {upstream.name if upstream is not None else ''}"
