"""The signature algorithms that are believed, and how each is checked.

Asymmetric ones only: a symmetric algorithm would let whoever verifies also sign (RFC 8725, section 3.1).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from ringwall.identity.tokens.errors import TokenRefusedError

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | Ed25519PublicKey
_Check = Callable[[PublicKey, bytes, bytes], None]


@dataclass(frozen=True, slots=True)
class Algorithm:
    """One JWS algorithm (RFC 7518, section 3.1; RFC 8037, section 3.1).

    Attributes:
        name: value of `alg`.
        kty: key type that it needs.
        crv: curve that it needs, None for RSA.
        check: raises InvalidSignature; takes key, signature and what was signed.
    """

    name: str
    kty: str
    crv: str | None
    check: _Check

    def verify(self, key: PublicKey, signature: bytes, signed: bytes) -> None:
        """Raise TokenRefusedError unless `signature` is this key's over `signed`."""
        try:
            self.check(key, signature, signed)
        except InvalidSignature:
            raise TokenRefusedError("signature", "the signature is not valid") from None


def _ecdsa(algorithm: hashes.HashAlgorithm, size: int) -> _Check:
    """ECDSA over a fixed-length R || S, each of `size` octets (RFC 7518, section 3.4)."""

    def check(key: PublicKey, signature: bytes, signed: bytes) -> None:
        if not isinstance(key, ec.EllipticCurvePublicKey) or len(signature) != 2 * size:
            raise InvalidSignature
        r, s = int.from_bytes(signature[:size]), int.from_bytes(signature[size:])
        key.verify(encode_dss_signature(r, s), signed, ec.ECDSA(algorithm))

    return check


def _rsa(algorithm: hashes.HashAlgorithm, *, pss: bool) -> _Check:
    """RSASSA with PKCS1-v1_5 (RFC 7518, section 3.3) or PSS with a salt as long as the hash (section 3.5)."""
    scheme = padding.PSS(padding.MGF1(algorithm), algorithm.digest_size) if pss else padding.PKCS1v15()

    def check(key: PublicKey, signature: bytes, signed: bytes) -> None:
        if not isinstance(key, rsa.RSAPublicKey):
            raise InvalidSignature
        key.verify(signature, signed, scheme, algorithm)

    return check


def _eddsa(key: PublicKey, signature: bytes, signed: bytes) -> None:
    """Check Ed25519 (RFC 8037, section 3.1)."""
    if not isinstance(key, Ed25519PublicKey):
        raise InvalidSignature
    key.verify(signature, signed)


ALGORITHMS: Final = {
    algorithm.name: algorithm
    for algorithm in (
        Algorithm("ES256", "EC", "P-256", _ecdsa(hashes.SHA256(), 32)),
        Algorithm("ES384", "EC", "P-384", _ecdsa(hashes.SHA384(), 48)),
        Algorithm("ES512", "EC", "P-521", _ecdsa(hashes.SHA512(), 66)),
        Algorithm("RS256", "RSA", None, _rsa(hashes.SHA256(), pss=False)),
        Algorithm("RS384", "RSA", None, _rsa(hashes.SHA384(), pss=False)),
        Algorithm("RS512", "RSA", None, _rsa(hashes.SHA512(), pss=False)),
        Algorithm("PS256", "RSA", None, _rsa(hashes.SHA256(), pss=True)),
        Algorithm("PS384", "RSA", None, _rsa(hashes.SHA384(), pss=True)),
        Algorithm("PS512", "RSA", None, _rsa(hashes.SHA512(), pss=True)),
        Algorithm("EdDSA", "OKP", "Ed25519", _eddsa),
    )
}
"""By name. What is not here is refused, whatever a token or a key says."""
