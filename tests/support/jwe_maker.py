"""Encrypted tokens made by hand, so that each part can be wrong while all others are right."""

import hmac
import json
import secrets
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from cryptography.hazmat.primitives.keywrap import aes_key_wrap

from ringwall.identity.tokens.decryption_keys import DecryptionKey
from ringwall.identity.tokens.encoding import encode_base64url
from ringwall.identity.tokens.jwk_members import public_members

KEY_BYTES = {"A128CBC-HS256": 32, "A256CBC-HS512": 64, "A128GCM": 16, "A256GCM": 32}


def pad(text: bytes) -> bytes:
    missing = 16 - len(text) % 16
    return text + bytes([missing]) * missing


def sealed(content: str, key: bytes, padded: bytes, aad: bytes) -> tuple[bytes, bytes, bytes]:
    """Return iv, ciphertext and tag; for CBC the text must be padded already, well or badly."""
    if content.endswith("GCM"):
        iv = secrets.token_bytes(12)
        both = AESGCM(key).encrypt(iv, padded, aad)
        return iv, both[:-16], both[-16:]
    iv, half = secrets.token_bytes(16), len(key) // 2
    encryptor = Cipher(algorithms.AES(key[half:]), modes.CBC(iv)).encryptor()
    ciphertext = encryptor.update(padded) + encryptor.finalize()
    digest = "sha256" if half == 16 else "sha512"
    return iv, ciphertext, hmac.digest(key[:half], aad + iv + ciphertext + (len(aad) * 8).to_bytes(8), digest)[:half]


def join(header: dict[str, Any] | str, *parts: bytes) -> str:
    protected = header if isinstance(header, str) else encode_base64url(json.dumps(header).encode())
    return ".".join([protected, *(encode_base64url(part) for part in parts)])


def make_jwe(
    reader: DecryptionKey,
    text: bytes,
    *,
    content: str = "A256GCM",
    header: dict[str, Any] | None = None,
    key: bytes | None = None,
    sent_key: bytes | None = None,
    padded: bytes | None = None,
    sender: ec.EllipticCurvePrivateKey | None = None,
) -> str:
    """Return an encrypted token; a header's member that is None is left out.

    Args:
        reader: whom it is for.
        text: what is inside.
        content: `enc`.
        header: changes to the header, made before anything is computed of it.
        key: the content's key; a random one by default. For ECDH-ES, what is agreed on.
        sent_key: what stands in the place of the encrypted key.
        padded: what is encrypted in CBC mode, in place of the padded text.
        sender: whose key `epk` is; a new one by default.
    """
    head: dict[str, Any] = {"alg": reader.algorithm, "enc": content, "kid": reader.kid, "cty": "JWT"}
    wrapped, found = b"", key or secrets.token_bytes(KEY_BYTES[content])
    if isinstance(reader.private, rsa.RSAPrivateKey):
        scheme = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
        wrapped = reader.private.public_key().encrypt(found, scheme)
    else:
        own = sender or ec.generate_private_key(reader.private.curve)
        head["epk"] = public_members(own)
        wrapping = {"ECDH-ES": 0, "ECDH-ES+A128KW": 16, "ECDH-ES+A256KW": 32}[reader.algorithm]
        size, name = (wrapping, reader.algorithm) if wrapping else (len(found), content)
        about = len(name).to_bytes(4) + name.encode() + bytes(8) + (size * 8).to_bytes(4)
        agreed = own.exchange(ec.ECDH(), reader.private.public_key())
        derived = ConcatKDFHash(hashes.SHA256(), size, about).derive(agreed)
        wrapped, found = (aes_key_wrap(derived, found), found) if wrapping else (b"", derived)
    head |= header or {}
    protected = encode_base64url(
        json.dumps({name: value for name, value in head.items() if value is not None}).encode()
    )
    body = text if content.endswith("GCM") else padded or pad(text)
    return join(protected, wrapped if sent_key is None else sent_key, *sealed(content, found, body, protected.encode()))
