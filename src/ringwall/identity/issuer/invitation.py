"""The page behind an invitation's link: somebody new gets an account, by a password or a passkey."""

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from ringwall.identity.issuer.assurance import Proof
from ringwall.identity.issuer.browser_sessions import BrowserSessions, set_cookie
from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.oauth.visitor import remember_device, visitor_of
from ringwall.identity.issuer.pages.forms import FormTokens, give_cookie
from ringwall.identity.issuer.pages.render import Pages
from ringwall.identity.issuer.pages.wording import told
from ringwall.identity.issuer.request import read_form
from ringwall.identity.people.errors import BusyError, PasswordRefusedError, PeopleError, TooManyAttemptsError
from ringwall.model.secret import Secret

if TYPE_CHECKING:
    from ringwall.identity.people.sign_in import Visitor

PATH: Final = "/invitation?code="
"""As in `ringwall.identity.people.invitations`, which is not loaded before somebody comes."""


class InvitationEndpoint:
    """Shows an invitation, and takes it."""

    def __init__(self, context: IssuerContext, *, sessions: BrowserSessions, forms: FormTokens, pages: Pages) -> None:
        self._context = context
        self._sessions = sessions
        self._forms = forms
        self._pages = pages

    async def get(self, request: Request) -> Response:
        """Show the form to whoever has the link; looking at it uses nothing up."""
        try:
            return await self._show(request)
        except PeopleError as error:
            return self._refuse(error)

    async def post(self, request: Request) -> Response:
        """Take the invitation.

        1. The form is one that this browser was shown for this very invitation. 2. The password was typed the same
        twice, and may be used; else the invitation still waits. 3. The account is made, its person signed in; without a
        password only to make a passkey.
        """
        handle = _handle(request)
        form = await read_form(request)
        self._forms.check(request, form, _purpose(handle))  # 1
        password = None if form.get("way") == "passkey" else Secret(form.get("password", ""))
        try:
            if password is not None and form.get("password", "") != form.get("again", ""):  # 2
                return await self._show(request, message="The two passwords are not the same.")
            services = await self._context.people.services()
            done = await services.invitations.accept(handle, _visitor(request), password=password)  # 3
        except (PasswordRefusedError, BusyError) as error:
            return await self._show(request, message=told(error.message, error.hint))
        except PeopleError as error:
            return self._refuse(error)
        proof = Proof(subject=done.account, acr=done.acr.value, amr=done.amr, device=done.device_token)
        session = await self._sessions.start(request, proof)
        response = self._to_set_up() if password is None else self._pages.show("invitation_accepted")
        set_cookie(response, session)
        remember_device(response, request, proof.device)
        return response

    async def _show(self, request: Request, message: str = "") -> Response:
        handle = _handle(request)
        services = await self._context.people.services()
        invitation = await services.invitations.look(handle, _visitor(request))
        token, cookie = self._forms.issue(request, _purpose(handle))
        response = self._pages.show(
            "invitation",
            status=400 if message else 200,
            script=True,
            form_token=token,
            passkeys_possible=services.credentials.passkeys_possible,
            action=PATH + quote(handle.reveal()),
            user_name=invitation.profile.user_name,
            anew=bool(invitation.account),
            message=message,
        )
        give_cookie(response, cookie)
        return response

    def _to_set_up(self) -> Response:
        location = f"{self._context.directory.current().issuer.rstrip('/')}/account/set-up"
        return Response(status_code=303, headers={"location": location, "cache-control": "no-store"})

    def _refuse(self, error: PeopleError) -> Response:
        if isinstance(error, TooManyAttemptsError):
            return self._pages.show("error", status=429, message=told(error.message, f"wait {error.wait} seconds"))
        message = f"{told(error.message, error.hint)} If it was you who used it, sign in."
        return self._pages.show("error", status=400, message=message, onwards="/account", onwards_says="Sign in")


def _handle(request: Request) -> Secret:
    return Secret(request.query_params.get("code", "").encode("utf-8", "replace"))


def _purpose(handle: Secret) -> str:
    return f"invitation {handle.reveal().decode()}"


def _visitor(request: Request) -> "Visitor":
    from ringwall.identity.people.sign_in import Visitor  # noqa: PLC0415  # not on the way to a start

    seen = visitor_of(request)
    return Visitor(source=seen.source, binding=seen.binding, devices=seen.devices)
