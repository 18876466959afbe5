"""ID tokens (OpenID Connect Core 1.0, section 2): what a client learns about a sign-in."""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from ringwall.identity.issuer.access_tokens import Signer
from ringwall.identity.issuer.directory import Directory
from ringwall.identity.issuer.people import Person
from ringwall.identity.tokens.claims import Expected, VerifiedClaims, verify_token
from ringwall.identity.tokens.encoding import EncodingError, decode_json_object, encode_base64url
from ringwall.identity.tokens.errors import TokenRefusedError
from ringwall.identity.tokens.jws import UnverifiedToken
from ringwall.identity.tokens.keys import KeySet
from ringwall.model.clients import REGISTERED_PREFIX
from ringwall.model.clock import Clock
from ringwall.plan.client import Client

ID_TOKEN: Final = "JWT"  # noqa: S105  # a media type; an access token's is another (RFC 9068, section 2.1)
SECONDS: Final = 300
"""A client reads it at once, so it need not last."""


def make_id_token(
    person: Person,
    client: Client,
    *,
    subject: str,
    login: Mapping[str, Any],
    nonce: str,
    scopes: tuple[str, ...],
    access_token: str,
    directory: Directory,
    clock: Clock,
    sign: Signer,
) -> str:
    """Return an ID token, in which the person is called `subject`.

    `aud` is the client, never the system, so that no proxy takes it for an access token. `at_hash` is the left half
    of the SHA-256 of the access token (section 3.1.3.6).
    """
    now = int(clock.now())
    claims: dict[str, Any] = {
        "iss": directory.issuer,
        "sub": subject,
        "aud": client.name,
        "exp": now + SECONDS,
        "iat": now,
        **{name: value for name, value in login.items() if name != "grant_id"},
        "at_hash": encode_base64url(hashlib.sha256(access_token.encode("ascii")).digest()[:16]),
        **claims_about(person, scopes),
    }
    if nonce:
        claims["nonce"] = nonce
    return sign(claims, typ=ID_TOKEN, algorithm=client.id_token_signed_response_alg)


def claims_about(person: Person, scopes: tuple[str, ...]) -> dict[str, Any]:
    """Return the standard claims that the scopes give (OpenID Connect Core 1.0, section 5.4)."""
    claims: dict[str, Any] = {}
    if "profile" in scopes:
        claims["name"] = person.display_name
        claims["preferred_username"] = person.user_name
    if "email" in scopes and person.email:
        claims["email"] = person.email
    return claims


def read_hint(text: str, *, directory: Directory, keys: KeySet, clock: Clock) -> VerifiedClaims:
    """Return what an `id_token_hint` says (OpenID Connect Core 1.0, section 3.1.2.1), or raise TokenRefusedError.

    It may have expired long ago: it says whom the client means, and lets nobody in.
    """
    expected = Expected(
        issuer=directory.issuer,
        audiences=_client_of(text, directory),
        types=frozenset({ID_TOKEN.lower()}),
        leeway=float("inf"),
    )
    return verify_token(text, keys=keys, expected=expected, clock=clock)


def _client_of(text: str, directory: Directory) -> frozenset[str]:
    """Return the client that an ID token was made for, while it or its like signs people in; unverified."""
    try:
        audience = decode_json_object(UnverifiedToken.parse(text).payload).get("aud")
    except EncodingError as error:
        raise TokenRefusedError("malformed", f"the token's claims are {error}") from None
    if not isinstance(audience, str):
        return frozenset()
    client = directory.clients.get(audience)
    known = client.signs_people_in if client is not None else audience.startswith(REGISTERED_PREFIX)
    return frozenset({audience} if known else ())
