"""Messages in URLs, and their signatures there (saml-bindings-2.0-os, section 3.4)."""

import base64
import binascii
import zlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_plus, urlencode, urlsplit

from ringwall.identity.upstream.identity import UpstreamRefusedError
from ringwall.identity.upstream.saml.document import MAX_BYTES

if TYPE_CHECKING:
    from ringwall.identity.upstream.saml.keys import SamlKey

RSA_SHA256: Final = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
_RSA: Final = {f"http://www.w3.org/2001/04/xmldsig-more#rsa-sha{bits}": bits for bits in (256, 384, 512)}
_ECDSA: Final = {f"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha{bits}": bits for bits in (256, 384, 512)}
_SIGNED: Final = ("RelayState", "SigAlg")
_MAX_SIGNATURE: Final = 4096


def with_message(location: str, *, kind: str, message: str, state: str = "", key: "SamlKey | None" = None) -> str:
    """Return the URL that brings a message (section 3.4.4.1).

    Args:
        location: where it goes; a query that it has stays, and is not signed.
        kind: `SAMLRequest` or `SAMLResponse`.
        message: XML.
        state: `RelayState`; empty for none.
        key: what signs it; None for no signature.
    """
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = packer.compress(message.encode()) + packer.flush()
    fields = {kind: base64.b64encode(packed).decode("ascii"), **({"RelayState": state} if state else {})}
    query = urlencode(fields)
    if key is not None:
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15  # noqa: PLC0415  # only where spoken
        from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415  # as above

        query = f"{query}&{urlencode({'SigAlg': RSA_SHA256})}"
        signature = key.private.sign(query.encode("ascii"), PKCS1v15(), SHA256())
        query = f"{query}&{urlencode({'Signature': base64.b64encode(signature).decode('ascii')})}"
    return f"{location}{'&' if urlsplit(location).query else '?'}{query}"


def signed_message(query: str, *, kind: str, certificates: Iterable[str]) -> bytes:
    """Return the XML of a message that a URL brings, once its signature holds (section 3.4.4.1).

    1. Each parameter is there once. 2. The algorithm is one that we take, and the signature holds, by a key that the
    plan names, over the parameters as they came, letter by letter. 3. What is unpacked is not large.
    """
    raw: dict[str, str] = {}
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if name in raw:  # 1
            raise _refused("a parameter comes twice")
        raw[name] = value
    if kind not in raw or "Signature" not in raw or "SigAlg" not in raw:
        raise UpstreamRefusedError("unsigned", "the message is not signed")
    signed = "&".join(f"{name}={raw[name]}" for name in (kind, *_SIGNED) if name in raw).encode()
    signature = _decoded(raw["Signature"])
    algorithm = unquote_plus(raw["SigAlg"])
    if not any(_holds(text, algorithm, signature, signed) for text in certificates):  # 2
        raise UpstreamRefusedError(
            "signature", "the signature is by none of the provider's keys", hint="fetch the provider's metadata anew"
        )
    return _unpacked(_decoded(raw[kind]))  # 3


def _holds(certificate: str, algorithm: str, signature: bytes, signed: bytes) -> bool:
    from cryptography import x509  # noqa: PLC0415  # only where SAML is spoken
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415  # as above
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415  # as above
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa  # noqa: PLC0415  # as above

    made: dict[int, Any] = {256: hashes.SHA256(), 384: hashes.SHA384(), 512: hashes.SHA512()}
    key = x509.load_der_x509_certificate(base64.b64decode(certificate)).public_key()
    try:
        if isinstance(key, rsa.RSAPublicKey) and algorithm in _RSA:
            key.verify(signature, signed, padding.PKCS1v15(), made[_RSA[algorithm]])
            return True
        if isinstance(key, ec.EllipticCurvePublicKey) and algorithm in _ECDSA:
            key.verify(_as_der(signature), signed, ec.ECDSA(made[_ECDSA[algorithm]]))
            return True
    except InvalidSignature:
        return False
    return False


def _as_der(signature: bytes) -> bytes:
    """Return an ECDSA signature as libraries take it: XML has two numbers in a row (RFC 4051, section 2.3.6)."""
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature  # noqa: PLC0415  # as above

    half = len(signature) // 2
    return encode_dss_signature(int.from_bytes(signature[:half]), int.from_bytes(signature[half:]))


def _decoded(value: str) -> bytes:
    try:
        return base64.b64decode("".join(unquote_plus(value).split()), validate=True)
    except (binascii.Error, ValueError):
        raise _refused("a parameter is not base64") from None


def _unpacked(packed: bytes) -> bytes:
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        content = unpacker.decompress(packed, MAX_BYTES + 1)
    except zlib.error:
        raise _refused("what is packed cannot be unpacked") from None
    if len(content) > MAX_BYTES or not unpacker.eof:
        raise _refused("the message is too large, or ends too early")
    return content


def _refused(message: str) -> UpstreamRefusedError:
    return UpstreamRefusedError("document", message)
