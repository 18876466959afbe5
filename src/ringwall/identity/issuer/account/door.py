"""Who may see the pages of an account: whoever is signed in, and, to change how they sign in, has just done so."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from starlette.requests import Request
from starlette.responses import Response

from ringwall.identity.issuer.assurance import SETTING_UP, admits
from ringwall.identity.issuer.browser_sessions import BrowserSession, BrowserSessions
from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.oauth.own_pages import ACCOUNT, sign_in_for
from ringwall.identity.issuer.pages.forms import FormTokens
from ringwall.identity.issuer.pages.render import Pages
from ringwall.identity.issuer.people import Person
from ringwall.identity.issuer.request import Parameters, read_form

if TYPE_CHECKING:
    from ringwall.identity.people.people import People
    from ringwall.identity.store.accounts import Account

FRESH_SECONDS: Final = 300
"""How lately somebody must have signed in to be shown a page that changes how they sign in."""
FORM_SECONDS: Final = 900
"""How long after signing in they may send what such a page holds."""
SET_UP: Final = "/account/set-up"
PLACES: Final = {
    "account": ACCOUNT,
    "password": "/account/password",
    "passkeys": "/account/passkeys",
    "app": "/account/app",
}
"""Where somebody goes on after signing in, by what `state` says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """Somebody who may see a page of their account.

    Attributes:
        session: the browser's.
        person: who they are.
        services: what does the work.
    """

    session: BrowserSession
    person: Person
    services: "People"

    @property
    def subject(self) -> str:
        """The id of their account."""
        return self.session.subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder(Here):
    """Somebody with an account in the database; people of a blueprint have none.

    Attributes:
        account: theirs.
    """

    account: "Account"


class Door:
    """Lets people in, or says where they have to go first."""

    def __init__(self, context: IssuerContext, *, sessions: BrowserSessions, forms: FormTokens, pages: Pages) -> None:
        self.context = context
        self.sessions = sessions
        self.forms = forms
        self.pages = pages

    async def here(self, request: Request, place: str = "account") -> Here | Response:
        """Return who is signed in, or send them to sign in and to come back to a place; or to set themselves up."""
        session = await self.sessions.current(request)
        person = await self.context.people.find(session.subject) if session is not None else None
        if session is None or person is None:
            return self._to_sign_in(place)
        if not admits(session.acr):
            must = session.acr == SETTING_UP and await self.context.people.must_set_up(session.subject)
            return self.to(SET_UP) if must else self._to_sign_in(place)
        return Here(session=session, person=person, services=await self.context.people.services())

    async def holder(self, request: Request, place: str, *, within: float = FRESH_SECONDS) -> Holder | Response:
        """Return who has signed in within so many seconds, to change how they sign in; else as `here`."""
        here = await self.here(request, place)
        if isinstance(here, Response):
            return here
        account = await here.services.database.accounts.get(here.subject)
        if account is None:
            return self.error("People of the blueprint sign in with nothing, so there is nothing to change.", 404)
        if self.context.clock.now() - here.session.authenticated > within:
            return self._to_sign_in(place, max_age=FRESH_SECONDS, login_hint=account.user_name)
        return Holder(session=here.session, person=here.person, services=here.services, account=account)

    async def form(self, request: Request, purpose: str) -> Parameters:
        """Return a form that this session was shown for a purpose, else raise RequestRefusedError."""
        form = await read_form(request)
        self.forms.check(request, form, f"account\0{purpose}")
        return form

    def token(self, here: Here, purpose: str) -> str:
        """Return what `form` will look for."""
        return self.forms.issue_for(here.session.handle, f"account\0{purpose}")

    def to(self, path: str, *, done: str = "") -> Response:
        """Send the browser to a page of the issuer, which tells what was `done`."""
        base = self.context.directory.current().issuer.rstrip("/")
        location = f"{base}{path}{'?done=' if done else ''}{done}"
        return Response(status_code=303, headers={"location": location, "cache-control": "no-store"})

    def error(self, message: str, status: int = 400) -> Response:
        """Say what is wrong, on a page of its own."""
        return self.pages.show("error", status=status, message=message)

    def _to_sign_in(self, place: str, **more: str | int) -> Response:
        location = sign_in_for(ACCOUNT, self.context.directory.current(), state=place, **more)
        return Response(status_code=303, headers={"location": location, "cache-control": "no-store"})
