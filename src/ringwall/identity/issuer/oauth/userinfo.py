"""The userinfo endpoint (OpenID Connect Core 1.0, section 5.3)."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from ringwall.identity.issuer.answers import NO_STORE, answer
from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.dpop.proofs import ProofTaker
from ringwall.identity.issuer.encrypted_answers import userinfo_for
from ringwall.identity.issuer.id_tokens import claims_about
from ringwall.identity.issuer.oauth.bearer import DPOP, BearerRefusedError, believe
from ringwall.identity.issuer.request import read_form
from ringwall.identity.tokens.signing import ALGORITHM
from ringwall.model.presented import ALGORITHMS

PATH: Final = "/userinfo"
"""Below the issuer's URL."""
USERINFO: Final = "JWT"
"""It has no `exp`, so it stands in for no token."""


class UserinfoEndpoint:
    """Tells a client about the person who let it in."""

    def __init__(self, context: IssuerContext, *, proofs: ProofTaker) -> None:
        self._context = context
        self._proofs = proofs

    async def answer(self, request: Request) -> Response:
        """Answer with the claims that the token's scopes give, as they are now.

        1. The token is believed. 2. It was granted with `openid`. 3. The person may still sign in. 4. A client that
        wants it signed gets a signed token, and one that wants it encrypted gets that inside an encrypted one
        (section 5.3.2).
        """
        form = await read_form(request) if request.method == "POST" and _has_form(request) else None
        try:
            bearer = await believe(request, form, self._context, proofs=self._proofs, path=PATH)  # 1
        except BearerRefusedError as error:
            return _refuse(error)
        if "openid" not in bearer.scopes:  # 2
            return _refuse(BearerRefusedError(403, "insufficient_scope", "the token was not granted with `openid`"))
        person = await self._context.people.find(bearer.claims.subject)
        if person is None:  # 3
            return _refuse(BearerRefusedError(401, "invalid_token", "the token's subject is not known any more"))
        client = await self._context.client(str(bearer.claims.claims.get("client_id")))
        if client is None:
            return answer({"sub": person.name, **claims_about(person, bearer.scopes)})
        claims = {"sub": self._context.subjects.of(client, person.name), **claims_about(person, bearer.scopes)}
        algorithm = client.userinfo_signed_response_alg
        if not algorithm and not client.userinfo_encrypted_response_alg:
            return answer(claims)
        issuer = self._context.directory.current().issuer
        claims = {"iss": issuer, "aud": client.name, **claims}
        signed = self._context.keys.sign(claims, typ=USERINFO, algorithm=algorithm or ALGORITHM)
        return Response(userinfo_for(client, signed), 200, {"cache-control": NO_STORE}, "application/jwt")  # 4


def _has_form(request: Request) -> bool:
    return request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")


def _refuse(error: BearerRefusedError) -> Response:
    """Answer as RFC 6750, section 3, and RFC 9449, section 7.1, say: no error code for a request without any token."""
    told = f'error="{error.oauth}", error_description="{error.message}"' if error.oauth else 'realm="ringwall"'
    if error.scheme == DPOP:
        told += f', algs="{" ".join(ALGORITHMS)}"'
    return answer(
        {"error": error.oauth or "invalid_token", "error_description": error.message},
        status=error.status,
        headers={"www-authenticate": f"{error.scheme} {told}", **error.headers},
    )
