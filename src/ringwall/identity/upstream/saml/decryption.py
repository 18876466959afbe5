"""Decrypts assertions (XML Encryption 1.1): AES-GCM for what is said, RSA-OAEP for its key, and nothing else.

CBC is not taken: what it hides can be changed by strangers, and told to them bit by bit by how it is refused (Jager and
Somorovsky, "How to break XML encryption", 2011). PKCS #1 v1.5 falls to the same kind of questions. Nor is anything
fetched that is not in the document.
"""

import base64
import binascii
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from ringwall.identity.upstream.identity import UpstreamRefusedError
from ringwall.identity.upstream.saml.document import (
    ASSERTION,
    SIGNATURE,
    children,
    is_named,
    only_child,
    parse,
    text_of,
)

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.padding import OAEP

    from ringwall.identity.upstream.saml.keys import SamlKey

    Element = Any

ENCRYPTION: Final = "http://www.w3.org/2001/04/xmlenc#"
_ENCRYPTION_11: Final = "http://www.w3.org/2009/xmlenc11#"
_CONTENT: Final = {f"{_ENCRYPTION_11}aes{bits}-gcm": bits // 8 for bits in (128, 192, 256)}
_OAEP_SHA1: Final = f"{ENCRYPTION}rsa-oaep-mgf1p"
_OAEP: Final = f"{_ENCRYPTION_11}rsa-oaep"
_DIGESTS: Final = {
    f"{SIGNATURE}sha1": "SHA1",  # collisions do not matter within OAEP (RFC 8017, section B.1)
    f"{ENCRYPTION}sha256": "SHA256",
    "http://www.w3.org/2001/04/xmldsig-more#sha384": "SHA384",
    f"{ENCRYPTION}sha512": "SHA512",
}
_MASKS: Final = {
    f"{_ENCRYPTION_11}mgf1{name}": name.upper() for name in ("sha1", "sha224", "sha256", "sha384", "sha512")
}
_NONCE: Final = 12
_TAG: Final = 16


def decrypted_assertion(encrypted: "Element", keys: Iterable["SamlKey"]) -> "Element":
    """Return the assertion within an `EncryptedAssertion`. Nothing of it is believed yet.

    1. It holds one piece of data, with one key (saml-core-2.0-os, section 2.3.4), both in the document itself.
    2. Their algorithms are those that we take (XML Encryption 1.1, sections 5.2.4 and 5.5.2). 3. One of our keys opens
    it, and it has not been changed. 4. What comes out is a plain document, and an assertion. Whoever asks is told no
    difference between what fails in 3 and 4.
    """
    data = only_child(encrypted, ENCRYPTION, "EncryptedData")  # 1
    packed = list(encrypted.iter(f"{{{ENCRYPTION}}}EncryptedKey"))
    if len(packed) != 1:
        raise UpstreamRefusedError(
            "encrypted", f"the assertion is encrypted with {len(packed)} keys, and must be with one"
        )
    algorithm = _algorithm(data)
    if algorithm not in _CONTENT:  # 2
        raise _unknown(algorithm, "aes128-gcm or aes256-gcm")
    unpack = _unpacking(packed[0])
    wrapped, content = _cipher(packed[0]), _cipher(data)
    for key in keys:
        plain = _opened(unpack, key, wrapped, content, size=_CONTENT[algorithm])  # 3
        if plain is not None:
            return _assertion(plain)  # 4
    raise _refused()


def _opened(padding: "OAEP", key: "SamlKey", wrapped: bytes, content: bytes, *, size: int) -> bytes | None:
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415  # only where SAML is spoken
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415  # as above

    try:
        secret = key.private.decrypt(wrapped, padding)
        if len(secret) != size or len(content) < _NONCE + _TAG:
            return None
        return AESGCM(secret).decrypt(content[:_NONCE], content[_NONCE:], None)
    except (ValueError, InvalidTag):
        return None


def _assertion(plain: bytes) -> "Element":
    try:
        root = parse(plain)
    except UpstreamRefusedError:
        raise _refused() from None
    if not is_named(root, ASSERTION, "Assertion"):
        raise _refused()
    return root


def _unpacking(packed: "Element") -> "OAEP":
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415  # only where SAML is spoken
    from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP  # noqa: PLC0415  # as above

    method = only_child(packed, ENCRYPTION, "EncryptionMethod")
    algorithm = method.get("Algorithm")
    if algorithm not in {_OAEP, _OAEP_SHA1}:
        raise _unknown(algorithm, "rsa-oaep or rsa-oaep-mgf1p")
    if children(method, ENCRYPTION, "OAEPparams"):
        raise _unknown("OAEPparams", "no parameters")
    digest = _named(method, SIGNATURE, "DigestMethod", _DIGESTS)
    mask = _named(method, _ENCRYPTION_11, "MGF", _MASKS) if algorithm == _OAEP else "SHA1"
    made: Callable[[str], Any] = lambda name: getattr(hashes, name)()  # noqa: E731  # names are from the tables above
    return OAEP(mgf=MGF1(made(mask)), algorithm=made(digest), label=None)


def _named(method: "Element", namespace: str, name: str, known: dict[str, str]) -> str:
    found = children(method, namespace, name)
    if not found:
        return "SHA1"
    algorithm = found[0].get("Algorithm")
    if len(found) > 1 or algorithm not in known:
        raise _unknown(algorithm, "SHA-256")
    return known[algorithm]


def _algorithm(element: "Element") -> str | None:
    value: str | None = only_child(element, ENCRYPTION, "EncryptionMethod").get("Algorithm")
    return value


def _cipher(element: "Element") -> bytes:
    value = only_child(only_child(element, ENCRYPTION, "CipherData"), ENCRYPTION, "CipherValue")
    try:
        return base64.b64decode("".join(text_of(value).split()), validate=True)
    except (binascii.Error, ValueError):
        raise _refused() from None


def _unknown(algorithm: str | None, wanted: str) -> UpstreamRefusedError:
    name = str(algorithm)[:100].rpartition("#")[2]
    hint = f"let the provider use {wanted}, or leave the encryption of assertions to TLS (`encrypted`)"
    return UpstreamRefusedError("algorithm", f"the assertion is encrypted with {name}, which is not taken", hint=hint)


def _refused() -> UpstreamRefusedError:
    hint = "give the provider our metadata anew: it may have a former key"
    return UpstreamRefusedError("encrypted", "the assertion cannot be decrypted", hint=hint)
