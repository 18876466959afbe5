"""Encrypting signed tokens for one reader (JWE, RFC 7516), who alone has the private key.

Always a signed token inside (RFC 7519, section 11.2): encryption proves nothing about who wrote it. Nothing is ever
compressed, as the length of what is compressed tells about it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ringwall.identity.tokens.errors import KeyRefusedError
from ringwall.identity.tokens.keys import check_public, ec_key, read_set, rsa_key

ENCRYPTION: Final = "enc"
"""`use` of a key for encryption (RFC 7517, section 4.2)."""
KEY_MANAGEMENT: Final = ("RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A256KW")
"""Values of `alg` (RFC 7518, section 4.1). RSA1_5 does not exist (RFC 8725, section 3.2), nor do symmetric ones."""
CONTENT: Final = ("A128CBC-HS256", "A256CBC-HS512", "A128GCM", "A256GCM")
"""Values of `enc` (RFC 7518, section 5.1); the first is what clients expect that name none."""
_RSA: Final = "RSA-OAEP-256"
_DOTS: Final = 4
_PUBLIC: Final = frozenset({"kty", "n", "e", "crv", "x", "y"})
_CURVES: Final = frozenset({"P-256", "P-384", "P-521"})


@dataclass(frozen=True, slots=True)
class EncryptionKey:
    """A reader's public key, and the only algorithm that it is used with."""

    jwk: Mapping[str, Any]
    algorithm: str

    @classmethod
    def of(cls, jwk: Mapping[str, Any], algorithm: str) -> "EncryptionKey":
        """Return the key of a JWK, or raise KeyRefusedError.

        1. It is public (RFC 7517, section 9.2). 2. It is meant for encryption and for nothing else (section 4.2).
        3. It is of the algorithm's type, and names no other algorithm (section 4.4; RFC 8725, section 3.1).
        4. It is sound (RFC 8725, section 3.4).
        """
        check_public(jwk)  # 1
        if jwk.get("use") != ENCRYPTION:  # 2
            raise KeyRefusedError("use", "the key's `use` is not `enc`")
        if algorithm not in KEY_MANAGEMENT or jwk.get("alg", algorithm) != algorithm:  # 3
            raise KeyRefusedError("alg", "the key is for another algorithm")
        if jwk.get("kty") != ("RSA" if algorithm == _RSA else "EC"):
            raise KeyRefusedError("kty", "the key's type is not the algorithm's")
        if algorithm == _RSA:  # 4
            rsa_key(jwk)
        elif jwk.get("crv") in _CURVES:
            ec_key(jwk)
        else:
            raise KeyRefusedError("crv", "the key is on an unknown curve")
        return cls(jwk, algorithm)


def is_encrypted(token: str) -> bool:
    """Return whether a token has as many parts as encrypted ones have, and no others (RFC 7516, section 9)."""
    return token.count(".") == _DOTS


def find_key(jwks: bytes | str, algorithm: str) -> EncryptionKey:
    """Return the first key of a set that a reader wants this algorithm to be used with; KeyRefusedError for none."""
    refused = KeyRefusedError("use", "the set has no key for encryption")
    for jwk in read_set(jwks):
        if jwk.get("use") != ENCRYPTION:
            continue
        try:
            return EncryptionKey.of(jwk, algorithm)
        except KeyRefusedError as error:
            refused = error
    raise refused


def encrypt(token: str, key: EncryptionKey, *, content: str, header: Mapping[str, str] | None = None) -> str:
    """Return a signed token inside an encrypted one, in compact form (RFC 7516, section 7.1; RFC 7519, section 5.2).

    Args:
        token: signed.
        key: whose private part is the reader's.
        content: how the token itself is encrypted, one of CONTENT.
        header: claims that stand in the header as well (RFC 7519, section 5.3).
    """
    from joserfc import jwe  # noqa: PLC0415  # only where somebody wants it
    from joserfc.jwk import import_key  # noqa: PLC0415

    told = {**(header or {}), "alg": key.algorithm, "enc": content, "cty": "JWT"}
    if "kid" in key.jwk:
        told["kid"] = str(key.jwk["kid"])
    reader = import_key({name: value for name, value in key.jwk.items() if name in _PUBLIC})
    # Not strict about names in the header: it knows none of the claims that may stand there.
    registry = jwe.JWERegistry(algorithms=[key.algorithm, content], strict_check_header=not header)
    return jwe.encrypt_compact(told, token, reader, registry=registry)
