import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.support.joserfc_keys import ALL_ALGORITHMS, make_key, public_jwk

from ringwall.identity.tokens.encoding import decode_base64url, encode_base64url
from ringwall.identity.tokens.errors import KeyRefusedError
from ringwall.identity.tokens.keys import MAX_KEYS, MAX_SET_BYTES, KeySet, implied_algorithms, parse_key, read_set
from ringwall.identity.tokens.roca import has_roca_fingerprint

EC = public_jwk(make_key("ES256"))
RSA = public_jwk(make_key("RS256"))
OKP = public_jwk(make_key("EdDSA"))


def number(value: int) -> str:
    return encode_base64url(value.to_bytes((value.bit_length() + 7) // 8))


def refused(jwk: dict[str, Any]) -> str:
    with pytest.raises(KeyRefusedError) as raised:
        parse_key(jwk)
    return raised.value.reason


@pytest.mark.parametrize("algorithm", ALL_ALGORITHMS)
def test_a_good_key_is_bound_to_its_algorithm(algorithm: str) -> None:
    key = parse_key(public_jwk(make_key(algorithm, "one")))
    assert (key.kid, key.algorithm.name) == ("one", algorithm)


def without(jwk: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in jwk.items() if name not in names}


@pytest.mark.parametrize(
    ("jwk", "reason"),
    [
        ({"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"}, "symmetric"),
        ({**make_key("ES256").as_dict(private=True)}, "private"),
        ({**EC, "k": "c2VjcmV0"}, "private"),
        ({**EC, "use": "enc"}, "use"),
        ({**EC, "use": None}, "use"),
        ({**EC, "key_ops": ["sign"]}, "key-ops"),
        ({**EC, "key_ops": "verify"}, "key-ops"),
        ({**EC, "kid": 7}, "kid"),
        ({**EC, "kid": "k" * 257}, "kid"),
        ({**EC, "alg": "none"}, "alg"),
        ({**EC, "alg": "HS256"}, "alg"),
        ({**EC, "alg": "ES384"}, "alg"),
        ({**EC, "alg": "RS256"}, "alg"),
        ({**EC, "alg": ["ES256"]}, "alg"),
        ({**EC, "alg": None}, "alg"),
        ({**EC, "crv": "secp256k1"}, "alg"),
        ({**EC, "crv": "P-384"}, "alg"),
        (without(EC, "kty"), "alg"),
        (without(RSA, "alg"), "alg"),
        ({**EC, "x": EC["y"], "y": EC["x"]}, "ec-point"),
        ({**EC, "x": encode_base64url(bytes(31))}, "ec-point"),
        ({**EC, "x": encode_base64url(b"\0" + decode_base64url(EC["x"]))}, "ec-point"),
        ({**EC, "x": EC["x"] + "="}, "member"),
        (without(EC, "y"), "member"),
        ({**EC, "y": 5}, "member"),
        ({**OKP, "x": OKP["x"][:-2]}, "member"),
        ({**OKP, "x": "AAAA"}, "okp"),
        ({**RSA, "e": "AQ"}, "rsa-exponent"),
        ({**RSA, "e": "Aw"}, "rsa-exponent"),
        ({**RSA, "e": number(65538)}, "rsa-exponent"),
        ({**RSA, "e": number((1 << 256) + 1)}, "rsa-exponent"),
        ({**RSA, "e": ""}, "member"),
        ({**RSA, "e": "AAEAAQ"}, "member"),
        ({**RSA, "n": number((1 << 2048) - 2)}, "rsa-exponent"),
        ({**RSA, "n": number((1 << 2047) - 1)}, "rsa-size"),
        ({**RSA, "n": number((1 << 8193) - 1)}, "rsa-size"),
    ],
)
def test_a_key_that_is_not_fit_is_refused(jwk: dict[str, Any], reason: str) -> None:
    assert refused(jwk) == reason


def test_an_ordinary_modulus_shows_no_roca_fingerprint_and_a_power_of_65537_does() -> None:
    modulus = rsa.generate_private_key(65537, 2048).public_key().public_numbers().n
    assert not has_roca_fingerprint(modulus)
    structured = pow(65537, 128)
    assert has_roca_fingerprint(structured)
    assert refused({**RSA, "n": number(structured)}) == "roca"


def test_a_key_without_alg_gets_the_one_its_curve_implies() -> None:
    assert parse_key(without(EC, "alg")).algorithm.name == "ES256"
    assert parse_key(without(OKP, "alg")).algorithm.name == "EdDSA"
    assert implied_algorithms(RSA) == ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
    assert implied_algorithms({"kty": "oct"}) == ()


def test_a_set_is_refused_as_a_whole_for_one_bad_key() -> None:
    for bad in ({"kty": "oct", "k": "c2VjcmV0"}, make_key("ES256", "k2").as_dict(private=True), {}):
        with pytest.raises(KeyRefusedError):
            KeySet.parse(json.dumps({"keys": [EC, bad]}))


def test_keys_that_could_be_mistaken_for_each_other_are_refused() -> None:
    other = public_jwk(make_key("ES256"))
    for keys in ([EC, other], [EC, EC]):
        with pytest.raises(KeyRefusedError) as raised:
            KeySet.parse(json.dumps({"keys": keys}))
        assert raised.value.reason == "duplicate-kid"


def test_one_key_may_stand_for_two_algorithms() -> None:
    both = KeySet.parse(json.dumps({"keys": [RSA, {**RSA, "alg": "PS256"}]}))
    assert [key.algorithm.name for key in both.keys] == ["RS256", "PS256"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{}", "json"),
        ("[]", "json"),
        ("<html>", "json"),
        ('{"keys":{}}', "json"),
        ('{"keys":[1]}', "json"),
        ('{"keys":[],"keys":[]}', "json"),
        ('{"keys":[' + ",".join(["{}"] * (MAX_KEYS + 1)) + "]}", "size"),
        ('{"keys":[]}' + " " * MAX_SET_BYTES, "size"),
        ('{"keys":["\ud800"]}', "json"),
    ],
)
def test_what_is_no_key_set_is_refused(text: str, reason: str) -> None:
    with pytest.raises(KeyRefusedError) as raised:
        read_set(text)
    assert raised.value.reason == reason


def test_refusals_do_not_show_key_material() -> None:
    private = make_key("ES256").as_dict(private=True)
    with pytest.raises(KeyRefusedError) as raised:
        parse_key(private)
    assert str(private["d"]) not in str(raised.value)
    assert str(EC["x"]) not in repr(parse_key(EC))
