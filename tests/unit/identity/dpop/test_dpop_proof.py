"""DPoP proofs: each item of RFC 9449, section 4.3, and what the RFC does not say but an attacker tries."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.dpop_client import DpopClient, public_members
from tests.support.joserfc_keys import make_key

from ringwall.identity.dpop.nonces import PERIOD_SECONDS, Nonces
from ringwall.identity.dpop.proof import (
    AHEAD_SECONDS,
    MAX_JTI,
    PROOF_SECONDS,
    NonceNeededError,
    ProofFor,
    ProofRefusedError,
    VerifiedProof,
    verify_proof,
)
from ringwall.model.clock import ManualClock
from ringwall.model.presented import ALGORITHMS
from ringwall.model.secret import Secret

URI = "https://localhost:8443/auth/token"
CLOCK = ManualClock()
NONCES = Nonces(Secret(b"k" * 32), CLOCK)


@pytest.fixture
def client() -> DpopClient:
    return DpopClient(CLOCK, nonce=NONCES.current())


def check(*proofs: str, token: str | None = None, nonces: Nonces | None = NONCES) -> VerifiedProof:
    return verify_proof(
        proofs, expected=ProofFor(method="POST", uri=URI, access_token=token), clock=CLOCK, nonces=nonces
    )


def refused(*proofs: str, token: str | None = None) -> str:
    with pytest.raises(ProofRefusedError) as caught:
        check(*proofs, token=token)
    return caught.value.reason


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_right_proof_shows_the_key(algorithm: str) -> None:
    client = DpopClient(CLOCK, algorithm=algorithm, key=make_key(algorithm), nonce=NONCES.current())
    shown = check(client.proof("POST", URI, jti="once"))
    assert (shown.jkt, shown.jti) == (client.jkt, "once")
    assert shown.until == int(CLOCK.now()) + PROOF_SECONDS


def test_the_thumbprint_is_that_of_rfc_7638_section_3_1() -> None:
    from ringwall.identity.tokens.keys import parse_key  # noqa: PLC0415  # only here
    from ringwall.identity.tokens.thumbprint import thumbprint_of  # noqa: PLC0415  # only here

    modulus = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn6"
        "4tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n9"
        "1CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    )
    key = parse_key({"kty": "RSA", "n": modulus, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"})
    assert thumbprint_of(key) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def test_there_is_exactly_one_header(client: DpopClient) -> None:
    assert refused() == "count"
    assert refused(client.proof("POST", URI), client.proof("POST", URI)) == "count"


@pytest.mark.parametrize("text", ["", "a.b.c", "eyJ9.e30.", "x" * 5000, "é.é.é"])
def test_it_is_one_well_formed_token(text: str) -> None:
    assert refused(text) in {"malformed", "size"}


@pytest.mark.parametrize("typ", ["JWT", "at+jwt", "", None, "oauth-authz-req+jwt"])
def test_nothing_else_that_a_client_signs_is_a_proof(client: DpopClient, typ: str | None) -> None:
    assert refused(client.proof("POST", URI, header={"typ": typ})) == "type"


def test_the_type_is_a_media_type(client: DpopClient) -> None:
    assert check(client.proof("POST", URI, header={"typ": "application/DPoP+jwt"})).jkt == client.jkt


@pytest.mark.parametrize("algorithm", ["RS256", "ES384", "ES512", "PS384"])
def test_other_algorithms_are_refused(algorithm: str) -> None:
    client = DpopClient(CLOCK, algorithm=algorithm, key=make_key(algorithm), nonce=NONCES.current())
    assert refused(client.proof("POST", URI)) == "algorithm"


def forged(header: dict[str, Any], client: DpopClient) -> str:
    """A proof whose header was replaced after it was signed."""
    _, payload, signature = client.proof("POST", URI).split(".")
    head = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
    return f"{head}.{payload}.{signature}"


@pytest.mark.parametrize("algorithm", ["none", "HS256", "None", "", 7])
def test_neither_none_nor_symmetric(client: DpopClient, algorithm: Any) -> None:
    jwk = public_members(client.key)
    assert refused(forged({"typ": "dpop+jwt", "alg": algorithm, "jwk": jwk}, client)) == "algorithm"


def test_the_signature_is_that_keys(client: DpopClient) -> None:
    other = public_members(make_key("ES256"))
    assert refused(client.proof("POST", URI, header={"jwk": other})) == "signature"


@pytest.mark.parametrize(
    ("jwk", "reason"),
    [
        (None, "header"),
        ("text", "header"),
        ({}, "alg"),
        ({"kty": "oct", "k": "c2VjcmV0"}, "symmetric"),
        ({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}, "ec-point"),
        ({"kty": ["EC"], "crv": {}}, "alg"),
    ],
)
def test_the_key_is_there_and_sound(client: DpopClient, jwk: Any, reason: str) -> None:
    header = {"typ": "dpop+jwt", "alg": "ES256", **({} if jwk is None else {"jwk": jwk})}
    assert refused(forged(header, client)) == reason


def test_a_private_key_is_not_taken(client: DpopClient) -> None:
    private = {**client.key.as_dict(private=True)}
    assert refused(client.proof("POST", URI, header={"jwk": private})) == "private"


def test_a_key_for_another_algorithm_is_refused() -> None:
    key = make_key("PS256")
    client = DpopClient(CLOCK, algorithm="PS256", key=key, nonce=NONCES.current())
    jwk = {**public_members(key), "alg": "RS256"}
    assert refused(client.proof("POST", URI, header={"jwk": jwk})) == "algorithm"


@pytest.mark.parametrize("name", ["jku", "x5u", "x5c", "crit", "b64"])
def test_no_other_key_and_no_extension(client: DpopClient, name: str) -> None:
    header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": public_members(client.key), name: ["x"]}
    assert refused(forged(header, client)) == "header"


@pytest.mark.parametrize("name", ["jti", "htm", "htu", "iat"])
@pytest.mark.parametrize("value", [None, [], {}, True, ""])
def test_required_claims(client: DpopClient, name: str, value: Any) -> None:
    assert refused(client.proof("POST", URI, **{name: value})) == name


def test_a_jti_is_bounded(client: DpopClient) -> None:
    assert refused(client.proof("POST", URI, jti="x" * (MAX_JTI + 1))) == "jti"


@pytest.mark.parametrize("method", ["GET", "post", "POST "])
def test_the_method_is_that_of_the_request(client: DpopClient, method: str) -> None:
    assert refused(client.proof(method, URI)) == "htm"


@pytest.mark.parametrize(
    "uri",
    [
        "https://localhost:8443/auth/userinfo",
        "http://localhost:8443/auth/token",
        "https://localhost/auth/token",
        "https://evil.example/auth/token",
        "https://localhost:8443/auth/token/",
        "https://localhost:8443@evil.example/auth/token",
        "/auth/token",
        "https://localhost:8443/auth/Token",
    ],
)
def test_the_uri_is_that_of_the_request(client: DpopClient, uri: str) -> None:
    assert refused(client.proof("POST", uri)) == "htu"


@pytest.mark.parametrize("uri", ["HTTPS://LOCALHOST:8443/auth/token", f"{URI}?a=b#c", f"{URI[:-1]}%6E"])
def test_the_uri_may_be_written_otherwise(client: DpopClient, uri: str) -> None:
    assert check(client.proof("POST", uri)).jkt == client.jkt


def test_the_time_is_about_now(client: DpopClient) -> None:
    now = int(CLOCK.now())
    assert refused(client.proof("POST", URI, iat=now - PROOF_SECONDS)) == "iat"
    assert refused(client.proof("POST", URI, iat=now + AHEAD_SECONDS + 1)) == "iat"
    assert refused(client.proof("POST", URI, iat=10**40)) == "iat"
    for shown in (now - PROOF_SECONDS + 1, now + AHEAD_SECONDS):
        assert check(client.proof("POST", URI, iat=shown)).until == shown + PROOF_SECONDS


def test_the_access_token_is_the_one_it_comes_with(client: DpopClient) -> None:
    assert refused(client.proof("POST", URI), token="token") == "ath"
    assert refused(client.proof("POST", URI, access_token="other"), token="token") == "ath"
    assert check(client.proof("POST", URI, access_token="token"), token="token").jkt == client.jkt


def test_a_nonce_of_ours_is_needed(client: DpopClient) -> None:
    for nonce in (None, "", "other", "é"):
        with pytest.raises(NonceNeededError):
            check(client.proof("POST", URI, nonce=nonce))
    assert refused(client.proof("POST", URI, nonce=7)) == "nonce"
    assert check(client.proof("POST", URI, nonce=None), nonces=None).jkt == client.jkt


def test_who_makes_no_right_proof_is_given_no_nonce(client: DpopClient) -> None:
    with pytest.raises(ProofRefusedError) as caught:
        check(client.proof("GET", URI, nonce="other"))
    assert not isinstance(caught.value, NonceNeededError)


def test_nonces_change_and_end() -> None:
    clock = ManualClock()
    nonces, same, other = (Nonces(Secret(key), clock) for key in (b"a" * 32, b"a" * 32, b"b" * 32))
    first = nonces.current()
    assert same.is_good(first)
    assert not other.is_good(first)
    clock.advance(PERIOD_SECONDS)
    assert nonces.current() != first
    assert nonces.is_good(first)
    clock.advance(PERIOD_SECONDS)
    assert not nonces.is_good(first)
    clock.jump(-10 * PERIOD_SECONDS)
    assert not nonces.is_good(nonces.current() + "A")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
CLAIMS = st.fixed_dictionaries({}, optional=dict.fromkeys(("jti", "htm", "htu", "iat", "nonce", "ath"), JSON))
HEADER = st.fixed_dictionaries({}, optional=dict.fromkeys(("typ", "alg", "jwk", "kid", "crit"), JSON))


@settings(max_examples=200, deadline=None)
@given(CLAIMS.filter(bool))
def test_arbitrary_claims_are_refused_in_one_way(claims: dict[str, Any]) -> None:
    client = DpopClient(CLOCK, key=KEY, nonce=NONCES.current())
    changed = {name: value for name, value in claims.items() if value is not None}
    try:
        check(client.proof("POST", URI, **changed))
    except ProofRefusedError:
        return
    assert set(changed) <= {"jti", "ath", "iat"}


@settings(max_examples=200, deadline=None)
@given(HEADER, JSON)
def test_arbitrary_headers_are_refused_in_one_way(header: dict[str, Any], jwk: Any) -> None:
    client = DpopClient(CLOCK, key=KEY, nonce=NONCES.current())
    base = {"typ": "dpop+jwt", "alg": "ES256", "jwk": {**public_members(KEY), "x": jwk}}
    with pytest.raises(ProofRefusedError):
        check(forged({**base, **header}, client))


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_arbitrary_text_is_refused_in_one_way(text: str) -> None:
    with pytest.raises(ProofRefusedError):
        check(text)


KEY = make_key("ES256")
