"""Signing out at a client's request (OpenID Connect RP-Initiated Logout 1.0)."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from ringwall.identity.issuer.browser_sessions import BrowserSession, BrowserSessions, clear_session
from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.id_tokens import read_hint
from ringwall.identity.issuer.oauth.redirects import RegisteredUri, find_after_logout
from ringwall.identity.issuer.pages.forms import FormTokens, give_cookie
from ringwall.identity.issuer.pages.render import Pages
from ringwall.identity.issuer.request import Parameters, RequestRefusedError, parse_parameters, read_form
from ringwall.identity.issuer.upstream_sign_out import UpstreamSignOut
from ringwall.identity.issuer.upstream_sources import see
from ringwall.identity.tokens.claims import VerifiedClaims
from ringwall.identity.tokens.errors import TokenRefusedError
from ringwall.model.errors import RingwallError


class _LogoutRefusedError(RingwallError):
    """A request to sign out is wrong, and nobody is sent anywhere."""

    code = "logout-refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A request to sign out.

    Attributes:
        hint: whom the client means; None where it does not prove that it knows.
        then: where to go afterwards; None for a page of the issuer.
        state: given back as it came.
    """

    hint: VerifiedClaims | None
    then: RegisteredUri | None
    state: str


class EndSessionEndpoint:
    """Ends the browser's session at the issuer, and every token that came from it."""

    def __init__(
        self,
        context: IssuerContext,
        *,
        sessions: BrowserSessions,
        pages: Pages,
        forms: FormTokens,
        elsewhere: UpstreamSignOut,
    ) -> None:
        self._context = context
        self._sessions = sessions
        self._pages = pages
        self._forms = forms
        self._elsewhere = elsewhere

    async def get(self, request: Request) -> Response:
        """Take the request from the query (section 2)."""
        return await self._answer(request, request.scope["query_string"])

    async def post(self, request: Request) -> Response:
        """Take the request as a form (section 2) and let the browser bring it by GET, with its cookie."""
        parameters = await read_form(request)
        location = f"{self._context.directory.current().issuer.rstrip('/')}/end_session?{parameters.encoded()}"
        return Response(status_code=303, headers={"location": location, "cache-control": "no-store"})

    async def confirm(self, request: Request) -> Response:
        """Sign out somebody who was asked and said so; the form must be one that this browser was shown."""
        query: bytes = request.scope["query_string"]
        form = await read_form(request)
        self._forms.check(request, form, _purpose(query))
        try:
            asked = await self._read(parse_parameters(query))
        except (RequestRefusedError, _LogoutRefusedError) as error:
            return self._pages.show("error", status=400, message=error.message)
        return await self._sign_out(await self._sessions.current(request), asked)

    async def _answer(self, request: Request, query: bytes) -> Response:
        """Sign out at once where the client proves by an ID token that it means who is there, else ask (section 2)."""
        try:
            asked = await self._read(parse_parameters(query))
        except (RequestRefusedError, _LogoutRefusedError) as error:
            return self._pages.show("error", status=400, message=error.message)
        session = await self._sessions.current(request)
        if session is None or (asked.hint is not None and asked.hint.claims.get("sid") == session.id):
            return await self._sign_out(session, asked)
        token, cookie = self._forms.issue(request, _purpose(query))
        person = await self._context.people.find(session.subject)
        response = self._pages.show(
            "sign_out",
            form_targets=((asked.then.origin,) if asked.then else ()) + await self._elsewhere.origins(session),
            person=person.display_name if person is not None else session.subject,
            action=f"/sign-out?{query.decode('ascii')}",
            form_token=token,
        )
        give_cookie(response, cookie)
        return response

    async def _read(self, parameters: Parameters) -> _Asked:
        """Return what is asked for.

        1. An ID token that is shown must be ours (section 4). 2. It and `client_id` name the same client (section 2).
        3. Where to go afterwards is registered by that client, letter by letter (section 3), else nobody goes anywhere.
        """
        directory = self._context.directory.current()
        hint = None
        if "id_token_hint" in parameters:
            try:
                hint = read_hint(
                    parameters["id_token_hint"],
                    directory=directory,
                    keys=self._context.keys.id_token_key_set,
                    clock=self._context.clock,
                )
            except TokenRefusedError:  # 1
                raise _LogoutRefusedError("The application that sent you here showed something wrong.") from None
        name = parameters.get("client_id", hint.audiences[0] if hint else "")
        if hint is not None and name not in hint.audiences:  # 2
            raise _LogoutRefusedError("The application that sent you here is not who it says.")
        then = None
        if "post_logout_redirect_uri" in parameters:
            client = await self._context.client(name)
            then = find_after_logout(client, parameters["post_logout_redirect_uri"]) if client is not None else None
            if then is None:  # 3
                raise _LogoutRefusedError("The application that sent you here did not say where to return to.")
        return _Asked(hint=hint, then=then, state=parameters.get("state", ""))

    async def _sign_out(self, session: BrowserSession | None, asked: _Asked) -> Response:
        if session is not None:
            await self._sessions.end(session.id, reason="signed-out")
        then = asked.then.with_query({"state": asked.state} if asked.state else {}) if asked.then is not None else ""
        away = await self._elsewhere.begin(session, then=then) if session is not None else None
        response = away or (see(then) if then else self._pages.show("signed_out"))
        clear_session(response)
        return response


def _purpose(query: bytes) -> str:
    return f"sign-out\0{query.decode('latin-1')}"
