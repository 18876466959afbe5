"""The device authorization endpoint (RFC 8628, section 3.1)."""

from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from ringwall.identity.issuer.access_tokens import parse_scopes
from ringwall.identity.issuer.answers import answer
from ringwall.identity.issuer.clients.authenticate import ClientAuthenticator
from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.oauth.authorization_request import STANDARD_SCOPES
from ringwall.identity.issuer.oauth.own_pages import DEVICE
from ringwall.identity.issuer.oauth.resources import check_resources
from ringwall.identity.issuer.request import RequestRefusedError, read_form

DEVICE_SECONDS: Final = 600.0
"""How long a device waits for a person."""
INTERVAL_SECONDS: Final = 5
"""How long it must wait between two polls (RFC 8628, section 3.2)."""


class DeviceAuthorizationEndpoint:
    """Gives devices without a browser a code to show, and one to poll with."""

    def __init__(self, context: IssuerContext, *, clients: ClientAuthenticator) -> None:
        self._context = context
        self._clients = clients

    async def post(self, request: Request) -> Response:
        """Let a device wait for a person.

        1. Read the form and authenticate the client as at the token endpoint (RFC 8628, section 3.1). 2. The plan lets
        this client use the flow: it is the one that can be begun by who is not in front of the person (section 5.4).
        3. Scopes that it may not have are left out, as at the authorization endpoint (RFC 6749, section 3.3); resources
        are parts of this system (RFC 8707, section 2). 4. Answer with both codes (RFC 8628, section 3.2).
        """
        form = await read_form(request)  # 1
        client = (await self._clients.authenticate(request, form)).client
        if not client.device_flow:  # 2
            raise RequestRefusedError(400, "unauthorized_client", "this client may not use the device flow")
        directory, now = self._context.directory.current(), self._context.clock.now()
        wanted = parse_scopes(form["scope"]) if "scope" in form else ()  # 3
        scopes = [scope for scope in wanted if scope in STANDARD_SCOPES or scope in client.scopes]
        check_resources(form.all("resource"), directory)
        devices = (await self._context.storage.database()).devices
        device_code, user_code = await devices.start(
            client=client.name,
            payload={"scopes": scopes},
            now=now,
            seconds=DEVICE_SECONDS,
            interval=INTERVAL_SECONDS,
        )
        page = f"{directory.issuer.rstrip('/')}{DEVICE}"
        shown = readable(user_code)
        return answer(  # 4
            {
                "device_code": device_code.reveal().decode("ascii"),
                "user_code": shown,
                "verification_uri": page,
                "verification_uri_complete": f"{page}?{urlencode({'user_code': shown})}",
                "expires_in": int(DEVICE_SECONDS),
                "interval": INTERVAL_SECONDS,
            }
        )


def readable(user_code: str) -> str:
    """Return a user code in two halves, as it is shown (RFC 8628, section 6.1)."""
    half = len(user_code) // 2
    return f"{user_code[:half]}-{user_code[half:]}"
