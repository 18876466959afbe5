"""Which keys of a JWK set a proxy is given: public ones, for signatures, each for exactly one pinned algorithm."""

import json
from typing import Any

import pytest

from ringwall.enforce.tokens import config, pinned
from ringwall.plan.identity import Issuer

EC = {"kty": "EC", "crv": "P-256", "x": "eA", "y": "eQ", "kid": "e"}
RSA = {"kty": "RSA", "n": "bg", "e": "AQAB", "kid": "r"}
OKP = {"kty": "OKP", "crv": "Ed25519", "x": "eA", "kid": "o"}
OCT = {"kty": "oct", "k": "c2VjcmV0", "kid": "s"}


def _pinned(key: dict[str, Any], *algorithms: str) -> list[str]:
    return [made["alg"] for made in pinned(json.dumps({"keys": [key]}), algorithms)]


@pytest.mark.parametrize(
    ("key", "algorithms", "expected"),
    [
        (EC, ["ES256"], ["ES256"]),
        (EC, ["ES256", "RS256"], ["ES256"]),
        (EC, ["ES384"], []),
        (EC | {"alg": "ES256"}, ["ES256"], ["ES256"]),
        (EC | {"alg": "ES384"}, ["ES256"], []),
        (EC | {"use": "enc"}, ["ES256"], []),
        (RSA, ["RS256", "PS256"], ["RS256", "PS256"]),
        (RSA | {"alg": "PS256"}, ["RS256", "PS256"], ["PS256"]),
        (RSA | {"alg": "RS512"}, ["RS256"], []),
        (OKP, ["EdDSA"], ["EdDSA"]),
        (OKP | {"crv": "X25519"}, ["EdDSA"], []),
        (OCT, ["HS256"], []),
        (OCT | {"alg": "ES256"}, ["ES256"], []),
        ({"kty": "EC"}, ["ES256"], []),
        ({}, ["ES256"], []),
    ],
)
def test_a_key_is_for_the_pinned_algorithms_that_fit_it(
    key: dict[str, Any], algorithms: list[str], expected: list[str]
) -> None:
    assert _pinned(key, *algorithms) == expected


def test_nothing_private_is_passed_on() -> None:
    (made,) = pinned(json.dumps({"keys": [EC | {"d": "c2VjcmV0", "k": "x", "x5c": ["y"]}]}), ("ES256",))
    assert set(made) == {"kty", "crv", "x", "y", "kid", "alg", "use"}


def test_the_same_input_gives_the_same_bytes() -> None:
    issuers = tuple(
        Issuer(name=name, url=f"https://{name}", audiences=("a",), algorithms=("ES256",)) for name in ("b", "a", "c")
    )
    keys = {name: json.dumps({"keys": [EC]}) for name in ("c", "a", "b")}
    first, second = (config(issuers, dict(order)) for order in (keys.items(), sorted(keys.items())))
    assert first.SerializeToString(deterministic=True) == second.SerializeToString(deterministic=True)


def test_every_provider_demands_what_the_issue_demands() -> None:
    issuer = Issuer(name="a", url="https://a", audiences=("one", "two"), algorithms=("ES256",))
    made = config((issuer,), {"a": json.dumps({"keys": [EC]})})
    provider = made.providers["a"]
    assert provider.require_expiration
    assert list(provider.audiences) == ["one", "two"]
    assert provider.issuer == "https://a"
    assert provider.clock_skew_seconds == 30
    assert provider.payload_in_metadata == "claims"
    assert not provider.from_params
    assert made.requirement_map["required"].provider_name == "a"
    optional = made.requirement_map["optional"].requires_any.requirements
    assert [one.WhichOneof("requires_type") for one in optional] == ["provider_name", "allow_missing"]
