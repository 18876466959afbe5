"""The introspection endpoint (RFC 7662), and its signed and encrypted answers (RFC 9701)."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from ringwall.identity.issuer.answers import NO_STORE, answer
from ringwall.identity.issuer.clients.authenticate import ClientAuthenticator
from ringwall.identity.issuer.clients.model import unauthenticated
from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.encrypted_answers import introspection_for
from ringwall.identity.issuer.request import RequestRefusedError, read_form
from ringwall.identity.issuer.standing import Standing
from ringwall.identity.store.errors import HandleRefusedError
from ringwall.identity.store.refresh_tokens import PREFIX
from ringwall.model.secret import Secret
from ringwall.plan.client import Client

SIGNED: Final = "token-introspection+jwt"
_MEDIA_TYPE: Final = f"application/{SIGNED}"
_INACTIVE: Final = {"active": False}


class IntrospectEndpoint:
    """Says whether a token is good now. For those who want to know more than a signature and a date can tell."""

    def __init__(self, context: IssuerContext, *, clients: ClientAuthenticator, standing: Standing) -> None:
        self._context = context
        self._clients = clients
        self._standing = standing

    async def post(self, request: Request) -> Response:
        """Answer what a token is.

        1. Read the form and authenticate who asks (RFC 7662, section 2.1); a public client cannot be authenticated, so
        it is told nothing (section 4). 2. `token` is there (section 2.1). 3. Find out (section 2.2): an access token is
        told about to whoever serves this system's audience, and to somebody else's client if it is its own;
        a refresh token to the client that has it. About a token
        that is not good nothing is said but that (section 2.2). 4. Answer in JSON, or signed where `Accept` asks for
        that (RFC 9701, section 4). Who wants it encrypted is never told in the clear, whatever `Accept` says.
        """
        form = await read_form(request)  # 1
        asking = await self._clients.authenticate(request, form)
        if asking.public:
            raise unauthenticated()
        if "token" not in form:  # 2
            raise RequestRefusedError(400, "invalid_request", "`token` is missing")
        token, name = form["token"], asking.client.name
        told = await (
            self._refresh_token(token, name) if token.startswith(PREFIX) else self._access_token(token, asking.client)
        )  # 3
        if told.get("client_id") == name and told.get("sub") not in {None, name}:  # its own: people as it knows them
            told["sub"] = self._context.subjects.of(asking.client, told["sub"])
        if asking.client.introspection_encrypted_response_alg or _wants_signed(request):  # 4
            text = introspection_for(asking.client, self._signed(told, audience=name))
            return Response(text, 200, {"cache-control": NO_STORE}, _MEDIA_TYPE)
        return answer(told)

    async def _access_token(self, token: str, client: Client) -> dict[str, Any]:
        found = await self._standing.access_token(token)
        if found is None:
            return dict(_INACTIVE)
        if client.third_party and found.claims.get("client_id") != client.name:
            return dict(_INACTIVE)
        bound = found.claims.get("cnf")
        kind = "DPoP" if isinstance(bound, dict) and "jkt" in bound else "Bearer"  # RFC 9449, section 6.2
        return {"active": True, "token_type": kind, **found.claims}

    async def _refresh_token(self, token: str, client: str) -> dict[str, Any]:
        database = await self._context.storage.database()
        now = self._context.clock.now()
        try:
            family = await database.families.read(Secret(token), client=client, now=now)
        except HandleRefusedError:
            return dict(_INACTIVE)
        issuer = self._context.directory.current().issuer
        told: dict[str, Any] = {
            "active": True,
            "iss": issuer,
            "sub": family.account,
            "client_id": family.client,
            "iat": int(family.rotated),
            "exp": int(family.expires),
            "grant_id": family.id,
        }
        if family.payload.get("scopes"):
            told["scope"] = " ".join(family.payload["scopes"])
        return dict(_INACTIVE) if await self._standing.revoked({**told, "iat": int(family.created)}) else told

    def _signed(self, told: dict[str, Any], *, audience: str) -> str:
        """Return the answer as a JWT, which is of its own type and has neither `sub` nor `exp`.

        So it can be taken for no other kind of token (RFC 9701, sections 5 and 8.1).
        """
        claims = {
            "iss": self._context.directory.current().issuer,
            "aud": audience,
            "iat": int(self._context.clock.now()),
            "token_introspection": told,
        }
        return self._context.keys.sign(claims, typ=SIGNED)


def _wants_signed(request: Request) -> bool:
    """Return whether one of the media types that are accepted is that of the signed answer (RFC 9110, 12.5.1)."""
    accepted = ",".join(request.headers.getlist("accept")).split(",")
    return any(each.partition(";")[0].strip().lower() == _MEDIA_TYPE for each in accepted)
