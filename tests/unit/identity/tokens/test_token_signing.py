import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from ringwall.identity.tokens.errors import KeyRefusedError
from ringwall.identity.tokens.keys import parse_key
from ringwall.identity.tokens.signing import SigningKey
from ringwall.model.secret import Secret


def test_another_implementation_verifies_what_is_signed_and_agrees_on_the_thumbprint() -> None:
    key = SigningKey.generate()
    theirs = ECKey.import_key({**key.public_jwk()})
    token = jws.deserialize_compact(key.sign({"sub": "äöü"}, typ="at+jwt"), theirs, algorithms=["ES256"])
    assert json.loads(token.payload) == {"sub": "äöü"}
    assert token.headers() == {"alg": "ES256", "kid": key.kid, "typ": "at+jwt"}
    assert theirs.thumbprint() == key.kid


def test_another_implementation_verifies_rs256_and_agrees_on_the_thumbprint() -> None:
    key = SigningKey.from_pem(SigningKey.generate("RS256").to_pem())
    assert set(key.public_jwk()) == {"kty", "n", "e", "use", "alg", "kid"}
    theirs = RSAKey.import_key({**key.public_jwk()})
    token = jws.deserialize_compact(key.sign({"sub": "äöü"}, typ="JWT"), theirs, algorithms=["RS256"])
    assert json.loads(token.payload) == {"sub": "äöü"}
    assert token.headers() == {"alg": "RS256", "kid": key.kid, "typ": "JWT"}
    assert theirs.thumbprint() == key.kid
    assert parse_key(key.public_jwk()).algorithm.name == "RS256"


def test_a_key_is_the_same_after_storing_it() -> None:
    key = SigningKey.generate()
    again = SigningKey.from_pem(key.to_pem())
    assert again.public_jwk() == key.public_jwk()
    assert set(key.public_jwk()) == {"kty", "crv", "x", "y", "use", "alg", "kid"}


SMALL = rsa.generate_private_key(65537, 1024)  # noqa: S505  # what is refused


@pytest.mark.parametrize("private", [ec.generate_private_key(ec.SECP384R1()), SMALL])
def test_only_p256_and_large_rsa_keys_are_taken(private: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(KeyRefusedError):
        SigningKey.from_pem(Secret(pem))
