"""The members of a JWK that make up a public key, in alphabetical order, as thumbprints take them (RFC 7638, 3)."""

import hashlib
from collections.abc import Mapping
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from ringwall.identity.tokens.encoding import encode_base64url, encode_json

_CURVES: Final[Mapping[str, str]] = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}


def public_members(private: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> dict[str, str]:
    """Return what makes up the public key of a private one (RFC 7518, sections 6.2.1 and 6.3.1)."""
    if isinstance(private, rsa.RSAPrivateKey):
        public = private.public_key().public_numbers()
        return {"e": _unsigned(public.e), "kty": "RSA", "n": _unsigned(public.n)}
    numbers, size = private.public_key().public_numbers(), (private.curve.key_size + 7) // 8
    return {
        "crv": _CURVES[private.curve.name],
        "kty": "EC",
        "x": encode_base64url(numbers.x.to_bytes(size)),
        "y": encode_base64url(numbers.y.to_bytes(size)),
    }


def thumbprint(members: Mapping[str, str]) -> str:
    """Return base64url of the SHA-256 over the required members in alphabetical order (RFC 7638, section 3)."""
    return encode_base64url(hashlib.sha256(encode_json(members)).digest())


def _unsigned(number: int) -> str:
    """Base64urlUInt (RFC 7518, section 2)."""
    return encode_base64url(number.to_bytes((number.bit_length() + 7) // 8))
