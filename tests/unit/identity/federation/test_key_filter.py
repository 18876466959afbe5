import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.joserfc_keys import make_key, public_jwk

from ringwall.identity.federation.key_filter import EMPTY, usable_keys
from ringwall.identity.tokens.errors import KeyRefusedError
from ringwall.identity.tokens.keys import KeySet

EC = public_jwk(make_key("ES256", "ec"))
RSA = public_jwk(make_key("RS256", "rsa"))
OKP = public_jwk(make_key("EdDSA", "okp"))
ALGORITHMS = ("RS256", "ES256")


def without(jwk: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in jwk.items() if name not in names}


def chosen(*keys: dict[str, Any], algorithms: tuple[str, ...] = ALGORITHMS) -> list[tuple[str, str]]:
    usable = usable_keys(json.dumps({"keys": keys}), algorithms)
    KeySet.parse(usable.jwks)  # what comes out is always fit for our own verification, too
    kept = json.loads(usable.jwks)["keys"]
    assert usable.count == len(kept)
    assert all(key["use"] == "sig" for key in kept)
    return [(key.get("kid", ""), key["alg"]) for key in kept]


def test_signature_keys_with_a_believed_algorithm_are_kept() -> None:
    assert chosen(RSA, EC, OKP) == [("ec", "ES256"), ("rsa", "RS256")]
    assert chosen(OKP, algorithms=("EdDSA",)) == [("okp", "EdDSA")]


def test_only_what_a_verifier_needs_is_passed_on() -> None:
    usable = usable_keys(json.dumps({"keys": [{**EC, "x5c": ["MII"], "x5t": "a", "ext": True, "iat": 1}]}), ALGORITHMS)
    assert set(json.loads(usable.jwks)["keys"][0]) == {"kty", "crv", "x", "y", "kid", "use", "alg"}


def test_a_key_without_algorithm_gets_those_that_fit_and_are_believed() -> None:
    assert chosen(without(EC, "alg", "use")) == [("ec", "ES256")]
    assert chosen(without(RSA, "alg")) == [("rsa", "RS256")]
    assert chosen(without(RSA, "alg"), algorithms=("PS256", "RS256", "ES256")) == [("rsa", "PS256"), ("rsa", "RS256")]
    assert chosen(without(EC, "alg"), algorithms=("RS256",)) == []


@pytest.mark.parametrize(
    "bad",
    [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "x"},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "x", "alg": "HS256", "use": "sig"},
        {**make_key("ES256", "x").as_dict(private=True)},
        {**RSA, "kid": "x", "use": "enc"},
        {**RSA, "kid": "x", "key_ops": ["encrypt"]},
        {**RSA, "kid": "x", "alg": "RSA-OAEP"},
        {**RSA, "kid": "x", "alg": "RS512"},
        {**RSA, "kid": "x", "alg": "HS256"},
        {**RSA, "kid": "x", "alg": "none"},
        {**RSA, "kid": "x", "alg": ["RS256"]},
        {**RSA, "kid": "x", "e": "AQ"},
        {**RSA, "kid": "x", "n": "AQAB"},
        {**EC, "kid": "x", "y": EC["x"]},
        {**EC, "kid": "x", "crv": "P-521"},
        {**EC, "kid": ["x"]},
        {**without(EC, "alg"), "kid": "x", "crv": "secp256k1"},
        {},
    ],
)
def test_keys_that_are_not_fit_are_left_out_and_named(bad: dict[str, Any]) -> None:
    assert chosen(EC, bad) == [("ec", "ES256")]
    usable = usable_keys(json.dumps({"keys": [EC, bad]}), ALGORITHMS)
    assert len(usable.dropped) == 1
    assert usable.dropped[0].startswith("key 2 is left out: ")
    for secret in (bad.get("d"), bad.get("k")):
        assert not secret or secret not in usable.dropped[0]


def test_names_that_mean_two_keys_mean_none() -> None:
    other = {**public_jwk(make_key("ES256", "ec"))}
    assert chosen(EC, other, RSA) == [("rsa", "RS256")]
    assert chosen(EC, EC) == [("ec", "ES256")]


def test_several_keys_without_a_name_are_kept() -> None:
    other = public_jwk(make_key("ES256"))
    assert chosen(without(EC, "kid"), without(other, "kid")) == [("", "ES256"), ("", "ES256")]


def test_the_order_of_publication_does_not_matter() -> None:
    one, other = (usable_keys(json.dumps({"keys": keys}), ALGORITHMS).jwks for keys in ([EC, RSA], [RSA, EC]))
    assert one == other


def test_an_empty_set_is_a_set_and_html_is_not() -> None:
    assert usable_keys('{"keys":[]}', ALGORITHMS).jwks == EMPTY
    for text in ("<html>", "[]", "{}", '{"keys":{}}'):
        with pytest.raises(KeyRefusedError):
            usable_keys(text, ALGORITHMS)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8), lambda inner: st.lists(inner, max_size=3)
)
MEMBERS = st.sampled_from(["kty", "crv", "x", "y", "n", "e", "kid", "alg", "use", "key_ops", "d"])


@given(st.lists(st.tuples(st.sampled_from([EC, RSA, OKP]), st.dictionaries(MEMBERS, JSON, max_size=2)), max_size=4))
def test_whatever_is_published_the_rest_is_fit(published: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
    for kid, algorithm in chosen(*({**jwk, **put} for jwk, put in published)):
        assert isinstance(kid, str)
        assert algorithm in ALGORITHMS
