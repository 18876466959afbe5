"""The token endpoint (RFC 6749, section 3.2)."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from ringwall.identity.issuer.answers import answer
from ringwall.identity.issuer.clients.authenticate import ClientAuthenticator
from ringwall.identity.issuer.clients.mutual_tls import certificate_binding
from ringwall.identity.issuer.dpop.proofs import ProofTaker
from ringwall.identity.issuer.grants import token_exchange
from ringwall.identity.issuer.grants.device_code import DeviceCodeGrant
from ringwall.identity.issuer.grants.grant import Grant, TokenAnswer, TokenRequest
from ringwall.identity.issuer.request import RequestRefusedError, read_form
from ringwall.plan.client import ClientKind

_GRANTS_OF: Final[Mapping[ClientKind, frozenset[str]]] = {
    ClientKind.MACHINE: frozenset({"client_credentials"}),
    ClientKind.WEB: frozenset({"authorization_code", "refresh_token", DeviceCodeGrant.name}),
    ClientKind.NATIVE: frozenset({"authorization_code", "refresh_token", DeviceCodeGrant.name}),
    ClientKind.BROWSER: frozenset({"authorization_code", "refresh_token"}),
}
"""Which grants each kind of client may use."""
_OF_SERVICES: Final = frozenset({token_exchange.NAME})
"""What services of the plan may use: what they do in their own name they do by their certificate, without a token."""
PATH: Final = "/token"
"""Below the issuer's URL."""


class TokenEndpoint:
    """Gives tokens for grants."""

    def __init__(self, *, clients: ClientAuthenticator, grants: Sequence[Grant], proofs: ProofTaker) -> None:
        self._clients = clients
        self._proofs = proofs
        self._grants = {grant.name: grant for grant in grants}

    async def post(self, request: Request) -> Response:
        """Answer with tokens.

        1. Read the form (RFC 6749, section 3.2). 2. Authenticate the client (section 2.3). 3. Only then look at the
        grant type, which must exist and be one for this kind of client (section 5.2). 4. See which key the client
        holds, if it shows one (RFC 9449, section 5; RFC 8705, section 3); where the plan says so, it must (RFC 9449,
        section 5.2). 5. Let the grant decide. 6. Answer without caching (RFC 6749, section 5.1).
        """
        form = await read_form(request)  # 1
        client = await self._clients.authenticate(request, form)  # 2
        if "grant_type" not in form:  # 3
            raise RequestRefusedError(400, "invalid_request", "`grant_type` is missing")
        grant = self._grants.get(form["grant_type"])
        if grant is None:
            known = ", ".join(self._grants)
            raise RequestRefusedError(400, "unsupported_grant_type", f"there is no such grant; offered: {known}")
        if grant.name not in (_OF_SERVICES if client.service else _GRANTS_OF[client.client.kind]):
            raise RequestRefusedError(400, "unauthorized_client", f"this client may not use {grant.name}")
        bound = await self._proofs.bind(request, PATH)  # 4
        # Proxies take a token that is bound to one thing.
        confirmation = bound.confirmation or client.confirmation or certificate_binding(request, client.client)
        if client.client.bound_tokens and not confirmation:
            message = "this client needs a DPoP proof for each token, or to show its certificate"
            raise RequestRefusedError(400, "invalid_request", message)
        asked = TokenRequest(client=client, form=form, confirmation=confirmation)
        members = _members(await grant.issue(asked), token_type="DPoP" if bound.jkt else "Bearer")  # 5
        return answer(members, headers=dict(bound.headers))  # 6


def _members(given: TokenAnswer, *, token_type: str) -> dict[str, Any]:
    access = given.access
    members: dict[str, Any] = {
        "access_token": access.text,
        "token_type": token_type,
        "expires_in": access.seconds,
        **given.more,
    }
    if given.refresh is not None:
        members["refresh_token"] = given.refresh.reveal().decode("ascii")
    if given.id_token is not None:
        members["id_token"] = given.id_token
    if access.scopes:
        members["scope"] = " ".join(access.scopes)
    return members
