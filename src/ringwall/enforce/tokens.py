"""Verification of bearer tokens: one filter configuration for both hops, delivered by ECDS.

The keys are inline, so no proxy ever fetches anything and a new key is everywhere at once. Algorithms are
pinned by giving every key exactly one (RFC 8725, section 3.1); a key for a symmetric algorithm is never passed on.
"""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from envoy.config.core.v3 import base_pb2
from envoy.extensions.filters.http.jwt_authn.v3 import config_pb2
from envoy.type.matcher.v3 import regex_pb2, string_pb2
from google.protobuf.empty_pb2 import Empty

from ringwall.plan.attributes import CLAIMS_KEY
from ringwall.plan.identity import Issuer

REQUIRED = "required"
OPTIONAL = "optional"

CLOCK_SKEW_SECONDS = 30
_SCHEMES = ("Bearer", "bearer", "DPoP", "dpop")
"""As clients write them. What a token of either scheme must be is looked at later (`ringwall.enforce.binding`)."""
_MAX_CACHED_TOKENS = 10_000
_MAX_TOKEN_BYTES = 8192

_KEY_TYPES = {
    "RS": "RSA",
    "PS": "RSA",
    "ES": "EC",
    "Ed": "OKP",
}
_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "EdDSA": "Ed25519"}

_PRINTABLE = r"[^\x00-\x20\x7f]([^\x00-\x1f\x7f]*[^\x00-\x20\x7f])?"
"""What `sub` must be, since it becomes a header: there, not empty, and without control characters. Nor may a space
begin or end it: HTTP (RFC 9110, section 5.5) takes such spaces away, and the service would see another user."""


_NOBODY = Issuer(name="nobody", url="urn:ringwall:nobody", audiences=("nobody",), algorithms=("ES256",))


def config(issuers: tuple[Issuer, ...], key_sets: Mapping[str, str]) -> Any:
    """Return the jwt_authn configuration; an issuer whose keys are not known yet is believed nothing."""
    providers = {}
    for issuer in issuers:
        keys = pinned(key_sets.get(issuer.name, ""), issuer.algorithms)
        if keys:
            providers[issuer.name] = _provider(issuer, keys)
    if not providers:
        providers[_NOBODY.name] = _provider(_NOBODY, [_unowned_key()])
    believed = [config_pb2.JwtRequirement(provider_name=name) for name in providers]
    return config_pb2.JwtAuthentication(
        providers=providers,
        requirement_map={
            REQUIRED: _any_of(believed),
            OPTIONAL: _any_of([*believed, config_pb2.JwtRequirement(allow_missing=Empty())]),
        },
        strip_failure_response=True,
    )


def _unowned_key() -> dict[str, Any]:
    """Return a public key whose private key nobody can know: its x coordinate is a hash.

    Envoy refuses a requirement without a provider and a provider without a key.
    """
    for counter in range(256):
        point = b"\x02" + hashlib.sha256(f"ringwall: no issuer has keys yet {counter}".encode()).digest()
        try:
            numbers = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point).public_numbers()
        except ValueError:  # half of all x coordinates are not on the curve
            continue
        x, y = (base64.urlsafe_b64encode(value.to_bytes(32)).rstrip(b"=").decode() for value in (numbers.x, numbers.y))
        return {"kty": "EC", "crv": "P-256", "x": x, "y": y, "alg": "ES256", "use": "sig", "kid": "nobody"}
    raise AssertionError("no point in 256 tries")  # probability 2 ** -256


def _any_of(requirements: list[Any]) -> Any:
    if len(requirements) == 1:
        return requirements[0]
    return config_pb2.JwtRequirement(requires_any=config_pb2.JwtRequirementOrList(requirements=requirements))


def per_route(requirement: str) -> Any:
    """Return the per-route configuration that asks for `required` or `optional`."""
    return config_pb2.PerRouteConfig(requirement_name=requirement)


def _provider(issuer: Issuer, keys: list[dict[str, Any]]) -> Any:
    return config_pb2.JwtProvider(
        issuer=issuer.url,
        audiences=issuer.audiences,
        subjects=string_pb2.StringMatcher(safe_regex=regex_pb2.RegexMatcher(regex=_PRINTABLE)),
        require_expiration=True,
        local_jwks=base_pb2.DataSource(inline_string=json.dumps({"keys": keys}, sort_keys=True)),
        # Naming the header also switches the query parameter off.
        from_headers=[config_pb2.JwtHeader(name="authorization", value_prefix=f"{scheme} ") for scheme in _SCHEMES],
        forward=True,
        payload_in_metadata=CLAIMS_KEY,
        clock_skew_seconds=CLOCK_SKEW_SECONDS,
        jwt_cache_config=config_pb2.JwtCacheConfig(
            jwt_cache_size=_MAX_CACHED_TOKENS, jwt_max_token_size=_MAX_TOKEN_BYTES
        ),
    )


def pinned(key_set: str, algorithms: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return the public keys of a JWK set that may be used, once for each algorithm that is allowed for them."""
    if not key_set:
        return []
    return [pinned_key for key in json.loads(key_set)["keys"] for pinned_key in _pinned(key, algorithms)]


def _pinned(key: Mapping[str, Any], algorithms: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    public = {name: value for name, value in key.items() if name in {"kty", "kid", "n", "e", "crv", "x", "y"}}
    if key.get("use", "sig") != "sig":
        return
    for algorithm in algorithms:
        fits = _KEY_TYPES.get(algorithm[:2]) == key.get("kty") and _CURVES.get(algorithm, key.get("crv")) == key.get(
            "crv"
        )
        if fits and key.get("alg", algorithm) == algorithm:
            yield public | {"alg": algorithm, "use": "sig"}
