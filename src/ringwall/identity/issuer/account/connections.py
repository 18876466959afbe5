"""Ending sessions, disconnecting applications and devices, and withdrawing what was allowed to them."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from ringwall.identity.issuer.account.door import Door, Here
from ringwall.identity.issuer.browser_sessions import clear_session
from ringwall.identity.issuer.upstream_sign_out import UpstreamSignOut
from ringwall.identity.people.errors import AccountError


class Connections:
    """Takes these forms of the account's page. They only ever take something away, so no fresh sign-in is asked for."""

    def __init__(self, door: Door, elsewhere: UpstreamSignOut) -> None:
        self._door = door
        self._elsewhere = elsewhere

    async def end_session(self, request: Request) -> Response:
        """End one session and what came of it; the browser's own one by signing out."""

        async def end(here: Here, named: str) -> None:
            await here.services.endings.session(here.subject, named, by=here.subject)

        return await self._end(request, "end-session", "session", end, done="session")

    async def end_client(self, request: Request) -> Response:
        """Disconnect one application or device."""

        async def end(here: Here, named: str) -> None:
            await here.services.endings.client(here.subject, named, by=here.subject)

        return await self._end(request, "end-client", "family", end, done="client")

    async def withdraw(self, request: Request) -> Response:
        """Withdraw a consent, which ends the refresh tokens of that client."""

        async def end(here: Here, named: str) -> None:
            await here.services.endings.consent(here.subject, named, by=here.subject)

        return await self._end(request, "withdraw", "client", end, done="consent")

    async def sign_out_everywhere(self, request: Request) -> Response:
        """End everything, this browser's session too."""
        here = await self._door.here(request)
        if isinstance(here, Response):
            return here
        await self._door.form(request, "everywhere")
        await here.services.endings.sign_out(here.subject, by=here.subject)
        return await self._signed_out(here)

    async def _end(
        self,
        request: Request,
        purpose: str,
        field: str,
        end: Callable[[Here, str], Awaitable[None]],
        *,
        done: str,
    ) -> Response:
        here = await self._door.here(request)
        if isinstance(here, Response):
            return here
        named = (await self._door.form(request, purpose)).get(field, "")
        try:
            await end(here, named)
        except AccountError:  # another's, or over meanwhile: nothing is told of which
            return self._door.to("/account", done="gone")
        if named == here.session.id:
            return await self._signed_out(here)
        return self._door.to("/account", done=done)

    async def _signed_out(self, here: Here) -> Response:
        """Sign out at the provider of others too, where the plan says so for that from which the session came."""
        response = await self._elsewhere.begin(here.session, then="") or self._door.pages.show("signed_out")
        clear_session(response)
        return response
