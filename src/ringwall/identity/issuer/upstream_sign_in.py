"""Signing in at a provider of others, for one request of one client: what browsers see of it.

The browser leaves for the provider with a `state`, under which is kept here what the answer is held to. Only the
browser that began can bring the answer, once, and to the URL of that provider alone.
"""

import logging
from typing import TYPE_CHECKING, Final

from starlette.requests import Request
from starlette.responses import Response

from ringwall.identity.issuer.access_tokens import TokenNotIssuedError
from ringwall.identity.issuer.account.providers import AccountProviders
from ringwall.identity.issuer.assurance import Proof
from ringwall.identity.issuer.browser_sessions import BrowserSessions, set_cookie
from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.host_cookies import UPSTREAM, read_cookie
from ringwall.identity.issuer.oauth.authorization_request import (
    AuthorizationRefusedError,
    AuthorizationRequest,
    UntrustedRequestError,
)
from ringwall.identity.issuer.oauth.authorize import AuthorizeEndpoint
from ringwall.identity.issuer.oauth.sign_in_page import SignInPage
from ringwall.identity.issuer.oauth.visitor import visitor_of
from ringwall.identity.issuer.pages.render import Pages
from ringwall.identity.issuer.request import MAX_BODY, Parameters, RequestRefusedError, parse_parameters, read_form
from ringwall.identity.issuer.upstream_departures import Departures
from ringwall.identity.issuer.upstream_sources import MAX_SAML, UpstreamSources, see
from ringwall.identity.upstream.identity import (
    NoAccountError,
    UpstreamDeclinedError,
    UpstreamError,
    UpstreamIdentity,
    UpstreamUnavailableError,
)
from ringwall.identity.upstream.source import Begun, Wish
from ringwall.plan.upstream import Upstream

if TYPE_CHECKING:
    from ringwall.identity.upstream.linking import Linking

_SAML_FIELDS: Final = ("SAMLResponse", "RelayState")
_SENT_ONCE_MORE: Final = "sent_once_more"
_GONE: Final = (
    "Signing in took too long, or was begun in another browser. Go back to where you came from, and start again."
)

_log = logging.getLogger(__name__)


class UpstreamSignIn:
    """Sends people to providers, and takes them back."""

    def __init__(
        self,
        context: IssuerContext,
        *,
        authorize: AuthorizeEndpoint,
        page: SignInPage,
        pages: Pages,
        sessions: BrowserSessions,
        sources: UpstreamSources,
        departures: Departures,
        connections: AccountProviders,
    ) -> None:
        self._departures = departures
        self._connections = connections
        self._context = context
        self._authorize = authorize
        self._page = page
        self._pages = pages
        self._sessions = sessions
        self._sources = sources
        self._linking: Linking | None = None

    async def begin(self, request: Request) -> Response:
        """Send the browser to a provider.

        1. The plan has that provider. 2. The client's request is a right one, which the person has come with. 3. What
        the answer is held to is kept for this browser alone (RFC 6749, section 10.12): its cookie and the state are
        both random, and neither is worth anything without the other.
        """
        query: bytes = request.scope["query_string"]
        upstream = self._sources.named(request)
        if upstream is None:  # 1
            return self._pages.show("error", status=404, message="There is no such way to sign in.")
        try:  # 2
            asked = await self._authorize.read(query)
        except (RequestRefusedError, UntrustedRequestError, AuthorizationRefusedError, TokenNotIssuedError):
            return await self._authorize.get(request)
        if "none" in asked.prompts:
            return await self._authorize.get(request)
        wish = Wish(
            return_to=self._sources.address(upstream, "callback"),
            now=self._context.clock.now(),
            login_hint=asked.login_hint,
            again="login" in asked.prompts,
            choose="select_account" in asked.prompts,
            max_age=asked.max_age,
            levels=asked.acr_values,
        )
        try:
            begun = await self._sources.of(upstream).begin(wish)
        except UpstreamError as error:
            return await self._say(request, query, asked, upstream, error)
        return await self._leave(request, query, upstream, begun)

    async def finish(self, request: Request) -> Response:
        """Take what the browser brings back from a provider.

        1. This browser began it, at this provider, not long ago, and this is the first answer to it. 2. The provider
        has signed somebody in, for us, for this sign-in. 3. They have an account, or get one. 4. They get a session
        with a fresh handle, whatever the browser brought, and go on with the client's request.
        """
        upstream = self._sources.named(request)
        if upstream is None:
            return self._pages.show("error", status=404, message="There is no such way to sign in.")
        try:
            answer = parse_parameters(request.scope["query_string"])
        except RequestRefusedError as error:
            return self._pages.show("error", status=error.status, message="The answer is malformed.")
        return await self._finish(request, upstream, answer)

    async def _finish(self, request: Request, upstream: Upstream, answer: Parameters) -> Response:
        kept = await self._departures.take(request, upstream, answer)  # 1
        if kept is None:
            return self._pages.show("error", status=400, message=_GONE)
        if "account" in kept:
            return await self._connections.finish(request, upstream, kept, answer)
        query = str(kept["query"]).encode("latin-1")
        try:
            now = self._context.clock.now()
            identity = await self._sources.of(upstream).finish(kept["kept"], answer, now=now)  # 2
            visitor = visitor_of(request)
            proof = await self._proof(upstream, identity, source=visitor.source)  # 3
        except UpstreamError as error:
            return await self._say_for(request, query, upstream, error)
        session = await self._sessions.start(request, proof)  # 4
        response = await self._authorize.proceed(request, query, session=session, fresh=True)
        set_cookie(response, session)
        return response

    async def finish_by_form(self, request: Request) -> Response:
        """Take an answer by form (OAuth 2.0 Form Post Response Mode; saml-bindings-2.0-os, section 3.5).

        A form of another site comes without our cookies. What the browser fetches then has them, so the answer is
        brought by GET; one that a URL cannot hold is sent once more, by a form of ours.
        """
        upstream = self._sources.named(request)
        if upstream is None:
            return self._pages.show("error", status=404, message="There is no such way to sign in.")
        try:
            answer = await read_form(request, MAX_BODY if upstream.saml is None else MAX_SAML)
        except RequestRefusedError as error:
            return self._pages.show("error", status=error.status, message="The answer is malformed.")
        if upstream.saml is not None:
            if read_cookie(request, UPSTREAM) is not None or _SENT_ONCE_MORE in answer:
                return await self._finish(request, upstream, answer)
            fields = {name: answer[name] for name in _SAML_FIELDS if name in answer} | {_SENT_ONCE_MORE: "1"}
            uri = self._sources.address(upstream, "callback")
            return self._pages.show("form_post", script=True, uri=uri, fields=fields)
        return see(f"{self._sources.address(upstream, 'callback')}?{answer.encoded()}")

    async def metadata(self, request: Request) -> Response:
        """Answer with what a SAML provider has to know about us (saml-metadata-2.0-os, section 2.4.4)."""
        from ringwall.identity.upstream.saml.metadata import MEDIA_TYPE  # noqa: PLC0415  # not on the way to a start

        upstream = self._sources.named(request)
        if upstream is None or upstream.saml is None:
            return self._pages.show("error", status=404, message="There is no such way to sign in.")
        about = await self._sources.saml(upstream).metadata(self._sources.address(upstream, "callback"))
        return Response(about, media_type=MEDIA_TYPE, headers={"cache-control": "no-store"})

    async def _leave(self, request: Request, query: bytes, upstream: Upstream, begun: Begun) -> Response:
        location, cookie = await self._departures.keep(request, upstream, begun, {"query": query.decode("latin-1")})
        return self._departures.mark(see(location), cookie)

    async def _proof(self, upstream: Upstream, identity: UpstreamIdentity, *, source: str) -> Proof:
        from ringwall.identity.people.throttle import network_of  # noqa: PLC0415  # not on the way to a start

        done = await (await self.linking()).sign_in(upstream, identity, source=network_of(source))
        return Proof(
            subject=done.account,
            acr=done.level,
            amr=(),
            authenticated=identity.authenticated,
            upstream={"name": upstream.name, "session": dict(identity.session)},
            origin=identity.origin,
            lasts=float(upstream.session_seconds) or None,
        )

    async def linking(self) -> "Linking":
        """Return what finds accounts."""
        if self._linking is None:
            from ringwall.identity.upstream.linking import Linking  # noqa: PLC0415  # not on the way to a start

            services = await self._context.people.services()
            self._linking = Linking(
                services.database, services.journal, self._context.clock, accounts=services.accounts
            )
        return self._linking

    async def _say_for(self, request: Request, query: bytes, upstream: Upstream, error: UpstreamError) -> Response:
        try:
            asked = await self._authorize.read(query)
        except (RequestRefusedError, UntrustedRequestError, AuthorizationRefusedError, TokenNotIssuedError):
            return self._pages.show("error", status=400, message=_GONE)
        return await self._say(request, query, asked, upstream, error)

    async def _say(
        self, request: Request, query: bytes, asked: AuthorizationRequest, upstream: Upstream, error: UpstreamError
    ) -> Response:
        """Show the page for signing in again; what was wrong exactly is for the operator."""
        _log.warning("nobody signed in at %s: %s (%s)", upstream.name, error.message, error.hint or error.reason)
        status, message = 403, f"Signing in at {upstream.title} did not work."
        if isinstance(error, UpstreamUnavailableError):
            status, message = 503, f"{upstream.title} cannot be reached at the moment. Try again later."
        elif isinstance(error, UpstreamDeclinedError):
            message = f"{upstream.title} did not sign you in."
        elif isinstance(error, NoAccountError):
            message = f"You have signed in at {upstream.title}, and there is no account for you here."
        return await self._page.ask(request, query, asked, status=status, message=message)
