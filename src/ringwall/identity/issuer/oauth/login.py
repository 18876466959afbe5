"""Signing in, for one request of one client."""

import logging

from starlette.requests import Request
from starlette.responses import Response

from ringwall.identity.issuer.assurance import Proof
from ringwall.identity.issuer.browser_sessions import BrowserSessions, set_cookie
from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.oauth.authorization_request import (
    AuthorizationRefusedError,
    AuthorizationRequest,
    UntrustedRequestError,
    find_reply,
    read_request,
)
from ringwall.identity.issuer.oauth.authorize import AuthorizeEndpoint, login_purpose
from ringwall.identity.issuer.pages.forms import FormTokens
from ringwall.identity.issuer.people import SignInFailedError, picked
from ringwall.identity.issuer.request import Parameters, RequestRefusedError, parse_parameters, read_form
from ringwall.model.secret import Secret

_log = logging.getLogger(__name__)
_SOURCE: str = "x-forwarded-for"


class LoginEndpoint:
    """Takes what the page for signing in sends."""

    def __init__(
        self, context: IssuerContext, *, authorize: AuthorizeEndpoint, sessions: BrowserSessions, forms: FormTokens
    ) -> None:
        self._context = context
        self._authorize = authorize
        self._sessions = sessions
        self._forms = forms

    async def get(self, request: Request) -> Response:
        """Start over: somebody has reloaded the page, or come back to it."""
        return await self._authorize.get(request)

    async def post(self, request: Request) -> Response:
        """Sign somebody in and go on with the client's request.

        1. The form is one that this browser was shown for this very request. 2. The request is still a right one.
        3. The person proves who they are. 4. They get a session with a fresh handle, whatever the browser brought.
        """
        query: bytes = request.scope["query_string"]
        form = await read_form(request)
        self._forms.check(request, form, login_purpose(query))  # 1
        try:  # 2
            asked = self._read(query)
        except (RequestRefusedError, UntrustedRequestError, AuthorizationRefusedError):
            return await self._authorize.get(request)
        try:  # 3
            proof = await self._prove(request, form)
        except SignInFailedError as error:
            _log.warning("a sign-in failed")
            status = 429 if error.wait else 403
            return self._authorize.ask_to_sign_in(request, query, asked, status=status, message=error.message)
        session = await self._sessions.start(proof, former=await self._sessions.current(request))  # 4
        response = await self._authorize.proceed(request, query, session=session, fresh=True)
        set_cookie(response, session)
        return response

    def _read(self, query: bytes) -> AuthorizationRequest:
        directory = self._context.directory.current()
        parameters = parse_parameters(query)
        return read_request(parameters, find_reply(parameters, directory), directory)

    async def _prove(self, request: Request, form: Parameters) -> Proof:
        people = self._context.people
        if "person" in form:  # a development user
            found = next((person for person in people.pickable() if person.name == form["person"]), None)
            if found is None:
                raise SignInFailedError("There is nobody of that name to pick.")
            _log.warning("development: somebody became %r without proving anything", found.name)
            return picked(found)
        source = request.headers.get(_SOURCE, "")
        return await people.check_password(
            form.get("user_name", ""), Secret(form.get("password", "")), source=source[-64:]
        )
