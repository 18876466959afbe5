"""The pushed authorization request endpoint (RFC 9126)."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from ringwall.identity.issuer.answers import answer
from ringwall.identity.issuer.clients.authenticate import ClientAuthenticator
from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.dpop.proofs import ProofTaker
from ringwall.identity.issuer.oauth.authorization_request import (
    AuthorizationRefusedError,
    UntrustedRequestError,
    find_reply,
    read_request,
)
from ringwall.identity.issuer.oauth.kept_requests import PUSHED_SECONDS, KeptRequests
from ringwall.identity.issuer.request import REPEATABLE, Parameters, RequestRefusedError, read_form
from ringwall.plan.client import Client

PATH: Final = "/par"
"""Below the issuer's URL."""
_CREDENTIALS: Final = frozenset({"client_secret", "client_assertion", "client_assertion_type"})


class ParEndpoint:
    """Takes authorization requests from clients themselves, so that browsers neither see nor change them."""

    def __init__(
        self, context: IssuerContext, *, clients: ClientAuthenticator, proofs: ProofTaker, kept: KeptRequests
    ) -> None:
        self._context = context
        self._clients = clients
        self._proofs = proofs
        self._kept = kept

    async def post(self, request: Request) -> Response:
        """Keep a request, and answer with its `request_uri`.

        1. Read the form and authenticate the client, as at the token endpoint (RFC 9126, section 2.1, item 1).
        2. A `request_uri` is refused (item 2). 3. See which key the client holds, if it shows one; the code will be for
        that key, which `dpop_jkt` must not contradict (RFC 9449, section 10.1). 4. Of a signed request object all is
        taken, and nothing from beside it (RFC 9126, section 3). The request is one that the authorization endpoint
        would take from this client (item 3). 5. Keep it, without what authenticated the client, and answer 201
        (section 2.2).
        """
        form = await read_form(request)  # 1
        client = (await self._clients.authenticate(request, form)).client
        if "request_uri" in form:  # 2
            raise RequestRefusedError(400, "invalid_request", "`request_uri` cannot be pushed")
        bound = await self._proofs.bind(request, PATH)  # 3
        if "request" in form:  # 4
            form = await self._opened(form["request"], client)
        if bound.jkt and form.get("dpop_jkt", bound.jkt) != bound.jkt:
            raise RequestRefusedError(400, "invalid_dpop_proof", "`dpop_jkt` is not the key of the proof")
        named = {"client_id": client.name, **({"dpop_jkt": bound.jkt} if bound.jkt else {})}
        kept = {name: value for name, value in form.items() if name not in _CREDENTIALS}
        asked = Parameters({**kept, **named}, {name: form.all(name)[1:] for name in REPEATABLE})
        await self._check(asked, client)  # 4
        uri = await self._kept.push(asked, client=client.name)  # 5
        made = {"request_uri": uri, "expires_in": int(PUSHED_SECONDS)}
        return answer(made, status=201, headers=dict(bound.headers))

    async def _opened(self, text: str, client: Client) -> Parameters:
        try:
            return await self._kept.opened(text, client)
        except UntrustedRequestError:
            raise RequestRefusedError(400, "invalid_request_object", "the request object is not believed") from None

    async def _check(self, asked: Parameters, client: Client) -> None:
        if not client.signs_people_in:
            raise RequestRefusedError(400, "unauthorized_client", "this client signs nobody in")
        try:
            read_request(asked, await find_reply(asked, self._context), self._context.directory.current())
        except UntrustedRequestError:
            raise RequestRefusedError(400, "invalid_request", "`redirect_uri` is not registered") from None
        except AuthorizationRefusedError as error:
            raise RequestRefusedError(400, error.oauth, error.message) from None
