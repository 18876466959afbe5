"""Allowing a client what it asks for, or not (OpenID Connect Core 1.0, section 3.1.2.4)."""

from starlette.requests import Request
from starlette.responses import Response

from ringwall.identity.issuer.browser_sessions import BrowserSessions
from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.oauth.authorization_request import (
    AuthorizationRefusedError,
    UntrustedRequestError,
)
from ringwall.identity.issuer.oauth.authorization_response import send_error
from ringwall.identity.issuer.oauth.authorize import AuthorizeEndpoint, consent_purpose
from ringwall.identity.issuer.pages.forms import FormTokens
from ringwall.identity.issuer.pages.render import Pages
from ringwall.identity.issuer.request import RequestRefusedError, read_form


class ConsentEndpoint:
    """Takes what the page for consent sends."""

    def __init__(
        self,
        context: IssuerContext,
        *,
        authorize: AuthorizeEndpoint,
        sessions: BrowserSessions,
        forms: FormTokens,
        pages: Pages,
    ) -> None:
        self._context = context
        self._authorize = authorize
        self._sessions = sessions
        self._forms = forms
        self._pages = pages

    async def get(self, request: Request) -> Response:
        """Start over: somebody has reloaded the page, or come back to it."""
        return await self._authorize.get(request)

    async def post(self, request: Request) -> Response:
        """Remember what was allowed and go on; or send the person back with `access_denied`.

        1. The form is one that this session was shown for this very request, so nobody is made to consent by another
        site, or to anything else than they read. 2. The request is still a right one.
        """
        query: bytes = request.scope["query_string"]
        form = await read_form(request)
        fresh = form.get("fresh") == "yes"
        self._forms.check(request, form, consent_purpose(query, fresh=fresh))  # 1
        session = await self._sessions.current(request)
        directory = self._context.directory.current()
        try:  # 2
            asked = await self._authorize.read(query)
        except (RequestRefusedError, UntrustedRequestError, AuthorizationRefusedError):
            return await self._authorize.get(request)
        if session is None:
            return await self._authorize.get(request)
        if form.get("decision") != "allow":
            return send_error(
                asked.reply, "access_denied", "the person did not allow it", issuer=directory.issuer, pages=self._pages
            )
        consents = (await self._context.storage.database()).consents
        await consents.grant(
            account=session.subject,
            client=asked.reply.client.name,
            scopes=asked.scopes,
            now=self._context.clock.now(),
        )
        return await self._authorize.proceed(request, query, session=session, fresh=fresh, consented=True)
