"""Access tokens at the issuer's own endpoints (RFC 6750)."""

from dataclasses import dataclass

from starlette.requests import Request

from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.request import Parameters
from ringwall.identity.tokens.claims import ACCESS_TOKEN, Expected, VerifiedClaims, verify_token
from ringwall.identity.tokens.errors import TokenRefusedError
from ringwall.identity.tokens.keys import KeySet
from ringwall.model.errors import RingwallError


class BearerRefusedError(RingwallError):
    """An access token is missing or does not suffice.

    Attributes:
        status: HTTP status.
        oauth: error code (RFC 6750, section 3.1); empty where no token was shown at all.
    """

    code = "bearer-refused"

    def __init__(self, status: int, oauth: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.oauth = oauth


@dataclass(frozen=True, slots=True)
class Bearer:
    """A believed access token.

    Attributes:
        claims: what it says.
        scopes: what it is good for.
    """

    claims: VerifiedClaims
    scopes: tuple[str, ...]


async def believe(request: Request, form: Parameters | None, context: IssuerContext) -> Bearer:
    """Return the access token of a request, or raise BearerRefusedError.

    1. It is in the `Authorization` header or in the form, once (RFC 6750, section 2). 2. It is an access token of
    ours (RFC 9068, section 4). 3. It is not bound to a key, as nobody proves to hold one here (RFC 7800, section 3).
    4. It has not been revoked.
    """
    headers = request.headers.getlist("authorization")
    shown = [header.partition(" ")[2].strip() for header in headers if header.partition(" ")[0].lower() == "bearer"]
    if form is not None and "access_token" in form:
        shown.append(form["access_token"])
    if not shown and not headers:
        raise BearerRefusedError(401, "", "there is no access token")
    if len(shown) != 1 or len(headers) > 1:  # 1
        raise BearerRefusedError(400, "invalid_request", "there must be one access token")
    directory = context.directory.current()
    expected = Expected(
        issuer=directory.issuer, audiences=frozenset({directory.audience}), types=frozenset({ACCESS_TOKEN})
    )
    try:
        claims = verify_token(  # 2
            shown[0], keys=KeySet.parse(context.keys.published), expected=expected, clock=context.clock
        )
    except TokenRefusedError as error:
        raise BearerRefusedError(401, "invalid_token", error.message) from None
    if "cnf" in claims.claims:  # 3
        raise BearerRefusedError(401, "invalid_token", "the token is bound to a key")
    await _not_revoked(claims, context)  # 4
    return Bearer(claims, tuple(str(claims.claims.get("scope", "")).split()))


async def _not_revoked(claims: VerifiedClaims, context: IssuerContext) -> None:
    revocations = (await context.storage.database()).revocations
    for kind, name in (("token", "jti"), ("session", "sid"), ("family", "grant_id")):
        subject = claims.claims.get(name)
        if isinstance(subject, str) and await revocations.find(kind, subject, now=context.clock.now()) is not None:
            raise BearerRefusedError(401, "invalid_token", "the token was revoked")
