"""Whatever is thrown at verification, it answers with claims or with its own error, never with another."""

import contextlib
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.support.joserfc_keys import make_key, public_jwk

from ringwall.identity.tokens.claims import Expected, verify_token
from ringwall.identity.tokens.encoding import encode_base64url
from ringwall.identity.tokens.errors import KeyRefusedError, TokenRefusedError
from ringwall.identity.tokens.keys import KeySet, parse_key
from ringwall.identity.tokens.signing import SigningKey
from ringwall.model.clock import ManualClock
from ringwall.model.secret import Secret

KEY = SigningKey.generate()
KEYS = KeySet.parse(json.dumps({"keys": [KEY.public_jwk()]}))
EXPECTED = Expected(issuer="i", audiences=frozenset({"a"}))
GOOD = KEY.sign({"iss": "i", "sub": "s", "aud": "a", "exp": 1_700_000_100}, typ="at+jwt")

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
CLAIM_NAMES = st.sampled_from(["iss", "sub", "aud", "exp", "nbf", "iat"])
CLAIM_VALUES = JSON | st.sampled_from(["i", "s", "a", 1_700_000_100, 1_600_000_000])
JWK_NAMES = st.sampled_from(["kty", "crv", "x", "y", "n", "e", "kid", "alg", "use", "key_ops", "d", "k"])
JWKS = [public_jwk(make_key(name)) for name in ("ES256", "ES512", "RS256", "EdDSA")]


def attempt(text: str | bytes) -> None:
    with contextlib.suppress(TokenRefusedError):
        verify_token(text, keys=KEYS, expected=EXPECTED, clock=ManualClock())


@given(st.text(max_size=300) | st.binary(max_size=300))
def test_arbitrary_text_and_bytes(text: str | bytes) -> None:
    attempt(text)


@given(st.integers(0, len(GOOD)), st.integers(0, 20), st.text(max_size=5))
def test_damaged_tokens(at: int, length: int, put: str) -> None:
    text = GOOD[:at] + put + GOOD[at + length :]
    attempt(text)


@given(
    st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "x"]) | st.text(max_size=4), JSON),
    st.binary(),
    st.binary(),
)
def test_arbitrary_headers(header: dict[str, Any], payload: bytes, signature: bytes) -> None:
    encoded = json.dumps({"alg": "ES256", **header}).encode("utf-8", "surrogatepass")
    attempt(".".join(encode_base64url(part) for part in (encoded, payload, signature)))


@given(st.dictionaries(CLAIM_NAMES, CLAIM_VALUES))
def test_arbitrary_claims_under_a_good_signature(claims: dict[str, Any]) -> None:
    base = {"iss": "i", "sub": "s", "aud": "a", "exp": 1_700_000_100}
    with contextlib.suppress(ValueError):  # what cannot be written as JSON cannot arrive either
        attempt(KEY.sign({**base, **claims}, typ="JWT"))


@given(st.sampled_from(JWKS), st.dictionaries(JWK_NAMES, JSON, max_size=3), st.sets(JWK_NAMES, max_size=2))
def test_arbitrary_keys(jwk: dict[str, Any], put: dict[str, Any], drop: set[str]) -> None:
    mutated = {name: value for name, value in {**jwk, **put}.items() if name not in drop}
    with contextlib.suppress(KeyRefusedError):
        parse_key(mutated)
    with contextlib.suppress(KeyRefusedError):
        KeySet.parse(json.dumps({"keys": [jwk, mutated]}))


@given(st.binary(max_size=300) | st.text(max_size=300))
def test_arbitrary_key_sets(data: bytes | str) -> None:
    with contextlib.suppress(KeyRefusedError):
        KeySet.parse(data)


@given(st.binary(max_size=300))
def test_arbitrary_stored_keys(data: bytes) -> None:
    with contextlib.suppress(KeyRefusedError):
        SigningKey.from_pem(Secret(data))
