"""Signing in, for one request of one client."""

import logging
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from ringwall.identity.issuer.access_tokens import TokenNotIssuedError
from ringwall.identity.issuer.assurance import Proof
from ringwall.identity.issuer.browser_sessions import BrowserSessions, set_cookie
from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.oauth.authorization_request import (
    AuthorizationRefusedError,
    AuthorizationRequest,
    UntrustedRequestError,
)
from ringwall.identity.issuer.oauth.authorize import AuthorizeEndpoint
from ringwall.identity.issuer.oauth.sign_in_page import SignInPage, login_purpose
from ringwall.identity.issuer.oauth.visitor import remember_device, visitor_of
from ringwall.identity.issuer.pages.forms import FormTokens
from ringwall.identity.issuer.people import SecondFactor, SignInFailedError, Visitor, picked
from ringwall.identity.issuer.request import Parameters, RequestRefusedError, read_form
from ringwall.identity.store.errors import HandleRefusedError
from ringwall.model.secret import Secret

STEP_SECONDS: Final = 600.0
"""How long after the password the second factor may follow."""

_log = logging.getLogger(__name__)


class _WrongCodeError(SignInFailedError):
    """The second factor was wrong; it may be tried again.

    Attributes:
        ways: what will do.
    """

    def __init__(self, message: str, ways: frozenset[str]) -> None:
        super().__init__(message)
        self.ways = ways


class LoginEndpoint:
    """Takes what the pages for signing in send."""

    def __init__(
        self,
        context: IssuerContext,
        *,
        authorize: AuthorizeEndpoint,
        page: SignInPage,
        sessions: BrowserSessions,
        forms: FormTokens,
    ) -> None:
        self._context = context
        self._authorize = authorize
        self._page = page
        self._sessions = sessions
        self._forms = forms

    async def get(self, request: Request) -> Response:
        """Start over: somebody has reloaded the page, or come back to it."""
        return await self._authorize.get(request)

    async def post(self, request: Request) -> Response:
        """Sign somebody in and go on with the client's request.

        1. The form is one that this browser was shown for this very request. 2. The request is still a right one.
        3. The person proves who they are, or takes the first of two steps to it. 4. They get a session with a fresh
        handle, whatever the browser brought.
        """
        query: bytes = request.scope["query_string"]
        form = await read_form(request)
        self._forms.check(request, form, login_purpose(query), signed_out=True)  # 1
        try:  # 2
            asked = await self._authorize.read(query)
        except (RequestRefusedError, UntrustedRequestError, AuthorizationRefusedError, TokenNotIssuedError):
            return await self._authorize.get(request)
        visitor = visitor_of(request)
        try:  # 3
            proof = await self._prove(form, visitor)
        except SignInFailedError as error:
            if isinstance(error, _WrongCodeError):
                return await self._page.ask_more(
                    request, query, asked, step=Secret(form["step"]), ways=error.ways, message=error.message
                )
            status = 429 if error.wait else 403
            return await self._page.ask(
                request, query, asked, status=status, message=error.message, typed=form.get("user_name", "")
            )
        if isinstance(proof, SecondFactor):
            return await self._ask_for_second_factor(request, query, asked, proof, visitor)
        session = await self._sessions.start(request, proof)  # 4
        response = await self._authorize.proceed(request, query, session=session, fresh=True)
        set_cookie(response, session)
        remember_device(response, request, proof.device)
        return response

    async def _prove(self, form: Parameters, visitor: Visitor) -> Proof | SecondFactor:
        people = self._context.people
        if "person" in form:  # a development user
            found = next((person for person in people.pickable() if person.name == form["person"]), None)
            if found is None:
                raise SignInFailedError("There is nobody of that name to pick.")
            _log.warning("development: somebody became %r without proving anything", found.name)
            return picked(found)
        if "step" in form:
            return await self._second_factor(form, visitor)
        if "passkey" in form:
            return await people.check_passkey(form["passkey"], visitor)
        return await people.check_password(form.get("user_name", ""), Secret(form.get("password", "")), visitor)

    async def _second_factor(self, form: Parameters, visitor: Visitor) -> Proof:
        """Go on where the password was right. What is known of that was kept here, for this browser alone."""
        steps = (await self._context.storage.database()).interactions
        try:
            step = await steps.read(Secret(form["step"]), owner=visitor.binding, now=self._context.clock.now())
        except HandleRefusedError:
            raise SignInFailedError("That took too long. Sign in again.") from None
        way = "recovery-code" if form.get("way") == "recovery-code" else "totp"
        people, kept = self._context.people, step.payload["kept"]
        try:
            if "passkey" in form:
                return await self._passkey_of(kept["account"], form["passkey"], visitor)
            return await people.check_second_factor(kept, way, form.get("code", ""), visitor)
        except SignInFailedError as error:
            raise error if error.wait else _WrongCodeError(error.message, frozenset(step.payload["ways"])) from None

    async def _passkey_of(self, account: str, answer: str, visitor: Visitor) -> Proof:
        proof = await self._context.people.check_passkey(answer, visitor)
        if proof.subject != account:
            raise SignInFailedError("This passkey is not of the account whose password you typed.")
        return proof

    async def _ask_for_second_factor(
        self, request: Request, query: bytes, asked: AuthorizationRequest, factor: SecondFactor, visitor: Visitor
    ) -> Response:
        steps = (await self._context.storage.database()).interactions
        handle = await steps.put(
            owner=visitor.binding,
            payload={"kept": factor.kept, "ways": sorted(factor.ways)},
            now=self._context.clock.now(),
            seconds=STEP_SECONDS,
        )
        return await self._page.ask_more(request, query, asked, step=handle, ways=factor.ways)
