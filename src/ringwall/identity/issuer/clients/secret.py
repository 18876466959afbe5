"""client_secret_basic and client_secret_post (RFC 6749, section 2.3.1)."""

import binascii
import logging
from dataclasses import dataclass

from starlette.requests import Request

from ringwall.identity.issuer.clients.model import AuthenticatedClient, unauthenticated
from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.request import Parameters, RequestRefusedError, decode_parameter
from ringwall.identity.issuer.throttle import Throttle
from ringwall.identity.store.errors import HandleRefusedError
from ringwall.model.clients import REGISTERED_PREFIX
from ringwall.model.secret import Secret

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Credentials:
    """What a client shows of itself; nothing has been checked."""

    client: str
    secret: Secret
    method: str


class SecretMethod:
    """A secret that the client shares with the issuer."""

    names: tuple[str, ...] = ("client_secret_basic", "client_secret_post")

    def __init__(self, context: IssuerContext, throttle: Throttle) -> None:
        self._context = context
        self._throttle = throttle

    async def presented(self, request: Request, form: Parameters) -> bool:
        """Return whether there is a secret in the form, or an authorization header of any kind."""
        return "client_secret" in form or "authorization" in request.headers

    async def authenticate(self, request: Request, form: Parameters) -> AuthenticatedClient:
        """Return the client whose secret was shown.

        A right secret is never throttled, so nobody locks a client out. A public client has no secret, even where one
        was made while it was of another kind (RFC 6749, section 2.1).
        """
        shown = _read(request, form)
        client = await self._context.client(shown.client)
        if client is not None and client.name.startswith(REGISTERED_PREFIX):
            right = await self._is_of_registered(client.name, shown.secret)
        else:
            right = self._context.secrets.holds(shown.client, shown.secret)
        if client is not None and right and not client.public:
            return AuthenticatedClient(client=client, method=shown.method, confirmation={})
        wait = await self._throttle.wrong(shown.client)
        _log.warning("a client failed to authenticate: %s", client.name if client else "unknown name")
        if wait:
            raise RequestRefusedError(429, "invalid_client", "too many failed attempts", wait=wait)
        raise unauthenticated()

    async def _is_of_registered(self, client: str, secret: Secret) -> bool:
        """Return whether a client that has registered itself has this secret, and registered to use it."""
        clients = (await self._context.storage.database()).clients
        try:
            found = await clients.authenticate(client, secret)
        except HandleRefusedError:
            return False
        return found.payload["token_endpoint_auth_method"] in self.names


def _read(request: Request, form: Parameters) -> _Credentials:
    """Return the credentials of the request; exactly one way of showing them is taken."""
    headers = request.headers.getlist("authorization")
    if not headers:
        if "client_id" not in form:
            raise unauthenticated()
        return _Credentials(form["client_id"], Secret(form["client_secret"]), "client_secret_post")
    if len(headers) > 1 or "client_secret" in form:
        raise RequestRefusedError(400, "invalid_request", "the client authenticates in more than one way")
    scheme, _, encoded = headers[0].partition(" ")
    if scheme.lower() != "basic":
        raise unauthenticated()
    try:
        name, colon, secret = binascii.a2b_base64(encoded.strip(), strict_mode=True).partition(b":")
        shown = _Credentials(decode_parameter(name), Secret(decode_parameter(secret)), "client_secret_basic")
    except (binascii.Error, ValueError, RequestRefusedError):
        raise unauthenticated() from None
    if not colon:
        raise unauthenticated()
    return shown
