"""JWT-SVIDs: issue and strict validation.

Source: the SPIFFE JWT-SVID standard; sections are named beside each step. Only ES256 is issued and accepted.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from ringwall.model.errors import RingwallError
from ringwall.model.spiffe import SpiffeId, SpiffeIdError

LIFETIME_SECONDS: Final = 300
LEEWAY_SECONDS: Final = 30
MAX_TOKEN_CHARACTERS: Final = 8_192
MAX_AUDIENCES: Final = 8
MAX_AUDIENCE_CHARACTERS: Final = 512
_ALGORITHM: Final = "ES256"
_PARTS: Final = 3


class JwtSvidError(RingwallError):
    """A token is not a JWT-SVID to be believed, or cannot be issued."""

    code = "jwt-svid"


@dataclass(frozen=True, slots=True)
class VerifiedJwtSvid:
    """A JWT-SVID that passed every step of `verify`."""

    spiffe_id: SpiffeId
    claims: Mapping[str, Any]


def sign(key: ec.EllipticCurvePrivateKey, kid: str, spiffe_id: SpiffeId, audience: Sequence[str], now: float) -> str:
    """Return a JWT-SVID for five minutes; raise JwtSvidError for an audience that cannot be (section 3.2)."""
    wanted = list(dict.fromkeys(audience))
    if not wanted or not all(wanted):
        raise JwtSvidError("a JWT-SVID needs an audience")
    if len(wanted) > MAX_AUDIENCES or any(len(value) > MAX_AUDIENCE_CHARACTERS for value in wanted):
        raise JwtSvidError(f"at most {MAX_AUDIENCES} audiences of {MAX_AUDIENCE_CHARACTERS} characters")
    claims = {
        "sub": str(spiffe_id),
        "aud": wanted,
        "iat": int(now),
        "exp": int(now) + LIFETIME_SECONDS,
    }
    header = {"alg": _ALGORITHM, "kid": kid, "typ": "JWT"}
    return jws.serialize_compact(header, json.dumps(claims).encode(), ECKey.import_key(key), algorithms=[_ALGORITHM])


def verify(
    token: str, keys: Mapping[str, ec.EllipticCurvePublicKey], trust_domain: str, audience: str, now: float
) -> VerifiedJwtSvid:
    """Return what the token says, or raise JwtSvidError. The steps stand in the order in which they are taken.

    Args:
        token: what somebody presented.
        keys: JWT authorities of the trust domain, by key id.
        trust_domain: whose identities these keys may speak for.
        audience: who the verifying party is; must not be empty.
        now: seconds since the epoch.
    """
    if not audience:
        raise JwtSvidError("the verifying party names no audience")
    header = _check_header(token)
    # 5. The key is a published authority of the trust domain (section 2.2; RFC 7515 4.1.4).
    kid = header.get("kid")
    key = keys.get(kid) if isinstance(kid, str) else None
    if key is None:
        raise JwtSvidError("the token's key id is not of a JWT authority of this trust domain")
    # 6. The signature is right (section 4; RFC 7515 5.2).
    try:
        payload = jws.deserialize_compact(token, ECKey.import_key(key), algorithms=[_ALGORITHM]).payload
    except (JoseError, ValueError) as error:
        raise JwtSvidError("the token's signature is wrong") from error
    return _check_claims(_claims(payload), trust_domain, audience, now)


def jwk_set(keys: Mapping[str, ec.EllipticCurvePublicKey]) -> bytes:
    """Return the JWT bundle: a JWK set with one entry per authority, each with its key id (section 6)."""
    entries = [
        {**ECKey.import_key(key).as_dict(private=False), "kid": kid, "use": "jwt-svid"} for kid, key in keys.items()
    ]
    return json.dumps({"keys": entries}).encode()


def _check_header(token: str) -> dict[str, Any]:
    """Steps 1 to 4 of `verify`; returns the header."""
    # 1. Bounded in size before anything is decoded.
    if len(token) > MAX_TOKEN_CHARACTERS or not token.isascii():
        raise JwtSvidError("the token is too long, or not ASCII")
    # 2. JWS compact serialization, nothing else (section 5.1; RFC 7515 3.1).
    if token.count(".") != _PARTS - 1:
        raise JwtSvidError("the token is not in JWS compact serialization")
    try:
        header = jws.extract_compact(token.encode()).headers()
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        raise JwtSvidError("the token is not in JWS compact serialization") from error
    # 3. The algorithm is the one that is used here; checked before processing (sections 2.1 and 4).
    if header.get("alg") != _ALGORITHM:
        raise JwtSvidError(f"the token's algorithm is not {_ALGORITHM}")
    # 4. No header beyond alg, kid and typ (section 2), and typ is JWT or JOSE (section 2.3).
    if not set(header) <= {"alg", "kid", "typ"} or header.get("typ", "JWT") not in ("JWT", "JOSE"):
        raise JwtSvidError("the token's header holds what a JWT-SVID must not hold")
    return header


def _check_claims(claims: dict[str, Any], trust_domain: str, audience: str, now: float) -> VerifiedJwtSvid:
    """Steps 7 to 9 of `verify`, over claims whose signature is right."""
    # 7. `sub` is a SPIFFE ID of a workload of the trust domain whose key this is (section 3.1).
    spiffe_id = _subject(claims.get("sub"), trust_domain)
    # 8. `aud` is there, and holds the verifying party (section 3.2; RFC 7519 4.1.3).
    if audience not in _audiences(claims.get("aud")):
        raise JwtSvidError("the token is meant for another audience")
    # 9. `exp` is there and not past; `nbf` and `iat`, where there, are not ahead (section 3.3; RFC 7519 4.1.4-6).
    if _moment(claims, "exp") <= now - LEEWAY_SECONDS:
        raise JwtSvidError("the token has expired")
    for name in ("nbf", "iat"):
        if name in claims and _moment(claims, name) > now + LEEWAY_SECONDS:
            raise JwtSvidError("the token is not valid yet")
    return VerifiedJwtSvid(spiffe_id, claims)


def _claims(payload: bytes) -> dict[str, Any]:
    try:
        claims = json.loads(payload, parse_constant=_refuse_constant, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise JwtSvidError("the token's claims are not JSON") from error
    if not isinstance(claims, dict):
        raise JwtSvidError("the token's claims are not an object")
    return claims


def _refuse_constant(name: str) -> float:
    raise ValueError(name)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is there twice")
    return found


def _subject(value: object, trust_domain: str) -> SpiffeId:
    if not isinstance(value, str):
        raise JwtSvidError("the token has no subject")
    try:
        spiffe_id = SpiffeId.parse(value)
    except SpiffeIdError as error:
        raise JwtSvidError(f"the token's subject is not a SPIFFE ID: {error.message}") from error
    if spiffe_id.trust_domain != trust_domain or not spiffe_id.path:
        raise JwtSvidError("the token's subject is not a workload of this trust domain")
    return spiffe_id


def _audiences(value: object) -> list[str]:
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not values or not all(isinstance(item, str) for item in values):
        raise JwtSvidError("the token has no audience")
    return values


def _moment(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise JwtSvidError(f"the token's {name} is missing, or not a number")
    return value
