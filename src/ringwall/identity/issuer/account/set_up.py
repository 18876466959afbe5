"""Where an invitation leads: somebody makes a passkey, or chooses a password, before anything else."""

from starlette.requests import Request
from starlette.responses import Response

from ringwall.identity.issuer.account.door import SET_UP, Door, Holder
from ringwall.identity.issuer.account.passkeys import keep, options_for
from ringwall.identity.issuer.assurance import SETTING_UP, Proof
from ringwall.identity.issuer.browser_sessions import set_cookie
from ringwall.identity.issuer.pages.wording import told
from ringwall.identity.people.errors import BusyError, PasskeysUnavailableError, PasswordRefusedError
from ringwall.model.secret import Secret


class SetUpPage:
    """For somebody who has followed an invitation, and has nothing to sign in with yet.

    A client's request that is still to be answered stands in the query, as it came.
    """

    def __init__(self, door: Door) -> None:
        self._door = door

    async def get(self, request: Request) -> Response:
        """Show both ways."""
        here = await self._holder(request)
        return here if isinstance(here, Response) else await self._show(request, here)

    async def post(self, request: Request) -> Response:
        """Keep what was chosen.

        A password that was just typed proves as much as at a sign-in. A new passkey proves nothing yet (no signature
        of it was asked for), so its owner signs in with it next.
        """
        here = await self._holder(request)
        if isinstance(here, Response):
            return here
        form = await self._door.form(request, _purpose(request))
        if "passkey" in form:
            message = await keep(here, form["passkey"], form.get("name", ""))
            if message:
                return await self._show(request, here, message=message)
            return self._door.pages.show("set_up_done", action=_onwards(request))
        password = form.get("password", "")
        if password != form.get("again", ""):
            return await self._show(request, here, message="The two passwords are not the same.")
        try:
            await here.services.credentials.set_password(
                here.subject, Secret(password), by=here.subject, spared=here.session.id
            )
        except (PasswordRefusedError, BusyError) as error:
            return await self._show(request, here, message=told(error.message, error.hint))
        proof = Proof(subject=here.subject, acr="pwd", amr=("pwd",))
        session = await self._door.sessions.start(request, proof)
        response = self._door.to(_onwards(request))
        set_cookie(response, session)
        return response

    async def _holder(self, request: Request) -> Holder | Response:
        session = await self._door.sessions.current(request)
        people = self._door.context.people
        if session is None or session.acr != SETTING_UP or not await people.must_set_up(session.subject):
            return self._door.to("/account")
        person, services = await people.find(session.subject), await people.services()
        account = await services.database.accounts.get(session.subject)
        if person is None or account is None:
            return self._door.to("/account")
        return Holder(session=session, person=person, services=services, account=account)

    async def _show(self, request: Request, here: Holder, message: str = "") -> Response:
        try:
            options = await options_for(here)
        except PasskeysUnavailableError:
            options = ""
        return self._door.pages.show(
            "set_up",
            status=400 if message else 200,
            script=True,
            action=f"{SET_UP}?{_query(request)}",
            form_token=self._door.token(here, _purpose(request)),
            user_name=here.account.user_name,
            options=options,
            passkeys_possible=bool(options),
            message=message,
        )


def _query(request: Request) -> str:
    query: bytes = request.scope["query_string"]
    return query.decode("latin-1")


def _purpose(request: Request) -> str:
    return f"set-up\0{_query(request)}"


def _onwards(request: Request) -> str:
    query = _query(request)
    return f"/authorize?{query}" if query else "/account"
