"""Signing keys and the tokens they sign: ES256 only (RFC 7518, section 3.4)."""

import hashlib
from collections.abc import Mapping
from typing import Any, Final, Self

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from ringwall.identity.tokens.encoding import encode_base64url, encode_json
from ringwall.identity.tokens.errors import KeyRefusedError
from ringwall.model.secret import Secret

ALGORITHM: Final = "ES256"
_SIZE: Final = 32
_ECDSA: Final = ec.ECDSA(hashes.SHA256())


class SigningKey:
    """A private P-256 key that signs tokens; its `kid` is its thumbprint, so it names no other key."""

    def __init__(self, private: ec.EllipticCurvePrivateKey) -> None:
        self._private = private
        numbers = private.public_key().public_numbers()
        members = {
            "crv": "P-256",
            "kty": "EC",
            "x": encode_base64url(numbers.x.to_bytes(_SIZE)),
            "y": encode_base64url(numbers.y.to_bytes(_SIZE)),
        }
        # RFC 7638 section 3: SHA-256 over the required members in alphabetical order.
        self.kid: Final = encode_base64url(hashlib.sha256(encode_json(members)).digest())
        self._public: Final = {**members, "use": "sig", "alg": ALGORITHM, "kid": self.kid}
        self._headers: Final[dict[str, str]] = {}

    @classmethod
    def generate(cls) -> Self:
        """Make a new key."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def from_pem(cls, pem: Secret) -> Self:
        """Read PKCS#8 PEM, unencrypted; KeyRefusedError where it holds no P-256 private key."""
        try:
            private = load_pem_private_key(pem.reveal(), password=None)
        except (ValueError, TypeError):
            raise KeyRefusedError("pem", "a stored signing key cannot be read") from None
        if not isinstance(private, ec.EllipticCurvePrivateKey) or private.curve.name != "secp256r1":
            raise KeyRefusedError("pem", "a stored signing key is not a P-256 key")
        return cls(private)

    def to_pem(self) -> Secret:
        """Return PKCS#8 PEM, unencrypted: the keystore does the encrypting."""
        return Secret(self._private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    def public_jwk(self) -> dict[str, str]:
        """Return the public key as a JWK with `use`, `alg` and `kid` (RFC 7517, section 4)."""
        return dict(self._public)

    def sign(self, claims: Mapping[str, Any], *, typ: str) -> str:
        """Return the claims as a compact JWS (RFC 7515, section 7.1)."""
        signed = f"{self._header(typ)}.{encode_base64url(encode_json(claims))}"
        r, s = decode_dss_signature(self._private.sign(signed.encode("ascii"), _ECDSA))
        # RFC 7518 section 3.4, step 3: R and S with a fixed length each, not DER.
        return f"{signed}.{encode_base64url(r.to_bytes(_SIZE) + s.to_bytes(_SIZE))}"

    def _header(self, typ: str) -> str:
        """Return the encoded header, which is the same for every token of a type."""
        if typ not in self._headers:
            self._headers[typ] = encode_base64url(encode_json({"alg": ALGORITHM, "kid": self.kid, "typ": typ}))
        return self._headers[typ]
