"""Reading encrypted tokens (compact JWE, RFC 7516) that somebody has made for one of our keys.

Encryption proves nothing about who wrote a token, so what is read here is never believed before the signature inside is
verified (RFC 7519, section 11.2). Symmetric algorithms, passwords and compression do not exist.
"""

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap

from ringwall.identity.tokens.content_encryption import CONTENT_ALGORITHMS, NotAuthenticError, Sealed
from ringwall.identity.tokens.decryption_keys import DecryptionKey
from ringwall.identity.tokens.encoding import EncodingError, decode_base64url, decode_json_object
from ringwall.identity.tokens.encryption import KEY_MANAGEMENT
from ringwall.identity.tokens.errors import KeyRefusedError, TokenRefusedError
from ringwall.identity.tokens.keys import MAX_KID, check_public, ec_key

MAX_JWE_BYTES: Final = 24_576
"""Room for a signed token as large as any that is taken, and a third more, as base64url within base64url is longer."""
MAX_HEADER_BYTES: Final = 2048
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)
_REFUSED_HEADERS: Final = ("crit", "zip", "jku", "jwk", "x5u", "x5c", "p2c", "p2s")
"""Extensions that nobody here understands, decompression, keys that a token brings along, and costs that it sets."""
_SIGNED: Final = frozenset({"", "jwt", "oauth-authz-req+jwt"})
_WRAPPING: Final = {"ECDH-ES": 0, "ECDH-ES+A128KW": 16, "ECDH-ES+A256KW": 32}
"""Bytes of the key that wraps the content's key, by `alg`; 0 where what is agreed on is the content's key itself."""
_CURVES: Final = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptedToken:
    """A well-formed encrypted token; nothing of it has been decrypted.

    Attributes:
        algorithm: `alg` of its header, one of KEY_MANAGEMENT.
        content: `enc` of its header, one of CONTENT_ALGORITHMS.
        kid: its key identifier, "" where there is none.
        header: all of its header.
        key: the encrypted key of the content.
        sealed: the encrypted content.
    """

    algorithm: str
    content: str
    kid: str
    header: Mapping[str, Any] = field(repr=False)
    key: bytes = field(repr=False)
    sealed: Sealed = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the compact serialization; raise TokenRefusedError for anything that is not exactly that.

        1. At most MAX_JWE_BYTES, and five parts of base64url, of which only the encrypted key may be empty
           (RFC 7516, sections 3.1 and 5.2, step 1).
        2. Each part decodes strictly (step 2).
        3. The header is a short JSON object without duplicate members, of bounded depth (steps 3 and 4).
        4. Both algorithms are known (RFC 8725, sections 3.1 and 3.2).
        5. Nothing is compressed (RFC 8725, section 3.6), no extension is critical (step 5), no key is brought along
           (RFC 8725, section 3.10), and no count of iterations is (RFC 7518, section 8.1).
        6. `kid` is a short text, and `cty`, where there is one, says that a signed token is inside (RFC 7519, 5.2).
        """
        if len(text) > MAX_JWE_BYTES:  # 1
            raise TokenRefusedError("size", f"an encrypted token is at most {MAX_JWE_BYTES} bytes long")
        if not _COMPACT.fullmatch(text):
            raise TokenRefusedError("malformed", "not an encrypted token in compact form")
        protected, *parts = text.split(".")
        if len(protected) > MAX_HEADER_BYTES:  # 3
            raise TokenRefusedError("size", "the header of the encrypted token is too long")
        try:
            key, iv, ciphertext, tag = (decode_base64url(part) for part in parts)  # 2
            header = decode_json_object(decode_base64url(protected))  # 3
        except EncodingError as error:
            raise TokenRefusedError("malformed", f"the encrypted token is malformed: {error}") from None
        algorithm, content, kid = _checked(header)  # 4, 5, 6
        return cls(
            algorithm=algorithm,
            content=content,
            kid=kid,
            header=header,
            key=key,
            sealed=Sealed(iv=iv, ciphertext=ciphertext, tag=tag, aad=protected.encode("ascii")),
        )


def _checked(header: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return `alg`, `enc` and `kid` of a header, as steps 4 to 6 of `EncryptedToken.parse` want it."""
    algorithm, content = header.get("alg"), header.get("enc")
    if not isinstance(algorithm, str) or algorithm not in KEY_MANAGEMENT:  # 4
        raise TokenRefusedError("algorithm", "the encrypted token's `alg` is missing, unknown or symmetric")
    if not isinstance(content, str) or content not in CONTENT_ALGORITHMS:
        raise TokenRefusedError("algorithm", "the encrypted token's `enc` is missing or unknown")
    for name in _REFUSED_HEADERS:  # 5
        if name in header:
            raise TokenRefusedError("header", f"the encrypted token's header has `{name}`, which is never accepted")
    kid, kind = header.get("kid", ""), header.get("cty", "")
    if not isinstance(kid, str) or len(kid) > MAX_KID:  # 6
        raise TokenRefusedError("header", f"the token's `kid` must be a text of at most {MAX_KID} characters")
    if not isinstance(kind, str) or kind.lower().removeprefix("application/") not in _SIGNED:
        raise TokenRefusedError("header", "the encrypted token's `cty` is not that of a signed token")
    return algorithm, content, kid


def decrypt(text: str, keys: Sequence[DecryptionKey]) -> bytes:
    """Return what is in an encrypted token, or raise TokenRefusedError. It is yet to be believed.

    1. It is well-formed (see `EncryptedToken.parse`).
    2. The keys that come into question are those that `kid` names, or all where it is absent, as far as they are for
       the token's very algorithm (RFC 7516, section 5.2, step 6; RFC 8725, section 3.1).
    3. The key of the content is found out (steps 7 to 12).
    4. The content is authentic, and decrypted (steps 14 to 17).

    Whatever goes wrong in 3 and 4 is one and the same error, and takes the same way (section 11.5): nobody can ask
    this issuer, token by token, what another's token says.
    """
    token = EncryptedToken.parse(text)  # 1
    fitting = [key for key in keys if key.algorithm == token.algorithm and token.kid in {"", key.kid}]  # 2
    if not fitting:
        raise TokenRefusedError("unknown-key", "no key for such encrypted tokens is called as the token says")
    content = CONTENT_ALGORITHMS[token.content]
    for key in fitting:
        try:
            return content.open(_content_key(token, key, content.key_bytes), token.sealed)
        except NotAuthenticError:
            continue
    raise TokenRefusedError("decryption", "the encrypted token cannot be decrypted")


def _content_key(token: EncryptedToken, key: DecryptionKey, size: int) -> bytes:
    """Return the key of the content, of `size` bytes; NotAuthenticError where the token's header is of no use.

    Where decrypting it fails, or gives a key of another size, it is random, so that all goes on to the same failure
    (RFC 7516, section 11.5).
    """
    spare = secrets.token_bytes(size)
    try:
        if isinstance(key.private, rsa.RSAPrivateKey):
            found = _by_rsa(token, key.private)
        else:
            found = _by_agreement(token, key.private, size)
    except (InvalidUnwrap, ValueError, KeyRefusedError):
        return spare
    return found if len(found) == size else spare


def _by_rsa(token: EncryptedToken, private: rsa.RSAPrivateKey) -> bytes:
    """RSAES-OAEP with SHA-256 (RFC 7518, section 4.3); ValueError where it fails."""
    scheme = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    return private.decrypt(token.key, scheme)


def _by_agreement(token: EncryptedToken, private: ec.EllipticCurvePrivateKey, size: int) -> bytes:
    """ECDH-ES (RFC 7518, section 4.6).

    1. `epk` is a public key and nothing but that, and a point of our key's own curve, for a point elsewhere would tell
       about our key (section 4.6.1.1; RFC 8725, section 3.4). 2. What both agree on is derived for this use alone
       (section 4.6.2). 3. It is the key itself, and no other is sent, or that key is wrapped by it.
    """
    epk = token.header.get("epk")
    if not isinstance(epk, dict) or epk.get("kty") != "EC" or epk.get("crv") != _CURVES[private.curve.name]:  # 1
        raise KeyRefusedError("epk", "the key of the sender is not of our key's curve")
    check_public(epk)
    agreed = private.exchange(ec.ECDH(), ec_key(epk))
    wrapping = _WRAPPING[token.algorithm]
    identifier = token.algorithm if wrapping else token.content
    about = (_counted(identifier.encode("ascii")), _party(token, "apu"), _party(token, "apv"))
    derived_bytes = wrapping or size
    other = b"".join(about) + (derived_bytes * 8).to_bytes(4)
    derived = ConcatKDFHash(hashes.SHA256(), derived_bytes, other).derive(agreed)  # 2
    if wrapping:  # 3
        return aes_key_unwrap(derived, token.key)
    if token.key:
        raise KeyRefusedError("encrypted-key", "a key is sent beside the one that was agreed on")
    return derived


def _party(token: EncryptedToken, name: str) -> bytes:
    """Return PartyUInfo or PartyVInfo (sections 4.6.1.2 and 4.6.1.3); both parties may leave theirs out."""
    value = token.header.get(name, "")
    if not isinstance(value, str):
        raise KeyRefusedError(name, f"`{name}` is no text")
    return _counted(decode_base64url(value))  # EncodingError is a ValueError


def _counted(data: bytes) -> bytes:
    return len(data).to_bytes(4) + data
