"""Setting up and removing an authenticator app, and recovery codes for the day when it is lost."""

from starlette.requests import Request
from starlette.responses import Response

from ringwall.identity.issuer.account.door import FORM_SECONDS, Door, Holder
from ringwall.identity.issuer.account.qr_code import qr_code
from ringwall.identity.issuer.pages.wording import told
from ringwall.identity.people.errors import CredentialError, SignInRefusedError, TooManyAttemptsError

_PURPOSE = "app"
_WRONG = "This code is not right. Look at the app again; its codes change every 30 seconds."


class AuthenticatorAppPage:
    """For somebody who has just signed in."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def get(self, request: Request) -> Response:
        """Show a fresh secret, of which nothing is kept until the app has shown a code."""
        here = await self._door.holder(request, "app")
        if isinstance(here, Response):
            return here
        try:
            return self._show(here, (await here.services.credentials.begin_totp(here.subject)).pending)
        except CredentialError as error:
            return self._door.error(told(error.message, error.hint))

    async def post(self, request: Request) -> Response:
        """Begin to ask for the app's codes, and show recovery codes."""
        here = await self._door.holder(request, "app", within=FORM_SECONDS)
        if isinstance(here, Response):
            return here
        form = await self._door.form(request, _PURPOSE)
        pending, credentials = form.get("pending", ""), here.services.credentials
        try:
            await credentials.confirm_totp(here.subject, pending, form.get("code", ""), by=here.subject)
        except TooManyAttemptsError as error:
            return self._door.error(told(error.message, f"try again in {error.wait} seconds"), 429)
        except SignInRefusedError:
            return self._show(here, pending, message=_WRONG)
        except CredentialError as error:
            return self._door.error(told(error.message, error.hint))
        return await self._show_codes(here, added=True)

    async def remove(self, request: Request) -> Response:
        """Ask for codes of the app no more."""
        here = await self._door.holder(request, "account", within=FORM_SECONDS)
        if isinstance(here, Response):
            return here
        await self._door.form(request, "remove-app")
        try:
            await here.services.credentials.remove_totp(here.subject, by=here.subject)
        except CredentialError:
            return self._door.to("/account", done="gone")
        return self._door.to("/account", done="app-removed")

    async def new_codes(self, request: Request) -> Response:
        """Make recovery codes in place of all former ones, and show them this once."""
        here = await self._door.holder(request, "account", within=FORM_SECONDS)
        if isinstance(here, Response):
            return here
        await self._door.form(request, "recovery-codes")
        if not (await here.services.credentials.overview(here.subject)).totp:
            return self._door.error("Recovery codes stand in for an authenticator app, and you have none.")
        return await self._show_codes(here, added=False)

    def _show(self, here: Holder, pending: str, message: str = "") -> Response:
        try:
            app = here.services.credentials.shown_totp(here.account, pending)
        except SignInRefusedError:
            return self._door.to("/account/app")  # it has waited for too long
        typed = " ".join(app.typed[start : start + 4] for start in range(0, len(app.typed), 4))
        return self._door.pages.show(
            "account_app",
            status=400 if message else 200,
            form_token=self._door.token(here, _PURPOSE),
            pending=pending,
            typed=typed,
            code=qr_code(app.uri),
            message=message,
        )

    async def _show_codes(self, here: Holder, *, added: bool) -> Response:
        made = await here.services.credentials.new_recovery_codes(here.subject, by=here.subject)
        codes = [code.reveal().decode("ascii") for code in made]
        return self._door.pages.show("account_codes", codes=codes, added=added, user_name=here.account.user_name)
