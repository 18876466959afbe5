"""The authorization endpoint (RFC 6749, section 3.1; OpenID Connect Core 1.0, section 3.1.2)."""

import logging

from starlette.requests import Request
from starlette.responses import Response

from ringwall.identity.issuer.access_tokens import TokenNotIssuedError
from ringwall.identity.issuer.assurance import SETTING_UP, admits, satisfies
from ringwall.identity.issuer.browser_sessions import BrowserSession, BrowserSessions
from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.id_tokens import read_hint
from ringwall.identity.issuer.oauth.authorization_request import (
    UNMET,
    AuthorizationRefusedError,
    AuthorizationRequest,
    ReplyTo,
    UntrustedRequestError,
    find_reply,
    read_request,
)
from ringwall.identity.issuer.oauth.authorization_response import send_code, send_error
from ringwall.identity.issuer.oauth.kept_requests import KeptRequests
from ringwall.identity.issuer.oauth.sign_in_page import SignInPage, links_about
from ringwall.identity.issuer.pages.forms import FormTokens
from ringwall.identity.issuer.pages.render import Pages
from ringwall.identity.issuer.people import Person
from ringwall.identity.issuer.request import Parameters, RequestRefusedError, read_form
from ringwall.identity.tokens.errors import TokenRefusedError
from ringwall.model.errors import RingwallError

_log = logging.getLogger(__name__)


class AuthorizeEndpoint:
    """Signs people in, asks them where they are to be asked, and sends them back with a code."""

    def __init__(self, context: IssuerContext, *, sessions: BrowserSessions, pages: Pages, forms: FormTokens) -> None:
        self._context = context
        self._kept = KeptRequests(context)
        self._sessions = sessions
        self._pages = pages
        self._forms = forms
        self._sign_in = SignInPage(context, pages=pages, forms=forms)

    async def get(self, request: Request) -> Response:
        """Answer a client's request that a browser brings, or the reference to it (RFC 9126, section 4)."""
        query: bytes = request.scope["query_string"]
        try:
            location = await self._kept.begin(query)
        except RequestRefusedError as error:
            return self._pages.show("error", status=error.status, message="The request is malformed.")
        except UntrustedRequestError as error:
            return self._pages.show("error", status=400, message=error.message)
        if location is not None:
            return Response(status_code=303, headers={"location": location, "cache-control": "no-store"})
        return await self.proceed(request, query)

    async def read(self, query: bytes) -> AuthorizationRequest:
        """Return the client's request, or raise what `find_reply` and `read_request` do."""
        directory = self._context.directory.current()
        parameters = await self._kept.parameters(query)
        return read_request(parameters, await find_reply(parameters, self._context), directory)

    async def post(self, request: Request) -> Response:
        """Take the request as a form (OpenID Connect Core 1.0, section 3.1.2.1) and let the browser bring it by GET.

        A form that another site sends comes without the session's cookie; what the browser fetches then, has it.
        """
        try:
            parameters = await read_form(request)
        except RequestRefusedError as error:
            return self._pages.show("error", status=error.status, message="The request is malformed.")
        return self._see(f"/authorize?{parameters.encoded()}")

    async def proceed(
        self,
        request: Request,
        query: bytes,
        *,
        session: BrowserSession | None = None,
        fresh: bool = False,
        consented: bool = False,
    ) -> Response:
        """Go on with a request as far as it is known now who is there, and what they allow.

        Args:
            request: what the browser sent.
            query: the client's request, as it came.
            session: who has just signed in; otherwise the browser's cookie says who is there.
            fresh: whether they proved who they are for this very request.
            consented: whether they have just allowed what is asked for.
        """
        directory = self._context.directory.current()
        try:
            parameters = await self._kept.parameters(query)
            reply = await find_reply(parameters, self._context)
        except RequestRefusedError as error:
            return self._pages.show("error", status=error.status, message="The request is malformed.")
        except UntrustedRequestError as error:
            return self._pages.show("error", status=400, message=error.message)
        try:
            session = session or await self._sessions.current(request)
            return await self._decide(request, query, parameters, reply, session, fresh=fresh, consented=consented)
        except (AuthorizationRefusedError, TokenNotIssuedError) as error:
            return send_error(reply, error.oauth, error.message, issuer=directory.issuer, pages=self._pages)
        except RingwallError as error:
            _log.error("cannot authorize: %s", error)
            return send_error(
                reply, "temporarily_unavailable", "try again later", issuer=directory.issuer, pages=self._pages
            )

    async def _decide(
        self,
        request: Request,
        query: bytes,
        parameters: Parameters,
        reply: ReplyTo,
        session: BrowserSession | None,
        *,
        fresh: bool,
        consented: bool,
    ) -> Response:
        """Show a page, or send the person back (OpenID Connect Core 1.0, sections 3.1.2.3 to 3.1.2.6).

        1. The request is read. 2. Who is signed in must still be somebody who may. 3. They must be the one that the
        client means, and have signed in as lately and as surely as it asks, and not only to set themselves up, else
        they sign in now, or, where nobody may be asked, the client is told so. 4. Who signed in less surely than was
        asked for is not passed off as what the client, or the service behind it, needs (RFC 9470, section 5). 5. They
        allow what has to be allowed. 6. A code is made.
        """
        asked = read_request(parameters, reply, self._context.directory.current())  # 1
        person = await self._context.people.find(session.subject) if session is not None else None  # 2
        silent = "none" in asked.prompts
        if session is None or person is None or not await self._may_stay(asked, session, fresh=fresh):  # 3
            if silent:
                raise AuthorizationRefusedError("login_required", "nobody is signed in as the client asks")
            if fresh:
                raise AuthorizationRefusedError("access_denied", "somebody else signed in than the client means")
            if session is not None and await self._must_set_up(session):
                return self._see(f"/account/set-up?{query.decode('ascii')}")
            return await self._sign_in.ask(request, query, asked)
        if not satisfies(session.acr, asked.acr_values):  # 4
            raise AuthorizationRefusedError(UNMET, "nobody signed in as surely as asked")
        if not consented and await self._must_consent(asked, person):  # 5
            if silent:
                raise AuthorizationRefusedError("consent_required", "the person has not allowed this yet")
            return self._ask_for_consent(query, asked, session, person, fresh=fresh)
        await self._kept.finish(query)  # 6
        return await self._give_code(asked, session)

    async def _may_stay(self, asked: AuthorizationRequest, session: BrowserSession, *, fresh: bool) -> bool:
        if asked.id_token_hint:
            try:
                hint = read_hint(
                    asked.id_token_hint,
                    directory=self._context.directory.current(),
                    keys=self._context.keys.id_token_key_set,
                    clock=self._context.clock,
                )
            except TokenRefusedError:
                raise AuthorizationRefusedError("invalid_request", "`id_token_hint` is not believed") from None
            client = await self._context.client(hint.audiences[0])
            if client is None or hint.subject != self._context.subjects.of(client, session.subject):
                return False
        if not admits(session.acr):
            return False
        if fresh:
            return True
        if {"login", "select_account"} & asked.prompts:
            return False
        age = self._context.clock.now() - session.authenticated
        if asked.max_age is not None and age > asked.max_age:
            return False
        return satisfies(session.acr, asked.acr_values)

    async def _must_set_up(self, session: BrowserSession) -> bool:
        """Return whether they followed an invitation, and have nothing yet to sign in with."""
        return session.acr == SETTING_UP and await self._context.people.must_set_up(session.subject)

    def _see(self, path: str) -> Response:
        location = f"{self._context.directory.current().issuer.rstrip('/')}{path}"
        return Response(status_code=303, headers={"location": location, "cache-control": "no-store"})

    async def _must_consent(self, asked: AuthorizationRequest, person: Person) -> bool:
        if "consent" in asked.prompts:
            return True
        client = asked.reply.client
        if not client.third_party:
            return False
        if asked.reply.uri.loopback:  # any program of that machine may be there, so each time (RFC 6749, section 10.2)
            return True
        consents = (await self._context.storage.database()).consents
        allowed = await consents.scopes(account=person.name, client=client.name)
        return allowed is None or not allowed.issuperset(asked.scopes)

    def _ask_for_consent(
        self, query: bytes, asked: AuthorizationRequest, session: BrowserSession, person: Person, *, fresh: bool
    ) -> Response:
        return self._pages.show(
            "consent",
            form_targets=(asked.reply.uri.origin,),
            client=self._sign_in.shown(asked.reply.client),
            links=links_about(asked.reply.client),
            host=asked.reply.uri.origin,
            person=person.display_name or person.user_name,
            scopes=asked.scopes,
            action=f"/consent?{query.decode('ascii')}",
            fresh=fresh,
            form_token=self._forms.issue_for(session.handle, consent_purpose(query, fresh=fresh)),
        )

    async def _give_code(self, asked: AuthorizationRequest, session: BrowserSession) -> Response:
        """Make a code for exactly this client, redirect URI, challenge and session (RFC 6749, section 4.1.2)."""
        codes = (await self._context.storage.database()).codes
        code = await codes.put(
            client=asked.reply.client.name,
            account=session.subject,
            session=session.id,
            payload={
                "redirect_uri": asked.reply.uri.text,
                "challenge": asked.challenge,
                "nonce": asked.nonce,
                "scopes": list(asked.scopes),
                "auth_time": int(session.authenticated),
                "acr": session.acr,
                "amr": list(session.amr),
                "dpop_jkt": asked.dpop_jkt,
            },
            now=self._context.clock.now(),
            seconds=self._context.settings.code_seconds,
        )
        issuer = self._context.directory.current().issuer
        return send_code(asked.reply, code, issuer=issuer, pages=self._pages)


def consent_purpose(query: bytes, *, fresh: bool) -> str:
    """Return what a consent form is for; `fresh` where the person has proven who they are for this very request."""
    return f"consent\0{'fresh' if fresh else ''}\0{query.decode('latin-1')}"
