"""Access tokens at the issuer's own endpoints (RFC 6750; RFC 9449, section 7)."""

import hmac
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from ringwall.identity.dpop.proof import NonceNeededError, ProofRefusedError
from ringwall.identity.issuer.clients.mutual_tls import CONFIRMATION, shown_certificate
from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.dpop.proofs import HEADER, ProofTaker
from ringwall.identity.issuer.request import Parameters
from ringwall.identity.issuer.standing import Standing
from ringwall.identity.tokens.claims import ACCESS_TOKEN, Expected, VerifiedClaims, verify_token
from ringwall.identity.tokens.errors import TokenRefusedError
from ringwall.model.errors import RingwallError

BEARER: Final = "Bearer"
DPOP: Final = "DPoP"


class BearerRefusedError(RingwallError):
    """An access token is missing or does not suffice.

    Attributes:
        status: HTTP status.
        oauth: error code (RFC 6750, section 3.1; RFC 9449, section 7.1); empty where no token was shown at all.
        scheme: by which authentication scheme the token came, which is the one of the challenge.
        headers: further headers of the answer.
    """

    code = "bearer-refused"

    def __init__(
        self, status: int, oauth: str, message: str, *, scheme: str = BEARER, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.oauth = oauth
        self.scheme = scheme
        self.headers = headers or {}


@dataclass(frozen=True, slots=True)
class Bearer:
    """A believed access token.

    Attributes:
        claims: what it says.
        scopes: what it is good for.
    """

    claims: VerifiedClaims
    scopes: tuple[str, ...]


async def believe(
    request: Request, form: Parameters | None, context: IssuerContext, *, proofs: ProofTaker, path: str
) -> Bearer:
    """Return the access token of a request, or raise BearerRefusedError.

    1. It is in the `Authorization` header or in the form, once (RFC 6750, section 2). 2. It is an access token of
    ours (RFC 9068, section 4). 3. If it is bound to a key, the request proves that its sender holds that key, and a
    token that is not bound does not come with a proof (RFC 9449, sections 7.1 and 7.2). 4. It has not been revoked.

    Args:
        request: the request.
        form: its parameters; None where it has none.
        context: the issuer's.
        proofs: takes the request's DPoP proof.
        path: of the endpoint, below the issuer's URL.
    """
    headers = request.headers.getlist("authorization")
    schemes = {BEARER.lower(): BEARER, DPOP.lower(): DPOP}
    pairs = [header.partition(" ") for header in headers]
    shown = [(schemes[name.lower()], text.strip()) for name, _, text in pairs if name.lower() in schemes]
    if form is not None and "access_token" in form:
        shown.append((BEARER, form["access_token"]))
    if not shown and not headers:
        raise BearerRefusedError(401, "", "there is no access token")
    if len(shown) != 1 or len(headers) > 1:  # 1
        raise BearerRefusedError(400, "invalid_request", "there must be one access token")
    scheme, text = shown[0]
    directory = context.directory.current()
    expected = Expected(
        issuer=directory.issuer, audiences=frozenset({directory.audience}), types=frozenset({ACCESS_TOKEN})
    )
    try:
        claims = verify_token(  # 2
            text, keys=context.keys.key_set, expected=expected, clock=context.clock
        )
    except TokenRefusedError as error:
        raise BearerRefusedError(401, "invalid_token", error.message, scheme=scheme) from None
    await _check_binding(request, claims, proofs, scheme=scheme, text=text, path=path)  # 3
    if await Standing(context).revoked(claims.claims):  # 4
        raise BearerRefusedError(401, "invalid_token", "the token was revoked")
    return Bearer(claims, tuple(str(claims.claims.get("scope", "")).split()))


async def _check_binding(
    request: Request, claims: VerifiedClaims, proofs: ProofTaker, *, scheme: str, text: str, path: str
) -> None:
    """Raise BearerRefusedError unless the request shows the key that the token is bound to, and none if to none."""
    confirmation = claims.claims.get("cnf", {})
    if not confirmation and scheme == BEARER and HEADER not in request.headers:
        return
    if scheme == BEARER and set(confirmation) == {CONFIRMATION} and HEADER not in request.headers:
        shown = shown_certificate(request)  # RFC 8705, section 3
        if shown and hmac.compare_digest(shown.encode(), str(confirmation[CONFIRMATION]).encode()):
            return
    jkt = confirmation.get("jkt") if set(confirmation) == {"jkt"} else None
    if not isinstance(jkt, str) or scheme != DPOP:
        raise BearerRefusedError(401, "invalid_token", "the token is not bound as it is used", scheme=scheme)
    try:
        proof = await proofs.take(request, path, access_token=text)
    except NonceNeededError as error:
        given = proofs.answer_headers()
        raise BearerRefusedError(401, "use_dpop_nonce", error.message, scheme=DPOP, headers=given) from None
    except ProofRefusedError as error:
        raise BearerRefusedError(401, "invalid_dpop_proof", error.message, scheme=DPOP) from None
    if not hmac.compare_digest(proof.jkt, jkt):
        raise BearerRefusedError(401, "invalid_token", "the token is bound to another key", scheme=DPOP)
