"""JSON Web Tokens (RFC 7519): from text to claims that may be believed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ringwall.identity.tokens.encoding import EncodingError, decode_json_object
from ringwall.identity.tokens.errors import TokenRefusedError
from ringwall.identity.tokens.jws import UnverifiedToken, verify_signature
from ringwall.identity.tokens.keys import KeySet
from ringwall.model.clock import Clock

ACCESS_TOKEN: Final = "at+jwt"  # noqa: S105  # a media type, not a password
"""`typ` of an access token (RFC 9068, section 2.1)."""
MAX_SECONDS: Final = 2**53
"""Times beyond this are not exact in JSON (RFC 8259, section 6)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a token must say to be believed.

    Attributes:
        issuer: `iss`, exactly.
        audiences: `aud` must hold one of these.
        types: media types allowed in `typ`, lower case, without `application/`; empty allows any or none.
        leeway: seconds by which clocks may differ.
        about_somebody: whether it must have a subject; request objects have none (RFC 9101, section 10.8).
    """

    issuer: str
    audiences: frozenset[str]
    types: frozenset[str] = frozenset()
    leeway: float = 5.0
    about_somebody: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedClaims:
    """Claims of a token whose signature, issuer, audience and time have been checked."""

    issuer: str
    subject: str
    audiences: tuple[str, ...]
    expires: float
    claims: Mapping[str, Any] = field(repr=False)


def verify_token(text: str | bytes, *, keys: KeySet, expected: Expected, clock: Clock) -> VerifiedClaims:
    """Return the claims of a token that holds in every respect, or raise TokenRefusedError.

    1. It is well-formed and signed by one of `keys` with that key's algorithm (RFC 7519 section 7.2; see `jws`).
    2. Its type is an expected one, so that one kind of token cannot stand in for another (RFC 8725 section 3.11).
    3. The payload is a JSON object (RFC 7519 section 7.2, step 10).
    4. `iss` is the expected issuer, compared exactly (RFC 7519 section 4.1.1; RFC 8725 section 3.8).
    5. `sub` is a text that is not empty (RFC 7519 section 4.1.2; RFC 9068 section 2.2), or rightly absent.
    6. `aud` holds an expected audience (RFC 7519 section 4.1.3; RFC 8725 section 3.9).
    7. `exp` is there and not past (RFC 7519 section 4.1.4; RFC 9068 section 2.2).
    8. `nbf`, where there, is not ahead (RFC 7519 section 4.1.5).
    9. `iat`, where there, is a time (RFC 7519 section 4.1.6).
    """
    token = UnverifiedToken.parse(text)
    payload = verify_signature(token, keys)  # 1
    if expected.types and token.typ.lower().removeprefix("application/") not in expected.types:  # 2
        raise TokenRefusedError("type", "the token is of another type than is expected here")
    try:
        claims = decode_json_object(payload)  # 3
    except EncodingError as error:
        raise TokenRefusedError("claims", f"the token's claims are {error}") from None
    issuer, subject = claims.get("iss"), claims.get("sub")
    if not isinstance(issuer, str) or issuer != expected.issuer:  # 4
        raise TokenRefusedError("issuer", "the token is from another issuer")
    if not expected.about_somebody and "sub" not in claims:  # 5
        subject = ""
    elif not isinstance(subject, str) or not subject:
        raise TokenRefusedError("subject", "the token names no subject")
    audiences = _audiences(claims)
    if expected.audiences.isdisjoint(audiences):  # 6
        raise TokenRefusedError("audience", "the token is meant for another audience")
    now = clock.now()
    expires = _time(claims, "exp")
    if expires is None:  # 7
        raise TokenRefusedError("no-expiry", "the token does not say when it expires")
    if now >= expires + expected.leeway:
        raise TokenRefusedError("expired", "the token has expired")
    not_before = _time(claims, "nbf")
    if not_before is not None and now < not_before - expected.leeway:  # 8
        raise TokenRefusedError("not-yet", "the token is not valid yet")
    _time(claims, "iat")  # 9
    return VerifiedClaims(issuer=issuer, subject=subject, audiences=audiences, expires=expires, claims=claims)


def _audiences(claims: Mapping[str, Any]) -> tuple[str, ...]:
    value = claims.get("aud")
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise TokenRefusedError("audience", "the token's `aud` is neither a text nor a list of texts")


def _time(claims: Mapping[str, Any], name: str) -> float | None:
    """NumericDate (RFC 7519, section 2); None where the claim is absent, refused where it is no number."""
    if name not in claims:
        return None
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= MAX_SECONDS:
        raise TokenRefusedError("claims", f"the token's `{name}` is no time")
    return float(value)
