"""Authenticated encryption of what is in an encrypted token (RFC 7518, section 5): the side that reads."""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.padding import PKCS7

_TAG_BYTES: Final = 16
_NONCE_BYTES: Final = 12
_BLOCK_BYTES: Final = 16


class NotAuthenticError(ValueError):
    """What was encrypted cannot be had; there is nothing to say about why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """The last three parts of an encrypted token, and the first, which is authenticated with them."""

    iv: bytes
    ciphertext: bytes
    tag: bytes
    aad: bytes


@dataclass(frozen=True, slots=True)
class ContentAlgorithm:
    """One value of `enc`.

    Attributes:
        key_bytes: how long its key is, exactly.
        open: returns what was encrypted; takes such a key, and raises NotAuthenticError for anything else.
    """

    key_bytes: int
    open: Callable[[bytes, Sealed], bytes]


def _gcm(key: bytes, sealed: Sealed) -> bytes:
    """AES-GCM (section 5.3): a nonce of 96 bits and a tag of 128, and no others."""
    if len(sealed.iv) != _NONCE_BYTES or len(sealed.tag) != _TAG_BYTES:
        raise NotAuthenticError
    try:
        return AESGCM(key).decrypt(sealed.iv, sealed.ciphertext + sealed.tag, sealed.aad)
    except InvalidTag:
        raise NotAuthenticError from None


def _cbc(digest: str) -> Callable[[bytes, Sealed], bytes]:
    """AES-CBC with HMAC (section 5.2.2.2): the whole of the tag is compared before anything is decrypted.

    So nobody who changes a ciphertext learns whether its padding would have been good.
    """

    def read(key: bytes, sealed: Sealed) -> bytes:
        half = len(key) // 2
        length = (len(sealed.aad) * 8).to_bytes(8)
        computed = hmac.digest(key[:half], sealed.aad + sealed.iv + sealed.ciphertext + length, digest)[:half]
        if not hmac.compare_digest(computed, sealed.tag) or len(sealed.iv) != _BLOCK_BYTES:
            raise NotAuthenticError
        try:
            decryptor = Cipher(algorithms.AES(key[half:]), modes.CBC(sealed.iv)).decryptor()
            padded = decryptor.update(sealed.ciphertext) + decryptor.finalize()
            unpadder = PKCS7(_BLOCK_BYTES * 8).unpadder()
            return unpadder.update(padded) + unpadder.finalize()
        except ValueError:
            raise NotAuthenticError from None

    return read


CONTENT_ALGORITHMS: Final[Mapping[str, ContentAlgorithm]] = {
    "A128CBC-HS256": ContentAlgorithm(32, _cbc("sha256")),
    "A256CBC-HS512": ContentAlgorithm(64, _cbc("sha512")),
    "A128GCM": ContentAlgorithm(16, _gcm),
    "A256GCM": ContentAlgorithm(32, _gcm),
}
"""By name: the same as `encryption.CONTENT`, and nothing else."""
