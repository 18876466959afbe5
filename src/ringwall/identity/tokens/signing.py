"""Signing keys and the tokens they sign: ES256, and RS256 for ID tokens (RFC 7518, sections 3.3 and 3.4)."""

from collections.abc import Mapping
from typing import Any, Final, Self

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from ringwall.identity.tokens.encoding import encode_base64url, encode_json
from ringwall.identity.tokens.errors import KeyRefusedError
from ringwall.identity.tokens.jwk_members import public_members, thumbprint
from ringwall.identity.tokens.rsa_keys import RSA_BITS, MakeRsa, make_rsa_key
from ringwall.model.secret import Secret

ALGORITHM: Final = "ES256"
"""What signs everything, unless a client wants its ID tokens otherwise."""
RS256: Final = "RS256"
ID_TOKEN_ALGORITHMS: Final = (ALGORITHM, RS256)
"""What may sign ID tokens: OpenID Connect Discovery 1.0, section 3, wants RS256 among them."""
_SIZE: Final = 32
_ECDSA: Final = ec.ECDSA(hashes.SHA256())


class SigningKey:
    """A private key, P-256 or RSA, that signs tokens; its `kid` is its thumbprint, so it names no other key."""

    def __init__(self, private: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
        self._private = private
        self.algorithm: Final = RS256 if isinstance(private, rsa.RSAPrivateKey) else ALGORITHM
        members = public_members(private)
        self.kid: Final = thumbprint(members)
        self._public: Final = {**members, "use": "sig", "alg": self.algorithm, "kid": self.kid}
        self._headers: Final[dict[str, str]] = {}

    @classmethod
    def generate(cls, algorithm: str = ALGORITHM, make_rsa: MakeRsa = make_rsa_key) -> Self:
        """Return a new key; for RS256 it is one of those that `make_rsa` makes."""
        if algorithm == RS256:
            return cls(make_rsa())
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def from_pem(cls, pem: Secret) -> Self:
        """Read PKCS#8 PEM, unencrypted; KeyRefusedError where it holds no P-256 or RSA private key.

        That the numbers of an RSA key fit each other is not proved anew, which would take as long as making one: the
        key was made by `generate`, and the caller compares its public part.
        """
        try:
            private = load_pem_private_key(pem.reveal(), password=None, unsafe_skip_rsa_key_validation=True)
        except (ValueError, TypeError):
            raise KeyRefusedError("pem", "a stored signing key cannot be read") from None
        if isinstance(private, rsa.RSAPrivateKey) and private.key_size >= RSA_BITS:
            return cls(private)
        if not isinstance(private, ec.EllipticCurvePrivateKey) or private.curve.name != "secp256r1":
            raise KeyRefusedError("pem", f"a stored signing key is neither a P-256 nor an RSA key of {RSA_BITS} bits")
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
        return f"{signed}.{encode_base64url(self._signature(signed.encode('ascii')))}"

    def _signature(self, signed: bytes) -> bytes:
        if isinstance(self._private, rsa.RSAPrivateKey):
            return self._private.sign(signed, padding.PKCS1v15(), hashes.SHA256())  # RFC 7518 section 3.3
        r, s = decode_dss_signature(self._private.sign(signed, _ECDSA))
        # RFC 7518 section 3.4, step 3: R and S with a fixed length each, not DER.
        return r.to_bytes(_SIZE) + s.to_bytes(_SIZE)

    def _header(self, typ: str) -> str:
        """Return the encoded header, which is the same for every token of a type."""
        if typ not in self._headers:
            header = {"alg": self.algorithm, "kid": self.kid, "typ": typ}
            self._headers[typ] = encode_base64url(encode_json(header))
        return self._headers[typ]
