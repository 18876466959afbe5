"""Private keys by which encrypted tokens are read (RFC 7518, sections 4.3 and 4.6). Each is for one algorithm."""

from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from ringwall.identity.tokens.encryption import ENCRYPTION, KEY_MANAGEMENT
from ringwall.identity.tokens.errors import KeyRefusedError
from ringwall.identity.tokens.jwk_members import public_members, thumbprint
from ringwall.identity.tokens.rsa_keys import MakeRsa, make_rsa_key
from ringwall.model.secret import Secret

RSA_OAEP_256: Final = "RSA-OAEP-256"


class DecryptionKey:
    """A private key and the only algorithm that it is used with (RFC 8725, section 3.1).

    Attributes:
        private: the key.
        algorithm: one of KEY_MANAGEMENT, which fits it.
        kid: what tokens call it; its thumbprint, unless it is somebody else's key.
    """

    def __init__(
        self, private: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, algorithm: str, *, kid: str = ""
    ) -> None:
        if algorithm not in KEY_MANAGEMENT or isinstance(private, rsa.RSAPrivateKey) != (algorithm == RSA_OAEP_256):
            raise KeyRefusedError("alg", "a key for encryption is not of its algorithm's type")
        members = public_members(private)
        self.private: Final = private
        self.algorithm: Final = algorithm
        self.kid: Final = kid or thumbprint(members)
        self._public: Final = {**members, "use": ENCRYPTION, "alg": algorithm, "kid": self.kid}

    @classmethod
    def generate(cls, algorithm: str, make_rsa: MakeRsa = make_rsa_key) -> Self:
        """Return a new key, on P-256 or, for RSA, one of those that `make_rsa` makes."""
        if algorithm == RSA_OAEP_256:
            return cls(make_rsa(), algorithm)
        return cls(ec.generate_private_key(ec.SECP256R1()), algorithm)

    @classmethod
    def from_pem(cls, pem: Secret, algorithm: str) -> Self:
        """Read what `to_pem` gave; KeyRefusedError where it holds no key for that algorithm."""
        try:
            private = load_pem_private_key(pem.reveal(), password=None, unsafe_skip_rsa_key_validation=True)
        except (ValueError, TypeError):
            raise KeyRefusedError("pem", "a stored key for encryption cannot be read") from None
        if not isinstance(private, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
            raise KeyRefusedError("pem", "a stored key for encryption is neither an EC nor an RSA key")
        return cls(private, algorithm)

    def to_pem(self) -> Secret:
        """Return PKCS#8 PEM, unencrypted: the keystore does the encrypting."""
        return Secret(self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    def public_jwk(self) -> dict[str, str]:
        """Return the public key as a JWK with `use`, `alg` and `kid` (RFC 7517, section 4)."""
        return dict(self._public)
