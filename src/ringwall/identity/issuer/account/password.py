"""Setting, changing and removing a password."""

from starlette.requests import Request
from starlette.responses import Response

from ringwall.identity.issuer.account.door import FORM_SECONDS, Door, Holder
from ringwall.identity.issuer.pages.wording import told
from ringwall.identity.people.errors import BusyError, CredentialError, PasswordRefusedError
from ringwall.model.secret import Secret

_PURPOSE = "password"


class PasswordPage:
    """For somebody who has just signed in; so the former password is not asked for again."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def get(self, request: Request) -> Response:
        """Show the form."""
        here = await self._door.holder(request, "password")
        return here if isinstance(here, Response) else await self._show(here)

    async def post(self, request: Request) -> Response:
        """Set the password, which ends every other session."""
        here = await self._door.holder(request, "password", within=FORM_SECONDS)
        if isinstance(here, Response):
            return here
        form = await self._door.form(request, _PURPOSE)
        password = form.get("password", "")
        if password != form.get("again", ""):
            return await self._show(here, message="The two passwords are not the same.")
        try:
            await here.services.credentials.set_password(
                here.subject, Secret(password), by=here.subject, spared=here.session.id
            )
        except (PasswordRefusedError, BusyError) as error:
            return await self._show(here, message=told(error.message, error.hint))
        return self._door.to("/account", done="password")

    async def remove(self, request: Request) -> Response:
        """Sign in without a password from now on, where there is another way."""
        here = await self._door.holder(request, "account", within=FORM_SECONDS)
        if isinstance(here, Response):
            return here
        await self._door.form(request, "remove-password")
        try:
            await here.services.credentials.remove_password(here.subject, by=here.subject)
        except CredentialError:
            return self._door.to("/account", done="only-way")
        return self._door.to("/account", done="password-removed")

    async def _show(self, here: Holder, message: str = "") -> Response:
        ways = await here.services.credentials.overview(here.subject)
        return self._door.pages.show(
            "account_password",
            status=400 if message else 200,
            form_token=self._door.token(here, _PURPOSE),
            user_name=here.account.user_name,
            change=ways.password_changed is not None,
            message=message,
        )
