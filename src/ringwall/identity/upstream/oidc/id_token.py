"""What is believed of an ID token (OpenID Connect Core 1.0, section 3.1.3.7). No I/O."""

import hashlib
import hmac
from typing import Any, Final

from ringwall.identity.tokens.claims import Expected, VerifiedClaims, verify_token
from ringwall.identity.tokens.encoding import EncodingError, decode_json_object, encode_base64url
from ringwall.identity.tokens.errors import TokenRefusedError
from ringwall.identity.tokens.jws import UnverifiedToken
from ringwall.identity.tokens.keys import KeySet
from ringwall.identity.upstream.identity import UpstreamRefusedError
from ringwall.identity.upstream.mapping import claim_at
from ringwall.model.clock import Clock
from ringwall.plan.upstream import TENANT, Upstream

LEEWAY_SECONDS: Final = 60.0
OLDEST_SECONDS: Final = 600.0
"""An ID token comes straight from the provider, so it was made just now (step 10)."""
_TYPES: Final = frozenset({"", "jwt"})
"""No access token by RFC 9068, no logout token, no other kind (RFC 8725, section 3.11)."""
_MAX_SUBJECT: Final = 255
_HASHES: Final = {"256": hashlib.sha256, "384": hashlib.sha384, "512": hashlib.sha512, "DSA": hashlib.sha512}


def expected_issuers(upstream: Upstream) -> dict[str, str]:
    """Return every `iss` that a provider's tokens may have, with the tenant that it is of; empty text for none."""
    assert upstream.oidc is not None  # noqa: S101  # whoever asks speaks OpenID Connect
    issuer = upstream.oidc.issuer
    if TENANT in issuer:
        return {issuer.replace(TENANT, tenant): tenant for tenant in upstream.tenants}
    return {issuer: ""}


def verify_from(
    upstream: Upstream,
    text: str,
    *,
    called: str,
    keys: KeySet,
    types: frozenset[str],
    clock: Clock,
    about_somebody: bool = True,
) -> VerifiedClaims:
    """Return the claims of a token of a provider's own, for us; what else is in it, is the caller's to look at.

    What is read before the signature only chooses what must be there after it.
    """
    assert upstream.oidc is not None  # noqa: S101  # whoever asks speaks OpenID Connect
    issuers = expected_issuers(upstream)
    try:
        claimed = decode_json_object(UnverifiedToken.parse(text).payload).get("iss")
        if not isinstance(claimed, str) or claimed not in issuers:
            raise UpstreamRefusedError("issuer", f"the {called} is from another issuer: {str(claimed)[:200]!r}")
        expected = Expected(
            issuer=claimed,
            audiences=frozenset({upstream.oidc.client_id}),
            types=types,
            leeway=LEEWAY_SECONDS,
            about_somebody=about_somebody,
        )
        return verify_token(text, keys=keys, expected=expected, clock=clock)
    except TokenRefusedError as error:
        raise UpstreamRefusedError(error.reason, f"the {called} is refused: {error.message}") from None
    except EncodingError as error:
        raise UpstreamRefusedError("claims", f"the {called}'s claims are {error}") from None


def verify_id_token(
    text: str, *, upstream: Upstream, keys: KeySet, nonce: str, access_token: str, clock: Clock
) -> VerifiedClaims:
    """Return the claims of an ID token that was made for us, now, for this very sign-in.

    1. `iss` is the provider's own; where each tenant has one, a listed tenant's (step 2).
    2. Signature, `iss`, `aud`, `exp` and type hold, by one of the provider's keys with that key's algorithm
       (steps 2, 3, 6 to 9).
    3. It is for us alone: no other audience, no other authorized party (steps 3 to 5).
    4. It was made just now (step 10).
    5. `nonce` is that of this sign-in, so that it was not made for another one and put in here (step 11).
    6. The tenant in it is the one whose `iss` it has.
    7. `at_hash`, where there, is the access token's that came with it (section 3.1.3.8).
    8. `sub` is no longer than it may be (section 2).
    """
    assert upstream.oidc is not None  # noqa: S101  # whoever asks speaks OpenID Connect
    client = upstream.oidc.client_id
    verified = verify_from(upstream, text, called="ID token", keys=keys, types=_TYPES, clock=clock)  # 1, 2
    claims = verified.claims
    if set(verified.audiences) != {client} or claims.get("azp", client) != client:  # 3
        raise UpstreamRefusedError("audience", "the ID token is meant for others as well")
    issued, now = claims.get("iat"), clock.now()
    if issued is None or not now - OLDEST_SECONDS <= issued <= now + LEEWAY_SECONDS:  # 4
        raise UpstreamRefusedError("issued", "the ID token was not made just now")
    shown = claims.get("nonce")
    if not isinstance(shown, str) or not hmac.compare_digest(shown.encode(errors="replace"), nonce.encode()):  # 5
        raise UpstreamRefusedError("nonce", "the ID token was made for another sign-in")
    tenant = expected_issuers(upstream)[verified.issuer]
    if tenant and claim_at(claims, upstream.tenant_claim) != tenant:  # 6
        raise UpstreamRefusedError("tenant", "the ID token names another tenant than its issuer's")
    _check_hash(text, claims.get("at_hash"), access_token)  # 7
    if len(verified.subject) > _MAX_SUBJECT:  # 8
        raise UpstreamRefusedError("subject", "the ID token's `sub` is longer than it may be")
    return verified


def authenticated_at(
    claims: VerifiedClaims, *, again: bool, max_age: float | None, begun: float, now: float
) -> float | None:
    """Return when the person proved who they are; None where the provider does not say.

    Who was asked to do so anew, or lately, must have: the browser carries that request, and whoever sits at it can
    take it out (OpenID Connect Core 1.0, sections 3.1.2.1 and 3.1.3.7, step 13).
    """
    value = claims.claims.get("auth_time")
    at: float | None = None
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= now + LEEWAY_SECONDS:
        at = min(float(value), now)
    if again and (at is None or at < begun - LEEWAY_SECONDS):
        raise UpstreamRefusedError("auth-time", "nobody has signed in anew there", hint=_AUTH_TIME)
    if max_age is not None and (at is None or now - at > max_age + LEEWAY_SECONDS):
        raise UpstreamRefusedError("auth-time", "nobody has signed in there as lately as was asked", hint=_AUTH_TIME)
    return at


_AUTH_TIME: Final = "the provider must put `auth_time` into its ID tokens"


def _check_hash(text: str, shown: Any, access_token: str) -> None:
    if shown is None:
        return
    made = _HASHES[UnverifiedToken.parse(text).algorithm[-3:]](access_token.encode(errors="replace")).digest()
    half = encode_base64url(made[: len(made) // 2])
    if not isinstance(shown, str) or not hmac.compare_digest(shown.encode(errors="replace"), half.encode()):
        raise UpstreamRefusedError("at-hash", "the access token is not the one that came with the ID token")
